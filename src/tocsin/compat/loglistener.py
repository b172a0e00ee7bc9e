"""The listener that has records taken out of a queue and given to its handlers, on a thread of its own.

What the thread does stands in logrun.py; here is what others ask of it. stop() puts the sentinel of the
standard library, flush() a mark: so both mean "all that is queued now", whatever comes meanwhile. Both wait
for room if there is none, which the thread is about to make.

`_run` is the run that goes on. A stop() whose time is over, and a fork, take it away: then the thread ends
after the record that it is at. What is queued stays there, and is `pending`.
"""

import contextlib
import itertools
import logging
import logging.handlers
import sys
import threading
import traceback
from time import monotonic
from typing import Any, Self

from tocsin.channel import seconds
from tocsin.compat import logends
from tocsin.compat.logends import Mark
from tocsin.compat.logrun import Run
from tocsin.compat.logstats import ListenerStats
from tocsin.compat.queue import Empty, Full, ShutDown

__all__ = ["QueueListener"]


class QueueListener(logging.handlers.QueueListener):
    """Give what is in a queue to handlers; a context manager, which starts and stops it.

    queue: that of the handler, `QueueListener(handler.queue, ...)`. exit_timeout: seconds that the end of the
    interpreter waits for it.
    """

    queue: Any  # whatever has put, get and their kin
    _sentinel: Any

    def __init__(
        self,
        queue: Any,
        *handlers: logging.Handler,
        respect_handler_level: bool = False,
        exit_timeout: float = 2.0,
    ) -> None:
        super().__init__(queue, *handlers, respect_handler_level=respect_handler_level)
        self.exit_timeout = seconds(exit_timeout)
        self.came_to_its_end = False  # at the end of the interpreter, in time
        self._begin()
        logends.listeners[id(self)] = self

    def _begin(self) -> None:
        """Count from nothing, and don't run: at first, and in a forked child."""
        self._changed = threading.Condition()  # of what stands below; a signal handler may take it again
        self._rest = threading.Lock()  # taken; who lets go of it, calls a run that lingers
        self._rest.acquire()
        self._thread: threading.Thread | None = None
        self._run: Run | None = None  # that goes on
        self._last: Run | None = None
        self._until: float | None = None  # when the time of stop() is over
        self._is_stopping = self._is_unsure = False
        self._sentinels = self._marks = 0  # in the queue
        self._old_sentinels = 0  # those of them that ended nothing: the thread was left behind
        self._numbers, self._passed = itertools.count(1), 0  # of marks
        self._delivered = self._errors = self._runs = self._longest = 0

    # -- start and end

    def start(self) -> None:
        """Start the thread; RuntimeError: it runs already."""
        with self._changed:
            if self.is_running:
                raise RuntimeError(f"{self!r} runs already: stop() it first")
            self._is_stopping = self._is_unsure = False
            self._until, self._old_sentinels = None, self._sentinels
            self._run = self._last = run = Run(self)
        name = f"{type(self).__name__} of tocsin"
        self._thread = threading.Thread(target=run, name=name, daemon=True)
        self._thread.start()

    # Unlike the standard library's this one has an answer.
    def stop(self, timeout: float | None = None) -> bool:  # type: ignore[override]
        """Have what is queued now handled, and end the thread. Any thread but its own: RuntimeError.

        timeout: seconds; None: as long as it takes. False: it took longer; then the thread ends with
        the record that it is at, and those that are left are pending, for the next start().
        """
        thread, run = self._thread, self._last
        if thread is None or run is None:
            return True
        if thread is threading.current_thread():
            raise RuntimeError(f"stop() in a handler of {self!r} would wait for itself")
        self._until = None if timeout is None else monotonic() + timeout
        self._is_stopping = True
        if not run.has_ended:
            self._enqueue_counted()
            self._hurry()
        with self._changed:  # and not join(), which on Python 3.11 takes a thread for ended if interrupted
            has_ended = self._changed.wait_for(lambda: run.has_ended, self._time_left())
            self._run = None
            self._changed.notify_all()
        if has_ended:
            thread.join()
        self._thread = self._last = None
        return has_ended

    def enqueue_sentinel(self) -> None:
        """Put that behind which the thread ends; wait for room as long as stop() may. Called by stop()."""
        self._put(self._sentinel, self._time_left())

    def _enqueue_counted(self) -> None:
        with self._changed:
            self._sentinels += 1
        try:
            self.enqueue_sentinel()
        except BaseException as error:
            with self._changed:
                self._sentinels -= 1
            if not isinstance(error, Full | ShutDown):  # then it ends behind the last that it finds
                raise

    def _put(self, call: Any, timeout: float | None) -> None:
        """Put something that is no record; wait for room."""
        try:
            self.queue.put_nowait(call)
        except Full:
            self.queue.put(call, True, timeout)

    def _time_left(self) -> float | None:
        return None if self._until is None else max(0.0, self._until - monotonic())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()

    # -- asking

    @property
    def is_running(self) -> bool:
        """Whether its thread takes records. Any thread."""
        return self._run is not None

    @property
    def is_current_thread(self) -> bool:
        """Whether this is its thread: the code of a handler. Any thread."""
        return self._thread is threading.current_thread()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until what is queued now was handled, and the handlers have flushed. Any thread but its own.

        timeout: seconds; None: as long as it takes. False: it took longer, or it doesn't run and there are
        records. RuntimeError: in a handler, which would wait for itself.
        """
        if self.is_current_thread:
            raise RuntimeError(f"flush() in a handler of {self!r} would wait for itself")
        until = None if timeout is None else monotonic() + timeout
        with self._changed:
            run, number = self._run, next(self._numbers)
            if run is None:
                return self.stats().pending == 0
            self._marks += 1
        try:
            self._put(Mark(number), timeout)
        except BaseException as error:
            with self._changed:
                self._marks -= 1
            if not isinstance(error, Full | ShutDown):
                raise
            return False
        self._hurry()
        with self._changed:
            left = None if until is None else max(0.0, until - monotonic())
            self._changed.wait_for(lambda: self._passed >= number or self._run is not run, left)
            return self._passed >= number

    def stats(self) -> ListenerStats:
        """Return what was counted in this process; exact while nothing is on its way. Any thread."""
        with self._changed:
            calls = self._sentinels + self._marks
            try:
                pending = max(0, self.queue.qsize() - calls)
            except (AttributeError, NotImplementedError):  # not every queue can say
                pending = 0
            return ListenerStats(self._delivered, self._errors, pending, self._runs, self._longest)

    def __repr__(self) -> str:
        state = "running" if self.is_running else "not running"
        names = ", ".join(type(handler).__name__ for handler in self.handlers)
        return f"<{type(self).__name__} to {names or 'nobody'}, {state}, delivered={self._delivered}>"

    # -- the thread

    def handle(self, record: Any) -> None:
        """Offer a record to each handler; what one raises keeps it from no other. Its thread."""
        record = self.prepare(record)
        for handler in self.handlers:
            if not self.respect_handler_level or record.levelno >= handler.level:
                try:
                    handler.handle(record)
                except Exception:
                    self._errors += 1
                    handler.handleError(record)

    def _hurry(self) -> None:
        """Have a run that lingers look at once. Any thread, and a signal handler in the middle of this."""
        with contextlib.suppress(RuntimeError):  # it was called already
            self._rest.release()

    # -- what a run calls

    @property
    def _waits_as_usual(self) -> bool:
        is_usual = type(self).dequeue is logging.handlers.QueueListener.dequeue
        return is_usual and logends.is_of_this_process(self.queue)

    @property
    def _may_wait(self) -> bool:
        """Whether there will be something: another record, or the sentinel."""
        return not self._is_stopping or (self._sentinels > 0 and not self._is_unsure)

    def _deliver(self, record: Any) -> None:
        self._delivered += 1
        try:
            self.handle(record)
        except BaseException as error:
            if not (isinstance(error, Exception) or self.is_current_thread):
                raise
            self._report()

    def _report(self) -> None:
        self._errors += 1
        if logging.raiseExceptions and sys.stderr is not None:
            with contextlib.suppress(OSError):
                traceback.print_exc()

    def _passed_by(self, mark: Mark) -> None:
        with self._changed:
            self._marks -= 1
            self._passed = mark.number
            self._changed.notify_all()

    def _is_end(self) -> bool:
        """Return whether a sentinel is meant for this run, and not for one that was left behind."""
        with self._changed:
            self._sentinels = max(0, self._sentinels - 1)  # somebody else may have put it
            is_old = self._old_sentinels > 0
            self._old_sentinels -= is_old
            self._is_unsure = (
                is_old and self._is_stopping
            )  # if somebody took the old one out, it was the new one
            return not is_old

    def _has_ended(self, run: Run) -> None:
        with self._changed:
            run.has_ended = True
            if self._run is run:
                self._run = None
            self._changed.notify_all()

    def _take_the_rest(self, until: float) -> None:
        """Handle what came after the sentinel. At exit, when the thread has ended."""
        rest = Run(self)
        with contextlib.suppress(Empty, ShutDown):
            while monotonic() < until:
                rest.deal_with(self.dequeue(False))
