"""Opening channels: how one is made, comes to know the events of a protocol, and gets its place in a queue.
Cold.

Serialised by the face. The types of the events belong to the registration that they came from; the segments of
the channel borrow them, and the ChannelCore keeps them: those of the last segment, and of older ones until all
those were read.
"""

from cpython.ref cimport Py_INCREF
from libc.stdint cimport uint32_t, uint64_t

from tocsin._core.channel cimport Listener, Overflow, channel_extend, channel_new
from tocsin._core.core cimport Core, core_release, core_retain
from tocsin._core.equeue cimport EventsQueue, Stage
from tocsin._core.header cimport header_stride
from tocsin._core.memory cimport memory_free
from tocsin._core.offer cimport listener_new
from tocsin._core.reader cimport ChannelCore
from tocsin._core.segment cimport Kind, Origin, origin_new
from tocsin._core.thread cimport lock_drop, lock_take


cdef int channel_make(
    ChannelCore reader, Core* core, Overflow overflow, uint64_t capacity, uint64_t timeout, bint is_locked,
    uint64_t start
) except -1:
    """Give a ChannelCore its channel. timeout: ns, of OVERFLOW_BLOCK. With the GIL, once."""
    if reader.channel != NULL:
        raise RuntimeError("a channel is initialised once")
    reader.channel = channel_new(overflow, capacity, timeout, is_locked, core.portable)
    if reader.channel == NULL:
        raise MemoryError("no memory for a channel")
    core_retain(core)
    reader.core = core
    reader.start = start
    return 0


cdef void channel_abandon(ChannelCore reader) noexcept:
    """Take a ChannelCore its channel away, which stays as it is. A forked child, in which nobody else is.

    Neither the channel nor the types that its segments borrow are ever freed: the stage may have been anywhere.
    """
    Py_INCREF(reader.types)
    Py_INCREF(reader.types_before)
    reader.types = {}
    reader.types_before = []
    reader.channel = NULL
    core_release(reader.core)
    reader.core = NULL


cdef int channel_open(ChannelCore reader, EventsQueue* q, list types, list events, uint64_t size) except -1:
    """Listen to events of a protocol, whose stage doesn't call the channel yet. Under the face's lock.

    size: bytes that the ring should have at least, a power of two.
    """
    cdef Origin* origin = origin_new(<void*> types, max(events) + 1)
    cdef Kind* kind
    if origin == NULL:
        raise MemoryError("no memory for a channel")
    for event in events:
        kind = &origin.kinds[<uint32_t> event]
        kind.stride = header_stride(q.rules[<int> event].max_size)
        kind.source_offset = q.rules[<int> event].source_offset
        kind.source_width = q.rules[<int> event].source_width
    if not channel_extend(reader.channel, q.protocol, origin, size, reader.start):
        memory_free(origin)
        raise MemoryError(f"no memory for a channel of {size} bytes")
    lock_take(&reader.channel.lock)
    cdef bint is_first = reader.channel.reading == reader.channel.writing
    lock_drop(&reader.channel.lock)
    before = reader.types.get(q.protocol)
    reader.types_before = [] if is_first else [*reader.types_before, before]
    reader.types[q.protocol] = types
    return 0


cdef Listener* channel_listen(ChannelCore reader, Stage* stage) except NULL:
    """Make the channel's place in the queue of a native stage: for the subscriber that is about to have it."""
    cdef Listener* listener = listener_new(
        reader.channel, stage.wq, &stage.work, &stage.position, &stage.touched, &stage.full
    )
    if listener == NULL:
        raise MemoryError("no memory for a channel")
    return listener
