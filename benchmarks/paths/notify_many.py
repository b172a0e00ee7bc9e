"""notify_many(): 1,000 records of 32 bytes in one call, from Python to a Python callable, or to an array.

The floor of the call alone is a loop in C that writes the same records into a ring of the same size. With the
GIL the two sides take turns, so their times add: the floors of the others are that loop and behind it, in the
same thread, a Python function that C calls once for each event, always with the same object, or a loop in
C that copies each record into the five columns of a batch.

The peer has no such call: its producer puts one tuple for each event, as in python_to_python.py.
"""

import ctypes
from collections import deque
from itertools import repeat
from queue import SimpleQueue
from time import perf_counter_ns

from benchmarks import native
from benchmarks.harness import Path, Round
from benchmarks.paths.python_to_python import SQ, putting, taking
from benchmarks.targets import times_faster, value_of
from benchmarks.worlds import BENCH, PAYLOAD, books_of, flushed, hop, nothing, numpy, pipeline_for, queue_for

path = Path("notify_many", "notify_many(1000), ns per event")
N = 300_000
MANY = 1000
TO_CALLABLE = "notify_many(1000) -> callable"
TO_ARRAY = "notify_many(1000) -> batch.array"
ALONE = "notify_many(1000), alone"
WRITTEN = "the records, written by C"
CALLED = "the same, then a Python function called by C"
COPIED = "the same, then copied into columns by C"
BATCH = 4096

path.target(
    "-> callable: >= 4 times SimpleQueue",
    times_faster(TO_CALLABLE, SQ),
    at_least=4,
    floor=times_faster(CALLED, SQ),
    unit="times",
)
path.target(
    "-> batch array: >= 12 times SimpleQueue",
    times_faster(TO_ARRAY, SQ),
    at_least=12,
    floor=times_faster(COPIED, SQ),
    unit="times",
)
path.target("notify_many alone: <= 4 ns per event", value_of(ALONE), at_most=4, floor=value_of(WRITTEN))


def producing(pipeline):
    notify_many, event, buffer = pipeline.notify_many, BENCH.fixed, PAYLOAD * MANY

    def produce(n):
        assert n % MANY == 0, f"{n} events are not so many thousands"
        for _ in repeat(None, n // MANY):
            notify_many(event, buffer)

    return produce


def delivery(pipeline):
    produce = producing(pipeline)

    def run(n):
        began = perf_counter_ns()
        produce(n)
        return flushed(pipeline, began)

    return Round(run, books_of(pipeline))


@path.case(TO_CALLABLE, N)
def to_callable():
    with pipeline_for(N) as pipeline:
        pipeline.subscribe(BENCH.fixed, nothing)
        yield delivery(pipeline)


@path.case(TO_ARRAY, N, needs=(numpy,))
def to_array():
    with pipeline_for(N) as pipeline:
        pipeline.subscribe(BENCH.fixed, lambda batch: batch.array, batch=True)
        yield delivery(pipeline)


@path.case(SQ, N, peer=True)
def simple_queue():
    queue = SimpleQueue()
    yield Round(lambda n: hop(n, putting(queue), taking(queue)))
    assert queue.empty()


def calls(pipeline, frozen):
    produce = producing(pipeline)

    def run(n):
        if frozen:
            pipeline.freeze()
        began = perf_counter_ns()
        produce(n)
        ended = perf_counter_ns()
        pipeline.thaw()
        pipeline.flush()
        return ended - began

    return Round(run, books_of(pipeline), "unclaimed")


@path.case(ALONE, N)
def alone():
    with pipeline_for(N) as pipeline:
        yield calls(pipeline, True)


def written(then):
    """Return a world of a loop in C that writes the records, and of what is done with them `then`."""

    def world():
        ring = bytearray(queue_for(N))
        begin = ctypes.addressof(ctypes.c_char.from_buffer(ring))
        write = native.helper().write_records
        yield Round(lambda n: write(begin, len(ring), n, PAYLOAD, 0) + then(begin, len(ring), n))

    return world


def called(begin, size, n):
    began = perf_counter_ns()
    deque(map(nothing, repeat(None, n)), maxlen=0)
    return perf_counter_ns() - began


def copied(begin, size, n):
    columns = bytearray((32 + 4 * 8) * BATCH)
    return native.helper().copy_columns(
        begin, size, n, ctypes.addressof(ctypes.c_char.from_buffer(columns)), BATCH
    )


path.case(WRITTEN, N, needs=(native.here,))(written(lambda begin, size, n: 0))
path.case(CALLED, N, needs=(native.here,))(written(called))
path.case(COPIED, N, needs=(native.here,))(written(copied))


@path.case("notify_many(1000), worker busy", N)
def busy():
    with pipeline_for(N) as pipeline:
        yield calls(pipeline, False)


if __name__ == "__main__":
    path.main()
