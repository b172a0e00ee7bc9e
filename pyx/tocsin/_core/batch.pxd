"""What a batch callable gets (batch.pyx holds the theory)."""

from libc.stdint cimport uint32_t, uint64_t

from tocsin._core.atomic cimport a32, bytes_put_few, shared_bytes
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


cdef struct BatchEnd:
    # A batch that is being filled: where the next record goes.
    char* payloads
    uint64_t* ends
    uint64_t* timestamps
    uint64_t* sources
    uint64_t* losts
    Py_ssize_t count
    Py_ssize_t room
    Py_ssize_t used
    Py_ssize_t payloads_room
    uint32_t smallest
    uint32_t largest


cdef inline void batch_open(Batch batch, BatchEnd* end) noexcept:
    """Begin to append. Who fills the batch, with the GIL; nothing else of it is touched until batch_close()."""
    end.payloads = batch.payloads.data
    end.ends = <uint64_t*> batch.ends.data
    end.timestamps = <uint64_t*> batch.timestamps.data
    end.sources = <uint64_t*> batch.sources.data
    end.losts = <uint64_t*> batch.losts.data
    end.count = batch.count
    end.room = batch.room
    end.used = batch.payloads.used
    end.payloads_room = batch.payloads.room
    end.smallest = batch.smallest
    end.largest = batch.largest


cdef inline bint batch_has_room(const BatchEnd* end, uint32_t size) noexcept:
    """True if one more record fits. Who fills the batch."""
    return end.count != end.room and end.used + size <= end.payloads_room


cdef inline void batch_append(
    BatchEnd* end, const void* payload, uint32_t size, uint64_t timestamp, uint64_t source, uint64_t lost
) noexcept:
    """Append a record, for which there is room. Who fills the batch."""
    bytes_put_few(<shared_bytes*> end.payloads, end.used, payload, size)
    end.used += size
    end.ends[end.count] = end.used
    end.timestamps[end.count] = timestamp
    end.sources[end.count] = source
    end.losts[end.count] = lost
    end.count += 1
    end.smallest = min(end.smallest, size)
    end.largest = max(end.largest, size)


cdef inline void batch_close(Batch batch, const BatchEnd* end) noexcept:
    """Have the batch know what was appended. Who fills it, with the GIL."""
    batch.count = end.count
    batch.payloads.used = end.used
    batch.ends.used = batch.timestamps.used = end.count * sizeof(uint64_t)
    batch.sources.used = batch.losts.used = end.count * sizeof(uint64_t)
    batch.smallest = end.smallest
    batch.largest = end.largest


cdef inline bint batch_make_room(Batch batch, uint32_t size) noexcept:
    """Have room for one more event and its payload; False: no memory. Who fills the batch, with the GIL."""
    if batch.count == batch.room or batch.payloads.used + size > batch.payloads.room:
        return batch_grow(batch, size)
    return True


cdef inline bint batch_add(Batch batch, const tocsin_event* record) noexcept:
    """Append a record; False: no memory, nothing appended. Who fills the batch, with the GIL."""
    cdef BatchEnd end
    if not batch_make_room(batch, record.size):
        return False
    batch_open(batch, &end)
    batch_append(&end, record.payload, record.size, record.timestamp, record.source, record.lost)
    batch_close(batch, &end)
    return True


cdef bint batch_is_ours(Batch batch)
cdef void batch_clear(Batch batch)
