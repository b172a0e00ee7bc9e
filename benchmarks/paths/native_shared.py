"""Native to native as in native_to_native.py, with a clock read for each event, and with a shared producer.

A shared producer reserves by compare-and-swap, as others may notify the same protocol at any moment. The
two-threads case has them: each sends half of the events.
"""

import threading

from benchmarks import native
from benchmarks.harness import Path, Round
from benchmarks.paths.native_to_native import N, through
from benchmarks.targets import value_of
from benchmarks.worlds import BENCH, PATIENCE, books_of, pipeline_of

path = Path("native_shared", "native to native with a clock, and shared, ns per event")
CLOCK = "exclusive producer, clock read for each event"
SHARED = "shared producer, timestamp given"

path.target("a clock read for each event: <= 30 ns", value_of(CLOCK), at_most=30)
path.target("a shared producer: <= 30 ns", value_of(SHARED), at_most=30)

for _name, _exclusive, _timestamp in (
    (CLOCK, True, native.NOW),
    (SHARED, False, 1),
    ("shared producer, clock read for each event", False, native.NOW),
):
    path.case(_name, N, needs=(native.here,))(through(exclusive=_exclusive, timestamp=_timestamp))


@path.case("shared producer, two threads, timestamp given", N, needs=(native.here,))
def two_threads():
    with pipeline_of() as pipeline:
        counter = native.arrivals(pipeline, BENCH.raw)
        with pipeline.producer(BENCH) as producer:

            def run(n):
                counter.expect(n)
                other = threading.Thread(target=native.produce, args=(producer, n // 2, 1))
                other.start()
                began = native.produce(producer, n - n // 2, 1)
                other.join(PATIENCE)
                return counter.wait(began)

            yield Round(run, books_of(pipeline))


if __name__ == "__main__":
    path.main()
