"""Taking events from a channel: the readers' side of its ring.

    look (channel_front), copy, take (channel_step): 64 times at most, under the lock
    give the room back (channel_settle), drop the lock, tell who waits (channel_after_taking)

`lost` of an event is what its header tells, and what was lost since the event that was taken before it, by
whichever reader: so it is exact in the order of taking. What a channel does for those who wait for room, and
for other sleeping readers, stands in channel.pxd.
"""

from libc.stdint cimport uint64_t

from tocsin cimport tocsin_event
from tocsin._core.atomic cimport a32_exchange_full, a64_load_seq_cst, a64_store_release
from tocsin._core.channel cimport OVERFLOW_BLOCK, Channel, Listener, channel_call, channel_may_have
from tocsin._core.header cimport EventHeader, header_size
from tocsin._core.kfifo cimport fifo_publish_out
from tocsin._core.latest cimport latest_forget
from tocsin._core.segment cimport (
    Segment,
    kind_source,
    segment_front,
    segment_kind,
    segment_payload,
    segment_stride,
)
from tocsin._core.sleepers cimport sleepers_want_call
from tocsin._core.thread cimport lock_drop, lock_take
from tocsin._core.timer cimport expedite_work


cdef enum:
    TAKE_MOST = 64            # events in one holding of the lock


cdef inline bint channel_front(Channel* channel, tocsin_event* event) noexcept nogil:
    """Look at the oldest event, whose payload is good until channel_settle(). False: none. Under the lock."""
    cdef EventHeader header
    cdef Segment* segment
    if not channel_may_have(channel):
        return False
    segment = channel.reading
    segment_front(segment, &header, &channel.carry)
    event.timestamp = header.timestamp
    event.size = header_size(&header)
    event.payload = segment_payload(segment, segment.at, event.size)
    event.protocol = header.protocol
    event.event = header.event
    event.reserved = 0
    event.source = kind_source(segment_kind(segment, header.protocol, header.event), event.payload)
    event.lost = channel.carry + header.lost
    return True


cdef inline void channel_step(Channel* channel, const tocsin_event* event) noexcept nogil:
    """Take the event that channel_front() gave. Under the lock; channel_settle() before it is dropped."""
    cdef Segment* segment = channel.reading
    cdef EventHeader header
    header.size_flags = event.size
    header.protocol = event.protocol
    header.event = event.event
    if segment.in_place:
        latest_forget(segment, event.protocol, event.event, event.source, segment.at)
    segment.at += segment_stride(segment, &header)
    channel.n_taken += 1
    channel.carry = 0


cdef inline void channel_settle(Channel* channel) noexcept nogil:
    """Give the room of what was taken back to the writers. Under the lock."""
    if channel.reading != NULL:
        fifo_publish_out(&channel.reading.ring.fifo, channel.reading.at)
    a64_store_release(&channel.n_out, channel.n_taken)                      # [room-made]


cdef inline void channel_push_out(Channel* channel) noexcept nogil:
    """Drop the oldest event, of which the next one that is taken will tell. Under the lock; there is one."""
    cdef tocsin_event event
    channel_front(channel, &event)
    channel_step(channel, &event)
    channel.carry = event.lost + 1
    channel.n_pushed_out += 1
    channel_settle(channel)


cdef inline void channel_after_taking(Channel* channel, bint is_more) noexcept nogil:
    """Tell those who wait: for room, or for what was left behind. A reader that has dropped the lock."""
    if channel.overflow == OVERFLOW_BLOCK and a32_exchange_full(&channel.room_wanted, 0):    # [room-wanted]
        channel_hasten(channel)
    if is_more:
        channel_call_next(channel)


cdef inline void channel_call_next(Channel* channel) noexcept nogil:
    """Call one sleeping reader, if there is one, for what was left behind. A reader.

    A look suffices: those who sleep although there are events announced themselves before the writer's kick.
    """
    if sleepers_want_call(a64_load_seq_cst(&channel.sleepers)):             # [reader-announced]
        channel_call(channel)


cdef inline void channel_hasten(Channel* channel) noexcept nogil:
    """Make the works due of all stages that wait for room here. Any thread."""
    cdef Listener* listener
    lock_take(&channel.lock)
    listener = channel.listeners
    while listener != NULL:
        expedite_work(listener.wq, listener.work)     # one that waits for another channel looks in vain
        listener = listener.following
    lock_drop(&channel.lock)
