"""Waiting for a queue (waits.pyx holds the theory)."""

from libc.stdint cimport int64_t, uint64_t

from tocsin._core.core cimport Core
from tocsin._core.equeue cimport EventsQueue
from tocsin._core.ties cimport Member


cdef bint await_position(Core* core, EventsQueue* q, uint64_t position, int64_t deadline) except -1
cdef bint await_quiet(Core* core, EventsQueue* q, int64_t deadline) except -1
cdef bint await_idle(Core* core, EventsQueue* q, int64_t deadline) except -1
cdef bint await_member(Member member, int64_t deadline) except -1
cdef bint await_workers(Core* core, int64_t deadline) except -1
