"""What janus gives, over tocsin.compat.queue: one queue with a side for threads and one for a loop.

`q.sync_q` is for any thread, `q.async_q` for the coroutines of one event loop, the one that used it first.
Both look at the same items (`_items`), which have their own waiters for threads. What is added here are the
waiters of the loop (loopwaiters.py): at most one callback is on its way to the loop for each thing that can
be waited for, however many items come meanwhile.

A subclass with hooks (_init, _qsize, _put, _get) is asked for every item, under the lock of a queue of the
standard library.
"""

import asyncio
import sys
import threading
from asyncio import QueueEmpty as AsyncQueueEmpty
from asyncio import QueueFull as AsyncQueueFull
from collections import deque
from heapq import heappop, heappush
from typing import Any, ClassVar, Generic, TypeVar

from tocsin.compat import queue as items
from tocsin.compat import standard
from tocsin.compat.loopwaiters import LoopWaiters
from tocsin.compat.queue import Empty as SyncQueueEmpty
from tocsin.compat.queue import Full as SyncQueueFull
from tocsin.compat.queue import ShutDown as SyncQueueShutDown
from tocsin.compat.sides import (
    AsyncQueue,
    AsyncQueueShutDown,
    AsyncSide,
    BaseQueue,
    SyncQueue,
    SyncSide,
)

__version__ = "2.0.0"  # of janus, whose interface this is
__all__ = [
    "AsyncQueue",
    "AsyncQueueEmpty",
    "AsyncQueueFull",
    "AsyncQueueShutDown",
    "BaseQueue",
    "LifoQueue",
    "PriorityQueue",
    "Queue",
    "SyncQueue",
    "SyncQueueEmpty",
    "SyncQueueFull",
    "SyncQueueShutDown",
]

T = TypeVar("T")
HOOKS = ("_init", "_qsize", "_put", "_get")


class Queue(Generic[T]):
    """Be first in, first out, between threads and one event loop."""

    _loop: asyncio.AbstractEventLoop | None = None
    _items_class: ClassVar[Any] = items.Queue

    def __init__(self, maxsize: int = 0) -> None:
        """Hold at most `maxsize` items; 0 or less: any number. Any thread, with or without a loop."""
        self._items = HookedItems(self, maxsize) if has_hooks(type(self)) else self._items_class(maxsize)
        self._sync_mutex = threading.Lock()  # nobody takes it; janus' users look whether somebody has
        self._getters = LoopWaiters(self._can_get)
        self._putters = LoopWaiters(self._can_put)
        self._joiners = LoopWaiters(self._can_join)
        self._sync_queue = SyncSide(self)
        self._async_queue = AsyncSide(self)

    @property
    def sync_q(self) -> SyncSide[T]:
        """The side for threads, like a queue.Queue."""
        return self._sync_queue

    @property
    def async_q(self) -> AsyncSide[T]:
        """The side for coroutines, like an asyncio.Queue."""
        return self._async_queue

    @property
    def maxsize(self) -> int:
        """The most items that it may hold; 0 or less: any number."""
        return self._maxsize

    @property
    def closed(self) -> bool:
        """Whether it was shut down and the loop has heard of it."""
        return self._items.is_shutdown and not self._is_pending()

    def shutdown(self, immediate: bool = False) -> None:
        """Have put raise, and get too once it is empty; `immediate`: empty it now. Any thread."""
        self._items.shutdown(immediate)
        for waiters in (self._getters, self._putters, self._joiners):
            waiters.call(self._loop)

    def close(self) -> None:
        """Shut it down at once. Any thread."""
        self.shutdown(immediate=True)

    async def wait_closed(self) -> None:
        """Wait until the loop has heard of the shutdown; RuntimeError: there was none."""
        if not self._items.is_shutdown:
            raise RuntimeError("Waiting for non-closed queue: call close() or shutdown() first")
        await asyncio.sleep(0)
        while self._is_pending():
            await asyncio.sleep(0)

    async def aclose(self) -> None:
        """Shut it down at once, and wait until the loop has heard of it."""
        self.close()
        await self.wait_closed()

    # -- hooks, called with the lock held if a subclass has any

    def _init(self, maxsize: int) -> None:
        self._queue: deque[T] = deque()

    def _qsize(self) -> int:
        return len(self._queue)

    def _put(self, item: T) -> None:
        self._queue.append(item)

    def _get(self) -> T:
        return self._queue.popleft()

    # -- who may go on

    def _can_get(self) -> int:
        return sys.maxsize if self._items.is_shutdown else self._items.qsize()

    def _can_put(self) -> int:
        if self._items.is_shutdown or self._items.maxsize <= 0:
            return sys.maxsize
        return self._items.maxsize - self._items.qsize()

    def _can_join(self) -> int:
        return 0 if self._items.unfinished_tasks else sys.maxsize

    # -- what janus' own tests look at

    def _get_loop(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if loop is not self._loop:
            raise RuntimeError(f"{self!r} is bound to a different event loop")
        return loop

    def _is_pending(self) -> bool:
        return self._getters.is_called or self._putters.is_called or self._joiners.is_called

    @property
    def _maxsize(self) -> int:
        return self._items.maxsize

    @_maxsize.setter
    def _maxsize(self, value: int) -> None:
        self._items.maxsize = value

    @property
    def _sync_not_empty_waiting(self) -> int:
        return standard.waiting(self._items)[0]

    @property
    def _sync_not_full_waiting(self) -> int:
        return standard.waiting(self._items)[1]

    @property
    def _async_not_empty_waiting(self) -> int:
        return len(self._getters.futures)

    @property
    def _async_not_full_waiting(self) -> int:
        return len(self._putters.futures)


class LifoQueue(Queue[T]):
    """Be last in, first out."""

    _items_class = items.LifoQueue

    def _get(self) -> T:
        return self._queue.pop()


class PriorityQueue(Queue[T]):
    """Give the least item first."""

    _items_class = items.PriorityQueue

    def _init(self, maxsize: int) -> None:
        self._heap_queue: list[Any] = []

    def _qsize(self) -> int:
        return len(self._heap_queue)

    def _put(self, item: T) -> None:
        heappush(self._heap_queue, item)

    def _get(self) -> T:
        item: T = heappop(self._heap_queue)
        return item


def has_hooks(cls: type) -> bool:
    """Return whether a class has hooks that are not those of the class here that it is made of."""
    base = next(base for base in cls.__mro__ if base in (Queue, LifoQueue, PriorityQueue))
    return any(getattr(cls, name) is not getattr(base, name) for name in HOOKS)


class HookedItems(standard.Queue[T]):
    """Keep the items where the hooks of a janus queue put them."""

    def __init__(self, parent: Queue[T], maxsize: int) -> None:
        # Methods of this instance alone, which a type checker takes for a mistake.
        self._init, self._qsize = parent._init, parent._qsize  # type: ignore[method-assign]
        self._put, self._get = parent._put, parent._get  # type: ignore[method-assign]
        super().__init__(maxsize)
