"""tocsin itself, and the queues of the standard library, with a consumer thread."""

import os
import queue
from collections import deque
from itertools import repeat
from time import perf_counter_ns

from benchmarks.compare import hop
from benchmarks.harness import Round
from benchmarks.paths import lone, notify_many, python_to_python
from benchmarks.paths.python_to_python import doing_the_job, putting
from benchmarks.worlds import BENCH, PAYLOAD, nothing
from benchmarks.worlds import hop as through

N = 100_000

hop.case("tocsin notify", N, note="a Python callable with each event")(python_to_python.ours())
hop.case("tocsin notify_many(1000)", N, note="the same, 1,000 records in a call")(notify_many.to_callable)


def of_the_library(make):
    def world():
        items = make()
        yield Round(lambda n: through(n, putting(items), doing_the_job(items)))
        assert items.empty()

    return world


hop.case("queue.SimpleQueue", N, peer=True, note="unbounded")(of_the_library(queue.SimpleQueue))
hop.case("queue.Queue", N, peer=True, note="unbounded, which is its faster form")(of_the_library(queue.Queue))


@hop.case("deque and eventfd", N, peer=True, needs=(lone.eventfd,), note="woken only for the first in it")
def deque_and_eventfd():
    items = deque()
    file = os.eventfd(0)

    def produce(n):
        append, wake, clock = items.append, os.eventfd_write, perf_counter_ns
        protocol, event, payload = BENCH.id, 0, PAYLOAD
        for _ in repeat(None, n):
            append((protocol, event, payload, clock()))
            if len(items) == 1:  # otherwise the consumer has yet to find the one before
                wake(file, 1)

    def consume(n, ready):
        handlers = {(BENCH.id, 0): nothing}
        pop, sleep = items.popleft, os.eventfd_read
        ready()
        while n:
            sleep(file)
            while items:
                item = pop()
                protocol, event, _payload, _time = item
                handlers[protocol, event](item)
                n -= 1

    try:
        yield Round(lambda n: through(n, produce, consume))
    finally:
        os.close(file)
