"""What a callable gets: one event, or a batch of them (event.pyx holds the theory)."""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tocsin cimport tocsin_event


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
cdef Event event_for(PyObject* spare, TypeRef of, const tocsin_event* record)
cdef PyObject* event_let_go(PyObject* event) noexcept
