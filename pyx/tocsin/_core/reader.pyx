# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""Readers of a channel: from its ring to Events and Batches, and waiting for them.

Any thread, several at once. What is taken is copied under the lock of the channel, of which a holder waits for
nothing: an Event and the bytes of a long payload are made by plain allocation, which never runs Python code.
Everything that could (a batch, an exception) is made without the lock. So an event is either still in the ring
or in the hands of the one reader that took it; there is no in between, not even for an iterator that is
dropped.

Waiting lets the GIL go, in slices after each of which signals are answered. A reader that leaves by an exception,
from a wait or for want of memory, calls the next one: the wake-up may have been meant for it.

How a channel is made, and its books, stand in opening.pyx.
"""

from time import sleep
from types import GenericAlias

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.list cimport PyList_GET_ITEM
from cpython.object cimport PyObject
from libc.stdint cimport int64_t

from tocsin cimport tocsin_event
from tocsin._core.atomic cimport a32_load_relaxed
from tocsin._core.batch cimport Batch, batch_add, batch_clear, batch_is_ours, batch_new
from tocsin._core.channel cimport (
    LOOK_EMPTY,
    LOOK_OVER,
    Channel,
    Look,
    channel_await,
    channel_close,
    channel_look,
    channel_may_have,
    channel_release,
)
from tocsin._core.core cimport core_is_inside, core_release
from tocsin._core.event cimport Event, TypeRef, event_from_record
from tocsin._core.fill cimport fill_streak
from tocsin._core.take cimport (
    TAKE_MOST,
    channel_after_taking,
    channel_call_next,
    channel_front,
    channel_settle,
    channel_step,
)
from tocsin._core.tally cimport Tally, channel_tally
from tocsin._core.thread cimport lock_drop, lock_take
from tocsin._core.times cimport deadline_of, slice_until

from tocsin.errors import ClosedError


cdef enum:
    COUNT_TRIES = 100


cdef str NOT_MADE = "a Channel is made by Pipeline.channel()"


cdef class ChannelCore:
    """Hold a channel: what Channel is built on."""

    __class_getitem__ = classmethod(GenericAlias)

    def __cinit__(self, *args, **kwargs):
        self.types = {}
        self.types_before = []

    def __dealloc__(self):
        if self.channel != NULL:
            channel_release(self.channel)
            core_release(self.core)

    # -- taking

    cdef Event take(self):
        """The oldest event; None: there is none now."""
        cdef Channel* channel = self.channel
        cdef Event event = None
        cdef tocsin_event record
        cdef bint is_more = False
        if channel == NULL:
            raise RuntimeError(NOT_MADE)
        lock_take(&channel.lock)
        try:
            if channel_front(channel, &record):
                is_more = True           # if there is no memory for it
                event = event_from_record(<TypeRef> type_of(channel, &record), &record)
                channel_step(channel, &record)
                channel_settle(channel)
                is_more = channel_may_have(channel)
        finally:
            lock_drop(&channel.lock)
            if is_more:
                channel_call_next(channel)
        if event is not None:
            channel_after_taking(channel, False)
        return event

    cdef Batch take_batch(self, Py_ssize_t most):
        """The oldest events of one type, at most so many; None: there are none now."""
        cdef Batch batch = None
        cdef TypeRef of
        while batch is None:
            of = self.next_type()
            if of is None:
                return None
            try:
                batch = self.batch_for(of)
            except BaseException:
                channel_call_next(self.channel)
                raise
            if self.fill(batch, most) == 0:      # another reader was faster, and now it's another type's turn
                batch = None
        with cython.critical_section(self):
            self.spare = batch
        return batch

    cdef Batch batch_for(self, TypeRef of):
        """An empty batch of a type: that of the call before, if nobody has kept it."""
        cdef Batch batch
        with cython.critical_section(self):
            batch, self.spare = self.spare, None
        if batch is None or batch.of is not of or not batch_is_ours(batch):
            return batch_new(of)
        batch_clear(batch)
        return batch

    cdef TypeRef next_type(self):
        """The event type of the oldest event; None: there is none now."""
        cdef TypeRef of = None
        cdef tocsin_event record
        if self.channel == NULL:
            raise RuntimeError(NOT_MADE)
        lock_take(&self.channel.lock)
        if channel_front(self.channel, &record):
            of = <TypeRef> type_of(self.channel, &record)
        lock_drop(&self.channel.lock)
        return of

    cdef Py_ssize_t fill(self, Batch batch, Py_ssize_t most) except -1:
        """Take events into a batch as long as they are of its type. How many."""
        cdef Channel* channel = self.channel
        cdef tocsin_event record
        cdef Py_ssize_t before = -1
        cdef Py_ssize_t limit
        cdef bint is_more = False
        cdef bint has_memory = True
        while has_memory and batch.count != before and batch.count < most:
            before = batch.count
            limit = min(most, before + TAKE_MOST)
            lock_take(&channel.lock)
            while has_memory and batch.count < limit and channel_front(channel, &record):
                if type_of(channel, &record) != <PyObject*> batch.of:
                    break
                has_memory = batch_add(batch, &record)
                if has_memory:
                    channel_step(channel, &record)
                    fill_streak(batch, channel, &record, limit)
            channel_settle(channel)
            is_more = channel_may_have(channel)
            lock_drop(&channel.lock)
            channel_after_taking(channel, False)
        if is_more:
            channel_call_next(channel)
        if batch.count == 0 and not has_memory:
            raise MemoryError("no memory for a batch")
        return batch.count

    # -- waiting

    cdef Look await_event(self, int64_t deadline) except *:
        """Wait until there is an event or will never be one. LOOK_EMPTY: not in time."""
        cdef Look found = channel_look(self.channel)
        cdef int64_t slice
        cdef bint is_new = True
        while found == LOOK_EMPTY:
            slice = slice_until(deadline)
            if slice == 0:
                break
            if is_new and self.is_inside():
                raise RuntimeError(
                    "waiting in a channel inside a callback of its own pipeline would wait for itself: "
                    "use timeout=0"
                )
            is_new = False
            try:
                with nogil:
                    found = channel_await(self.channel, slice)
                PyErr_CheckSignals()
            except BaseException:
                channel_call_next(self.channel)
                raise
        return found

    cdef bint is_inside(self) noexcept:
        """True if the caller is inside a callback of the pipeline."""
        return core_is_inside(self.core)

    cdef int refuse(self, Look found) except -1:
        """Raise the error of a reader that got nothing, unless it is worth another look."""
        if found == LOOK_OVER:
            raise ClosedError(f"{self!r} is closed, and nothing is left in it")
        if found == LOOK_EMPTY:
            raise TimeoutError(f"{self!r}: no event came in time")
        return 0

    def get(self, timeout: object = None) -> Event:
        """Take the oldest event; wait for one if there is none.

        timeout: seconds, 0 only looks, None waits for ever. Lets the GIL go while it waits and answers
        signals. Any thread; each event goes to one reader. TimeoutError; ClosedError once the channel is
        closed and empty; RuntimeError where it would wait inside a callback of its pipeline.
        """
        cdef int64_t deadline = -1 if timeout is None else deadline_of(timeout)
        cdef Event event = self.take()
        while event is None:
            self.refuse(self.await_event(deadline))
            event = self.take()
        return event

    def get_batch(self, max_events: int = 4096, timeout: object = None) -> Batch:
        """Take events of one type as a Batch: the oldest, and those behind it up to one of another type.

        At most max_events, at least one: it waits for the first only. Otherwise as get().
        """
        cdef Py_ssize_t most = max_events
        cdef int64_t deadline = -1 if timeout is None else deadline_of(timeout)
        if most < 1:
            raise ValueError(f"max_events must be at least 1, not {max_events}")
        cdef Batch batch = self.take_batch(most)
        while batch is None:
            self.refuse(self.await_event(deadline))
            batch = self.take_batch(most)
        return batch

    def __iter__(self) -> object:
        """Take events one by one as they are asked for, until the channel is closed and empty."""
        cdef ChannelIterator iterator = ChannelIterator.__new__(ChannelIterator)
        iterator.reader = self
        return iterator

    # -- the end, and the books

    def _shut(self) -> None:
        """Say that nothing more will come, and wake whoever waits."""
        if self.channel != NULL:
            channel_close(self.channel)

    @property
    def closed(self) -> bool:
        """Whether nothing more will come; what is queued can still be read."""
        return self.channel == NULL or a32_load_relaxed(&self.channel.closed) != 0

    def _counts(self) -> dict:
        """Return what became of the events that were offered, named as in ChannelStats."""
        if self.channel == NULL:
            raise RuntimeError(NOT_MADE)
        cdef Tally tally
        cdef int tries = 1
        while not channel_tally(self.channel, &tally) and tries < COUNT_TRIES:
            tries += 1
            sleep(0.001)         # a writer that was preempted between two counts has its turn
        return tally


@cython.final
cdef class ChannelIterator:
    """Take events for a loop. It has none of its own, so that nothing is lost when it is dropped."""

    cdef ChannelCore reader

    def __iter__(self) -> object:
        return self

    def __next__(self) -> Event:
        if self.reader is None:
            raise RuntimeError(NOT_MADE)
        cdef Event event = self.reader.take()
        while event is None:
            if self.reader.await_event(-1) == LOOK_OVER:
                raise StopIteration
            event = self.reader.take()
        return event


cdef inline PyObject* type_of(const Channel* channel, const tocsin_event* event) noexcept:
    """The TypeRef of the event that channel_front() gave, borrowed. Under the lock."""
    cdef void* types = channel.reading.origins[event.protocol].types
    return PyList_GET_ITEM(<list> types, event.event)
