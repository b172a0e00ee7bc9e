"""The way in from Python (notify.pyx holds the theory)."""

from libc.stdint cimport int64_t, uint64_t

from tocsin._core.atomic cimport aptr
from tocsin._core.core cimport Core
from tocsin._core.equeue cimport EventsQueue, Notified


cdef class NotifyCore:
    cdef object __weakref__
    cdef Core* core
    cdef aptr queues[256]     # EventsQueue*, by protocol id
    cdef list bridges         # StageBridge or None, by protocol id

    cdef EventsQueue* queue(self, int protocol) noexcept
    cdef EventsQueue* queue_of(self, int64_t code) noexcept
    cdef int64_t code_of(self, object event) except? -2
    cdef object type_of(self, int64_t code)
    cdef bytes payload_of(self, int64_t code, object payload)
    cdef Notified notify_waiting(
        self, EventsQueue* q, int64_t code, bytes payload, uint64_t stamp, int64_t deadline
    ) except *
    cdef int refuse(self, Notified notified, object event, int64_t code, object payload) except -1
    cdef bint is_inside(self) noexcept
