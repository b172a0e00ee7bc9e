"""Workqueues for Python (works.pyx holds the theory)."""

from libc.stdint cimport int64_t, uint64_t

from tocsin._core.finaliser cimport Finaliser
from tocsin._core.pool cimport Pool, PyWork
from tocsin._core.work cimport Work
from tocsin._core.workqueue cimport WorkQueue


ctypedef bint (*put_function)(WorkQueue* wq, Work* work, uint64_t delay) noexcept nogil


cdef class WorkCore:
    cdef PyWork* block
    cdef readonly object function
    cdef WorkQueueCore queue      # in the critical section, and so is what the queue does with the block
    cdef Finaliser finaliser

    cdef WorkQueueCore owner(self)
    cdef uint64_t state(self) noexcept


cdef class WorkQueueCore:
    cdef Pool* pool
    cdef object __weakref__
    # In the critical section.
    cdef dict works           # those that may not be idle, by the address of their block
    cdef int purge_at
    cdef str ended            # why nothing can be queued any more ("closed", or forked), or None
    cdef int draining         # how many threads drain

    cdef Finaliser finaliser

    cdef bint put(self, WorkCore work, put_function function, uint64_t delay) except -1
    cdef str refusal(self)
    cdef void keep(self, WorkCore work)
    cdef int part_with(self, WorkCore work) except -1
    cdef int drain_until(self, int64_t deadline, bint to_close) except -1
    cdef int flush_works(self, int64_t deadline, str what, bint to_close) except -1
    cdef int refuse_inside(self, WorkCore work, str what) except -1
