# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""The way in from Python: notify() and notify_many().

Any thread. On a GIL build without native producers the GIL is the lock of the writers, so between the claim
and the publication nothing here allocates, raises or lets it go: arguments are looked up, packed and
checked first. Otherwise writers reserve as native ones do (ring.pxd).

Who comes in takes the door of the protocol from `doors` and keeps it to the end of the call: so the queue is
there all the time, also if the protocol is unregistered meanwhile (lifetime.pxd). Then its door is shut, and
says that nothing is registered.

Waiting for room happens without the GIL, in slices after each of which signals are answered.
"""

from cpython.buffer cimport PyObject_CheckBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from cpython.number cimport PyNumber_Index
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint32_t, uint64_t

from tocsin._core.atomic cimport a64_fetch_add_relaxed
from tocsin._core.clock cimport clock_now
from tocsin._core.core cimport core_is_inside, equeue_wait_look
from tocsin._core.equeue cimport (
    NOTIFIED,
    NOTIFY_CLOSED,
    NOTIFY_EXCLUSIVE,
    NOTIFY_FULL,
    NOTIFY_INVALID,
    NOTIFY_UNKNOWN,
    EventsQueue,
    Notified,
    equeue_notify,
    equeue_refuse,
)
from tocsin._core.event cimport EventCode
from tocsin._core.many cimport Many, many_new, many_put, many_release
from tocsin._core.thread cimport bell_park
from tocsin._core.ties cimport Door
from tocsin._core.times cimport deadline_of, slice_until, stamp_of

from tocsin.errors import ClosedError, ExclusiveError, PayloadError, UnknownEventError


cdef enum:
    NOW = -1                  # as a timestamp, all ones


cdef str WOULD_WAIT = (
    "notify with a timeout inside a callback of the same pipeline would wait for itself: use timeout=0"
)


cdef str NOT_STARTED = "the pipeline was not initialised: a subclass must call super().__init__()"


cdef extern from *:
    """
    static inline PyObject *list_item(PyObject *list, Py_ssize_t i) {
    #ifdef Py_GIL_DISABLED
        return PyList_GetItemRef(list, i); /* another thread may be changing it */
    #else
        return Py_NewRef(PyList_GET_ITEM(list, i));
    #endif
    }
    """
    object list_item(PyObject* list, Py_ssize_t i)


cdef inline Door door_of(NotifyCore core, int64_t code):
    """The door of a code's protocol, if its events are let in; else None."""
    if code < 0:
        return None
    return <Door> list_item(<PyObject*> core.doors, (code >> 24) & 0xFF)


cdef class NotifyCore:
    """Hold the queues and let events in: the half of a pipeline that producers use."""

    def __cinit__(self, *args, **kwargs):
        self.bridges = [None] * 256
        self.doors = [None] * 256

    cdef int64_t code_of(self, object event) except? -2:
        """The code (protocol << 24 | event << 16) of whatever names an event; -1: one bound to no protocol."""
        if isinstance(event, EventCode):
            return (<EventCode> event).code
        try:
            if isinstance(event, tuple):
                protocol, number = event
            else:
                protocol = event.protocol
                number = event.event
            protocol = PyNumber_Index(protocol)
            number = PyNumber_Index(number)
        except (AttributeError, TypeError, ValueError):
            raise TypeError(
                f"an event is a bound EventType, a Key or (protocol, event), not {event!r}"
            ) from None
        if not (0 <= protocol <= 0xFF and 0 <= number <= 0xFF):
            raise ValueError(f"protocol {protocol}, event {number}: both must be in 0..255")
        return <int64_t> protocol << 24 | <int64_t> number << 16

    cdef bytes payload_of(self, Door door, int64_t code, object payload):
        """The bytes of anything that may be a payload: a buffer, or something to pack."""
        if PyObject_CheckBuffer(payload):
            return bytes(memoryview(payload))
        event_type = door.types[(code >> 16) & 0xFF]
        if event_type is None:
            return b""            # the protocol has no such event: the queue will say so
        try:
            return event_type.pack(payload)
        except PayloadError:
            a64_fetch_add_relaxed(&door.q.invalid, 1)
            raise

    cdef bint is_inside(self) noexcept:
        """True if the caller is inside a callback of this pipeline."""
        return self.core != NULL and core_is_inside(self.core)

    def now(self) -> int:
        """Return the time of the pipeline's clock in ns."""
        if self.core == NULL:
            raise RuntimeError(NOT_STARTED)
        return clock_now(self.core.clock_kind)

    def notify(
        self, event: object, payload: object, timestamp: object = None, *, timeout: object = 0
    ) -> bool:
        """Hand an event over: True accepted, False refused because its queue is full (counted).

        event: a bound EventType, a Key, or (protocol, event). payload: a bytes-like object, or a report or
        tuple, which is packed. timestamp: ns, default now. timeout: seconds to wait for room without
        the GIL; 0 never waits. Any thread, also from a callback. UnknownEventError, PayloadError,
        ClosedError, ExclusiveError.
        """
        cdef int64_t code = (<EventCode> event).code if isinstance(event, EventCode) else self.code_of(event)
        cdef uint64_t stamp = <uint64_t> NOW if timestamp is None else stamp_of(timestamp)
        cdef int64_t deadline = 0 if timeout is 0 or timeout == 0 else deadline_of(timeout)
        return let_in(self, event, code, door_of(self, code), payload, stamp, deadline)

    cdef bint wait_for_room(self, EventsQueue* q, int64_t* seen, int64_t deadline) except? False:
        """Wait for room, for a look at whether there is some. False: the time is over. `seen`: at first -1.

        The first call only announces that somebody waits: room made before that rings no bell, so one looks once
        more before parking. RuntimeError inside a callback.
        """
        cdef int64_t slice
        if seen[0] < 0:
            if self.is_inside():
                raise RuntimeError(WOULD_WAIT)
        else:
            slice = slice_until(deadline)
            if slice == 0:
                return False
            with nogil:
                bell_park(&q.progress, <uint32_t> seen[0], slice)
            PyErr_CheckSignals()
        seen[0] = equeue_wait_look(q)
        return True

    def notify_many(
        self, event: object, payloads: object, timestamps: object = None, *, timeout: object = 0
    ) -> int:
        """Hand many events of one type over; return how many were accepted: a prefix.

        payloads: a contiguous buffer of equal records, such as a structured array of `event.dtype`.
        timestamps: None (the clock is read once), one number, or a buffer of as many uint64. timeout:
        seconds to wait for room in all; what finds none is counted as refused. Otherwise as notify().
        """
        cdef int64_t code = self.code_of(event)
        cdef Door door = door_of(self, code)
        cdef EventsQueue* q = NULL if door is None else door.q
        cdef int64_t deadline = deadline_of(timeout)
        cdef bint may_wait = timeout != 0
        cdef int64_t seen = -1
        cdef Notified notified
        if q == NULL or q.rules[(code >> 16) & 0xFF] == NULL:
            self.refuse(NOTIFY_UNKNOWN, door, event, code, b"")
        cdef Many many = many_new(
            q, (code >> 16) & 0xFF, door.types[(code >> 16) & 0xFF], payloads, timestamps
        )
        try:
            if may_wait and self.is_inside():      # before a part of them is in
                raise RuntimeError(WOULD_WAIT)
            while True:
                notified = many_put(many)
                if notified != NOTIFY_FULL or not may_wait or not self.wait_for_room(q, &seen, deadline):
                    break
            if notified == NOTIFY_FULL or (notified != NOTIFIED and many.done != 0):
                # If the door was shut while we waited: what is in is in, and the rest found no room.
                equeue_refuse(q, many.count - many.done)
            elif notified != NOTIFIED:
                self.refuse(notified, door, event, code, b"")
            return many.done
        finally:
            many_release(many)

    cdef int refuse(
        self, Notified notified, Door door, object event, int64_t code, object payload
    ) except -1:
        """Raise the error of a notify() that did not come to the queue."""
        name = f"protocol {code >> 24:#x}, event {(code >> 16) & 0xFF}" if code >= 0 else repr(event)
        if notified == NOTIFY_INVALID:
            number = (code >> 16) & 0xFF
            door.types[number].check_size(payload)
            raise PayloadError(
                f"{name}: {len(payload)} bytes; its queue takes at most {door.q.rules[<int> number].max_size}"
            )
        if notified == NOTIFY_CLOSED and door is self.doors[(code >> 24) & 0xFF]:
            a64_fetch_add_relaxed(&self.core.closed, 1)
            raise ClosedError(f"{name}: the pipeline is closed")
        if notified == NOTIFY_EXCLUSIVE:
            raise ExclusiveError(f"{name}: an exclusive producer has the protocol for itself; close it first")
        if self.core == NULL:
            raise RuntimeError(NOT_STARTED)
        a64_fetch_add_relaxed(&self.core.unknown, 1)
        if code < 0:
            raise UnknownEventError(f"{event!r} belongs to no protocol: take it from an instance of one")
        if door is None or notified == NOTIFY_CLOSED:      # or it was unregistered a moment ago
            raise UnknownEventError(f"{name}: the protocol is not registered")
        raise UnknownEventError(f"{name}: the protocol has no such event")


cdef object let_in(
    NotifyCore self, object event, int64_t code, Door door, object payload, uint64_t stamp, int64_t deadline
):
    """Notify, stamped now if `stamp` is NOW, without waiting if `deadline` is 0. `event` is for errors."""
    cdef EventsQueue* q = NULL
    cdef Notified notified = NOTIFY_UNKNOWN
    cdef int64_t seen = -1
    if door is not None:
        if not PyBytes_CheckExact(payload):
            return let_in(self, event, code, door, self.payload_of(door, code, payload), stamp, deadline)
        q = door.q
        while True:
            notified = equeue_notify(
                q, (code >> 16) & 0xFF, PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload), stamp
            )
            if notified == NOTIFIED:
                return True
            if notified != NOTIFY_FULL or deadline == 0 or not self.wait_for_room(q, &seen, deadline):
                break
    if notified == NOTIFY_FULL:
        equeue_refuse(q, 1)
        return False
    self.refuse(notified, door, event, code, payload)


# -- the usual call: an event and a payload ---------------------------------------------------------

cdef extern from *:
    """
    typedef PyObject *(*method_function)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

    /* Give what a method was before; NULL: it isn't one of C's that is called in this way, and stays what it is. */
    static method_function method_replace(PyObject *method, method_function by) {
        PyMethodDef *definition;
        method_function before;
        if (!Py_IS_TYPE(method, &PyMethodDescr_Type))
            return NULL;
        definition = ((PyMethodDescrObject *)method)->d_method;
        if (definition->ml_flags != (METH_FASTCALL | METH_KEYWORDS))
            return NULL;
        before = (method_function)(void (*)(void))definition->ml_meth;
        definition->ml_meth = (PyCFunction)(void (*)(void))by;
        return before;
    }
    """
    ctypedef PyObject* (*method_function)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*) noexcept
    method_function method_replace(object method, method_function by)


cdef object notify_now(NotifyCore self, object event, object payload):
    cdef int64_t code = (<EventCode> event).code if isinstance(event, EventCode) else self.code_of(event)
    return let_in(self, event, code, door_of(self, code), payload, <uint64_t> NOW, 0)


# Of notify_now(): NULL with an exception set.
ctypedef PyObject* (*now_function)(PyObject* core, PyObject* event, PyObject* payload) noexcept
cdef method_function notify_whatever


cdef PyObject* notify_usual(PyObject* core, PyObject* const* given, Py_ssize_t n, PyObject* names) noexcept:
    """notify() without Cython's way of taking arguments, where there are two: a tenth less instructions."""
    if n == 2 and names == NULL:
        return (<now_function> <void*> notify_now)(core, given[0], given[1])
    return notify_whatever(core, given, n, names)


if notify_whatever == NULL:      # once in a process: the method's definition is C's
    notify_whatever = method_replace(NotifyCore.__dict__["notify"], notify_usual)
