"""Waiting for works and for the end of a pool; cold. Each wait lets the GIL go and answers signals."""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t, uint32_t, uint64_t

from tocsin._core.control cimport workqueue_await_clear, workqueue_await_flush
from tocsin._core.times cimport slice_until
from tocsin._core.work cimport Work
from tocsin._core.worker cimport workqueue_await_end, workqueue_stop


cdef bint pool_await_flush(Pool* pool, Work* work, uint32_t target, int64_t deadline) except -1:
    """Wait until so many runs of a work have ended, or none is owed; False: not in time."""
    cdef bint done = False
    cdef int64_t slice = 1
    while not done and slice != 0:
        slice = slice_until(deadline)
        with nogil:
            done = workqueue_await_flush(&pool.wq, work, target, slice)
        PyErr_CheckSignals()
    return done


cdef bint pool_await_clear(Pool* pool, Work* work, uint64_t bits, int64_t deadline) except -1:
    """Wait until none of the state bits of a work is set; False: not in time."""
    cdef bint done = False
    cdef int64_t slice = 1
    while not done and slice != 0:
        slice = slice_until(deadline)
        with nogil:
            done = workqueue_await_clear(&pool.wq, work, bits, slice)
        PyErr_CheckSignals()
    return done


cdef bint pool_end(Pool* pool, int64_t deadline) except -1:
    """Stop the workers and wait for their end; False: not in time."""
    cdef bint done = False
    cdef int64_t slice = 1
    workqueue_stop(&pool.wq)
    while not done and slice != 0:
        slice = slice_until(deadline)
        with nogil:
            done = workqueue_await_end(&pool.wq, slice)
        PyErr_CheckSignals()
    return done
