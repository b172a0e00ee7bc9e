"""Readers of a channel: taking events, and waiting for them.

Any thread, several at once. An event is taken in one step, under the lock of the channel's queue: so it is
either still there or in the hands of the one reader that took it. Waits answer signals; one that would wait
for itself, inside a callback of its own pipeline, raises RuntimeError.
"""

from collections.abc import Iterator
from operator import index
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tocsin.errors import ClosedError
from tocsin.pure.batch import Batch, batch_of
from tocsin.pure.channelqueue import ChannelQueue
from tocsin.pure.event import Event, event_of
from tocsin.pure.times import deadline_of, left_until
from tocsin.pure.workqueue import WorkQueue

if TYPE_CHECKING:
    from typing import Self

__all__ = ["ChannelCore"]

R_co = TypeVar("R_co", covariant=True)

NOT_MADE = "a Channel is made by Pipeline.channel()"
WOULD_WAIT = "waiting in a channel inside a callback of its own pipeline would wait for itself: use timeout=0"


class ChannelCore(Generic[R_co]):
    """Hold a channel: what Channel is built on."""

    def __class_getitem__(cls, item: Any) -> GenericAlias:
        return GenericAlias(cls, item)  # the variable's name too, which is all there is at run time

    _queue: ChannelQueue | None
    _workqueue: WorkQueue

    def __new__(cls, *args: Any, **kwargs: Any) -> "Self":
        """Begin without a queue; the pipeline makes it."""
        self = super().__new__(cls)
        self._queue = None
        return self

    def _make(self, queue: ChannelQueue, workqueue: WorkQueue) -> None:
        """Get what it is made of. Under the face's lock, once."""
        if self._queue is not None:
            raise RuntimeError("a channel is initialised once")
        self._queue = queue
        self._workqueue = workqueue

    @property
    def _made(self) -> ChannelQueue:
        if self._queue is None:
            raise RuntimeError(NOT_MADE)
        return self._queue

    # -- taking

    def get(self, timeout: float | None = None) -> Event[R_co]:
        """Take the oldest event; wait for one if there is none.

        timeout: seconds, 0 only looks, None waits for ever. Answers signals. Any thread; each event goes
        to one reader. TimeoutError; ClosedError once the channel is closed and empty; RuntimeError where it
        would wait inside a callback of its pipeline.
        """
        deadline = deadline_of(timeout)
        event = self._take()
        while event is None:
            self._await_event(deadline)
            event = self._take()
        return event

    def _take(self) -> Event[R_co] | None:
        """Take the oldest event; None: there is none now."""
        queued = self._made.take()
        if queued is None:
            return None
        return event_of(queued.type, queued.payload, queued.timestamp, queued.source, queued.lost)

    def get_batch(self, max_events: int = 4096, timeout: float | None = None) -> Batch[R_co]:
        """Take events of one type as a Batch: the oldest, and those behind it up to one of another type.

        At most max_events, at least one: it waits for the first only. Otherwise as get().
        """
        most = index(max_events)
        deadline = deadline_of(timeout)
        if most < 1:
            raise ValueError(f"max_events must be at least 1, not {max_events}")
        batch = self._take_batch(most)
        while batch is None:
            self._await_event(deadline)
            batch = self._take_batch(most)
        return batch

    def _take_batch(self, most: int) -> Batch[R_co] | None:
        """Take the oldest events of one type, at most so many; None: there are none now."""
        queued = self._made.take()
        if queued is None:
            return None
        batch: Batch[R_co] = batch_of(queued.type)
        while queued is not None:
            batch._add(queued.payload, queued.timestamp, queued.source, queued.lost)
            queued = self._made.take(batch.type) if len(batch) < most else None
        return batch

    def __iter__(self) -> Iterator[Event[R_co]]:
        """Take events one by one as they are asked for, until the channel is closed and empty."""
        while True:
            try:
                event = self.get()
            except ClosedError:
                return
            yield event

    # -- waiting

    def _await_event(self, deadline: float | None) -> None:
        """Wait until there is an event; ClosedError, TimeoutError."""
        queue = self._made
        with queue.changed:
            left = left_until(deadline)
            if not (queue.events or queue.closed or left == 0):
                self._refuse_inside()
                try:
                    queue.changed.wait_for(lambda: queue.events or queue.closed, left)
                except BaseException:
                    queue.changed.notify()  # the wake-up may have been meant for us
                    raise
            if queue.events:
                return
            is_closed = queue.closed
        if is_closed:
            raise ClosedError(f"{self!r} is closed, and nothing is left in it")
        raise TimeoutError(f"{self!r}: no event came in time")

    def _refuse_inside(self) -> None:
        """Refuse to wait inside a callback of the pipeline."""
        if self._workqueue.worker_here() is not None:
            raise RuntimeError(WOULD_WAIT)

    # -- the end, and the books

    def _shut(self) -> None:
        """Say that nothing more will come, and wake whoever waits."""
        if self._queue is not None:
            self._queue.close()

    @property
    def closed(self) -> bool:
        """Whether nothing more will come; what is queued can still be read."""
        return self._queue is None or self._queue.closed

    def _counts(self) -> dict[str, int]:
        """Return what became of the events that were offered, named as in ChannelStats."""
        return self._made.counts()
