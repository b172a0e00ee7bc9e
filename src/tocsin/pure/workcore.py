"""A work: a function, and the state of its runs on the queue that it was given to last.

The item in a workqueue knows the work by a weak reference, so it is the queue's Python half (works.py) that
keeps a work until it is idle. It comes to a queue under its own lock, and leaves it under that of the
queue's workqueue; see there. Any thread; waits answer signals, and one that would wait for itself raises
RuntimeError.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from tocsin.pure.failing import trimmed, write_unraisable
from tocsin.pure.times import deadline_of
from tocsin.pure.work import Work

if TYPE_CHECKING:
    from typing import Self

    from tocsin.pure.works import WorkQueueCore

__all__ = ["WorkCore"]


class WorkCore:
    """Stand for a function and the state of its runs: what Work is built on."""

    _function: Callable[[], object]
    _item: Work
    _owner: "WorkQueueCore | None"
    _joining: Any  # a threading.RLock

    def __new__(cls, function: Callable[[], object], *args: Any, **kwargs: Any) -> "Self":
        """Begin idle, on no queue."""
        if not callable(function):
            raise TypeError(f"a work needs a function, not {function!r}")
        self = super().__new__(cls)
        self._function = function
        self._item = Work(self._run)
        self._owner = None
        self._joining = threading.RLock()
        return self

    def _join(self, queue: "WorkQueueCore") -> "WorkQueueCore":
        """Go to a queue unless it is on one. Returns which one it is on now."""
        with self._joining:
            if self._owner is None:
                self._owner = queue
                return queue
            return self._owner

    @contextmanager
    def _staying(self) -> "Iterator[WorkQueueCore | None]":
        """Hold the lock of the queue that it is on, which it can't leave meanwhile; None: it is on none."""
        while True:
            owner = self._owner
            with nullcontext() if owner is None else owner._wq.lock:
                if self._owner is owner:
                    yield owner
                    return

    def _begin_anew(self) -> None:
        """Be idle in a forked child, whatever the parent still owes it."""
        self._item = Work(self._run)
        self._joining = threading.RLock()

    def _run(self) -> None:
        """Call the function. Its worker."""
        try:
            self._function()
        except BaseException as error:
            self._report(trimmed(error))

    def _report(self, error: BaseException) -> None:
        try:
            if self._owner is not None:
                self._owner._report(error, self)
        except BaseException as worse:
            write_unraisable(worse)

    @property
    def function(self) -> Callable[[], object]:
        """What is called."""
        return self._function

    @property
    def pending(self) -> bool:
        """Whether a run is owed that has not begun, delayed or not."""
        return self._item.pending

    @property
    def running(self) -> bool:
        """Whether a worker is inside the function."""
        return self._item.running

    @property
    def _is_busy(self) -> bool:
        return self._item.pending or self._item.linked or self._item.running

    def flush(self, timeout: float | None = None) -> bool:
        """Wait for the run that is owed or in progress; later ones don't matter. True if it waited.

        A delayed run is made due now. TimeoutError after `timeout` seconds. RuntimeError where it
        would wait for itself: in its own function, or in a function of the same ordered queue.
        """
        with self._staying() as owner:
            if owner is None:
                return False
            wq = owner._refuse_inside(self, "flush")
            target = self._item.flush_target
            if not (self._item.pending or self._item.running):
                return False
            wq.expedite(self._item)
        if not wq.await_flush(self._item, target, deadline_of(timeout)):
            raise TimeoutError(f"{self!r} did not finish within {timeout} seconds")
        return True

    def cancel(self) -> bool:
        """Drop the run that is owed; one in progress goes on. True if one was owed. Never waits."""
        with self._staying() as owner:
            return owner is not None and owner._wq.cancel(self._item)

    def cancel_sync(self, timeout: float | None = None) -> bool:
        """Drop the run that is owed and wait for one in progress; kicks meanwhile are refused.

        True if one was owed. TimeoutError after `timeout` seconds; RuntimeError in its own function.
        """
        with self._staying() as owner:
            if owner is None:
                return False
            wq = owner._refuse_inside(self, "cancel_sync")
            self._item.disabled += 1
            cancelled = wq.cancel(self._item)
        try:
            if not wq.await_end_of_run(self._item, deadline_of(timeout)):
                raise TimeoutError(f"{self!r} did not finish within {timeout} seconds")
            return cancelled
        finally:
            with self._staying():  # another queue may have it by now
                self._item.disabled -= 1
