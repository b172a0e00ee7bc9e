"""Native to native as in native_to_native.py, with a clock read for each event, and with a shared producer.

The floor with a clock is Boost's spsc_queue with the same records and a clock read for each. That of a shared
producer is one thread that writes the records and executes two locked instructions for each, the least that
finds a place among others and says that it is filled. The peer is boost::lockfree::queue, which any number of
threads may push to.

A shared producer reserves by compare-and-swap, as others may notify the same protocol at any moment. The
two-threads case has them: each sends half of the events.
"""

import ctypes
import threading

from benchmarks import native
from benchmarks.harness import Path, Round
from benchmarks.paths.native_to_native import PAUSES, N, boost, through
from benchmarks.targets import value_of
from benchmarks.worlds import BENCH, PATIENCE, PAYLOAD, RING, books_of, pipeline_of

path = Path("native_shared", "native to native with a clock, and shared, ns per event")
CLOCK = "exclusive producer, clock read for each event"
SHARED = "shared producer, timestamp given"

BOOST_CLOCK = "boost spsc_queue consume_all, clock read for each"
BOOST_SHARED = "boost queue consume_all, many may push"
LOCKED = "the records, written by C, two locked instructions each"

path.target("a clock read for each event: <= 30 ns", value_of(CLOCK), at_most=30, floor=value_of(BOOST_CLOCK))
path.target(
    "a shared producer: <= 30 ns",
    value_of(SHARED, beside=BOOST_SHARED),
    at_most=30,
    floor=value_of(LOCKED),
)

for _name, _exclusive, _timestamp in (
    (CLOCK, True, native.NOW),
    (SHARED, False, 1),
    ("shared producer, clock read for each event", False, native.NOW),
):
    path.case(_name, N, needs=(native.here,))(through(exclusive=_exclusive, timestamp=_timestamp))

for _name, _options in ((BOOST_CLOCK, {"clock": True}), (BOOST_SHARED, {"kind": "shared"})):
    path.case(_name, N, peer=True, needs=(native.boost_here,))(boost(PAUSES[-1], take_all=True, **_options))


@path.case(LOCKED, N, needs=(native.here,))
def locked():
    ring = bytearray(RING)
    begin = ctypes.addressof(ctypes.c_char.from_buffer(ring))
    yield Round(lambda n: native.helper().write_records(begin, RING, n, PAYLOAD, 2))


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
