# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""The doorbell of one event loop at one channel, as Python holds it; doorbell.pxd holds the theory.

It also takes events without waiting, which is all that a coroutine does between two sleeps. The loop's thread
uses it; any thread may let it go. It keeps the channel, and its descriptor must stay open until it is disarmed
for good. `line` (who waits) and `left` (what may be taken before others have their turn) are the face's.

An ``async for`` awaits something for each event. A coroutine for that costs three times what taking one does;
so if an event is there it gets a Taken, which is done already and says so in the way that coroutines do
(am_send): no exception is made to carry the event.

A forked child has a copy whose channel and descriptor are the parent's, and the lock may be that of a thread
that the child doesn't have: so there it does nothing.
"""

from types import GenericAlias

cimport cython
from cpython.exc cimport PyErr_SetObject
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.stdint cimport uint32_t

from tocsin._core.channel cimport (
    LOOK_EMPTY,
    Channel,
    Look,
    channel_look,
    channel_release,
    channel_retain,
)
from tocsin._core.doorbell cimport Doorbell as CDoorbell
from tocsin._core.doorbell cimport doorbell_arm, doorbell_disarm
from tocsin._core.event cimport Event
from tocsin._core.reader cimport ChannelCore
from tocsin._core.thread cimport process_self


cdef extern from "Python.h":
    ctypedef enum PySendResult:
        PYGEN_RETURN
        PYGEN_ERROR
    ctypedef PySendResult (*sendfunc)(PyObject* me, PyObject* sent, PyObject** result) noexcept
    ctypedef struct PyAsyncMethods:
        sendfunc am_send
    ctypedef struct PyTypeObject:
        PyAsyncMethods* tp_as_async


cdef str AWAITED = "an event of an async iterator is awaited once"


cdef class Doorbell:
    """Wake whoever polls a descriptor when a channel has something.

    descriptor: an eventfd or the writing end of a pipe, neither of which blocks.
    """

    cdef ChannelCore reader
    cdef Channel* channel
    cdef CDoorbell bell
    cdef uint32_t process
    cdef public object line
    cdef public Py_ssize_t left

    def __cinit__(self, reader: ChannelCore, descriptor: int):
        if (<ChannelCore> reader).channel == NULL:
            raise RuntimeError("a Channel is made by Pipeline.channel()")
        self.reader = reader
        self.channel = self.reader.channel
        self.bell.descriptor = descriptor
        self.process = process_self()
        self.line = ()
        channel_retain(self.channel)

    def __dealloc__(self):
        if self.channel != NULL and self.process == process_self():
            doorbell_disarm(&self.channel.doorbells, &self.bell, &self.channel.sleepers)
            channel_release(self.channel)

    def take(self) -> object:
        """Take the oldest event; None: there is none now."""
        return self.reader.take()

    def take_batch(self, most: int) -> object:
        """Take the oldest events of one type, at most so many; None: there are none now."""
        return self.reader.take_batch(most)

    def arm(self) -> int:
        """Have the descriptor written to when there is something; look: 0 nothing yet, 1 events, 2 over."""
        if self.channel != self.reader.channel:
            raise RuntimeError("an event loop that waited before the fork has no channel in the child")
        doorbell_arm(&self.channel.doorbells, &self.bell, &self.channel.sleepers)
        cdef Look found = channel_look(self.channel)
        cdef bint is_inside = found == LOOK_EMPTY and self.reader.is_inside()
        if found != LOOK_EMPTY or is_inside:
            self.disarm()
        if is_inside:
            raise RuntimeError(
                "waiting in a channel inside a callback of its own pipeline would wait for itself: use timeout=0"
            )
        return found

    def look(self) -> int:
        """See whether there is something: 0 nothing yet, 1 events, 2 over."""
        return channel_look(self.channel)

    def disarm(self) -> None:
        """Have nobody write to the descriptor any more; harmless to repeat. Any thread."""
        if self.process == process_self():
            doorbell_disarm(&self.channel.doorbells, &self.bell, &self.channel.sleepers)


cdef class EventsCore:
    """Take events for an ``async for``: what is there at once, the rest by the face's _wait()."""

    __class_getitem__ = classmethod(GenericAlias)

    cdef public Doorbell bell     # None until the face has waited once

    def __aiter__(self) -> object:
        return self

    def __anext__(self) -> object:
        cdef Doorbell bell = self.bell
        cdef Event event
        if bell is not None and bell.left > 0 and not bell.line:
            event = bell.reader.take()
            if event is not None:
                bell.left -= 1
                return taken_new(event)
        return self._wait()

    def _wait(self) -> object:
        """Wait for an event: the face's."""
        raise NotImplementedError


@cython.final
@cython.no_gc     # an event refers to no Taken
@cython.freelist(8)
cdef class Taken:
    """Be awaited, once, and give an event without waiting."""

    cdef Event event

    def __await__(self) -> object:
        return self

    def __iter__(self) -> object:
        return self

    def __next__(self) -> object:
        event, self.event = self.event, None
        if event is None:
            raise RuntimeError(AWAITED)
        raise StopIteration(event)


cdef Taken taken_new(Event event):
    """Hold an event that was taken."""
    cdef Taken taken = Taken.__new__(Taken)
    taken.event = event
    return taken


cdef PySendResult taken_send(PyObject* me, PyObject* sent, PyObject** result) noexcept:
    """Give the event as a coroutine gives what it returns."""
    cdef Taken taken = <Taken> me
    event, taken.event = taken.event, None
    if event is None:
        result[0] = NULL
        PyErr_SetObject(RuntimeError, AWAITED)
        return PYGEN_ERROR
    Py_INCREF(event)
    result[0] = <PyObject*> event
    return PYGEN_RETURN


(<PyTypeObject*> Taken).tp_as_async.am_send = taken_send
