"""Handlers and listeners of one queue, which know nothing of each other: who they are, a fork, the end.

A fork. A child has one thread, so no listener runs there, and what is queued is the parent's, which handles
it. So in the child each queue of this process is emptied in place (whoever holds it, goes on with it), its
handlers and listeners count from nothing, and a listener that was running runs again. A queue that
processes share is left alone, and its listener is the parent's. Before it forks, a thread waits a moment
for the listeners to be between two records, so that the child has no half-written line; a handler that
takes longer is not waited for.

The end. atexit runs our hook before logging's own, which closes the handlers: each listener that runs is
stopped within its `exit_timeout`, all of them together. What comes later (other hooks, destructors) is
given to a listener's handlers at once, on the thread that logs, if the listener came to its end; what was
left in a queue is told on stderr. A handler that hangs is left alone, since logging would wait for its
lock. A child of multiprocessing skips atexit, so there multiprocessing is asked to do it.
"""

import atexit
import contextlib
import os
import queue as original
import sys
import threading
import weakref
from time import monotonic
from typing import TYPE_CHECKING, Any

from tocsin.compat import queue as ours

if TYPE_CHECKING:
    from tocsin.compat.loghandler import QueueHandler
    from tocsin.compat.loglistener import QueueListener

__all__ = [
    "Mark",
    "give_to_listener",
    "handlers",
    "handlers_of",
    "is_call",
    "listeners",
    "listeners_of",
    "over",
]

FORK_PATIENCE = 0.1  # seconds

handlers: "weakref.WeakValueDictionary[int, QueueHandler]" = weakref.WeakValueDictionary()
listeners: "weakref.WeakValueDictionary[int, QueueListener]" = weakref.WeakValueDictionary()
over: list[bool] = []  # not empty: the interpreter is exiting
_held: dict[int, list[Any]] = {}  # by threads that fork


class Mark:
    """Go through a queue, so that flush() knows when all that was before it was handled. May be pickled."""

    def __init__(self, number: int) -> None:
        self.number = number


def everyone(registry: "weakref.WeakValueDictionary[int, Any]") -> list[Any]:
    """Return those that are there. Any thread."""
    found = [reference() for reference in registry.valuerefs()]  # a copy made at once: others come and go
    return [one for one in found if one is not None]


def handlers_of(queue: Any) -> "list[QueueHandler]":
    """Return the handlers that put into a queue. Any thread."""
    return [handler for handler in everyone(handlers) if handler.queue is queue]


def listeners_of(queue: Any) -> "list[QueueListener]":
    """Return the listeners that take from a queue. Any thread."""
    return [listener for listener in everyone(listeners) if listener.queue is queue]


def is_call(queue: Any, item: Any) -> bool:
    """Return whether an item of a queue is meant for the listener itself: a sentinel, or a mark."""
    known = listeners_of(queue)
    return type(item) is Mark or item is None or any(item is listener._sentinel for listener in known)


# -- a fork


def is_of_this_process(queue: Any) -> bool:
    """Return whether a queue is a thing of this process alone, and not shared with others."""
    return isinstance(queue, original.Queue | original.SimpleQueue)


def empty_in_child(queue: Any) -> None:
    """Make a queue as it was when it was new. A child whose other threads may have been inside of it."""
    if isinstance(queue, original.SimpleQueue):
        with contextlib.suppress(original.Empty):
            while True:
                queue.get_nowait()
    else:
        kind: Any = ours.Queue if isinstance(queue, ours.Queue) else original.Queue
        kind.__init__(queue, queue.maxsize)


def _before() -> None:
    mine = _held[threading.get_ident()] = []
    for listener in everyone(listeners):
        run = listener._run
        if run is not None and run.handling.acquire(timeout=FORK_PATIENCE):
            mine.append(run.handling)


def _in_parent() -> None:
    for lock in reversed(_held.pop(threading.get_ident(), [])):
        lock.release()


def _in_child() -> None:
    _held.clear()
    mine = [one for one in (*everyone(handlers), *everyone(listeners)) if is_of_this_process(one.queue)]
    for queue in {id(one.queue): one.queue for one in mine}.values():
        empty_in_child(queue)
    for handler in everyone(handlers):
        handler._begin()
    for listener in everyone(listeners):
        was_running = listener.is_running
        listener._begin()
        if was_running and is_of_this_process(listener.queue):
            try:
                listener.start()
            except RuntimeError as error:  # no thread to be had
                _say(f"{listener!r} could not be started in a forked child: {error}")
    if (util := sys.modules.get("multiprocessing.util")) is not None:
        util.register_after_fork(Mark, _end_with_process)


def _end_with_process(_: object) -> None:
    """Have the hook run at the end of a child of multiprocessing, which leaves without atexit."""
    sys.modules["multiprocessing.util"].Finalize(None, _at_exit, exitpriority=0)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)


# -- the end


def give_to_listener(queue: Any, record: Any) -> bool:
    """Have a record handled on this very thread, by a listener that was stopped in time. At exit."""
    for listener in listeners_of(queue):
        if listener.came_to_its_end:
            listener._deliver(record)
            return True
    return False


def _stop(listener: "QueueListener", left: float) -> tuple[bool, BaseException | None]:
    """Stop a listener; whether it was in time, and the Ctrl-C that took its time away."""
    interrupt: BaseException | None = None
    while True:
        try:
            return listener.stop(left), interrupt
        except Exception:
            return False, interrupt
        except BaseException as error:
            interrupt, left = error, 0.0


def _at_exit() -> None:
    """Stop every listener that runs, and say what was left. Main thread."""
    interrupt: BaseException | None = None
    began, ended = monotonic(), []
    for listener in everyone(listeners):
        if not listener.is_running:
            continue
        left = 0.0 if interrupt else max(0.0, began + listener.exit_timeout - monotonic())
        in_time, interrupted = _stop(listener, left)
        interrupt = interrupt or interrupted
        if in_time:
            listener.came_to_its_end = True
            ended.append((listener, began + listener.exit_timeout))
        else:
            _leave_alone(listener.handlers)
    over.append(True)
    for listener, until in ended:
        listener._take_the_rest(until)
    for listener in everyone(listeners):
        if is_of_this_process(listener.queue) and (left_over := listener.stats().pending):
            _say(f"{left_over} log records were not handled before the interpreter ended: {listener!r}")
    for handler in everyone(handlers):
        if not listeners_of(handler.queue):
            handler._tell(is_last=True)
        elif handler._untold:
            _say(f"{handler._untold} log records were dropped before the interpreter ended: {handler!r}")
    if interrupt is not None:
        raise interrupt


def _leave_alone(handlers: Any) -> None:
    """Keep logging's own hook from waiting for a handler that hangs with its lock held."""
    for handler in handlers:
        if handler.lock is not None and not handler.lock.acquire(blocking=False):
            handler.createLock()
            handler.flush = handler.close = lambda: None
        elif handler.lock is not None:
            handler.lock.release()


def _say(line: str) -> None:
    with contextlib.suppress(Exception):  # stderr may be closed, or None
        print(f"tocsin.compat.logging: {line}", file=sys.stderr, flush=True)


atexit.register(_at_exit)
