"""What a callable gets: one event, or a batch of them (event.pyx holds the theory)."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tocsin cimport tocsin_event
from tocsin._core.atomic cimport bytes_put_few, shared_bytes


cdef extern from *:
    """
    #ifdef Py_GIL_DISABLED /* whoever had it may have made its payload: acquired, before we look at that */
    #define IS_NOBODY_ELSES(object) \
        (_Py_atomic_load_ssize_acquire(&(object)->ob_ref_shared) == 0 && \
         _Py_atomic_load_uint32_relaxed(&(object)->ob_ref_local) == 1 && \
         _Py_atomic_load_uintptr_relaxed(&(object)->ob_tid) == _Py_ThreadId())
    #else
    #define IS_NOBODY_ELSES(object) (Py_REFCNT(object) == 1)
    #endif
    """
    bint IS_NOBODY_ELSES(PyObject* object)


cdef extern from "Python.h":
    void Py_DECREF(PyObject* object)
    PyObject* Py_NewRef(PyObject* object)


cdef enum:
    EVENT_INLINE = 64         # bytes of payload kept in the object itself


cdef class EventCode:
    cdef public int64_t code


cdef class TypeRef:
    cdef object type


cdef inline object event_type(TypeRef of):
    """The event type; None in an object that was never made properly."""
    return None if of is None else of.type


cdef class Event:
    cdef TypeRef of
    cdef readonly uint64_t timestamp
    cdef readonly uint64_t source
    cdef readonly uint64_t lost
    cdef uint32_t size
    cdef bytes whole                      # the payload, once somebody asked or if it is long
    cdef uint8_t[EVENT_INLINE] inline_


cdef TypeRef typeref_new(object type)
cdef Event event_from_record(TypeRef of, const tocsin_event* record)


cdef inline int event_fill(Event event, TypeRef of, const tocsin_event* record) except -1:
    """Copy a record into an event that nobody else has, and that has no payload yet. With the GIL."""
    if event.of is not of:           # an event that is used again is of the same type most of the time
        event.of = of
    event.timestamp = record.timestamp
    event.source = record.source
    event.lost = record.lost
    event.size = record.size
    if record.size <= EVENT_INLINE:
        bytes_put_few(<shared_bytes*> event.inline_, 0, record.payload, record.size)
    else:
        event.whole = PyBytes_FromStringAndSize(<const char*> record.payload, record.size)
    return 0


cdef inline PyObject* event_for(PyObject* spare, PyObject* of, const tocsin_event* record) except NULL:
    """As event_from_record(), but in `spare` if it isn't NULL; a reference. With the GIL.

    `spare` is used up, unless an error is raised.
    """
    cdef Event event
    if spare == NULL:
        event = event_from_record(<TypeRef> of, record)
        return Py_NewRef(<PyObject*> event)
    event_fill(<Event> spare, <TypeRef> of, record)
    return spare


cdef inline PyObject* event_let_go(PyObject* event) noexcept:
    """Drop a reference; unless it is the last one: then it is kept, as a spare without a payload. With the GIL."""
    if not IS_NOBODY_ELSES(event):
        Py_DECREF(event)
        return NULL
    if (<Event> event).whole is not None:
        (<Event> event).whole = None
    return event
