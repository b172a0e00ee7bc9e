"""A lone event through queue.SimpleQueue to a sleeping consumer thread, in turn with tocsin's."""

import threading
from queue import SimpleQueue
from time import perf_counter_ns

from benchmarks.compare.simple_queue import do_job
from benchmarks.harness import Round, Topic
from benchmarks.latency import N, handler_of, lone, one_by_one
from benchmarks.worlds import BENCH, PATIENCE, PAYLOAD

topic = Topic("compare_lone", "a lone event against SimpleQueue, ns")


@topic.case("SimpleQueue, the whole job", N, peer=True)
def simple_queue(n):
    queue = SimpleQueue()
    arrived, came = threading.Semaphore(0), [0]
    consumer = threading.Thread(target=do_job, args=(queue, handler_of(came, arrived)))
    consumer.start()

    def send():
        queue.put((BENCH.id, 0, PAYLOAD, perf_counter_ns()))

    try:
        yield Round(one_by_one(n, send, arrived, came))
    finally:
        queue.put(None)
        consumer.join(PATIENCE)


topic.add("notify -> callable", N, lone)
topic.ratio("SimpleQueue, the whole job, p50", "notify -> callable, p50")


if __name__ == "__main__":
    topic.main()
