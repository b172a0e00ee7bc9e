"""Work items from Python: a whole round trip, and the kick that finds a run owed or in progress."""

import threading
from itertools import repeat
from time import perf_counter_ns

import tocsin
from benchmarks.harness import Round, Topic
from benchmarks.worlds import PATIENCE

topic = Topic("queue_work", "work items, ns per operation")


@topic.case("queue, run, and back", 500)
def round_trip(n):
    ran = threading.Lock()
    ran.acquire()
    with tocsin.WorkQueue("benchmark") as queue:
        work = tocsin.Work(ran.release)

        def run():
            began = perf_counter_ns()
            for _ in repeat(None, n):
                assert queue.queue(work)
                assert ran.acquire(timeout=PATIENCE)
                while work.running:  # or the next kick would find it leaving
                    pass
            return perf_counter_ns() - began

        yield Round(run)


def kicks(queue, work, n):
    began = perf_counter_ns()
    for _ in repeat(None, n):
        queue.queue(work)
    return perf_counter_ns() - began


@topic.case("kick of a work that is pending", 100_000)
def pending(n):
    with tocsin.WorkQueue("benchmark") as queue:
        work = tocsin.Work(int)
        queue.freeze()
        assert queue.queue(work)
        yield Round(lambda: kicks(queue, work, n))
        queue.thaw()


@topic.case("kick of a work that is running", 100_000)
def running(n):
    begun, may_end = threading.Semaphore(0), threading.Semaphore(0)

    def function():
        begun.release()
        may_end.acquire()

    with tocsin.WorkQueue("benchmark") as queue:
        work = tocsin.Work(function)
        queue.queue(work)
        begun.acquire()
        yield Round(lambda: kicks(queue, work, n))
        may_end.release(2)  # the run, and the one that is owed for all those kicks
        begun.acquire()


if __name__ == "__main__":
    topic.main()
