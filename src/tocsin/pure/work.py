"""Work items: the states that make a kick neither lost nor doubled.

A work item is a function that somebody wants run, and

    pending   a run is owed. Set by the kick; cleared by the worker *before* the run begins
    linked    it is on its workqueue's list of runnable items
    running   a worker is inside the function
    timed     a run is owed, but not before a time (it is pending too)
    disabled  how many times; kicks are refused while it is above zero
    runs      how many runs have ended

Who makes it pending sees to it that somebody will clear that: a linked item has its popper, a running one
its worker, who links it again when the run ends; else the kicker links it. Linked and running exclude each
other, so one item is never with two workers. A cancelled item stays linked until it is popped, and keeps
its place if it is kicked meanwhile.

The race of the last event. The kicker has put its data in place before it kicks; the worker clears pending
before it looks for data. So either the kick comes before the clearing, and the run sees the data, or after
it, and one more run is owed. That may find nothing: harmless, and counted.

All methods but run() are called under the lock of the item's workqueue.
"""

from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

from tocsin.pure.exit import is_over

__all__ = ["Work"]


class Work:
    """Hold the state of the runs of a method, whose object it doesn't keep alive."""

    __slots__ = ("disabled", "due", "linked", "method", "pending", "running", "runs", "timed")

    def __init__(self, method: Callable[[], Any]) -> None:
        self.method = WeakMethod(method)
        self.pending = self.linked = self.running = self.timed = False
        self.disabled = self.runs = 0
        self.due: object = None  # its entry among the timers, while timed

    def kick(self) -> bool:
        """Owe one more run; False: one was owed already, or it is disabled."""
        if self.pending or self.disabled:
            return False
        self.pending = True
        return True

    @property
    def is_due(self) -> bool:
        """Whether a run is owed that waits for no time."""
        return self.pending and not self.timed

    @property
    def may_run(self) -> bool:
        """Whether a run is owed now."""
        return self.is_due and not self.disabled

    @property
    def needs_link(self) -> bool:
        """Whether a run is owed now that nobody will see to."""
        return self.may_run and not self.linked and not self.running

    @property
    def is_taken(self) -> bool:
        """Whether the list or a worker has it. Of a disabled item that is over once and for all."""
        return self.linked or self.running

    def begin(self) -> bool:
        """Turn a popped item into a running one, or let it go: False."""
        self.linked = False
        if not self.may_run:
            return False
        self.pending = False
        self.running = True
        return True

    def run(self) -> None:
        """Call the method, if its object is still there. Its worker, without a lock."""
        method = self.method()
        if method is not None and not is_over():
            method()

    def end(self) -> None:
        """Finish a run."""
        self.running = False
        self.runs += 1

    def cancel(self) -> bool:
        """Owe no run any more; one in progress goes on. True if one was owed."""
        was_pending = self.pending
        self.pending = self.timed = False
        return was_pending

    @property
    def flush_target(self) -> int:
        """How many runs must have ended until all that is owed has been done, a delayed run too."""
        return self.runs + self.running + self.pending

    @property
    def due_target(self) -> int:
        """How many runs must have ended until all that is due has been done."""
        return self.runs + self.running + self.is_due

    def is_flushed(self, target: int) -> bool:
        """Whether the target was reached or nothing is owed: a cancelled run is not waited for."""
        return self.runs >= target or not (self.pending or self.running)
