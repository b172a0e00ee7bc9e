"""Channels of the shipped core as plain C functions, for their scenes (channels.h declares them to C).

Thin covers, as in parts.pyx: what a bridge does around the core's text when it opens a channel and takes an event.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from tocsin cimport tocsin_event
from tocsin._core.atomic cimport a64_load_relaxed
from tocsin._core.chain cimport SUBSCRIBER_CHANNEL, Subscriber, subscriber_new
from tocsin._core.channel cimport (
    OVERFLOW_BLOCK,
    OVERFLOW_LATEST,
    Channel,
    Listener,
    Look,
    Overflow,
    channel_await,
    channel_close,
    channel_extend,
    channel_look,
    channel_may_have,
    channel_new,
    channel_release,
)
from tocsin._core.doorbell cimport Doorbell, doorbell_arm, doorbell_disarm
from tocsin._core.equeue cimport EventsQueue
from tocsin._core.header cimport header_stride
from tocsin._core.memory cimport memory_alloc, memory_free
from tocsin._core.offer cimport channel_offer, listener_free, listener_leave, listener_new
from tocsin._core.segment cimport Origin, origin_new
from tocsin._core.sleepers cimport sleepers_announce, sleepers_leave
from tocsin._core.subscribe cimport equeue_cancel, equeue_subscribe
from tocsin._core.take cimport channel_after_taking, channel_front, channel_settle, channel_step
from tocsin._core.tally cimport Tally, channel_tally
from tocsin._core.thread cimport lock_drop, lock_take


cdef extern from "shipped.h" nogil:
    void hook_name(const void* address, uint64_t size, const char* name) noexcept
    void hook_ignore(const void* address, uint64_t size) noexcept


cdef extern from "channels.h" nogil:
    ctypedef struct tally_t:
        pass
    ctypedef struct taken_t:
        uint64_t number
        uint32_t size
        uint64_t lost
    enum:
        EVERY_SOURCE
        PAYLOAD_BYTES


cdef public void* channel_make(
    int overflow, uint64_t capacity, uint64_t timeout, int is_locked
) noexcept nogil:
    return channel_new(<Overflow> overflow, capacity, timeout, is_locked, False)


cdef public void channel_describe(void* raw) noexcept nogil:
    cdef Channel* channel = <Channel*> raw
    hook_name(&channel.n_in, sizeof(channel.n_in), "n_in")
    hook_name(&channel.n_out, sizeof(channel.n_out), "n_out")
    hook_name(&channel.offered, sizeof(channel.offered), "offered")
    hook_name(&channel.dropped, sizeof(channel.dropped), "dropped")
    hook_name(&channel.sleepers, sizeof(channel.sleepers), "channel.sleepers")
    hook_name(&channel.closed, sizeof(channel.closed), "channel.closed")
    hook_name(&channel.room_wanted, sizeof(channel.room_wanted), "room_wanted")
    hook_name(&channel.bell, sizeof(channel.bell), "channel.bell")
    hook_name(&channel.lock, sizeof(channel.lock), "channel.lock")
    hook_name(&channel.doorbells.lock, sizeof(channel.lock), "doorbells.lock")
    hook_name(&channel.reading.ring.fifo.in_, sizeof(channel.n_in), "channel.in_")
    hook_name(&channel.reading.ring.fifo.out, sizeof(channel.n_in), "channel.out")
    hook_name(channel.reading.ring.fifo.data, channel.reading.ring.fifo.mask + 1, "channel.record")
    hook_ignore(&channel.high_water, sizeof(channel.high_water))


cdef public int channel_listen_to(
    void* raw, void* queue, uint64_t size, uint64_t start, uint32_t largest
) noexcept nogil:
    """Have a segment for the events of a queue, whose event 0 begins with its source."""
    cdef Origin* origin = origin_new(NULL, 1)
    origin.kinds[0].stride = header_stride(largest)
    origin.kinds[0].source_width = 4
    # Of protocol 0, which there is not: a wrong core may take empty memory for a record, and should be caught.
    channel_extend(<Channel*> raw, 0, origin_new(NULL, 256), size, start)
    return channel_extend(<Channel*> raw, (<EventsQueue*> queue).protocol, origin, size, start)


cdef public void* channel_subscribe(void* raw, void* queue, int in_both_chains) noexcept nogil:
    """Put the channel in the chain of all sources, and perhaps in that of source 0 too. Its subscriber."""
    cdef Channel* channel = <Channel*> raw
    cdef EventsQueue* q = <EventsQueue*> queue
    cdef Listener* listener = listener_new(
        channel, q.native.wq, &q.native.work, &q.native.position, &q.native.touched, &q.native.full
    )
    cdef Subscriber* subscriber = subscriber_new(channel_offer, listener, 0, 0)
    subscriber.is_ours = True
    subscriber.kind = SUBSCRIBER_CHANNEL
    subscriber.may_wait = channel.overflow == OVERFLOW_BLOCK
    subscriber.may_pour = channel.overflow != OVERFLOW_LATEST
    subscriber.release = listener_free
    equeue_subscribe(q, EVERY_SOURCE, subscriber, False)
    if in_both_chains:
        equeue_subscribe(q, 0, subscriber, False)
    return subscriber


cdef public void channel_leave(void* queue, void* subscriber, int in_both_chains) noexcept nogil:
    """Leave the chains: as a subscription that is cancelled."""
    if in_both_chains:
        equeue_cancel(<EventsQueue*> queue, 0, <Subscriber*> subscriber, False)
    equeue_cancel(<EventsQueue*> queue, EVERY_SOURCE, <Subscriber*> subscriber, False)
    listener_leave(<Listener*> (<Subscriber*> subscriber).context)


cdef public int channel_take(void* raw, void* payload, taken_t* taken) noexcept nogil:
    """Take the oldest event, as the bridge does: true if there was one."""
    cdef Channel* channel = <Channel*> raw
    cdef tocsin_event event
    cdef bint is_more = False
    cdef bint has_one
    lock_take(&channel.lock)
    has_one = channel_front(channel, &event)
    if has_one:
        memcpy(payload, event.payload, min(event.size, <uint32_t> PAYLOAD_BYTES))
        taken.size = event.size
        taken.lost = event.lost
        channel_step(channel, &event)
        taken.number = channel.n_taken
        channel_settle(channel)
        is_more = channel_may_have(channel)
    lock_drop(&channel.lock)
    if has_one:
        channel_after_taking(channel, is_more)
    return has_one


cdef public int channel_sleep(void* raw) noexcept nogil:
    """Sleep once, with no limit, until there is something: LOOK_*."""
    return channel_await(<Channel*> raw, -1)


cdef public int channel_give_up(void* raw) noexcept nogil:
    """Wait as one whose time is over by the time it would park: LOOK_*."""
    cdef Look found
    sleepers_announce(&(<Channel*> raw).sleepers)
    found = channel_look(<Channel*> raw)
    sleepers_leave(&(<Channel*> raw).sleepers)
    return found


cdef public void channel_end(void* raw) noexcept nogil:
    channel_close(<Channel*> raw)


cdef public uint32_t channel_sleepers(void* raw) noexcept nogil:
    """Not 0 if a reader is announced, or counted as called."""
    return a64_load_relaxed(&(<Channel*> raw).sleepers) != 0


cdef public void* doorbell_make(int descriptor) noexcept nogil:
    cdef Doorbell* bell = <Doorbell*> memory_alloc(sizeof(Doorbell))
    bell.descriptor = descriptor
    return bell


cdef public int doorbell_look(void* raw, void* doorbell) noexcept nogil:
    """Arm the doorbell and look, as the bridge does: LOOK_*."""
    cdef Channel* channel = <Channel*> raw
    doorbell_arm(&channel.doorbells, <Doorbell*> doorbell, &channel.sleepers)
    return channel_look(channel)


cdef public void doorbell_silence(void* raw, void* doorbell) noexcept nogil:
    cdef Channel* channel = <Channel*> raw
    doorbell_disarm(&channel.doorbells, <Doorbell*> doorbell, &channel.sleepers)


cdef public void doorbell_free(void* doorbell) noexcept nogil:
    memory_free(doorbell)


cdef public int channel_books(void* raw, tally_t* tally) noexcept nogil:
    """False: a writer stood still between putting in and counting."""
    return channel_tally(<Channel*> raw, <Tally*> tally)


cdef public uint64_t channel_waits(void* raw) noexcept nogil:
    return a64_load_relaxed(&(<Channel*> raw).waits)


cdef public void channel_free(void* raw) noexcept nogil:
    channel_release(<Channel*> raw)
