"""Opening channels (opening.pyx holds the theory)."""

from libc.stdint cimport uint64_t

from tocsin._core.channel cimport Listener, Overflow
from tocsin._core.core cimport Core
from tocsin._core.equeue cimport EventsQueue, Stage
from tocsin._core.reader cimport ChannelCore


cdef int channel_make(
    ChannelCore reader, Core* core, Overflow overflow, uint64_t capacity, uint64_t timeout, bint is_locked,
    uint64_t start
) except -1
cdef int channel_open(ChannelCore reader, EventsQueue* q, list types, list events, uint64_t size) except -1
cdef Listener* channel_listen(ChannelCore reader, Stage* stage) except NULL
cdef void channel_abandon(ChannelCore reader) noexcept
