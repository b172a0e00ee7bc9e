"""The doorbell of one event loop at one channel: whoever brings something writes to a descriptor, once.

Armed under the lock of the channel's queue, where the look that comes with it is made too; so a writer, who
has that lock, comes before the look or finds the doorbell armed. It disarms by ringing: a loop that sleeps is
told once, however many events come. After disarm() nobody writes any more. The loop's thread uses it; any
thread may let it go. `line` (who waits) and `left` (what may be taken before others have their turn) are the
face's.
"""

import os
from collections.abc import Coroutine, Sequence
from typing import Any, Generic, Self, TypeVar

from tocsin.pure.batch import Batch
from tocsin.pure.channel import ChannelCore
from tocsin.pure.channelqueue import ChannelQueue
from tocsin.pure.event import Event

__all__ = ["Doorbell", "EventsCore"]

R_co = TypeVar("R_co", covariant=True)

EMPTY, READY, OVER = range(3)


class Doorbell(Generic[R_co]):
    """Wake whoever polls a descriptor when a channel has something.

    descriptor: an eventfd or the writing end of a pipe, neither of which blocks.
    """

    reader: ChannelCore[R_co]
    queue: ChannelQueue
    descriptor: int
    line: Sequence[Any]
    left: int

    def __new__(cls, reader: ChannelCore[R_co], descriptor: int) -> Self:
        """Belong to a channel."""
        self = super().__new__(cls)
        self.reader = reader
        self.queue = reader._made
        self.descriptor = descriptor
        self.line = ()
        self.left = 0
        return self

    def take(self) -> Event[R_co] | None:
        """Take the oldest event; None: there is none now."""
        return self.reader._take()

    def take_batch(self, most: int) -> Batch[R_co] | None:
        """Take the oldest events of one type, at most so many; None: there are none now."""
        return self.reader._take_batch(most)

    def arm(self) -> int:
        """Have the descriptor written to when there is something; look: 0 nothing yet, 1 events, 2 over."""
        if self.queue is not self.reader._queue:
            raise RuntimeError("an event loop that waited before the fork has no channel in the child")
        with self.queue.lock:
            found = self.look()
            if found == EMPTY:
                self.reader._refuse_inside()
                self.queue.armed.add(self.descriptor)
            return found

    def look(self) -> int:
        """See whether there is something: 0 nothing yet, 1 events, 2 over."""
        with self.queue.lock:
            return READY if self.queue.events else OVER if self.queue.closed else EMPTY

    def disarm(self) -> None:
        """Have nobody write to the descriptor any more; harmless to repeat. Any thread."""
        if (
            self.queue.process == os.getpid()
        ):  # in a forked child the queue is the parent's, and its lock may be taken
            with self.queue.lock:
                self.queue.armed.discard(self.descriptor)


class EventsCore(Generic[R_co]):
    """Take events for an ``async for``: what is there at once, the rest by the face's _wait()."""

    bell: Doorbell[R_co] | None = None  # until the face has waited once

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event[R_co]:
        bell = self.bell
        if bell is not None and bell.left > 0 and not bell.line:
            event = bell.take()
            if event is not None:
                bell.left -= 1
                return event
        return await self._wait()

    def _wait(self) -> Coroutine[Any, Any, Event[R_co]]:
        """Wait for an event: the face's."""
        raise NotImplementedError
