"""What the cases share: a protocol with 32-byte events, open pipelines, and consumer threads for the peers.

Handlers do nothing, on both sides: what is measured is the way, not the work at its end.
"""

import inspect
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from time import perf_counter_ns
from typing import Any

import tocsin

SIZE = 32
STRIDE = 16 + SIZE  # bytes of a queue that such an event takes
RING = 4 << 20  # the default queue: 87,381 such events
PATIENCE = 60.0  # seconds until a case that never ends is given up


class Bench(tocsin.Protocol):
    raw = tocsin.EventType(0, max_size=SIZE)
    fixed = tocsin.EventType(1, {"source": "u4", "value": "i4", "rest": "3u8"}, source="source")


BENCH = Bench(0x80)
PAYLOAD = b"tocsin: a payload of 32 bytes..."


def fixed(source: int, value: int = 0) -> bytes:
    """Return the payload of a `fixed` event."""
    return struct.pack("<Ii3Q", source, value, 1, 2, 3)


def nothing(_: Any) -> None:
    """Handle an event, or whatever a peer carries."""


def queue_for(n: int) -> int:
    """Return a queue size that takes n events whatever the workers do: none is ever refused."""
    return max(RING, 1 << (n * STRIDE).bit_length())


@contextmanager
def pipeline_for(n: int, **options: Any) -> Iterator[tocsin.Pipeline]:
    """Open a pipeline with a queue for n events of BENCH, all of its memory present."""
    with pipeline_of(queue_for(n), **options) as pipeline:
        yield pipeline


@contextmanager
def pipeline_of(ring: int = RING, **options: Any) -> Iterator[tocsin.Pipeline]:
    """Open a pipeline with a queue of so many bytes for BENCH, all of its memory present."""
    with tocsin.Pipeline(**options) as pipeline:
        pipeline.register(BENCH, queue_size=ring)
        pipeline.producer(BENCH, exclusive=True).close()  # opening one makes the pages present
        yield pipeline


def books_of(pipeline: tocsin.Pipeline) -> Callable[[], tocsin.ProtocolStats]:
    return lambda: pipeline.stats().protocols[BENCH.id]


def flushed(pipeline: tocsin.Pipeline, began: int) -> int:
    """Give the ns from `began` until the last handler returned."""
    if not pipeline.flush(PATIENCE):
        raise TimeoutError(f"events never came: {pipeline.stats().protocols[BENCH.id]}")
    return perf_counter_ns() - began


Consume = Callable[[int, Callable[[], object]], int | None]


def hop(n: int, produce: Callable[[int], object], consume: Consume) -> int:
    """Give the ns in which produce(n) here hands n items to consume(n, ready) on a thread of its own.

    The time begins when the consumer has called ready(), and ends when it returns; or, if there is something
    to take down first, when it says by returning that time.
    """
    ready = threading.Event()
    ended = 0

    def work() -> None:
        nonlocal ended
        ended = consume(n, ready.set) or perf_counter_ns()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    if not ready.wait(PATIENCE):
        raise TimeoutError("the consumer was never ready")
    began = perf_counter_ns()
    produce(n)
    thread.join(PATIENCE)
    if not ended:
        raise TimeoutError(f"the consumer never saw the last of {n}")
    return ended - began


# -- what a case may need


def numpy() -> str | None:
    return None if find_spec("numpy") else "numpy is not installed"


def channels() -> str | None:
    return None if hasattr(tocsin.Pipeline, "channel") else "not available in this build: Pipeline.channel"


def main_thread() -> str | None:
    known = "main_thread" in inspect.signature(tocsin.Pipeline.subscribe).parameters
    return None if known else "not available in this build: subscribe(..., main_thread=True)"


def linux() -> str | None:
    return None if sys.platform == "linux" else "only Linux has /proc"
