# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""Many records at once: what notify_many() was given, and how it goes in.

All records are checked before the first one is put in, so an error accepts nothing. Then they go in by claims of
up to 64, each claimed, written and published as one; when a claim finds no room, smaller ones are tried, so what
fits goes in. A claim has at most 16 MiB, since that is what a pad may have. With the GIL; nothing here allocates
or lets it go between claim and publication.

Another thread may write to the buffer meanwhile: while we wait for room, and on free-threaded builds at any time.
Then we send what we find; only where the bytes themselves say how long a record is are they copied first, so that
what goes in is what was checked. A timestamp that changes is a wrong number and no more.
"""

cimport cython
from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS,
    PyBUF_FORMAT,
    PyBUF_ND,
    PyBuffer_Release,
    PyObject_CheckBuffer,
    PyObject_GetBuffer,
)
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from tocsin._core.atomic cimport a64_fetch_add_relaxed, bytes_put, bytes_put_few
from tocsin._core.clock cimport clock_now
from tocsin._core.equeue cimport (
    NOTIFIED,
    NOTIFY_FULL,
    EventsQueue,
    Notified,
    equeue_claim,
    equeue_head,
    equeue_publish,
)
from tocsin._core.header cimport HEADER_BYTES, MAX_SIZE, EventHeader, header_stride
from tocsin._core.payload cimport PayloadRule, payload_fits
from tocsin._core.ring cimport ring_reserved
from tocsin._core.times cimport stamp_of

from tocsin.errors import PayloadError


cdef enum:
    CLAIM_MAX = 64            # records between two publications


@cython.final
cdef class Many:
    """Hold the buffers of one notify_many() while it lasts."""


cdef Many many_new(EventsQueue* q, uint8_t event, object event_type, object payloads, object timestamps):
    """Take and check the arguments; many_release() afterwards. PayloadError, TypeError, ValueError."""
    cdef Many many = Many.__new__(Many)
    cdef const PayloadRule* rule = q.rules[event]
    cdef uint64_t i
    many.q = q
    many.event = event
    PyObject_GetBuffer(payloads, &many.records, PyBUF_C_CONTIGUOUS | PyBUF_ND)
    try:
        many_take_stamps(many, timestamps)
        many.data = <const char*> many.records.buf
        many.size = many_record_size(many, rule, event_type)
        many.count = many.records.len // many.size if many.size else 0
        if rule.count_width:
            many.copy = PyBytes_FromStringAndSize(many.data, many.records.len)
            many.data = PyBytes_AS_STRING(many.copy)
        for i in range(many.count):
            if not payload_fits(rule, many.data + i * many.size, many.size):
                event_type.check_size(many.data[i * many.size : (i + 1) * many.size])
                raise PayloadError(
                    f"record {i}: {many.size} bytes; its queue takes at most {rule.max_size}"
                )
            if rule.count_width == 0:
                break         # all have the same size: the first one speaks for them
        if many.stamps != NULL and <uint64_t> many.stamps_buffer.len != 8 * many.count:
            raise ValueError(f"{many.stamps_buffer.len // 8} timestamps for {many.count} records")
    except PayloadError:
        a64_fetch_add_relaxed(&q.invalid, 1)
        many_release(many)
        raise
    except BaseException:
        many_release(many)
        raise
    return many


cdef uint64_t many_record_size(Many many, const PayloadRule* rule, object event_type) except? 0:
    """The size of one record: the event's own, or what the shape of the buffer says."""
    cdef uint64_t size = many.records.itemsize
    cdef int axis
    if rule.item_size == 0 and rule.n_sizes == 0 and rule.min_size == rule.max_size and rule.max_size:
        size = rule.max_size
    else:
        for axis in range(1, many.records.ndim):
            size *= many.records.shape[axis]
        if many.records.ndim == 1 and many.records.itemsize == 1:
            raise PayloadError(
                f"{event_type!r} has payloads of several sizes: give a two-dimensional buffer, a record a row"
            )
    if size == 0 or many.records.len % size:
        raise PayloadError(f"{many.records.len} bytes are no whole number of records of {size} bytes")
    return size


cdef int many_take_stamps(Many many, object timestamps) except -1:
    """Read the timestamps: none, one for all, or one each."""
    many.stamp = clock_now(many.q.clock_kind)
    if timestamps is None:
        return 0
    if hasattr(timestamps, "__index__") and not PyObject_CheckBuffer(timestamps):
        many.stamp = stamp_of(timestamps)
        return 0
    PyObject_GetBuffer(timestamps, &many.stamps_buffer, PyBUF_C_CONTIGUOUS | PyBUF_ND | PyBUF_FORMAT)
    code = (many.stamps_buffer.format or b"B").decode().lstrip("@=<")
    if code not in ("Q", "L", "q", "l") or many.stamps_buffer.itemsize != 8:
        raise TypeError(f"timestamps must be 64-bit integers in ns, not of format {code!r}")
    many.stamps = <const uint64_t*> many.stamps_buffer.buf
    cdef uint64_t limit = 0x7FFFFFFFFFFFFFFF if code in "ql" else 0xFFFFFFFFFFFFFFFE
    cdef Py_ssize_t i
    for i in range(many.stamps_buffer.len // 8):
        if many.stamps[i] > limit:
            raise ValueError(f"timestamp {i} is negative or 2**64 - 1")
    return 0


cdef uint64_t whole_records(EventsQueue* q, uint64_t stride) noexcept:
    """How many records fit before the end of the buffer; all of them if none does, which pads it.

    With several writers a guess, that at worst pads more than need be.
    """
    cdef uint64_t rest = q.ring.fifo.mask + 1 - (ring_reserved(&q.ring) & q.ring.fifo.mask)
    return rest // stride if rest >= stride else <uint64_t> CLAIM_MAX


cdef Notified many_put(Many many) noexcept:
    """Put in what fits. NOTIFIED: all; NOTIFY_FULL: the rest, from `done` on, found no room."""
    cdef EventsQueue* q = many.q
    cdef uint64_t stride = header_stride(many.size)
    cdef uint64_t most = CLAIM_MAX
    cdef uint64_t n, at
    cdef Notified notified
    while many.done < many.count:
        n = min(most, many.count - many.done, whole_records(q, stride), max(<uint64_t> 1, MAX_SIZE // stride))
        notified = equeue_claim(q, n * stride, &at)
        if notified == NOTIFY_FULL and n > 1:
            most = n // 2
            continue
        if notified != NOTIFIED:
            return notified
        many_write(many, at, stride, n)
        equeue_publish(q, at, n * stride, n)
    return NOTIFIED


cdef void many_write(Many many, uint64_t at, uint64_t stride, uint64_t n) noexcept:
    """Write the next `n` records into claimed space, which is one piece."""
    cdef EventsQueue* q = many.q
    cdef EventHeader header
    cdef uint64_t offset = at & q.ring.fifo.mask
    cdef const char* payload = many.data + many.done * many.size
    cdef uint64_t i
    equeue_head(q, &header, many.event, <uint32_t> many.size, many.stamp)
    for i in range(many.done, many.done + n):
        if many.stamps != NULL:
            header.timestamp = many.stamps[i]
        bytes_put(q.ring.fifo.data, offset, &header, HEADER_BYTES)
        bytes_put_few(q.ring.fifo.data, offset + HEADER_BYTES, payload, many.size)
        header.lost = 0
        payload += many.size
        offset += stride
    many.done += n


cdef void many_release(Many many) noexcept:
    """Give the buffers back; one that was not taken is empty and no matter."""
    PyBuffer_Release(&many.records)
    PyBuffer_Release(&many.stamps_buffer)
