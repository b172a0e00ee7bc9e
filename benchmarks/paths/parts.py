"""The parts on their own: fifos, work items and notifier chains from Python. No target; loop included."""

import threading
from itertools import repeat
from time import perf_counter_ns

import tocsin
from benchmarks.harness import Path, Round
from benchmarks.worlds import PATIENCE

path = Path("parts", "the parts alone, ns per operation")
N = 100_000


def timed(n, function, *arguments):
    began = perf_counter_ns()
    for _ in repeat(None, n):
        function(*arguments)
    return perf_counter_ns() - began


# -- fifos: of each pair of calls one puts in and one takes out


def pairs(make, put, get, item, *amount):
    def world():
        fifo = make()
        into, out = getattr(fifo, put), getattr(fifo, get)

        def run(n):
            began = perf_counter_ns()
            for _ in repeat(None, n // 2):
                into(item)
                out(*amount)
            return perf_counter_ns() - began

        yield Round(run)
        assert fifo.is_empty

    return world


for _name, *_arguments in (
    ("Kfifo.in_ / out, 32 bytes", lambda: tocsin.Kfifo(4096), "in_", "out", bytes(32), 32),
    ("Kfifo.in_ / out, 1024 bytes", lambda: tocsin.Kfifo(4096), "in_", "out", bytes(1024), 1024),
    ("Kfifo.put / get, one byte", lambda: tocsin.Kfifo(4096), "put", "get", 7),
    ("TypedFifo.put / get, one u4", lambda: tocsin.TypedFifo(1024, "u4"), "put", "get", 7),
    ("RecordFifo.put / get, 32 bytes", lambda: tocsin.RecordFifo(4096, 1), "put", "get", bytes(32)),
):
    path.case(_name, N)(pairs(*_arguments))


# -- notifier chains


def chain(count):
    def world():
        notifiers = tocsin.NotifierChain()
        for _ in range(count):
            notifiers.register(lambda value, data: None)
        yield Round(lambda n: timed(n, notifiers.call, 1, None))

    return world


path.case("NotifierChain.call, 1 callback", N)(chain(1))
path.case("NotifierChain.call, 10 callbacks", N)(chain(10))


# -- work items


@path.case("work: queue, run, and back", 1000)
def round_trip():
    ran = threading.Lock()
    ran.acquire()
    with tocsin.WorkQueue("benchmark") as queue:
        work = tocsin.Work(ran.release)

        def run(n):
            began = perf_counter_ns()
            for _ in repeat(None, n):
                assert queue.queue(work)
                assert ran.acquire(timeout=PATIENCE)
                while work.running:  # or the next kick would find it leaving
                    pass
            return perf_counter_ns() - began

        yield Round(run)


@path.case("work: kick of one that is pending", N)
def pending():
    with tocsin.WorkQueue("benchmark") as queue:
        work = tocsin.Work(int)
        queue.freeze()
        assert queue.queue(work)
        yield Round(lambda n: timed(n, queue.queue, work))
        queue.thaw()


@path.case("work: kick of one that is running", N)
def running():
    begun, may_end = threading.Semaphore(0), threading.Semaphore(0)

    def function():
        begun.release()
        may_end.acquire()

    with tocsin.WorkQueue("benchmark") as queue:
        work = tocsin.Work(function)
        queue.queue(work)
        begun.acquire()
        yield Round(lambda n: timed(n, queue.queue, work))
        may_end.release(2)  # the run, and the one that is owed for all those kicks
        begun.acquire()


if __name__ == "__main__":
    path.main()
