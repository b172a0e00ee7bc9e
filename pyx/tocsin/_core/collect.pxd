"""Collecting for batches (collect.pyx holds the theory)."""

from libc.stdint cimport uint32_t, uint64_t

from tocsin cimport tocsin_event
from tocsin._core.chain cimport Subscriber
from tocsin._core.equeue cimport Stage
from tocsin._core.ties cimport Member


cdef int call_with_batch_later(Member member, const tocsin_event* record) noexcept
cdef uint64_t call_batches(Stage* stage) noexcept nogil
cdef uint32_t collect(Stage* stage, Subscriber* subscriber, uint64_t limit, uint32_t most) noexcept nogil
