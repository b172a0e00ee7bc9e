"""A channel: a bounded queue of a subscriber's own, read by whoever likes, whenever he likes.

Made by Pipeline.channel(). The pipeline keeps it like any subscription: dropping a Channel doesn't end it,
close() or its ``with`` block does. The half that takes events is the backend's ChannelCore; what stands here
is cold.

How large its ring is. It holds `capacity` events of the largest size that any event which it listens to
can have. Events without a largest size would make that half a queue for each: of those it holds no more
bytes than the queue that they come from. The memory is there when events need it.
"""

from __future__ import annotations

import time
from operator import index

from tocsin.backend import Batch, ChannelCore, Event
from tocsin.errors import ClosedError
from tocsin.key import Key, checked
from tocsin.stats import ChannelStats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType
    from typing import Any, Literal, Self, TypeAlias, TypeVar

    from tocsin.aio import Waitings
    from tocsin.bindings import Bindings, Registration
    from tocsin.protocol import EventType
    from tocsin.subscription import Part, Subscription

    R = TypeVar("R")
    Overflow: TypeAlias = Literal["drop_newest", "drop_oldest", "latest", "block"]

__all__ = ["Channel"]

OVERFLOWS: tuple[Overflow, ...] = (
    "drop_newest",
    "drop_oldest",
    "latest",
    "block",
)  # by number

HEADER_SIZE = 16
CAPACITY_MAX = 1 << 26  # events, which take at least 16 bytes each
RING_MAX = 1 << 30  # bytes
TIMEOUT_MAX = 1e9  # seconds


def number(timeout: Any) -> float:
    """Return a real number as a float; TypeError for anything else."""
    if not isinstance(timeout, float | int):
        from numbers import Real  # not for the sake of those who never need it

        if not isinstance(timeout, Real):
            raise TypeError(f"timeout must be a number of seconds, not {timeout!r}")
    return float(timeout)


def seconds(timeout: Any) -> float:
    """Return a checked timeout of a channel that blocks."""
    limit = number(timeout)
    if not 0 <= limit <= TIMEOUT_MAX:
        raise ValueError(f"timeout must be 0 to {TIMEOUT_MAX:g} seconds, not {timeout!r}")
    return limit


def deadline_of(timeout: Any) -> float:
    """Return when `timeout` seconds will be over, by time.monotonic()."""
    limit = number(timeout)
    if not limit >= 0:
        raise ValueError(f"timeout must be at least 0 seconds or None, not {timeout!r}")
    return time.monotonic() + min(limit, TIMEOUT_MAX)


class Channel(ChannelCore["R"]):
    """Hold events until somebody takes them: get(), get_batch(), iteration; several readers share them.

    Each event goes to one reader. `lost` of an event counts those that were refused or dropped since the
    one that was taken before it. Leaving its ``with`` block closes it.

    Coroutines read it with aget(), aget_batch() and ``async for``, in asyncio or trio; any number of event
    loops, beside threads. The first one in a loop opens a descriptor there.
    """

    subscription: Subscription
    _waitings: Waitings[R] | None = None  # of event loops; None: no coroutine was here

    def __init__(self, keys: tuple[Key, ...], capacity: int, overflow: str, timeout: float | None) -> None:
        if overflow not in OVERFLOWS:
            raise ValueError(f"overflow must be one of {', '.join(OVERFLOWS)}, not {overflow!r}")
        if checked("capacity", capacity, CAPACITY_MAX) == 0:
            raise ValueError(f"capacity 0 is not in 1..{CAPACITY_MAX}")
        if (timeout is not None) is not (overflow == "block"):
            raise ValueError(
                "overflow='block' needs a timeout: how many seconds its protocol may wait for a reader"
                if timeout is None
                else f"a timeout belongs to overflow='block', not to {overflow!r}"
            )
        self.keys = keys
        self.capacity = capacity
        self.overflow = overflow
        self.timeout = None if timeout is None else seconds(timeout)

    def batches(self) -> Iterator[Batch[R]]:
        """Iterate over batches, each of events of one type, as get_batch() gives them, until it is closed."""
        while True:
            try:
                batch = self.get_batch()
            except ClosedError:
                return
            yield batch

    def close(self) -> None:
        """Listen no more, and wake whoever waits; harmless to repeat.

        What is queued can still be read: then readers get ClosedError, and iteration ends. Sources that
        nobody else wants are switched off. Any thread, callbacks too; never waits for a reader.
        """
        self.subscription.cancel(wait=False)
        self._shut()
        if self._waitings is not None:
            self._waitings.retire()

    async def aget(self, timeout: float | None = None) -> Event[R]:
        """Take the oldest event as get() does, and leave the event loop to others while there is none.

        A coroutine that is cancelled takes nothing with it. One that always finds events gives way to others
        once in a millisecond. NotImplementedError: the loop can't poll a descriptor (Windows' proactor loop).
        """
        waiting = (self._waitings or self._begin_waiting()).here()
        return await waiting.get(None if timeout is None else deadline_of(timeout))

    async def aget_batch(self, max_events: int = 4096, timeout: float | None = None) -> Batch[R]:
        """Take a Batch as get_batch() does, and leave the event loop to others as aget() does."""
        most = index(max_events)
        if most < 1:
            raise ValueError(f"max_events must be at least 1, not {max_events}")
        waiting = (self._waitings or self._begin_waiting()).here()
        return await waiting.get_batch(most, None if timeout is None else deadline_of(timeout))

    def __aiter__(self) -> AsyncIterator[Event[R]]:
        """Take events one by one as aget() does, until the channel is closed and empty."""
        return (self._waitings or self._begin_waiting()).events()

    async def aclose(self) -> None:
        """Close it; never waits."""
        self.close()

    def stats(self) -> ChannelStats:
        """Return a snapshot of the books; see ChannelStats."""
        return ChannelStats(**self._counts())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failure: object) -> None:
        self.close()

    def __repr__(self) -> str:
        what = ", ".join(f"{key.protocol:#x}/{key.event} source={key.source!r}" for key in self.keys)
        state = "closed" if self.closed else self.subscription.state
        return f"<Channel {what} {state} {self.overflow} {self._counts()['pending']} of {self.capacity}>"

    def _prepare(self, pipeline: Bindings, start: int) -> None:
        """Make the channel of the core. Under the lock of the pipeline, once."""
        self.__dict__.pop("_waitings", None)  # those of the parent, in a forked child, are the parent's
        several = len({key.protocol for key in self.keys}) > 1
        number = OVERFLOWS.index(self.overflow)
        pipeline._make_channel(self, number, self.capacity, self.timeout or 0.0, several, start)

    def _begin_waiting(self) -> Waitings[R]:
        """Make what event loops need, once: several may come at the same time."""
        from tocsin.aio import Waitings  # with asyncio, which is slow to import and mostly not needed

        made: Waitings[R] = self.__dict__.setdefault("_waitings", Waitings(self))
        return made

    def _listen(self, pipeline: Bindings, part: Part, registration: Registration) -> None:
        """Get room for the events of a part that is about to be bound. Under the lock of the pipeline."""
        events = sorted({key.event for key in part.keys if key.event in registration.types})
        size = self._ring_size([registration.types[event] for event in events], registration.queue_size)
        pipeline._open_channel(self, registration.protocol.id, events, size)

    def _ring_size(self, types: list[EventType[Any]], queue_size: int) -> int:
        """Return how many bytes the ring should have, a power of two; ValueError."""
        needed = 1
        for event_type in types:
            size, most = event_type.max_size, RING_MAX
            if size is None and self.overflow == "latest":
                raise ValueError(
                    f"overflow='latest' needs the largest size of {event_type!r}: declare its max_size"
                )
            if size is None:
                size, most = queue_size // 2 - HEADER_SIZE, queue_size
            # One more than it holds: a record is never split, so up to one of them is left free at the wrap.
            wanted = (self.capacity + 1) * (HEADER_SIZE + (size + 15) // 16 * 16)
            if wanted > RING_MAX and most == RING_MAX:
                raise ValueError(
                    f"{self.capacity} events of {event_type!r}, of up to {size} bytes, need more than 1 GiB: "
                    "lower the capacity or its max_size"
                )
            needed = max(needed, min(wanted, most))
        return 1 << (needed - 1).bit_length()
