"""The way in from Python (notify.pyx holds the theory)."""

from libc.stdint cimport int64_t

from tocsin._core.core cimport Core
from tocsin._core.equeue cimport EventsQueue, Notified
from tocsin._core.ties cimport Door


cdef class NotifyCore:
    cdef object __weakref__
    cdef Core* core
    cdef list bridges         # StageBridge or None, by protocol id: those that are registered
    cdef list doors           # Door or None: of those whose events are let in

    cdef int64_t code_of(self, object event) except? -2
    cdef bytes payload_of(self, Door door, int64_t code, object payload)
    cdef bint wait_for_room(self, EventsQueue* q, int64_t* seen, int64_t deadline) except? False
    cdef int refuse(
        self, Notified notified, Door door, object event, int64_t code, object payload
    ) except -1
    cdef bint is_inside(self) noexcept
