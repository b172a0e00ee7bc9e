"""Offering events to channels: a channel's place in the queue of a protocol.

Channels stand first in their chains, and the stage offers them an event before it calls anybody: so no
STOP keeps an event from them. Each is offered an event once, however many chains of it hold the channel.

A channel that blocks may have the stage wait: it notes until when. The stage stops before the event, ends
its run and puts its work off until the first of the deadlines; a reader that makes room makes it due at
once. When time is over the event is dropped, and so are later ones, without waiting, until a reader has
made room. Without worker threads nobody could make room meanwhile: there a full channel drops at once.
"""

import time
from typing import Any

from tocsin.pure.channelqueue import LATEST, ChannelQueue, Queued
from tocsin.pure.header import HEADER_BYTES
from tocsin.pure.work import Work
from tocsin.pure.workqueue import WorkQueue

__all__ = ["Listener"]


class Listener:
    """Keep what a stage knows of a channel in its chains. The stage alone, but for leave()."""

    def __init__(self, queue: ChannelQueue) -> None:
        self.queue = queue
        self.has_left = False
        self.offered_at = self.waits_at = -1  # the ends of the events that were offered, or waited, last
        self.deadline = 0.0
        self.tried_at = 0  # how many events had been taken before its last try in vain
        self.given_up_at: int | None = None  # the same, when time was over

    def offer(self, record: Any, event_type: Any, source: int, lost: int, may_wait: bool) -> bool:
        """Settle what becomes of an event in the channel; False: the stage should wait for room."""
        size = len(record.payload)
        if self.queue.overflow == LATEST:  # any later one of its key fits in its place
            size = event_type.max_size
        queued = Queued(event_type, record.payload, record.timestamp, source, lost)
        self.tried_at = self.queue.taken
        if not self.queue.offer(queued, HEADER_BYTES + (size + 15) // 16 * 16):
            if may_wait and self.should_wait(record.end):
                return False
            self.queue.give_up(queued)
        self.offered_at = record.end
        return True

    def should_wait(self, end: int) -> bool:
        """Return whether the event that ends there should wait for room, until `deadline`."""
        if self.given_up_at == self.tried_at:
            return False  # nobody has read since it waited in vain
        now = time.monotonic()
        if self.waits_at != end or self.given_up_at is not None:
            self.waits_at, self.given_up_at = end, None
            self.deadline = now + self.queue.timeout
            self.queue.waits += 1
        if now < self.deadline:
            return True
        self.given_up_at = self.tried_at
        return False

    def want_room(self, workqueue: WorkQueue, work: Work) -> None:
        """Have a work that was put off made due when there is room: at once, if somebody has read."""
        with self.queue.lock:
            is_new = self.queue.taken == self.tried_at and not self.has_left
            if is_new:
                self.queue.wanting.append((workqueue, work))
        if not is_new:
            workqueue.expedite(work)

    def leave(self) -> None:
        """Have no stage wait for the channel any more. Any thread."""
        with self.queue.lock:
            self.has_left = True
        self.queue.call_writers()
