"""The argument of notify_many() (many.pyx holds the theory)."""

from libc.stdint cimport uint8_t, uint64_t

from tocsin._core.equeue cimport EventsQueue, Notified


cdef class Many:
    cdef EventsQueue* q
    cdef uint8_t event
    cdef uint64_t size        # bytes of one record
    cdef uint64_t count       # records
    cdef uint64_t done        # of them, accepted so far
    cdef uint64_t stamp
    cdef const uint64_t* stamps
    cdef const char* data
    cdef bytes copy           # what `data` points to, if it must not change after its check
    cdef Py_buffer records
    cdef Py_buffer stamps_buffer


cdef Many many_new(EventsQueue* q, uint8_t event, object event_type, object payloads, object timestamps)
cdef Notified many_put(Many many) noexcept
cdef void many_release(Many many) noexcept
