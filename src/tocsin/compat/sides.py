"""The two sides of a janus queue, and what they promise.

SyncSide is for any thread and leaves waiting to the items, a queue of tocsin.compat.queue. AsyncSide is for
the coroutines of one loop: it asks the items without waiting, and waits with LoopWaiters. Whoever changes the
items calls those who may wait in the loop for that change; the waiting threads are the items' own business.
"""

import sys
from asyncio import QueueEmpty as AsyncQueueEmpty
from asyncio import QueueFull as AsyncQueueFull
from asyncio import get_running_loop
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from tocsin.compat.standard import Empty, Full, ShutDown

if TYPE_CHECKING:
    from tocsin.compat.janus import Queue

if sys.version_info >= (3, 13):
    from asyncio import QueueShutDown as AsyncQueueShutDown
else:

    class AsyncQueueShutDown(Exception):
        """Tell a coroutine that the queue was shut down."""


__all__ = ["AsyncQueue", "AsyncQueueShutDown", "AsyncSide", "BaseQueue", "SyncQueue", "SyncSide"]

T = TypeVar("T")


class BaseQueue(Protocol[T]):
    """What both sides have."""

    @property
    def maxsize(self) -> int:
        """The most items that it may hold; 0 or less: any number."""

    @property
    def closed(self) -> bool:
        """Whether it was shut down and the loop has heard of it."""

    @property
    def unfinished_tasks(self) -> int:
        """How many items were put and not yet dealt with."""

    def task_done(self) -> None:
        """Say that one item that was got is dealt with."""

    def qsize(self) -> int:
        """Return how many items there are now."""

    def empty(self) -> bool:
        """Return whether there is no item now."""

    def full(self) -> bool:
        """Return whether there are `maxsize` items now."""

    def put_nowait(self, item: T) -> None:
        """Put an item if there is room."""

    def get_nowait(self) -> T:
        """Get an item if there is one."""

    def shutdown(self, immediate: bool = False) -> None:
        """Have put raise, and get too once it is empty; `immediate`: empty it now."""


class SyncQueue(BaseQueue[T], Protocol[T]):
    """What the side for threads has."""

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
        """Put an item; wait for room."""

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Get an item; wait for one."""

    def join(self) -> None:
        """Wait until all items that were put are dealt with."""


class AsyncQueue(BaseQueue[T], Protocol[T]):
    """What the side for coroutines has."""

    async def put(self, item: T) -> None:
        """Put an item; wait for room."""

    async def get(self) -> T:
        """Get an item; wait for one."""

    async def join(self) -> None:
        """Wait until all items that were put are dealt with."""


class Side(Generic[T]):
    """Ask and do what is the same for both."""

    def __init__(self, parent: "Queue[T]") -> None:
        self._parent = parent
        self._items = parent._items
        self._put_item, self._take_item = parent._items.put, parent._items.get
        self._getters, self._putters, self._joiners = parent._getters, parent._putters, parent._joiners

    @property
    def maxsize(self) -> int:
        """The most items that it may hold; 0 or less: any number."""
        return self._parent.maxsize

    @property
    def closed(self) -> bool:
        """Whether it was shut down and the loop has heard of it."""
        return self._parent.closed

    @property
    def unfinished_tasks(self) -> int:
        """How many items were put and not yet dealt with."""
        tasks: int = self._items.unfinished_tasks
        return tasks

    def qsize(self) -> int:
        """Return how many items there are now."""
        size: int = self._items.qsize()
        return size

    def empty(self) -> bool:
        """Return whether there is no item now."""
        return self._items.qsize() == 0

    def full(self) -> bool:
        """Return whether there are `maxsize` items now."""
        return 0 < self._items.maxsize <= self._items.qsize()

    def task_done(self) -> None:
        """Say that one item that was got is dealt with; ValueError: more than were put."""
        self._items.task_done()
        if self._joiners.futures and not self._items.unfinished_tasks:
            self._joiners.call(self._parent._loop)

    def shutdown(self, immediate: bool = False) -> None:
        """Have put raise, and get too once it is empty; `immediate`: empty it now."""
        self._parent.shutdown(immediate)


class SyncSide(Side[T], SyncQueue[T]):
    """Be a queue.Queue. Any thread."""

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
        """Put an item; wait for room if `block`, at most `timeout` seconds, then raise SyncQueueFull."""
        try:
            self._put_item(item, block, timeout)
        finally:  # a signal handler may raise when the item is in
            if self._getters.futures:
                self._getters.call(self._parent._loop)

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Get an item; wait for one if `block`, at most `timeout` seconds, then raise SyncQueueEmpty."""
        try:
            item: T = self._take_item(block, timeout)
        finally:  # the same
            if self._putters.futures:
                self._putters.call(self._parent._loop)
        return item

    def put_nowait(self, item: T) -> None:
        """Put an item if there is room, else raise SyncQueueFull."""
        self.put(item, False)

    def get_nowait(self) -> T:
        """Get an item if there is one, else raise SyncQueueEmpty."""
        return self.get(False)

    def join(self) -> None:
        """Wait until all items that were put are dealt with."""
        self._items.join()


class AsyncSide(Side[T], AsyncQueue[T]):
    """Be an asyncio.Queue. The loop's thread; RuntimeError in another loop."""

    async def put(self, item: T) -> None:
        """Put an item; wait for room."""
        while True:
            if get_running_loop() is not self._parent._loop:
                self._parent._get_loop()
            try:
                self._put_item(item, False)
            except Full:
                await self._putters.wait()
                continue
            except ShutDown:
                raise AsyncQueueShutDown from None
            except BaseException:  # of a comparison: who was called passes that on
                self._putters.answer()
                raise
            if self._getters.futures:
                self._getters.answer()
            return

    async def get(self) -> T:
        """Get an item; wait for one."""
        while True:
            if get_running_loop() is not self._parent._loop:
                self._parent._get_loop()
            try:
                item: T = self._take_item(False)
            except Empty:
                await self._getters.wait()
                continue
            except ShutDown:
                raise AsyncQueueShutDown from None
            except BaseException:  # the same
                self._getters.answer()
                raise
            if self._putters.futures:
                self._putters.answer()
            return item

    def put_nowait(self, item: T) -> None:
        """Put an item if there is room, else raise AsyncQueueFull."""
        if get_running_loop() is not self._parent._loop:
            self._parent._get_loop()
        try:
            self._put_item(item, False)
        except Full:
            raise AsyncQueueFull from None
        except ShutDown:
            raise AsyncQueueShutDown from None
        if self._getters.futures:
            self._getters.answer()

    def get_nowait(self) -> T:
        """Get an item if there is one, else raise AsyncQueueEmpty."""
        if get_running_loop() is not self._parent._loop:
            self._parent._get_loop()
        try:
            item: T = self._take_item(False)
        except Empty:
            raise AsyncQueueEmpty from None
        except ShutDown:
            raise AsyncQueueShutDown from None
        if self._putters.futures:
            self._putters.answer()
        return item

    async def join(self) -> None:
        """Wait until all items that were put are dealt with."""
        self._parent._get_loop()
        while self._items.unfinished_tasks:
            await self._joiners.wait()
