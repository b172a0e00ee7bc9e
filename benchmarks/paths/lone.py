"""A lone event to a sleeping worker: from just before notify() to the first line of the Python handler.

Between two events the producer sleeps half a millisecond, longer than any worker looks around. The peers'
consumers are threads asleep in SimpleQueue.get(), and in the read of an eventfd beside a deque: the least
that Python can wake a thread with, and nothing else around it.
"""

import os
import threading
import time
from collections import deque
from queue import SimpleQueue
from time import perf_counter_ns

from benchmarks.harness import Path, Round
from benchmarks.targets import share, value_of
from benchmarks.worlds import BENCH, PATIENCE, PAYLOAD, books_of, pipeline_of

path = Path("lone", "a lone event, worker asleep, ns")
N = 2000
GAP = 0.0005  # seconds
OURS, SQ, BARE = "notify -> callable", "SimpleQueue", "eventfd and deque"

for _percentile in ("p50", "p99"):
    path.target(
        f"{_percentile} not worse than SimpleQueue's",
        share(f"{OURS}, {_percentile}", f"{SQ}, {_percentile}"),
        at_most=1,
        unit="of it",
    )
for _percentile, _ns in (("p50", 3_000), ("p99", 29_000)):
    path.target(
        f"aim: {_percentile} of eventfd and deque, {_ns // 1000} us",
        value_of(f"{OURS}, {_percentile}", beside=f"{BARE}, {_percentile}"),
        at_most=_ns,
        aim=True,
    )


class Alone:
    """Times lone events: the handler stamps one and lets the producer go on."""

    def __init__(self):
        self.came = 0
        self.arrived = threading.Lock()
        self.arrived.acquire()

    def handle(self, _):
        self.came = perf_counter_ns()
        self.arrived.release()

    def sends(self, n, send):
        """Call send() n times, each after a sleep; how many ns each event took."""
        waits = []
        for _ in range(n):
            time.sleep(GAP)
            began = perf_counter_ns()
            send()
            if not self.arrived.acquire(timeout=PATIENCE):
                raise TimeoutError("an event never came")
            waits.append(self.came - began)
        return waits


@path.case(OURS, N, each=True)
def ours():
    alone = Alone()
    with pipeline_of() as pipeline:
        pipeline.subscribe(BENCH.raw, alone.handle)
        notify, event, payload = pipeline.notify, BENCH.raw, PAYLOAD
        yield Round(lambda n: alone.sends(n, lambda: notify(event, payload)), books_of(pipeline))


def consumed(get, send, stop):
    """Yield a round in which a thread handles what get() returns, until that is None."""
    alone = Alone()

    def work():
        while (item := get()) is not None:
            alone.handle(item)

    consumer = threading.Thread(target=work, daemon=True)
    consumer.start()
    try:
        yield Round(lambda n: alone.sends(n, send))
    finally:
        stop()
        consumer.join(PATIENCE)


def simple_queue():
    queue = SimpleQueue()

    def send():
        queue.put((BENCH.id, 0, PAYLOAD, perf_counter_ns()))

    yield from consumed(queue.get, send, lambda: queue.put(None))


path.case(SQ, N, each=True, peer=True)(simple_queue)


def eventfd():
    return None if hasattr(os, "eventfd") else "this system has no eventfd"


@path.case(BARE, N, each=True, peer=True, needs=(eventfd,))
def bare():
    queue = deque()
    file = os.eventfd(0)

    def put(item):
        queue.append(item)
        os.eventfd_write(file, 1)

    def get():
        os.eventfd_read(file)
        return queue.popleft()

    try:
        yield from consumed(get, lambda: put((BENCH.id, 0, PAYLOAD, perf_counter_ns())), lambda: put(None))
    finally:
        os.close(file)


if __name__ == "__main__":
    path.main()
