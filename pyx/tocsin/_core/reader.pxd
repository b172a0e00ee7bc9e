"""A channel as Python holds it (reader.pyx holds the theory)."""

from libc.stdint cimport int64_t, uint64_t

from tocsin._core.batch cimport Batch
from tocsin._core.channel cimport Channel, Look
from tocsin._core.core cimport Core
from tocsin._core.event cimport Event, TypeRef


cdef class ChannelCore:
    cdef object __weakref__
    cdef Channel* channel
    cdef Core* core
    cdef uint64_t start       # where the counters of its rings begin
    # What the segments borrow; under the face's lock.
    cdef dict types           # by protocol: those of the last segment
    cdef list types_before    # of older segments that may still be there
    # In its critical section.
    cdef Batch spare          # the last one that was given away

    cdef Event take(self)
    cdef Batch take_batch(self, Py_ssize_t most)
    cdef Batch batch_for(self, TypeRef of)
    cdef TypeRef next_type(self)
    cdef Py_ssize_t fill(self, Batch batch, Py_ssize_t most) except -1
    cdef Look await_event(self, int64_t deadline) except *
    cdef bint is_inside(self) noexcept
    cdef int refuse(self, Look found) except -1
