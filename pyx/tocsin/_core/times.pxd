"""Times as Python gives them (times.pyx holds the theory)."""

from libc.stdint cimport int64_t, uint64_t


cdef uint64_t stamp_of(object timestamp) except? 1
cdef int64_t deadline_of(object timeout) except? -2
cdef int64_t slice_until(int64_t deadline) noexcept nogil
cdef uint64_t delay_of(object seconds) except? 1
