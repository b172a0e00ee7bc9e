"""A lone event: from just before notify() to the first line of the handler, its worker asleep.

Between two events the producer sleeps half a millisecond, which is longer than any worker looks around.
"""

import threading
import time
from time import perf_counter_ns

from benchmarks.harness import Round, Topic
from benchmarks.worlds import BENCH, PATIENCE, PAYLOAD, all_delivered, books_of, pipeline_for

topic = Topic("latency", "a lone event, worker asleep, ns")
N = 500
GAP = 0.0005  # seconds


def one_by_one(n, send, arrived, came):
    """Return a round of n lone events; `came` is where the handler leaves the time."""

    def run():
        waits = []
        for _ in range(n):
            time.sleep(GAP)
            began = perf_counter_ns()
            send()
            if not arrived.acquire(timeout=PATIENCE):
                raise TimeoutError("an event never came")
            waits.append(came[0] - began)
        return waits

    return run


def handler_of(came, arrived):
    def handler(_):
        came[0] = perf_counter_ns()
        arrived.release()

    return handler


@topic.case("notify -> callable", N)
def lone(n):
    arrived, came = threading.Semaphore(0), [0]
    with pipeline_for(n) as pipeline:
        pipeline.subscribe(BENCH.raw, handler_of(came, arrived))
        run = one_by_one(n, lambda: pipeline.notify(BENCH.raw, PAYLOAD), arrived, came)
        yield Round(run, books_of(pipeline), all_delivered(n))


if __name__ == "__main__":
    topic.main()
