# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""Batches: many events of one type in columns, for NumPy.

The Python stage copies each record once, out of the ring into the columns of a batch: payloads one behind the
other, and beside them where each ends, its timestamp, source and lost. Arrays are views of the columns
without another copy. A batch is filled again for the next call only if nobody kept it or any array of it
(its reference count and the columns' exported buffers tell); otherwise it stays with whoever keeps it, and
the next call gets a new one. So memory under an array is never touched by anyone else. On free-threaded builds a
reference count has two halves and can't be read while others change it: there each call gets a new batch.

Filled by the stage with the GIL, constant during the call and afterwards.
"""

from types import GenericAlias

cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from cpython.ref cimport Py_REFCNT
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset

from tocsin._core.atomic cimport a32_fetch_add_full, a32_fetch_sub_full, a32_load_relaxed
from tocsin._core.event cimport Event, TypeRef, event_from_record, event_type
from tocsin._core.memory cimport memory_free, memory_grow


cdef extern from *:
    """
    #ifdef Py_GIL_DISABLED
    #define GIL_IS_OFF 1
    #else
    #define GIL_IS_OFF 0
    #endif
    """
    bint GIL_IS_OFF


@cython.final
cdef class Column:
    """Hold one column of a batch as plain bytes; NumPy gives them their type."""

    def __dealloc__(self):
        memory_free(self.data)

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, self.data, self.used, 0, flags)
        a32_fetch_add_full(&self.exports, 1)

    def __releasebuffer__(self, Py_buffer* view):
        a32_fetch_sub_full(&self.exports, 1)


cdef bint column_make_room(Column column, Py_ssize_t room) noexcept:
    """Have room for so many bytes; False: no memory. No buffer of the column is exported."""
    cdef char* data
    if room > column.room:
        data = <char*> memory_grow(column.data, room)
        if data == NULL:
            return False
        column.data = data
        column.room = room
    return True


@cython.final
cdef class Batch:
    """Hold the events of one type that arrived together, in order.

    `len(batch)` and iteration give Events; `array`, `timestamp`, `source` and `lost` are NumPy
    arrays of the same length. It may be kept, and so may its arrays; they stay as they are.
    """

    __class_getitem__ = classmethod(GenericAlias)

    def __init__(self):
        raise TypeError("a Batch is made by a pipeline")

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Event:
        """Return one event as an Event."""
        cdef Py_ssize_t at = index
        if at < 0:
            at += self.count
        if not 0 <= at < self.count:
            raise IndexError(f"event {index} of a batch of {self.count}")
        cdef tocsin_event record
        cdef uint64_t begin = (<uint64_t*> self.ends.data)[at - 1] if at > 0 else 0
        record.payload = self.payloads.data + begin
        record.size = <uint32_t> ((<uint64_t*> self.ends.data)[at] - begin)
        record.timestamp = (<uint64_t*> self.timestamps.data)[at]
        record.source = (<uint64_t*> self.sources.data)[at]
        record.lost = (<uint64_t*> self.losts.data)[at]
        return event_from_record(self.of, &record)

    def __iter__(self) -> object:
        return (self[index] for index in range(self.count))

    @property
    def type(self) -> object:
        """The event type, bound to its protocol."""
        return event_type(self.of)

    def payload(self, index: int) -> bytes:
        """Return the payload of one event."""
        return self[index].payload

    @property
    def array(self) -> object:
        """The payloads' fields: a structured array of shape (len,), dtype `type.dtype`.

        Of a type with a repeated part these are the fixed fields; see `groups`. Fields that a short
        payload lacks are 0.
        """
        import numpy

        dtype = event_type(self.of).dtype
        cdef Py_ssize_t width = dtype.itemsize
        if self.count and self.smallest == self.largest == width:
            return numpy.frombuffer(self.payloads, dtype)
        rows = numpy.zeros(self.count, dtype)
        cdef Column target = Column.__new__(Column)     # a plain walk: sizes differ
        cdef char* at = self.payloads.data
        cdef Py_ssize_t i, length
        cdef uint64_t begin = 0
        if not column_make_room(target, self.count * width):
            raise MemoryError
        for i in range(self.count):
            length = min(<Py_ssize_t> ((<uint64_t*> self.ends.data)[i] - begin), width)
            memset(target.data + i * width, 0, width)
            if length > 0:
                memcpy(target.data + i * width, at + begin, length)
            begin = (<uint64_t*> self.ends.data)[i]
        target.used = self.count * width
        if self.count:
            rows[:] = numpy.frombuffer(target, dtype)
        return rows

    @property
    def groups(self) -> object:
        """The repeated parts of all events, one behind the other: dtype `type.item_dtype`.

        Those of event i are groups[offsets[i]:offsets[i + 1]].
        """
        import numpy

        dtype = event_type(self.of).item_dtype
        if dtype is None:
            raise TypeError(f"{event_type(self.of)!r} has no repeated part")
        starts, lengths = self._groups()
        payloads = memoryview(self.payloads)
        parts = [
            numpy.frombuffer(payloads, dtype, count, start) for start, count in zip(starts, lengths)
        ]
        return numpy.concatenate(parts) if parts else numpy.zeros(0, dtype)

    @property
    def offsets(self) -> object:
        """Where the repeated part of each event begins in `groups`: int64, shape (len + 1,)."""
        import numpy

        if event_type(self.of).item_dtype is None:
            raise TypeError(f"{event_type(self.of)!r} has no repeated part")
        return numpy.concatenate(([0], numpy.cumsum(self._groups()[1], dtype="i8"))).astype("i8")

    def _groups(self) -> tuple:
        rule = event_type(self.of).rule
        starts, counts = [], []
        cdef uint64_t begin = 0
        cdef uint64_t end
        cdef Py_ssize_t i
        for i in range(self.count):
            end = (<uint64_t*> self.ends.data)[i]
            count = (end - begin - rule.fixed_size) // rule.item_size
            if rule.count_width:
                at = begin + rule.count_offset
                said = self.payloads.data[at : at + rule.count_width]
                count = int.from_bytes(said, "little") & rule.count_mask
            starts.append(begin + rule.fixed_size)
            counts.append(count)
            begin = end
        return starts, counts

    @property
    def timestamp(self) -> object:
        """The timestamps in ns: uint64, shape (len,)."""
        import numpy

        return numpy.frombuffer(self.timestamps, "u8")

    @property
    def source(self) -> object:
        """The sources: uint64, shape (len,)."""
        import numpy

        return numpy.frombuffer(self.sources, "u8")

    @property
    def lost(self) -> object:
        """How many events were refused before each: uint64, shape (len,)."""
        import numpy

        return numpy.frombuffer(self.losts, "u8")

    def __repr__(self) -> str:
        return f"<Batch {event_type(self.of).protocol.name}.{event_type(self.of).name} of {self.count} events>"


cdef Batch batch_new(TypeRef of):
    """Make an empty batch. With the GIL."""
    cdef Batch batch = Batch.__new__(Batch)
    batch.of = of
    batch.payloads = Column.__new__(Column)
    batch.ends = Column.__new__(Column)
    batch.timestamps = Column.__new__(Column)
    batch.sources = Column.__new__(Column)
    batch.losts = Column.__new__(Column)
    batch.smallest = 0xFFFFFFFF
    return batch


cdef bint batch_grow(Batch batch, uint32_t size) noexcept:
    """Get room for one more event and its payload of `size` bytes; False: no memory."""
    cdef Py_ssize_t length = 2 * batch.count * sizeof(uint64_t) + 1024
    if batch.count == batch.room:
        if not (
            column_make_room(batch.ends, length)
            and column_make_room(batch.timestamps, length)
            and column_make_room(batch.sources, length)
            and column_make_room(batch.losts, length)
        ):
            return False
        batch.room = length // sizeof(uint64_t)
    if batch.payloads.used + size <= batch.payloads.room:
        return True
    return column_make_room(batch.payloads, 2 * batch.payloads.room + size + 1024)


cdef bint batch_is_ours(Batch batch):
    """True if nobody else kept the batch or an array of it; the caller holds one reference."""
    return not GIL_IS_OFF and Py_REFCNT(batch) == 1 and not (
        a32_load_relaxed(&batch.payloads.exports)
        or a32_load_relaxed(&batch.ends.exports)
        or a32_load_relaxed(&batch.timestamps.exports)
        or a32_load_relaxed(&batch.sources.exports)
        or a32_load_relaxed(&batch.losts.exports)
    )


cdef void batch_clear(Batch batch):
    """Empty a batch that is ours, keeping its memory."""
    batch.count = 0
    batch.smallest = 0xFFFFFFFF
    batch.largest = 0
    batch.payloads.used = batch.ends.used = 0
    batch.timestamps.used = batch.sources.used = batch.losts.used = 0
