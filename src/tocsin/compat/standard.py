"""The standard library's queues, all with the shutdown() that it has since Python 3.13.

From 3.13 on they are its own classes. Before, they are subclasses of them whose put and get look at
`is_shutdown` whenever they look at the queue, under the same lock and on the same conditions, so that the
hooks (_init, _put, _get, _qsize) are called as ever.
"""

import queue as original
import sys
import threading
from collections.abc import Callable
from queue import Empty, Full
from time import monotonic
from typing import Any, TypeVar

__all__ = ["Empty", "Full", "LifoQueue", "PriorityQueue", "Queue", "ShutDown", "waiting"]

T = TypeVar("T")

if sys.version_info >= (3, 13):
    from queue import LifoQueue, PriorityQueue, Queue, ShutDown
else:

    class ShutDown(Exception):
        """Tell that the queue was shut down."""

    class Queue(original.Queue[T]):
        """Be first in, first out."""

        is_shutdown = False

        def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
            """Put an item; wait for room if `block`, at most `timeout` seconds, then raise Full."""
            with self.not_full:
                if self.is_shutdown:
                    raise ShutDown
                if self.maxsize > 0:
                    self._await(self.not_full, self._has_room, Full, block, timeout)
                    if self.is_shutdown:
                        raise ShutDown
                self._put(item)
                self.unfinished_tasks += 1
                self.not_empty.notify()

        def get(self, block: bool = True, timeout: float | None = None) -> T:
            """Get an item; wait for one if `block`, at most `timeout` seconds, then raise Empty."""
            with self.not_empty:
                if self.is_shutdown and not self._qsize():
                    raise ShutDown
                self._await(self.not_empty, self._qsize, Empty, block, timeout)
                if not self._qsize():
                    raise ShutDown
                item: T = self._get()
                self.not_full.notify()
                return item

        def shutdown(self, immediate: bool = False) -> None:
            """Have put raise ShutDown, and get too once the queue is empty; `immediate`: empty it now."""
            with self.mutex:
                self.is_shutdown = True
                if immediate:
                    while self._qsize():
                        self._get()
                        self.unfinished_tasks = max(self.unfinished_tasks - 1, 0)
                    self.all_tasks_done.notify_all()
                self.not_empty.notify_all()
                self.not_full.notify_all()

        def _has_room(self) -> bool:
            return self._qsize() < self.maxsize

        def _await(
            self,
            condition: threading.Condition,
            is_met: Callable[[], object],
            failure: type[Exception],
            block: bool,
            timeout: float | None,
        ) -> None:
            """Return when `is_met()`, or after a shutdown; the caller looks which."""
            if timeout is not None and block and timeout < 0:
                raise ValueError(f"'timeout' must be a non-negative number, not {timeout!r}")
            until = None if timeout is None else monotonic() + timeout
            while not is_met() and not self.is_shutdown:
                left = None if until is None else until - monotonic()
                if not block or (left is not None and left <= 0):
                    raise failure
                condition.wait(left)

    class LifoQueue(Queue[T], original.LifoQueue[T]):
        """Be last in, first out."""

    # typeshed wants items that can be compared; the other two bases take any.
    class PriorityQueue(Queue[T], original.PriorityQueue[T]):  # type: ignore[type-var]
        """Give the least item first."""


def waiting(q: original.Queue[Any]) -> tuple[int, int, int]:
    """Return how many threads wait in get, put and join, on either path. Any thread; for tests."""
    # What is looked at is not in the declared types: the compiled core's own, and the inside of a Condition.
    if getattr(q, "is_compiled", False):
        parked: tuple[int, int, int] = q.waiting()  # type: ignore[attr-defined]
        return parked
    getters, putters, joiners = (
        len(condition._waiters)  # type: ignore[attr-defined]
        for condition in (q.not_empty, q.not_full, q.all_tasks_done)
    )
    return getters, putters, joiners
