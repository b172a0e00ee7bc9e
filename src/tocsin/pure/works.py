"""Workqueues for Python: functions that run on worker threads, once per kick and never twice at once.

The same work items and workers as under a pipeline; an item's method calls a function. A queue keeps every
item that it was given alive until it is idle; its workers keep neither.

A work that moves to another queue leaves its old one first, under the lock of that one's workqueue, then is
on none, and comes to the new one under its own lock: nobody ever has two of these locks. Which works a queue
keeps changes under the lock of its workqueue. What is let go of may run finalisers: that comes last, without
a lock. Any thread. Waits answer signals; one that would wait for itself raises RuntimeError.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tocsin.errors import ClosedError
from tocsin.pure.exit import is_over
from tocsin.pure.times import deadline_of, delay_of
from tocsin.pure.work import Work
from tocsin.pure.workcore import WorkCore
from tocsin.pure.worker import start
from tocsin.pure.workqueue import WorkQueue

if TYPE_CHECKING:
    from typing import Self

__all__ = ["WorkQueueCore"]

NOT_STARTED = "the workqueue was not initialised: a subclass must call super().__init__()"
FORKED = "of the process that this one was forked from: make another one here"
PURGE_AT = 64  # works kept before the idle ones are let go


class WorkQueueCore:
    """Own the workers and run works on them: what WorkQueue is built on."""

    _workqueue: WorkQueue | None
    _kept: dict[int, WorkCore]
    _purge_at: int
    _is_closed: bool
    _is_forked: bool
    _draining: int

    def __new__(cls, *args: Any, **kwargs: Any) -> "Self":
        """Begin without workers; a subclass may have an __init__ that doesn't call ours."""
        self = super().__new__(cls)
        self._workqueue = None
        self._kept = {}  # works that may not be idle, by their address: they may be equal
        self._purge_at = PURGE_AT
        self._is_closed = False
        self._is_forked = False  # closed, since the process is a child of the one that made it
        self._draining = 0  # how many threads drain
        return self

    def _start(self, workers: int, most: int, max_active: int, portable: bool) -> None:
        """Start the workers. `portable` changes nothing here."""
        if self._workqueue is not None:
            raise RuntimeError("a workqueue is initialised once")
        self._workqueue = WorkQueue("tocsin-work", max_active)
        start(self._workqueue, workers, most)

    def __del__(self, is_over: Callable[[], bool] = is_over) -> None:
        # At the interpreter's end this module's globals may be gone: hence the argument.
        if self._workqueue is not None and not is_over():
            self._workqueue.stop()

    def _leave_to_parent(self) -> None:
        """Close it in a forked child, without a wait, and have its works idle; for the hook there."""
        wq = self._wq
        wq.begin_anew()
        wq.stopped = self._is_closed = self._is_forked = True
        wq.runnable.clear()
        wq.timers.clear()
        kept, self._kept = self._kept, {}
        for work in kept.values():
            work._begin_anew()

    @property
    def _wq(self) -> WorkQueue:
        if self._workqueue is None:
            raise RuntimeError(NOT_STARTED)
        return self._workqueue

    def _report(self, error: BaseException, work: Any) -> None:
        """Tell of a function that raised; the face has a better way."""
        raise error

    # -- queueing

    def _put(self, work: WorkCore, put: Callable[[Work], bool]) -> bool:
        """Have `put` queue a work, and keep it until it is idle."""
        if not isinstance(work, WorkCore):
            raise TypeError(f"a work must be a Work, not {work!r}")
        while True:
            with self._wq.lock:
                refusal = self._refusal()
                if refusal is None and work._owner is self:
                    self._kept[id(work)] = work
                    result = put(work._item)
                    _dropped = self._purge()
                    return result
            if refusal is not None:
                raise (ClosedError if self._is_closed else RuntimeError)(f"{self!r} is {refusal}")
            other = work._join(self)
            if other is not self:
                other._part_with(work)

    def _refusal(self) -> str | None:
        """Return what hinders a work from being queued now, or None. Under the lock."""
        if self._is_forked:
            return FORKED
        if self._is_closed:
            return "closed"
        if self._draining and self._wq.worker_here() is None:
            return "being drained: only its own works may queue"
        return None

    def _part_with(self, work: WorkCore) -> None:
        """Let another queue have a work of ours; RuntimeError if it is not idle."""
        with self._wq.lock:
            is_ours = work._owner is self  # nobody else was quicker
            is_busy = is_ours and work._is_busy
            if is_ours and not is_busy:
                self._kept.pop(id(work), None)
                work._owner = None
        if is_busy:
            raise RuntimeError(f"{work!r} is busy on {self!r}")

    def _purge(self) -> list[WorkCore]:
        """Let go of idle works, now and then; the caller drops them without the lock."""
        if len(self._kept) < self._purge_at:
            return []
        dropped = [work for work in self._kept.values() if not work._is_busy]
        self._kept = {key: work for key, work in self._kept.items() if work._is_busy}
        self._purge_at = max(PURGE_AT, 2 * len(self._kept))
        return dropped

    def queue(self, work: WorkCore) -> bool:
        """Have a work run once after now; False if a run that has not begun was owed already. Any thread."""
        return self._put(work, lambda item: self._wq.queue(item)[0])

    def queue_delayed(self, work: WorkCore, seconds: float) -> bool:
        """Have a work run `seconds` from now; False if a run was owed already: that one stays."""
        delay = delay_of(seconds)
        if delay == 0:
            return self.queue(work)
        return self._put(work, lambda item: self._wq.queue_delayed(item, delay))

    def modify_delayed(self, work: WorkCore, seconds: float) -> bool:
        """Have a work run `seconds` from now instead of when it would. True if a run was owed."""
        delay = delay_of(seconds)
        return self._put(work, lambda item: self._wq.modify_delayed(item, delay))

    # -- halting and waiting

    def freeze(self) -> None:
        """Begin no run until thaw(); returns at once, runs in progress go on."""
        if self._workqueue is not None:
            self._workqueue.freeze()

    def thaw(self) -> None:
        """Take freeze() back."""
        if self._workqueue is not None:
            self._workqueue.thaw()

    @property
    def frozen(self) -> bool:
        """Whether no run begins until thaw()."""
        return self._workqueue is not None and (self._workqueue.frozen or self._workqueue.stopped)

    def flush(self, timeout: float | None = None) -> None:
        """Wait for every run that is owed or in progress now; later ones don't prolong it.

        Delayed works are not waited for. TimeoutError; RuntimeError inside a function of this queue.
        """
        self._flush_works(deadline_of(timeout), "flush", False)

    def drain(self, timeout: float | None = None) -> None:
        """Wait until nothing is owed; meanwhile only the queue's own functions may queue. As flush()."""
        self._drain_until(deadline_of(timeout), False)

    def _drain_until(self, deadline: float | None, to_close: bool) -> None:
        with self._wq.lock:
            self._draining += 1
        try:
            while self._flush_works(deadline, "drain", to_close):
                continue
        finally:
            with self._wq.lock:
                self._draining -= 1

    def close(self, timeout: float | None = None) -> None:
        """Thaw, drain, end the workers; harmless to repeat. Delayed works are cancelled. As flush()."""
        if self._is_closed or self._workqueue is None:
            return
        self.thaw()
        self._drain_until(deadline_of(timeout), True)
        self._wq.stop()
        self._wq.await_end(deadline_of(timeout))

    def _flush_works(self, deadline: float | None, what: str, to_close: bool) -> int:
        """Flush all works that are owed a run: how many. to_close: closes, if there is none."""
        wq = self._refuse_inside(None, what)
        if deadline is None and self.frozen:
            raise RuntimeError(
                f"{what} of the frozen {self!r} would wait for ever: thaw() first, or a timeout"
            )
        with wq.lock:  # one look: a work that ends may queue another before
            if to_close:
                for work in self._kept.values():
                    if work._item.timed:
                        wq.cancel(work._item)
            busy = [work for work in self._kept.values() if work._item.running or work._item.is_due]
            owed = [(work, work._item.due_target) for work in busy]
            self._is_closed = self._is_closed or (to_close and not owed)
        for work, target in owed:
            if not wq.await_flush(work._item, target, deadline):
                raise TimeoutError(f"{work!r} did not finish in time")
        return len(owed)

    def _refuse_inside(self, work: WorkCore | None, what: str) -> WorkQueue:
        """Raise if the caller would wait for itself, or has nothing to wait on."""
        wq = self._wq
        if self._is_forked and work is None:
            raise ClosedError(f"{self!r} is {FORKED}")
        worker = wq.worker_here()
        if worker is not None and (work is None or worker.current is work._item or wq.max_active == 1):
            raise RuntimeError(f"{what} inside a function of {self!r} would wait for itself")
        return wq
