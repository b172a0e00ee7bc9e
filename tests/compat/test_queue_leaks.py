"""References and memory of tocsin.compat's queues: exact for one item, flat over many lives of a queue."""

import contextlib
import ctypes
import gc
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from helpers import PATIENCE
from tocsin.compat import janus
from tocsin.compat import queue as ours

KINDS = ["Queue", "LifoQueue", "PriorityQueue"]
ROUNDS = 200
SPARE_BLOCKS = ROUNDS // 2  # caches of the interpreter
SPARE_BYTES = 8 << 10


class Item:
    """Compare with anything, which may raise."""

    def __init__(self, is_odd: bool = False) -> None:
        self.is_odd = is_odd

    def __lt__(self, other: object) -> bool:
        if self.is_odd:
            raise TypeError("not comparable")
        return False


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return getattr(ours, request.param)


def put_and_get(q: Any, item: Item) -> None:
    for _ in range(20):
        q.put(item)
    while not q.empty():
        q.get()


def leave_in_the_queue(q: Any, item: Item) -> None:
    for _ in range(3000):  # many slots
        q.put(item)


def fail(q: Any, item: Item) -> None:
    q.maxsize = 1
    q.put(item)
    for call in (q.put_nowait, lambda it: q.put(it, timeout=0.00001), lambda it: q.put(it, True, 0)):
        with pytest.raises(ours.Full):
            call(item)
    q.get()
    for get in (q.get_nowait, lambda: q.get(timeout=0.00001)):
        with pytest.raises(ours.Empty):
            get()
    with pytest.raises(ValueError, match="timeout"):
        q.get(timeout=-1)


def move(q: Any, item: Item) -> None:
    put_and_get(q, item)
    q.put(item)
    _ = q.queue, q.mutex
    q.put(item)
    q.get()


def throw_away(q: Any, item: Item) -> None:
    for _ in range(9):
        q.put(item)
    q.shutdown(immediate=True)
    with pytest.raises(ours.ShutDown):
        q.put(item)
    with pytest.raises(ours.ShutDown):
        q.get()


def begin_again(q: Any, item: Item) -> None:
    q.put(item)
    q.__init__()
    q.put(item)


def be_in_a_cycle(q: Any, item: Item) -> None:
    q.put([q, item])


def raise_in_comparisons(q: Any, item: Item) -> None:
    odd = Item(is_odd=True)
    for thing in (item, item, odd, item, odd, item):
        with contextlib.suppress(TypeError):
            q.put(thing)
    for _ in range(6):
        with contextlib.suppress(TypeError, ours.Empty):
            q.get_nowait()


LIVES = [
    put_and_get,
    leave_in_the_queue,
    fail,
    move,
    throw_away,
    begin_again,
    be_in_a_cycle,
    raise_in_comparisons,
]


class Mallinfo(ctypes.Structure):
    _fields_ = [(f"field_{n}", ctypes.c_size_t) for n in range(10)]


def malloc_holds() -> int:
    """Return how many bytes malloc() has given out, in which the core's are; 0: it does not tell."""
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except (AttributeError, TypeError):
        return 0
    ask.restype = Mallinfo
    told = ask()
    mapped, small = told.field_4, told.field_7
    return int(mapped + small)


@pytest.mark.parametrize("live", LIVES, ids=lambda live: live.__name__)
def test_a_life_of_a_queue_leaves_nothing(make: Any, live: Callable[[Any, Item], None]) -> None:
    item = Item()
    queues: list[weakref.ref[Any]] = []

    def lives(number: int) -> None:
        for _ in range(number):
            q = make()
            live(q, item)
            queues[:] = [weakref.ref(q)]
            del q
        gc.collect()

    lives(20)
    references, blocks, held = sys.getrefcount(item), sys.getallocatedblocks(), malloc_holds()
    lives(ROUNDS)
    assert queues[0]() is None
    assert sys.getrefcount(item) == references
    assert sys.getallocatedblocks() - blocks < SPARE_BLOCKS
    assert malloc_holds() - held < SPARE_BYTES


def test_waiters_leave_nothing() -> None:
    item = Item()

    def wait(q: Any, both: Any) -> None:
        with contextlib.suppress(ours.ShutDown):
            q.put(q.get())
            both.sync_q.put(both.sync_q.get())
            q.get(timeout=PATIENCE)
            q.get(timeout=PATIENCE)

    def lives(number: int) -> None:
        for _ in range(number):
            q: Any = ours.Queue(1)
            both: janus.Queue[Any] = janus.Queue(1)
            threads = [threading.Thread(target=wait, args=(q, both)) for _ in range(2)]
            for thread in threads:
                thread.start()
            q.put(item)
            both.sync_q.put(item)
            q.shutdown()
            for thread in threads:
                thread.join(PATIENCE)
            both.close()
        gc.collect()

    lives(10)
    references, blocks = sys.getrefcount(item), sys.getallocatedblocks()
    lives(100)
    assert sys.getrefcount(item) == references
    assert sys.getallocatedblocks() - blocks < 2 * SPARE_BLOCKS
