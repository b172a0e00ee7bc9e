"""Pouring: a streak of events into a channel that is their only subscriber.

What channel_offer() would do one by one, with one publication for up to 64 events: so the line with the counters of
the channel's ring goes over to the reader that often, and a channel with a lock is locked that often. Nobody has
to wait for what is kept back: it is published before the stage does anything else, and the reader is called at
the end of the streak as ever.

Only what is simple is poured. A channel that is full, one that has to tell of lost events, a record that has to go
round the end of the ring: the stage offers such an event by itself. `latest` looks at each event, and is never
poured into.
"""

from libc.stdint cimport uint32_t, uint64_t

from tocsin._core.atomic cimport a32_load_relaxed, a64_load_relaxed, bytes_put, bytes_view, shared_bytes
from tocsin._core.chain cimport Subscriber, subscriber_is_active, subscriber_is_behind
from tocsin._core.channel cimport Channel, Listener
from tocsin._core.equeue cimport Stage
from tocsin._core.header cimport HEADER_BYTES, MAX_SIZE, EventHeader, header_stride
from tocsin._core.ledger cimport ledger_begin_call, ledger_note
from tocsin._core.offer cimport channel_count_offered, listener_touch
from tocsin._core.put cimport channel_places, channel_publish, channel_room
from tocsin._core.ring cimport Ring
from tocsin._core.thread cimport lock_drop, lock_take


cdef enum:
    POUR_MOST = 64            # events in one holding of the lock, as readers do


cdef inline uint32_t stage_pour(
    Stage* stage, const Subscriber* subscriber, uint64_t limit, uint32_t most
) noexcept nogil:
    """Put events before `limit`, of the type of the next one, into its channel: how many. The last stage's worker.

    0: the next event must be offered by itself. The subscriber is alone in the only chain of these events.
    """
    cdef Listener* listener = <Listener*> subscriber.context
    cdef Channel* channel = listener.channel
    cdef uint32_t n
    if listener.is_full or subscriber_is_behind(subscriber, stage.lost_total):
        return 0
    ledger_begin_call(&stage.ledger)
    if channel.is_locked:
        lock_take(&channel.lock)
    n = stage_copy(stage, subscriber, channel, limit, min(most, <uint32_t> POUR_MOST))
    if n != 0:
        channel_count_offered(channel, n)
        if not listener.is_touched:
            listener_touch(listener)
    if channel.is_locked:
        lock_drop(&channel.lock)
    stage.n_called += n
    ledger_note(&stage.ledger, stage.position, stage.n_called, stage.n_unclaimed)
    return n


cdef inline uint32_t stage_copy(
    Stage* stage, const Subscriber* subscriber, Channel* channel, uint64_t limit, uint32_t most
) noexcept nogil:
    """Copy records of one type as they are from the queue to the channel: how many. As a writer of the channel.

    They lie in one piece, here and there, and are copied as one.
    """
    cdef const shared_bytes* data = stage.queue.ring.fifo.data
    cdef uint64_t mask = stage.queue.ring.fifo.mask
    cdef uint64_t begin = stage.position & mask
    cdef Ring* into = &channel.writing.ring
    cdef uint64_t at = a64_load_relaxed(&into.fifo.in_)       # our own word
    cdef uint64_t room, length
    cdef uint64_t copied = 0
    cdef const EventHeader* header = <const EventHeader*> bytes_view(data, begin, HEADER_BYTES)
    cdef uint32_t event = header.event
    cdef uint32_t n = 0
    if channel.unreported != 0 or header.size_flags > MAX_SIZE:
        return 0
    room = min(channel_room(channel, at, most * header_stride(header.size_flags)), mask + 1 - begin)
    most = <uint32_t> min(<uint64_t> most, channel_places(channel, most))
    while n < most and stage.position != limit and not a32_load_relaxed(&stage.wq.halted):
        if not subscriber_is_active(subscriber):
            break
        header = <const EventHeader*> bytes_view(data, stage.position & mask, HEADER_BYTES)
        if header.size_flags > MAX_SIZE or header.lost != 0 or header.event != event:
            break
        length = header_stride(header.size_flags)
        if copied + length > room:
            break
        copied += length
        stage.position += length
        n += 1
    if n != 0:
        bytes_put(into.fifo.data, at & into.fifo.mask, bytes_view(data, begin, copied), copied)
        channel_publish(channel, n, at + copied)
    return n
