"""What a batch callable gets (batch.pyx holds the theory)."""

from libc.stdint cimport uint32_t

from tocsin._core.atomic cimport a32
from tocsin cimport tocsin_event


cdef class Column:
    cdef char* data
    cdef Py_ssize_t used
    cdef Py_ssize_t room
    cdef a32 exports          # any thread; the rest is constant while one lives


cdef class Batch:
    cdef readonly object type
    cdef Py_ssize_t count
    cdef int slot             # which bit stands for it in the masks of a look
    cdef uint32_t smallest
    cdef uint32_t largest
    cdef Column payloads
    cdef Column ends
    cdef Column timestamps
    cdef Column sources
    cdef Column losts


cdef Batch batch_new(object type)
cdef bint batch_add(Batch batch, const tocsin_event* record) noexcept
cdef bint batch_is_ours(Batch batch)
cdef void batch_clear(Batch batch)
