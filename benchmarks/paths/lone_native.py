"""A lone event to a native subscriber while another Python thread burns the GIL.

The producer is native code and so is the subscriber: nobody on the way wants the GIL. The event's own
timestamp, taken just before the call, is compared with the clock in the subscriber's first line. Between two
events the producer sleeps half a millisecond or a little more, and the worker with it.

The peer is SimpleQueue between two Python threads, of which at least one meets the burning thread. Its
producer's stamp is taken when it has the GIL already, so half of the delay doesn't show.
"""

import threading
from contextlib import contextmanager

from benchmarks import native
from benchmarks.harness import Path, Round
from benchmarks.paths.lone import GAP, simple_queue
from benchmarks.targets import value_of
from benchmarks.worlds import PATIENCE, books_of, pipeline_of

path = Path("lone_native", "a lone event while a Python thread burns the GIL, ns")
N = 2000
GAP_NS = int(GAP * 1e9)
OURS = "native -> native, GIL burnt"
SQ = "SimpleQueue, GIL burnt"

path.target(
    "native subscriber: p99 <= 100 us", value_of(f"{OURS}, p99", beside=f"{SQ}, p99"), at_most=100_000
)


@contextmanager
def burning():
    """Have a thread compute in Python until the block is left."""
    going = True
    begun = threading.Event()

    def burn():
        begun.set()
        while going:
            pass

    thread = threading.Thread(target=burn, daemon=True)
    thread.start()
    begun.wait(PATIENCE)
    try:
        yield
    finally:
        going = False
        thread.join(PATIENCE)


def alone():
    with pipeline_of() as pipeline, native.lone(pipeline) as send:
        yield Round(lambda n: send(n, GAP_NS, asleep=True), books_of(pipeline))


def with_burning(world):
    def burnt():
        with burning():
            yield from world()

    return burnt


path.case(OURS, N, each=True, needs=(native.here,))(with_burning(alone))
path.case("native -> native, GIL free", N, each=True, needs=(native.here,))(alone)
path.case(SQ, 300, each=True, peer=True)(with_burning(simple_queue))


if __name__ == "__main__":
    path.main()
