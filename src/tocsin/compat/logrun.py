"""One run of a listener's thread: it takes from the queue, and deals with what it took.

One wake-up, many records: it takes without waiting until the queue is empty, tells of drops, and lingers
before it waits. To wake a thread that waits costs the one that logs more than the rest of its call; so
records that come in close succession are let gather for a moment. stop(), flush() and a full queue end the
moment, and a small queue gets none. Each handler is called as ever, once for each record and under its own
lock, in the order of the queue.

It doesn't die: what a handler, a filter or prepare() raises is counted and reported, and the next record
comes. Beside records two things go through the queue: the sentinel of stop(), behind which it ends, and the
marks of flush(). It ends too when its listener has another run, or none: a stop() whose time was over, or a
fork, has taken it away.
"""

import threading
from typing import TYPE_CHECKING, Any

from tocsin.compat import logends
from tocsin.compat.logends import Mark
from tocsin.compat.queue import Empty, ShutDown

if TYPE_CHECKING:
    from tocsin.compat.loglistener import QueueListener

__all__ = ["Run"]

LOOK_EVERY = 256  # records in a row, to tell of drops meanwhile
LINGER = 0.005  # seconds: as long as a thread may keep the GIL
LINGER_CAPACITY = 1000
TROUBLES = 10  # that a queue may have in a row until it isn't asked any more


class Run:
    """Be the target of a listener's thread, which calls all of it; at exit deal_with() has another caller."""

    def __init__(self, listener: "QueueListener") -> None:
        self.listener = listener
        self.queue = listener.queue
        self.task_done = getattr(self.queue, "task_done", None)
        self.length = 0  # how many records it has found since it waited
        self.troubles = 0
        self.handling = threading.RLock()  # held for a record, so that no fork comes in its middle
        self.has_ended = False

    def __call__(self) -> None:
        """Take one thing after the other."""
        listener = self.listener
        try:
            while listener._run is self and self.take_one():
                pass
            self.end_of_streak()
            if listener._run is self:
                self.tell_of_drops(is_last=True)
        finally:
            listener._has_ended(self)

    def take_one(self) -> bool:
        """Take one thing and deal with it; False: this was the end."""
        try:
            item = self.next()
            self.troubles = 0
        except Empty:
            return self.listener._may_wait
        except ShutDown:
            return False
        except Exception:  # it can't be unpickled, or the other end is gone
            self.listener._report()
            self.troubles += 1
            return self.troubles < TROUBLES
        return self.deal_with(item)

    def next(self) -> Any:
        """Take what is there, or wait for it; Empty: it didn't come in time."""
        try:
            return self.listener.dequeue(False)
        except Empty:
            found_some = self.length > 0
        self.end_of_streak()
        self.tell_of_drops()
        if found_some and self.may_linger:
            self.listener._rest.acquire(timeout=LINGER)
            return self.next()
        due = [time for one in logends.handlers_of(self.queue) if (time := one.tells_in) is not None]
        if due and self.listener._waits_as_usual:
            return self.queue.get(True, min(due))
        return self.listener.dequeue(self.listener._may_wait)

    def end_of_streak(self) -> None:
        """Have it counted how many records there were in a row."""
        self.listener._runs += self.length > 0
        self.listener._longest = max(self.listener._longest, self.length)
        self.length = 0

    @property
    def may_linger(self) -> bool:
        """Whether the queue has room for what may come in a moment."""
        maxsize = getattr(self.queue, "maxsize", 0)
        return not 0 < maxsize < LINGER_CAPACITY and self.listener._may_wait

    def deal_with(self, item: Any) -> bool:
        """Handle a record, or answer a call; False: this was the end."""
        is_end, listener = False, self.listener
        if type(item) is Mark:
            self.answer(item)
        elif item is listener._sentinel:
            is_end = listener._is_end()
        else:
            self.length += 1
            with self.handling:
                listener._deliver(item)
            if self.length % LOOK_EVERY == 0:
                self.tell_of_drops()
        if self.task_done is not None:
            try:  # noqa: SIM105 - suppress() costs more than all the rest of this
                self.task_done()
            except ValueError:  # somebody else has said so
                pass
        return not is_end

    def answer(self, mark: Mark) -> None:
        """Tell flush() that all before its mark was handled."""
        self.end_of_streak()
        self.tell_of_drops()
        for handler in self.listener.handlers:
            try:
                handler.flush()
            except Exception:
                self.listener._report()
        self.listener._passed_by(mark)

    def tell_of_drops(self, is_last: bool = False) -> None:
        """Have the summaries handled that are due; `is_last`: all."""
        for handler in logends.handlers_of(self.queue):
            try:
                if (ready := handler.summary(is_last)) is not None:
                    self.listener.handle(ready)
            except Exception:
                self.listener._report()
