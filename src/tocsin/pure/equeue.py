"""The events queue of a protocol: what was accepted, what is in hand, what became of it.

    waiting   accepted, and nobody has looked at it: writers append, the stage takes off the front
    in_hand   taken by the stage and not settled: the event whose callables are being called, or those of
              a look of which batches wait for their call
    the books accepted == delivered + unclaimed + abandoned + len(waiting) + len(in_hand)

One lock guards all of it; `changed` over it is for whoever waits for room, for a flush or for the end of a
call.

Room. The queue takes as many bytes as the ring of the compiled core, by the same arithmetic: a record has
16 bytes of header and its payload, filled up to 16, and is never split, so one that would cross the end of
the ring begins at its start and costs the rest as well. Positions are the ring's counters, `in_` and `out`,
which only grow. No such ring exists here: a record is an object beside its payload, and needs a few times
as much memory.

Writers put an event in and kick the stage afterwards. put() is atomic for other threads by the lock, and
for a signal handler that notifies on top of the notify that it interrupted by looking again: everything is
made ready first, and between the look at `in_` and the last change there is no call in which Python would
run a handler.

Nobody takes another lock with that of a queue in hand, nor kicks: a signal handler that notifies may come in
while its thread has the lock of the workqueue.
"""

import threading
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple

from tocsin.pure.header import HEADER_BYTES
from tocsin.pure.payload import Rule

if TYPE_CHECKING:
    from tocsin.pure.work import Work
    from tocsin.pure.workqueue import WorkQueue

__all__ = ["EventsQueue", "Notified", "Record"]

LOST_MAX = 0xFFFF  # what one header can tell of
COUNTS = ["accepted", "refused", "invalid", "delivered", "unclaimed", "abandoned", "lost_markers"]
COUNTS += ["activations", "empty_activations", "wakeups", "high_water", "callback_errors"]


class Notified(Enum):
    """What became of a notify()."""

    ACCEPTED = auto()
    UNKNOWN = auto()  # the protocol has no such event
    INVALID = auto()  # a size or count that the event can't have: counted
    FULL = auto()  # no room: for the caller to count, or to wait
    CLOSED = auto()
    EXCLUSIVE = auto()  # another producer has the protocol for itself


class Record(NamedTuple):
    """Hold an accepted event."""

    event: int
    payload: bytes
    timestamp: int
    lost: int
    end: int  # the position behind it


class EventsQueue:
    """Hold the events of one protocol between notify() and their settling."""

    def __init__(self, size: int, start: int, clock: Callable[[], int], types: list[Any]) -> None:
        self.size = size
        self.clock = clock
        self.types = types
        self.rules = [None if known is None else Rule(known.rule, size) for known in types]
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.waiting: deque[Record] = deque()
        self.in_hand: list[Record] = []
        self.kept = (0, 0)  # of these, delivered and unclaimed: a freeze keeps the batches of others
        self.in_ = self.out = start
        self.closed = self.exclusive = self.was_abandoned = self.in_run = False
        self.unreported = 0  # refused events that no header has told of yet
        self.accepted = self.refused = self.invalid = self.lost_markers = self.wakeups = 0
        self.delivered = self.unclaimed = self.abandoned = self.callback_errors = 0
        self.activations = self.empty_activations = self.high_water = 0
        self.workqueue: WorkQueue
        self.work: Work  # the stage that reads it

    # -- writers

    def check(self, event: int, payload: bytes) -> Notified:
        """See whether the protocol can have this event."""
        rule = self.rules[event]
        if rule is None:
            return Notified.UNKNOWN
        if not rule.fits(payload):
            self.count_invalid()
            return Notified.INVALID
        return Notified.ACCEPTED

    def notify(self, event: int, payload: bytes, timestamp: int | None) -> Notified:
        """Put one checked event in, stamped now without a timestamp, and kick. FULL is not counted."""
        before = self.in_
        try:
            return self.put(event, payload, timestamp)
        finally:
            if self.in_ != before:  # also if a signal handler raised when the event was in
                self.kick()

    def put(self, event: int, payload: bytes, timestamp: int | None, exclusive: bool = False) -> Notified:
        """Put one event in; kick() afterwards."""
        length = HEADER_BYTES + (len(payload) + 15) // 16 * 16
        with self.lock:
            while True:
                if self.closed:
                    return Notified.CLOSED
                if self.exclusive is not exclusive:
                    return Notified.EXCLUSIVE
                at = self.in_
                rest = self.size - at % self.size
                end = at + (length if length <= rest else rest + length)
                if end - self.out > self.size:
                    return Notified.FULL
                lost = min(self.unreported, LOST_MAX)
                stamp = self.clock() if timestamp is None else timestamp
                record = Record(event, payload, stamp, lost, end)
                if self.in_ != at:
                    continue  # a signal handler has notified meanwhile: its event comes first
                self.in_ = end
                self.unreported -= lost
                self.lost_markers += lost != 0
                self.accepted += 1
                self.waiting.append(record)
                return Notified.ACCEPTED

    def kick(self) -> None:
        """Have the stage look at the queue after now. Any thread."""
        # Whether this call queued the work or found it pending makes no difference: a run follows that
        # has yet to clear pending, and it will see what was put in.
        _, woke = self.workqueue.queue(self.work)
        if woke:
            with self.lock:
                self.wakeups += 1

    def refuse(self, n: int) -> None:
        """Count events that found no room, and have a later header tell of them."""
        with self.lock:
            self.refused += n
            self.unreported += n

    def count_invalid(self) -> None:
        """Count an event that can't be."""
        with self.lock:
            self.invalid += 1

    # -- the stage

    def begin_run(self) -> None:
        """Note that the stage is at work."""
        with self.lock:
            self.in_run = True

    def end_run(self, was_empty: bool) -> None:
        """Count a run; an empty one is the harmless price of never losing a kick."""
        with self.lock:
            self.in_run = False
            self.activations += 1
            self.empty_activations += was_empty
            if self.was_abandoned:
                self.abandon()  # what a freeze left in hand
            self.changed.notify_all()

    def look(self) -> int:
        """Return up to where the stage may read in this look."""
        with self.lock:
            self.high_water = max(self.high_water, self.in_ - self.out)
            return self.in_

    def take(self, limit: int) -> Record | None:
        """Take the next event before a position in hand."""
        with self.lock:
            if not self.waiting or self.waiting[0].end > limit:
                return None
            self.in_hand.append(self.waiting[0])
            return self.waiting.popleft()

    def put_back(self, record: Record) -> None:
        """Have the event that was taken last wait for another run."""
        with self.lock:
            self.in_hand.pop()
            self.waiting.appendleft(record)

    def settle(self, delivered: int, unclaimed: int, abandoned: int = 0) -> None:
        """Enter what became of all that is in hand, and free its space; unless the end has counted it."""
        with self.lock:
            if not self.in_hand:
                return
            self.delivered += delivered
            self.unclaimed += unclaimed
            self.abandoned += abandoned
            self.out = self.in_hand[-1].end
            self.kept = (0, 0)
            self.in_hand.clear()
            self.changed.notify_all()

    def keep(self, delivered: int, unclaimed: int) -> None:
        """Note what is known of events in hand that can't be settled yet; no other run may come."""
        with self.lock:
            self.kept = (delivered, unclaimed)

    # -- anybody

    def has_passed(self, position: int) -> bool:
        """Return whether everything before a position has been settled."""
        return self.out >= position

    def begin_anew(self) -> None:
        """Be safe to touch in a forked child: whoever had the lock is missing there."""
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)

    def shut(self) -> None:
        """Accept no event any more."""
        with self.lock:
            self.closed = True
            self.changed.notify_all()

    def abandon(self) -> None:
        """Count what is left as abandoned, but for what a run has in hand. After the workqueue's stop."""
        with self.lock:
            self.was_abandoned = True
            self.abandoned += len(self.waiting)
            self.waiting.clear()
            if not self.in_run:
                delivered, unclaimed = self.kept
                self.abandoned += len(self.in_hand) - delivered - unclaimed
                self.delivered += delivered
                self.unclaimed += unclaimed
                self.kept = (0, 0)
                self.in_hand.clear()
            self.changed.notify_all()

    def books(self) -> dict[str, int]:
        """Return the books at one instant, named as in ProtocolStats."""
        with self.lock:
            counted = {name: int(getattr(self, name)) for name in COUNTS}
            return counted | {"pending": len(self.waiting) + len(self.in_hand)}
