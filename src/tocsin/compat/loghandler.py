"""The handler that puts records into a queue, on the thread that logs.

Any thread; and any signal handler, if the queue is a compiled one of tocsin.compat.queue: others have a lock,
which the interrupted code may hold.

Nothing that waits is done with a lock held: emit() runs without the handler's own lock, which logging would
take around it, since a queue takes care of itself. The lock here is for counting alone, and one that a signal
handler may take again.

A full queue is normal: the record, or the oldest one, is dropped and counted, and nobody gets a traceback.
What was dropped is told in the log itself, since whoever reads that should know that it has a gap. The
listener of this process does it, between two records or when it has nothing to do, straight through its
handlers: there a summary needs no room. Where there is none, because it is another process that listens,
the next record that finds room brings the summary along, right behind the gap.
"""

import logging
import logging.handlers
from collections import deque
from queue import Queue as OriginalQueue
from queue import SimpleQueue
from threading import RLock
from time import monotonic
from typing import Any

from tocsin.channel import seconds
from tocsin.compat import logends
from tocsin.compat.logstats import HandlerStats
from tocsin.compat.queue import Empty, Full, Queue, ShutDown
from tocsin.key import checked

__all__ = ["QueueHandler"]

POLICIES = ("drop_newest", "drop_oldest", "block")
CAPACITY = 10_000
CAPACITY_MAX = 1 << 26
TELL_INTERVAL = 1.0  # seconds between two summaries
TRIES = 1000  # to displace a record in a queue that says that it is full and that it is empty


class QueueHandler(logging.handlers.QueueHandler):
    """Put records into a queue of at most `capacity`, and what doesn't fit goes as `overflow` says.

    overflow: "drop_newest", "drop_oldest", or "block": wait for room for at most `timeout` seconds, then drop
    the newest, without waiting until there has been room again. Nobody waits in a listener's own thread.

    queue: a tocsin.compat.queue.Queue if there is none. A queue.Queue without a bound gets `capacity`, and
    other queues are asked for their size; a queue with a bound of its own keeps that. capacity=None: no
    bound.
    """

    queue: Any  # whatever has put, get and their kin

    def __init__(
        self,
        queue: Any = None,
        *,
        capacity: int | None = CAPACITY,
        overflow: str = "drop_newest",
        timeout: float | None = None,
    ) -> None:
        if overflow not in POLICIES:
            raise ValueError(f"overflow must be one of {', '.join(POLICIES)}, not {overflow!r}")
        if (timeout is not None) is not (overflow == "block"):
            raise ValueError(
                "overflow='block' needs a timeout: how many seconds a thread may wait for room"
                if timeout is None
                else f"a timeout belongs to overflow='block', not to {overflow!r}"
            )
        if capacity is not None and checked("capacity", capacity, CAPACITY_MAX) == 0:
            raise ValueError(f"capacity 0 is not in 1..{CAPACITY_MAX}; None: no bound")
        if overflow == "block" and isinstance(queue, SimpleQueue):
            raise ValueError("overflow='block' needs a queue with a bound, which a SimpleQueue has not")
        super().__init__(Queue() if queue is None else queue)
        self.listener = None  # as dictConfig sets it, from Python 3.12 on
        self.capacity, self.overflow = capacity, overflow
        self.timeout = None if timeout is None else seconds(timeout)
        self._asks_for_size = False
        if capacity is not None:
            self._bound(capacity)
        self._begin()
        logends.handlers[id(self)] = self

    def _bound(self, capacity: int) -> None:
        """Have a queue without a bound of its own held to `capacity`."""
        if isinstance(self.queue, OriginalQueue):
            if self.queue.maxsize <= 0:
                self.queue.maxsize = capacity
            self.capacity = self.queue.maxsize
        elif self.overflow != "block":
            try:
                self._asks_for_size = self.queue.qsize() >= 0
            except Exception:  # for a queue of multiprocessing some systems can't say: its own bound counts
                self.capacity = None

    def _begin(self) -> None:
        """Count from nothing: at first, and in a forked child."""
        self._counting = RLock()
        self._offered = self._dropped = self._untold = self._waits = 0
        self._told_at = monotonic() - TELL_INTERVAL
        self._is_late = False  # somebody waited in vain, and there has been no room since

    # -- what logging calls

    def handle(self, record: logging.LogRecord) -> Any:
        """Emit a record that passes the filters, without the handler's lock. Any thread."""
        answer: Any = self.filter(record)  # from Python 3.12 on a filter may give another record
        if answer:
            self.emit(answer if isinstance(answer, logging.LogRecord) else record)
        return answer

    def emit(self, record: logging.LogRecord) -> None:
        """Prepare and enqueue a record, or count it as dropped. Any thread."""
        with self._counting:
            self._offered += 1
        try:
            ready = self.prepare(record)
            if not (logends.over and logends.give_to_listener(self.queue, ready)):
                self.enqueue(ready)
        except (Full, ShutDown):
            self._drop(1)
            self._hurry()
        except BaseException as error:
            self._drop(0)
            if not isinstance(error, Exception):
                raise
            self.handleError(record)
        else:
            if self._untold and not logends.listeners_of(self.queue):
                self._tell()

    def enqueue(self, record: Any) -> None:
        """Put a record into the queue as `overflow` says; Full: there is no room, and emit() counts it."""
        if self.overflow == "drop_newest":
            self._put(record)
        elif self.overflow == "drop_oldest":
            self._displace(record)
        else:
            self._put_or_wait(record)

    def prepare(self, record: logging.LogRecord) -> Any:
        """Return a copy that may travel: formatted, without arguments and exception. Any thread."""
        if self.formatter is not None or record.exc_info or record.exc_text or record.stack_info:
            return super().prepare(record)
        if type(record) is not logging.LogRecord or type(self).format is not logging.Handler.format:
            return super().prepare(record)
        # The same as a Formatter without a format and copy.copy() do, in less than half of the time.
        record.message = record.getMessage()
        ready = logging.LogRecord.__new__(logging.LogRecord)
        ready.__dict__ = fields = record.__dict__.copy()
        fields["msg"], fields["args"] = record.message, None
        return ready

    # Unlike the standard library's this one has an answer.
    def flush(self, timeout: float | None = 2.0) -> bool:  # type: ignore[override]
        """Wait until what is queued now was handled, if a listener in this process does that.

        Seconds; None: as long as it takes. False: it was not. Any thread, but in the listener's own it does
        not wait.
        """
        for listener in logends.listeners_of(self.queue):
            if listener.is_running and not listener.is_current_thread:
                return listener.flush(timeout)
        try:
            return bool(self.queue.empty())
        except Exception:  # closed, or of a kind that can't say
            return False

    def stats(self) -> HandlerStats:
        """Return what was counted in this process until now. Any thread."""
        with self._counting:
            return HandlerStats(self._offered, self._dropped, self._waits, self.capacity)

    def __repr__(self) -> str:
        name, level, said = type(self).__name__, logging.getLevelName(self.level), self.stats()
        return f"<{name} ({level}) {self.overflow} offered={said.offered} dropped={said.dropped}>"

    # -- the policies

    def _put(self, item: Any) -> None:
        if self._asks_for_size and self.queue.qsize() >= self.capacity:
            raise Full
        self.queue.put_nowait(item)

    def _displace(self, item: Any) -> None:
        """Put an item, and drop the oldest ones if there is no room."""
        due = deque([item])  # and the calls for the listener that were met on the way, which must not be lost
        for _ in range(TRIES):
            try:
                self._put(due[0])
                due.popleft()
            except Full:
                self._remove_oldest(due)
            if not due:
                return
        for call in due:
            if call is item:
                raise Full
            self.queue.put(call)

    def _remove_oldest(self, due: "deque[Any]") -> None:
        try:
            oldest = self.queue.get_nowait()
        except Empty:
            return  # the listener was faster
        if hasattr(self.queue, "task_done"):
            self.queue.task_done()
        if logends.is_call(self.queue, oldest):
            due.append(oldest)
        else:
            self._drop(1)
            self._hurry()

    def _hurry(self) -> None:
        for listener in logends.listeners_of(self.queue):
            listener._hurry()

    def _put_or_wait(self, item: Any) -> None:
        try:
            self.queue.put_nowait(item)
        except Full:
            self._hurry()
            if self._is_late or any(who.is_current_thread for who in logends.listeners_of(self.queue)):
                raise
        else:
            self._is_late = False
            return
        with self._counting:
            self._waits += 1
        try:
            self.queue.put(item, True, self.timeout)
        except Full:
            self._is_late = True
            raise

    # -- what was dropped

    def _drop(self, untold: int) -> None:
        with self._counting:
            self._dropped += 1
            self._untold += untold

    @property
    def tells_in(self) -> float | None:
        """In how many seconds a summary is due; None: there is nothing to tell. Any thread."""
        return max(0.0, self._told_at + TELL_INTERVAL - monotonic()) if self._untold else None

    def summary(self, is_last: bool = False) -> Any:
        """Return a prepared record that tells of drops since the last one, if one is due. Any thread."""
        with self._counting:
            count, now = self._untold, monotonic()
            if not count or (now - self._told_at < TELL_INTERVAL and not is_last):
                return None
            self._untold, self._told_at = 0, now
        text = "%d log records were dropped, %d in all: the queue was full (overflow=%r, capacity=%s)"
        about = (count, self._dropped, self.overflow, self.capacity)
        make = logging.getLogRecordFactory()  # the program's, on whose fields its formats may rely
        record = make("tocsin.compat.logging", logging.WARNING, __file__, 0, text, about, None, None, None)
        answer: Any = self.filter(record)
        if not answer:
            return None
        return self.prepare(answer if isinstance(answer, logging.LogRecord) else record)

    def _tell(self, is_last: bool = False) -> None:
        """Put a summary into the queue, if one is due and there is room."""
        untold = self._untold
        try:
            if (ready := self.summary(is_last)) is not None:
                self.enqueue(ready) if self.overflow == "drop_oldest" else self._put(ready)
                with self._counting:
                    self._offered += 1
        except (Full, ShutDown):
            with self._counting:
                self._untold += untold
                self._told_at = monotonic() - TELL_INTERVAL
        except Exception:  # a filter, or the queue
            self.handleError(logging.makeLogRecord({"msg": "a summary of dropped log records"}))
