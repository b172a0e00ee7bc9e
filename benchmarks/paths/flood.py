"""A lone event to a native subscriber, beside a protocol that is flooded and whose Python subscriber hangs.

The flood is native code that notifies without a pause, room or not, so it has a whole core; the subscriber
hangs in its first event, with the GIL released. The lone events are those of lone_native.py, of another
protocol of the same pipeline.
"""

import ctypes
import threading
from contextlib import contextmanager

import tocsin
from benchmarks import native
from benchmarks.harness import Path, Round
from benchmarks.paths.lone_native import GAP_NS
from benchmarks.targets import share
from benchmarks.worlds import PATIENCE, PAYLOAD, SIZE, books_of, pipeline_of

path = Path("flood", "a lone event beside a flood, ns")
N = 2000
IDLE, BESIDE = "native -> native, nothing else", "native -> native, beside a flood"

path.target("p99 <= 2 times its idle value", share(f"{BESIDE}, p99", f"{IDLE}, p99"), at_most=2, unit="of it")


class Flood(tocsin.Protocol):
    raw = tocsin.EventType(0, max_size=SIZE)


FLOOD = Flood(0x81)


@contextmanager
def flooded(pipeline):
    """Flood a protocol of the pipeline whose subscriber hangs, until the block is left."""
    hangs, may_go = threading.Event(), threading.Event()

    def hang(_):
        hangs.set()
        may_go.wait()

    stop = ctypes.c_uint32()
    pipeline.register(FLOOD)
    pipeline.subscribe(FLOOD.raw, hang)
    with pipeline.producer(FLOOD) as producer:
        arguments = producer.address, FLOOD.raw.id, PAYLOAD, SIZE, ctypes.addressof(stop)
        thread = threading.Thread(
            target=lambda: native.failed(native.helper().flood(*arguments)), daemon=True
        )
        thread.start()
        assert hangs.wait(PATIENCE)
        try:
            yield
            assert pipeline.stats().protocols[FLOOD.id].refused, "no flood"
        finally:
            stop.value = 1
            thread.join(PATIENCE)
            may_go.set()


@path.case(IDLE, N, each=True, needs=(native.here,))
def idle():
    with pipeline_of() as pipeline, native.lone(pipeline) as send:
        yield Round(lambda n: send(n, GAP_NS, asleep=True), books_of(pipeline))


@path.case(BESIDE, N, each=True, needs=(native.here,))
def beside():
    with pipeline_of() as pipeline, native.lone(pipeline) as send, flooded(pipeline):
        yield Round(lambda n: send(n, GAP_NS, asleep=True), books_of(pipeline))


if __name__ == "__main__":
    path.main()
