"""The queue of a channel: what is in it, what became of the rest.

One lock guards all of it; `changed` over it is for readers that wait. Writers are the stages of the
queues that the channel listens to; none of them and no reader holds the lock while it waits or kicks.
Event loops wait for something in a descriptor (doorbell.py), which is written to under the lock and never
blocks.

Room. Capacity counts events. Beside that, events take as many bytes as in the ring of the compiled core,
by the same arithmetic (equeue.py): so a channel of events without a largest size is full when its ring
would be. A `Room` stands for such a ring. A protocol that is registered later, or anew, may need a larger
one; what came before lies in the old one until it was read.

A stage that finds no room may wait (listener.py). It puts its work off and then says so here, unless
somebody has taken an event since it tried: whoever takes one makes the works due of those who have said
so.
"""

import contextlib
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tocsin.pure.work import Work
    from tocsin.pure.workqueue import WorkQueue

__all__ = ["BLOCK", "ChannelQueue", "Queued"]

DROP_NEWEST, DROP_OLDEST, LATEST, BLOCK = range(4)
ONE = (1).to_bytes(8, "little")  # what an eventfd takes


class Room:
    """Give out the bytes of a ring that isn't there."""

    def __init__(self, size: int, start: int, protocols: set[int]) -> None:
        self.size = size
        self.in_ = self.out = start
        self.protocols = protocols

    def claim(self, length: int) -> bool:
        """Take room for a record of so many bytes, in one piece; False: there is none."""
        rest = self.size - self.in_ % self.size
        end = self.in_ + (length if length <= rest else rest + length)
        if end - self.out > self.size:
            return False
        self.in_ = end
        return True


class Queued:
    """Hold an event that waits to be read; of a `latest` channel it may be overwritten."""

    __slots__ = ("end", "key", "lost", "payload", "room", "source", "timestamp", "type")

    def __init__(self, event_type: Any, payload: bytes, timestamp: int, source: int, lost: int) -> None:
        self.type = event_type
        self.payload = payload
        self.timestamp = timestamp
        self.source = source
        self.lost = lost
        self.key = (event_type.code, source)
        self.room: Room
        self.end = 0  # the position behind it


class ChannelQueue:
    """Hold the events of a channel between its stages and its readers."""

    def __init__(self, overflow: int, capacity: int, timeout: float, start: int) -> None:
        self.overflow = overflow
        self.capacity = capacity
        self.timeout = timeout
        self.start = start
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.events: deque[Queued] = deque()
        self.by_key: dict[Any, Queued] = {}  # of a `latest` channel: what may be overwritten
        self.room: Room | None = None
        self.closed = False
        self.armed: set[int] = set()  # the descriptors of event loops that wait
        self.process = os.getpid()
        self.unreported = 0  # lost events that no queued one tells of yet
        self.carry = 0  # those that the next one taken tells of beside its own
        self.wanting: list[tuple[WorkQueue, Work]] = []
        self.offered = self.delivered = self.dropped = self.conflated = 0
        self.high_water = self.waits = self.taken = 0

    def extend(self, protocol: int, size: int) -> None:
        """Listen to a protocol whose stage doesn't know the channel yet, with at least `size` bytes."""
        with self.lock:
            old, is_old = self.room, bool(self.events)
            if old is None or old.size < size or (is_old and protocol in old.protocols):
                protocols = set() if old is None else old.protocols
                self.room = Room(max(size, 0 if old is None else old.size), self.start, {*protocols})
                # Those of an earlier registration are of another type.
                self.by_key = {key: q for key, q in self.by_key.items() if key[0] >> 24 != protocol}
            if self.room is not None:
                self.room.protocols.add(protocol)

    # -- writers

    def offer(self, queued: Queued, stride: int) -> bool:
        """Settle what becomes of an event; False: there is no room, and it may be waited for."""
        with self.lock:
            if self.overflow == LATEST and queued.key in self.by_key:
                self.overwrite(self.by_key[queued.key], queued)
            elif not self.put(queued, stride):
                if self.overflow == BLOCK:
                    return False
                if self.overflow == DROP_OLDEST:
                    self.push_out()
                    while not self.put(queued, stride):  # an empty room takes any event
                        self.push_out()
                else:
                    self.unreported += queued.lost + 1
                    self.dropped += 1
            self.offered += 1
            return True

    def give_up(self, queued: Queued) -> None:
        """Drop an event that was waited for, or needn't be."""
        with self.lock:
            self.unreported += queued.lost + 1
            self.dropped += 1
            self.offered += 1

    def put(self, queued: Queued, stride: int) -> bool:
        """Append an event, which tells of what was lost before it; False: no room."""
        room = self.room
        if room is None or len(self.events) >= self.capacity or not room.claim(stride):
            return False
        queued.lost += self.unreported
        queued.room, queued.end = room, room.in_
        self.unreported = 0
        self.events.append(queued)
        if self.overflow == LATEST:
            self.by_key[queued.key] = queued
        self.high_water = max(self.high_water, len(self.events))
        self.changed.notify()
        self.ring()
        return True

    def overwrite(self, old: Queued, new: Queued) -> None:
        """Put an event in the place of the one of its key."""
        old.payload, old.timestamp = new.payload, new.timestamp
        old.lost += self.unreported + new.lost
        self.unreported = 0
        self.conflated += 1

    def push_out(self) -> None:
        """Drop the oldest event, of which the next one that is taken will tell."""
        self.carry += self.unqueue().lost + 1
        self.dropped += 1

    def unqueue(self) -> Queued:
        """Take the oldest event off."""
        queued = self.events.popleft()
        queued.room.out = queued.end
        self.taken += 1
        if self.by_key.get(queued.key) is queued:
            del self.by_key[queued.key]
        return queued

    # -- readers

    def take(self, event_type: Any = None) -> Queued | None:
        """Take the oldest event; None: there is none, or it is not of this type."""
        with self.lock:
            if not self.events or (event_type is not None and self.events[0].type is not event_type):
                return None
            queued = self.unqueue()
            queued.lost += self.carry
            self.carry = 0
            self.delivered += 1
        self.call_writers()
        return queued

    def call_writers(self) -> None:
        """Make the works due of the stages that wait for room here."""
        with self.lock:
            wanting, self.wanting = self.wanting, []
        for workqueue, work in wanting:
            workqueue.expedite(work)  # one that waits for another channel looks in vain

    def close(self) -> None:
        """Say that nothing more will come, and wake whoever waits."""
        with self.lock:
            self.closed = True
            self.changed.notify_all()
            self.ring()

    def ring(self) -> None:
        """Wake the event loops that wait; but in a forked child the descriptors are its parent's."""
        while self.armed and self.process == os.getpid():
            with contextlib.suppress(BlockingIOError):  # it takes no more: then it is awake
                os.write(self.armed.pop(), ONE)

    def counts(self) -> dict[str, int]:
        """Return the books at one instant, named as in ChannelStats."""
        with self.lock:
            return {
                "offered": self.offered,
                "delivered": self.delivered,
                "dropped": self.dropped,
                "conflated": self.conflated,
                "pending": len(self.events),
                "capacity": self.capacity,
                "high_water": self.high_water,
                "waits": self.waits,
            }
