"""What a batch callable gets (batch.pyx holds the theory)."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from tocsin._core.atomic cimport a32
from tocsin._core.event cimport TypeRef
from tocsin cimport tocsin_event


cdef class Column:
    cdef char* data
    cdef Py_ssize_t used
    cdef Py_ssize_t room
    cdef a32 exports          # any thread; the rest is constant while one lives


cdef class Batch:
    cdef TypeRef of
    cdef Py_ssize_t count
    cdef Py_ssize_t room      # events for which all columns but that of the payloads have room
    cdef int slot             # which bit stands for it in the masks of a look
    cdef uint32_t smallest
    cdef uint32_t largest
    cdef Column payloads
    cdef Column ends
    cdef Column timestamps
    cdef Column sources
    cdef Column losts


cdef Batch batch_new(TypeRef of)
cdef bint batch_grow(Batch batch, uint32_t size) noexcept


cdef inline void column_put(Column column, Py_ssize_t index, uint64_t value) noexcept:
    (<uint64_t*> column.data)[index] = value
    column.used = (index + 1) * sizeof(uint64_t)


cdef inline bint batch_make_room(Batch batch, uint32_t size) noexcept:
    """Have room for one more event and its payload; False: no memory. Who fills the batch, with the GIL."""
    if batch.count == batch.room or batch.payloads.used + size > batch.payloads.room:
        return batch_grow(batch, size)
    return True


cdef inline bint batch_add(Batch batch, const tocsin_event* record) noexcept:
    """Append a record; False: no memory, nothing appended. Who fills the batch, with the GIL."""
    cdef Py_ssize_t end = batch.payloads.used + record.size
    if not batch_make_room(batch, record.size):
        return False
    if record.size != 0:         # a payload of no bytes may have no address
        memcpy(batch.payloads.data + batch.payloads.used, record.payload, record.size)
    batch.payloads.used = end
    column_put(batch.ends, batch.count, end)
    column_put(batch.timestamps, batch.count, record.timestamp)
    column_put(batch.sources, batch.count, record.source)
    column_put(batch.losts, batch.count, record.lost)
    batch.count += 1
    batch.smallest = min(batch.smallest, record.size)
    batch.largest = max(batch.largest, record.size)
    return True


cdef bint batch_is_ours(Batch batch)
cdef void batch_clear(Batch batch)
