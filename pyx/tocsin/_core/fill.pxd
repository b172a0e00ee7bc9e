"""Filling a batch from a channel: what lies one behind the other, without a look at the channel for each.

A reader copies under the lock of the channel, with the GIL, 64 events at most (TAKE_MOST). A batch has five
columns, whose ends would be read and written again for each event, as would the place where the channel is being
read; a streak of events of one type reads and writes them once. So a reader spends a fifth less on each event.

What isn't as plain, an event of another type, a pad, a record that may be overwritten in place, ends the streak
and is for channel_front() (take.pxd).
"""

from libc.stdint cimport uint64_t

from tocsin cimport tocsin_event
from tocsin._core.atomic cimport bytes_view, shared_bytes
from tocsin._core.batch cimport Batch, BatchEnd, batch_append, batch_close, batch_has_room, batch_open
from tocsin._core.channel cimport Channel
from tocsin._core.header cimport HEADER_BYTES, MAX_SIZE, EventHeader, header_stride
from tocsin._core.segment cimport Kind, Segment, kind_source, segment_kind


cdef inline void fill_streak(
    Batch batch, Channel* channel, const tocsin_event* first, Py_ssize_t limit
) noexcept:
    """Take what lies right behind an event that was taken, and is of the same type. Under the lock.

    Returns when it has `limit` events, or when what comes next is for channel_front().
    """
    cdef Segment* segment = channel.reading
    cdef const shared_bytes* data = segment.ring.fifo.data
    cdef const Kind* kind = segment_kind(segment, first.protocol, first.event)
    cdef uint64_t at = segment.at
    cdef uint64_t mask = segment.ring.fifo.mask
    cdef const EventHeader* header
    cdef const void* payload
    cdef BatchEnd end
    if segment.in_place:
        return
    batch_open(batch, &end)
    while end.count < limit and at != segment.ring.fifo.in_seen:
        header = <const EventHeader*> bytes_view(data, at & mask, HEADER_BYTES)
        if header.protocol != first.protocol or header.event != first.event or header.size_flags > MAX_SIZE:
            break
        if not batch_has_room(&end, header.size_flags):
            break
        payload = bytes_view(data, (at & mask) + HEADER_BYTES, header.size_flags)
        batch_append(
            &end, payload, header.size_flags, header.timestamp, kind_source(kind, payload), header.lost
        )
        at += header_stride(header.size_flags)
    segment.at = at
    channel.n_taken += <uint64_t> (end.count - batch.count)
    batch_close(batch, &end)
