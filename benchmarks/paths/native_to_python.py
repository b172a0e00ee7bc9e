"""From a native producer to Python: a callable with each event, and batches that NumPy adds up.

The queue has the default 4 MiB; a producer that finds it full is refused, pauses and tries again, so the
refusals counted here are retries. The producer is exclusive and gives the timestamps. The main thread is
inside it, without the GIL, until all events are accepted.

The floors: C that calls a Python function always with the same object, in one thread; and Boost's queue with
the same records, without any Python.
"""

from collections import deque
from itertools import repeat
from time import perf_counter_ns

from benchmarks import native
from benchmarks.harness import Path, Round
from benchmarks.paths.native_to_native import PAUSES, boost
from benchmarks.targets import value_of
from benchmarks.worlds import BENCH, books_of, fixed, flushed, nothing, numpy, pipeline_of

path = Path("native_to_python", "native to Python, ns per event")
N = 1_000_000
SOURCES = 16
CALLABLE = "native -> callable"
ARRAY = "native -> batch.array, sum and bincount"
CALLED = "a Python function called by C, one object"
BOOST = "boost spsc_queue consume_all"

path.target("-> callable: <= 60 ns", value_of(CALLABLE), at_most=60, floor=value_of(CALLED))
path.target(
    "-> batch array with a sum and a bincount: <= 10 ns",
    value_of(ARRAY),
    at_most=10,
    floor=value_of(BOOST),
)


def through(pipeline, event, payloads):
    with pipeline.producer(BENCH, exclusive=True) as producer:

        def run(n):
            return flushed(pipeline, native.produce(producer, n, 1, event, payloads))

        yield Round(run, books_of(pipeline))


@path.case(CALLABLE, N, needs=(native.here,))
def to_callable():
    with pipeline_of() as pipeline:
        pipeline.subscribe(BENCH.raw, nothing)
        yield from through(pipeline, BENCH.raw, fixed(1))


@path.case(CALLED, N)
def called():
    def run(n):
        began = perf_counter_ns()
        deque(map(nothing, repeat(None, n)), maxlen=0)
        return perf_counter_ns() - began

    yield Round(run)


path.case(BOOST, N, peer=True, needs=(native.boost_here,))(boost(PAUSES[-1], take_all=True))


@path.case(ARRAY, N, needs=(native.here, numpy))
def to_array():
    from numpy import bincount

    totals = []

    def add(batch):
        array = batch.array
        totals.append((array["value"].sum(), bincount(array["source"], minlength=SOURCES)))

    payloads = b"".join(fixed(source, 1) for source in range(SOURCES))
    with pipeline_of() as pipeline:
        pipeline.subscribe(BENCH.fixed, add, batch=True)
        for round in through(pipeline, BENCH.fixed, payloads):
            yield round
            assert sum(value for value, _ in totals) == round.sent
            assert sum(counts.sum() for _, counts in totals) == round.sent


if __name__ == "__main__":
    path.main()
