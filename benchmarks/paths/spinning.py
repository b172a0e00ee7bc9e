"""A lone event to a native subscriber whose worker still looks around: events 20 to 30 us apart.

A worker that was woken for something looks around for up to 50 us before it sleeps again, as long as that
has paid lately. The producer is native and spins its gap away, so both cores are awake.

The floor is a thread that looks at one flag and does nothing else, with a clock read on either side.
"""

import ctypes

from benchmarks import native
from benchmarks.harness import Path, Round
from benchmarks.paths.lone_native import GAP_NS
from benchmarks.targets import value_of
from benchmarks.worlds import books_of, pipeline_of

path = Path("spinning", "a lone event, worker spinning, ns")
N = 2000
SPINNING = "native -> native, 20-30 us apart"
FLAG = "a flag that a thread looks at"

path.target(
    "events 20-30 us apart: p50 <= 0.5 us",
    value_of(f"{SPINNING}, p50"),
    at_most=500,
    floor=value_of(f"{FLAG}, p50"),
)


def apart(gap, *, asleep):
    def world():
        with pipeline_of() as pipeline, native.lone(pipeline) as send:
            yield Round(lambda n: send(n, gap, asleep=asleep), books_of(pipeline))

    return world


path.case(SPINNING, N, each=True, needs=(native.here,))(apart(20_000, asleep=False))
path.case("native -> native, 2-3 us apart", N, each=True, needs=(native.here,))(apart(2_000, asleep=False))
path.case("native -> native, asleep", N, each=True, needs=(native.here,))(apart(GAP_NS, asleep=True))


@path.case(FLAG, N, each=True, needs=(native.here,))
def flag():
    def run(n):
        waits = (ctypes.c_uint64 * n)()
        native.failed(native.helper().raise_flags(n, 20_000, ctypes.addressof(waits)))
        return list(waits)

    yield Round(run)


if __name__ == "__main__":
    path.main()
