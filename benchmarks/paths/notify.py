"""notify() from Python: what a producer pays for a call. The loop is included; see the first case.

Alone: the pipeline is frozen, so no worker runs beside the producer. Worker busy: a native worker takes the
events to a C function on the other core meanwhile. Waiting for the GIL: a Python subscriber, whose worker
gets the GIL when the producer's turn is over.

The peer puts the same event in a queue.SimpleQueue, as a tuple with a time of its own, and nobody takes it
out meanwhile, which is when that is cheapest.
"""

import operator
from itertools import repeat
from queue import SimpleQueue
from time import perf_counter_ns

from benchmarks import native
from benchmarks.harness import Path, Round
from benchmarks.targets import share, value_of
from benchmarks.worlds import BENCH, PAYLOAD, books_of, nothing, pipeline_for

path = Path("notify", "notify() from Python, ns per call")
N = 80_000
BUSY = "notify, worker busy"
PUT = "SimpleQueue.put of the tuple"
LEAST = "the loop and perf_counter_ns(), other core busy"

path.target(
    "notify(), clock included, worker busy: <= 60 ns",
    value_of(BUSY, beside=PUT),
    at_most=60,
    floor=value_of(LEAST),
)
path.target(
    "the same: <= 1/3 of SimpleQueue.put of that tuple",
    share(BUSY, PUT),
    at_most=1 / 3,
    unit="of it",
    floor=share(LEAST, PUT),
)


@path.case("the loop and an empty function of C", N)
def loop():
    def run(n):
        function = operator.is_
        event, payload = BENCH.raw, PAYLOAD
        began = perf_counter_ns()
        for _ in repeat(None, n):
            function(event, payload)
        return perf_counter_ns() - began

    yield Round(run)


@path.case(LEAST, N, needs=(native.here,))
def clock():
    def run(n):
        began = perf_counter_ns()
        for _ in repeat(None, n):
            perf_counter_ns()
        return perf_counter_ns() - began

    with native.other_core_busy():
        yield Round(run)


@path.case(PUT, N, peer=True)
def put():
    queue = SimpleQueue()

    def run(n):
        put, clock, protocol, event, payload = queue.put, perf_counter_ns, BENCH.id, 0, PAYLOAD
        began = perf_counter_ns()
        for _ in repeat(None, n):
            put((protocol, event, payload, clock()))
        ended = perf_counter_ns()
        for _ in repeat(None, n):
            queue.get()
        return ended - began

    yield Round(run)
    assert queue.empty()


def calls(pipeline, *, frozen=False, timestamp=None):
    """Return a round of n calls; the events are passed after the clock has stopped."""

    def run(n):
        notify, event, payload = pipeline.notify, BENCH.raw, PAYLOAD
        if frozen:
            pipeline.freeze()
        began = perf_counter_ns()
        if timestamp is None:
            for _ in repeat(None, n):
                notify(event, payload)
        else:
            for _ in repeat(None, n):
                notify(event, payload, timestamp)
        ended = perf_counter_ns()
        pipeline.thaw()
        pipeline.flush()
        return ended - began

    return run


@path.case(BUSY, N, needs=(native.here,))
def busy():
    with pipeline_for(N) as pipeline:
        pipeline.subscribe_native(BENCH.raw, native.helper().ignore)
        yield Round(calls(pipeline), books_of(pipeline))


@path.case("notify, worker waiting for the GIL", N)
def waiting():
    with pipeline_for(N) as pipeline:
        pipeline.subscribe(BENCH.raw, nothing)
        yield Round(calls(pipeline), books_of(pipeline))


@path.case("notify, alone", N)
def alone():
    with pipeline_for(N) as pipeline:
        yield Round(calls(pipeline, frozen=True), books_of(pipeline), "unclaimed")


@path.case("notify, alone, timestamp given", N)
def stamped():
    with pipeline_for(N) as pipeline:
        yield Round(calls(pipeline, frozen=True, timestamp=1), books_of(pipeline), "unclaimed")


@path.case("notify of a tuple, packed, alone", N)
def packed():
    with pipeline_for(N) as pipeline:

        def run(n):
            notify, event, report = pipeline.notify, BENCH.fixed, (1, -1, (1, 2, 3))
            pipeline.freeze()
            began = perf_counter_ns()
            for _ in repeat(None, n):
                notify(event, report)
            ended = perf_counter_ns()
            pipeline.thaw()
            pipeline.flush()
            return ended - began

        yield Round(run, books_of(pipeline), "unclaimed")


if __name__ == "__main__":
    path.main()
