"""Cores and forks (forks.pyx holds the theory)."""

from libc.stdint cimport uint32_t

from tocsin._core.core cimport Core
from tocsin._core.workqueue cimport WorkQueue


cdef void core_enlist(Core* core) noexcept nogil
cdef void workqueue_orphan(WorkQueue* wq, bint portable) noexcept nogil
cdef void core_start_late(Core* core, uint32_t native, uint32_t python, uint32_t most) noexcept nogil
