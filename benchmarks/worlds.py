"""What the cases share: a protocol with 32-byte events, open pipelines, and handlers that only count."""

import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Any

import tocsin

SIZE = 32
STRIDE = 16 + SIZE  # bytes of a queue that such an event takes
PATIENCE = 60.0  # seconds until a case that never ends is given up


class Bench(tocsin.Protocol):
    raw = tocsin.EventType(0, max_size=SIZE)
    fixed = tocsin.EventType(1, {"source": "u4", "value": "i4", "rest": "3u8"}, source="source")


BENCH = Bench(0x80)
PAYLOAD = b"tocsin: a payload of 32 bytes..."


def fixed(source: int, value: int = 0) -> bytes:
    """Return the payload of a `fixed` event."""
    return struct.pack("<Ii3Q", source, value, 1, 2, 3)


def queue_for(n: int) -> int:
    """Return a queue size that takes n events whatever the workers do: none is ever refused."""
    return max(4 << 20, 1 << (n * STRIDE).bit_length())


@contextmanager
def pipeline_for(n: int, **options: Any) -> Iterator[tocsin.Pipeline]:
    """Open a pipeline with a queue for n events of BENCH, all of its memory present."""
    with tocsin.Pipeline(**options) as pipeline:
        pipeline.register(BENCH, queue_size=queue_for(n))
        pipeline.producer(BENCH, exclusive=True).close()  # opening one makes the pages present
        yield pipeline


def books_of(pipeline: tocsin.Pipeline) -> Callable[[], tocsin.ProtocolStats]:
    return lambda: pipeline.stats().protocols[BENCH.id]


def all_delivered(n: int) -> Callable[[int], dict[str, int]]:
    """Say what the books must hold after some rounds of n events: each delivered, none refused."""
    return lambda rounds: {"accepted": rounds * n, "delivered": rounds * n, "refused": 0}


def all_unclaimed(n: int) -> Callable[[int], dict[str, int]]:
    return lambda rounds: {"accepted": rounds * n, "unclaimed": rounds * n, "refused": 0}


def arrivals(n: int, size: Callable[[Any], int] | None = None) -> tuple[Any, Callable[[int], int]]:
    """Return a handler that counts down from n, and a wait(began) that gives the ns until the last one.

    With `size`, what the handler gets counts as that many.
    """
    left = n
    ended = 0
    arrived = threading.Semaphore(0)

    def finish() -> None:
        nonlocal left, ended
        ended = perf_counter_ns()
        left = n
        arrived.release()

    def one(_: Any) -> None:
        nonlocal left
        left -= 1
        if not left:
            finish()

    def many(batch: Any) -> None:
        nonlocal left
        left -= size(batch)
        if not left:
            finish()

    def wait(began: int) -> int:
        if not arrived.acquire(timeout=PATIENCE):
            raise TimeoutError(f"{left} of {n} never came")
        return ended - began

    return (many if size else one), wait
