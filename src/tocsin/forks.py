"""A fork: in the child every open pipeline begins anew, with its subscriptions and nothing queued.

The child has one thread, that which forked; the workers of its pipelines are the parent's, and so is what was
queued. So each pipeline gets a new core there, with new queues, to which its subscriptions are bound as they
were; its workers start with the first event or producer. Nothing of the old core is touched: what that says
to whoever has an address in it stands in _core/forks.pyx.

A workqueue of its own doesn't begin anew: what its functions are for, only the program knows. In the child it
is closed, and says so.

The sources that are on were switched on by the parent, which switches them off again. The child counts from
nothing: it switches on for its own subscribers, and off again for those.

While it forks, a thread has the locks of all pipelines, so no other one is half way through changing what the
child takes over. They are held for a few statements elsewhere, never while anything waits; should one of them
not come, because the thread that has it was stopped, the fork goes on without.
"""

from __future__ import annotations

import os
import threading
import weakref

from tocsin import exit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tocsin.workqueue import WorkQueue

__all__ = ["leave_to_parent", "watch"]

LOCK_PATIENCE = 1.0  # seconds

_one_at_a_time: list[Any] = [threading.RLock()]  # in a list: the child's is another one
_watching: list[bool] = []
_held: dict[int, list[Any]] = {}  # by threads that fork: one that took too long does so beside another
_workqueues: weakref.WeakValueDictionary[int, WorkQueue] = weakref.WeakValueDictionary()


def _before() -> None:
    mine = _held[threading.get_ident()] = []

    def take(lock: Any) -> None:
        if lock.acquire(timeout=LOCK_PATIENCE):
            mine.append(lock)

    take(_one_at_a_time[0])
    for pipeline in exit.registered():
        take(pipeline._lock)


def _in_parent() -> None:
    mine = _held.pop(threading.get_ident(), [])
    while mine:
        mine.pop().release()  # the last one lets the next thread fork


def _in_child() -> None:
    _held.clear()
    _one_at_a_time[0] = threading.RLock()
    for reference in _workqueues.valuerefs():
        if (workqueue := reference()) is not None:
            workqueue._leave_to_parent()
    _workqueues.clear()
    for pipeline in exit.registered():
        try:
            pipeline._begin_anew()
        except Exception:
            pipeline._closed = pipeline._stopped = True
            import logging  # slow to import, and mostly not needed

            logging.getLogger("tocsin").exception("%r could not begin anew in a forked child", pipeline)


def leave_to_parent(workqueue: WorkQueue) -> None:
    """Have a workqueue closed in every child that is forked from now on."""
    watch()
    _workqueues[id(workqueue)] = workqueue


def watch() -> None:
    """Look after forks from now on; harmless to repeat."""
    if not _watching and hasattr(os, "register_at_fork"):
        _watching.append(True)
        os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
