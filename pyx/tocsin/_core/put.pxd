"""Putting events into a channel: the writers' side of its ring.

A writer is the native stage of a queue (offer.pxd), with the lock of the channel if it needs that. It claims,
writes and publishes as the locked writer of the ring. What was lost before an event stands in its header; if
that is more than 16 bits can hold it stands in a pad before the record, or waits for the next event where a pad
has no room.
"""

from libc.stdint cimport uint64_t

from tocsin cimport tocsin_event
from tocsin._core.atomic cimport (
    a64,
    a64_load_acquire,
    a64_load_relaxed,
    a64_store_relaxed,
    bytes_get,
    bytes_put,
)
from tocsin._core.channel cimport OVERFLOW_LATEST, Channel
from tocsin._core.header cimport HEADER_BYTES, HEADER_PAD, EventHeader, header_size_flags, header_stride
from tocsin._core.kfifo cimport fifo_free_for, fifo_publish_in
from tocsin._core.latest cimport latest_find, latest_note
from tocsin._core.ring cimport CLAIMED, Ring, ring_claim_locked
from tocsin._core.segment cimport Origin, Segment, segment_kind


cdef enum:
    LOST_MAX = 0xFFFF         # what one header can tell of


cdef inline void count_one(a64* count) noexcept nogil:
    """Count one more. The only writer at this time."""
    a64_store_relaxed(count, a64_load_relaxed(count) + 1)


cdef inline bint channel_has_place(Channel* channel, uint64_t unpublished) noexcept nogil:
    """True if fewer events are queued, with those not published yet, than the capacity says. A writer."""
    cdef uint64_t n_in = a64_load_relaxed(&channel.n_in) + unpublished      # our own word
    if n_in - channel.out_seen < channel.capacity:
        return True
    channel.out_seen = a64_load_acquire(&channel.n_out)                     # [room-made]
    return n_in - channel.out_seen < channel.capacity


cdef inline uint64_t channel_stride(const Channel* channel, const tocsin_event* event) noexcept nogil:
    """Bytes that the record of an event will occupy. A writer."""
    if channel.overflow == OVERFLOW_LATEST:
        return segment_kind(channel.writing, event.protocol, event.event).stride
    return header_stride(event.size)


cdef inline void channel_write(
    Segment* segment, uint64_t at, const tocsin_event* event, uint64_t lost
) noexcept nogil:
    """Write a record into claimed space. A writer."""
    cdef EventHeader header
    cdef uint64_t offset = at & segment.ring.fifo.mask
    header.timestamp = event.timestamp
    header.size_flags = event.size
    header.protocol = event.protocol
    header.event = event.event
    header.lost = lost
    bytes_put(segment.ring.fifo.data, offset, &header, HEADER_BYTES)
    if event.size != 0:
        bytes_put(segment.ring.fifo.data, offset + HEADER_BYTES, event.payload, event.size)


cdef inline bint channel_put(Channel* channel, const tocsin_event* event) noexcept nogil:
    """Put an event in, which tells of what was lost before it; False: no room. A writer."""
    cdef Segment* segment = channel.writing
    cdef uint64_t length = channel_stride(channel, event)
    cdef uint64_t lost = channel.unreported + event.lost
    cdef uint64_t at
    if not channel_has_place(channel, 0) or ring_claim_locked(&segment.ring, length, &at) != CLAIMED:
        return False
    if lost != 0:
        lost = channel_tell_lost(channel, &at, length, lost)
    channel_write(segment, at, event, lost)
    if segment.in_place:
        latest_note(segment, event.protocol, event.event, event.source, at)
    channel_publish(channel, 1, at + length)
    return True


cdef inline uint64_t channel_places(Channel* channel, uint64_t wanted) noexcept nogil:
    """How many events there is place for: looks at the readers if it would be fewer than are wanted. A writer."""
    channel_has_place(channel, wanted - 1)
    return channel.capacity - (a64_load_relaxed(&channel.n_in) - channel.out_seen)


cdef inline uint64_t channel_room(Channel* channel, uint64_t in_, uint64_t wanted) noexcept nogil:
    """How many bytes can be written in one piece at `in_`, the end of the records; wanted: as above. A writer."""
    cdef Ring* ring = &channel.writing.ring
    fifo_free_for(&ring.fifo, in_, wanted)
    return ring.fifo.mask + 1 - max(in_ - ring.fifo.out_seen, in_ & ring.fifo.mask)


cdef inline void channel_publish(Channel* channel, uint64_t n, uint64_t in_) noexcept nogil:
    """Give the readers n records, the last of which ends at a position. A writer."""
    cdef uint64_t n_in = a64_load_relaxed(&channel.n_in) + n
    a64_store_relaxed(&channel.n_in, n_in)
    fifo_publish_in(&channel.writing.ring.fifo, in_)
    if n_in - channel.out_seen > a64_load_relaxed(&channel.high_water):
        channel.out_seen = a64_load_acquire(&channel.n_out)                 # [room-made]
        if n_in - channel.out_seen > a64_load_relaxed(&channel.high_water):
            a64_store_relaxed(&channel.high_water, n_in - channel.out_seen)


cdef inline uint64_t channel_tell_lost(
    Channel* channel, uint64_t* at, uint64_t length, uint64_t lost
) noexcept nogil:
    """How many lost events the record that is about to be written tells of. A writer.

    Its claim is moved behind a pad that tells of them if they are more than a header has bits for.
    """
    cdef Segment* segment = channel.writing
    channel.unreported = 0
    if lost <= LOST_MAX:
        return lost
    if ring_claim_locked(&segment.ring, HEADER_BYTES + length, at) == CLAIMED:
        channel_write_lost(segment, at[0], lost)
        at[0] += HEADER_BYTES
        return 0
    channel.unreported = lost - LOST_MAX
    return LOST_MAX


cdef inline void channel_write_lost(Segment* segment, uint64_t at, uint64_t lost) noexcept nogil:
    """Write a pad that tells of many lost events. A writer."""
    cdef EventHeader pad
    pad.timestamp = lost
    pad.size_flags = header_size_flags(0, HEADER_PAD)
    pad.protocol = 0
    pad.event = 0
    pad.lost = 0
    bytes_put(segment.ring.fifo.data, at & segment.ring.fifo.mask, &pad, HEADER_BYTES)


cdef inline void channel_drop(Channel* channel, const tocsin_event* event) noexcept nogil:
    """Count an event that finds no room, and have a later one tell of it. A writer."""
    channel.unreported += event.lost + 1
    count_one(&channel.dropped)


cdef inline Segment* channel_find(
    const Channel* channel, const tocsin_event* event, uint64_t* at
) noexcept nogil:
    """Find the record of an event's key: its segment, and its position in `at`. NULL: there is none.

    What an earlier registration of its protocol left is none: it is of another type. A writer, with the lock.
    """
    cdef const Origin* origin = channel.writing.origins[event.protocol]
    cdef const Origin* known
    cdef Segment* segment = channel.reading
    while segment != NULL:
        known = segment.origins[event.protocol]
        if known != NULL and known.types == origin.types:
            if latest_find(segment, event.protocol, event.event, event.source, at):
                break
        segment = segment.following
    return segment


cdef inline bint channel_overwrite(Channel* channel, const tocsin_event* event) noexcept nogil:
    """Put an event in the place of the one of its key; False: there is none. A writer, with the lock."""
    cdef EventHeader old
    cdef uint64_t at
    cdef uint64_t lost
    cdef Segment* segment = channel_find(channel, event, &at)
    if segment == NULL:
        return False
    bytes_get(segment.ring.fifo.data, at & segment.ring.fifo.mask, &old, HEADER_BYTES)
    lost = old.lost + channel.unreported + event.lost
    channel_write(segment, at, event, min(lost, <uint64_t> LOST_MAX))
    channel.unreported = lost - min(lost, <uint64_t> LOST_MAX)
    count_one(&channel.conflated)
    return True
