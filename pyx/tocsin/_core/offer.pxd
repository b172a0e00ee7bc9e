"""Offering events to channels: the function that a chain calls, and what becomes of an event without room.

A channel's place in a queue is a Listener, the context of a Subscriber. Channels stand first in their chains,
so no STOP keeps an event from them, and each is offered an event once, however many chains of it hold the
channel. The native stage of the queue calls; whether it needs the lock of the channel stands in channel.pxd.

    drop_newest   full: the event is dropped, and the next one that finds room tells of it
    drop_oldest   full: the oldest one goes
    latest        an event whose key is queued takes the place of that one; a new key without room is dropped
    block         full: the stage waits, and its worker doesn't

Waiting. The stage offers an event to the channels that may make it wait before it calls anybody else for it.
Each that has no room notes until when it is waited for, and joins the stage's list `full`; those that took the
event have noted its position and won't take it again. The stage stops before the event, ends its run, and puts
its work off until the first of the deadlines; a reader that makes room makes it due at once. When time is over
the event is dropped, and so are later ones, without waiting, until a reader has made room. Without worker
threads nobody could make room meanwhile: there a full channel drops at once. A channel that leaves its chains
calls the stage too.

An event that was put off and never had its turn again, since the pipeline was stopped, is abandoned, although
other channels may have it.
"""

from libc.stdint cimport uint64_t

from tocsin cimport tocsin_event
from tocsin._core.atomic cimport (
    a32_fetch_or_full,
    a32_load_acquire,
    a32_store_release,
    a64_load_acquire,
    a64_load_relaxed,
    a64_store_release,
)
from tocsin._core.chain cimport CHAIN_FULL
from tocsin._core.channel cimport (
    OVERFLOW_BLOCK,
    OVERFLOW_DROP_OLDEST,
    OVERFLOW_LATEST,
    Channel,
    Listener,
    channel_release,
    channel_retain,
)
from tocsin._core.clock cimport clock_monotonic
from tocsin._core.memory cimport memory_alloc, memory_free
from tocsin._core.put cimport channel_drop, channel_overwrite, channel_put, count_one
from tocsin._core.take cimport channel_push_out
from tocsin._core.thread cimport lock_drop, lock_take
from tocsin._core.timer cimport expedite_work, modify_delayed_work
from tocsin._core.work cimport Work
from tocsin._core.workqueue cimport WorkQueue


cdef enum Remedy:
    REMEDY_TRY        # there may be room now
    REMEDY_WAIT
    REMEDY_DROP


# -- a place in a queue ----------------------------------------------------------------------------

cdef inline Listener* listener_new(
    Channel* channel, WorkQueue* wq, Work* work, const uint64_t* position, Listener** touched, Listener** full
) noexcept nogil:
    """Make the channel's place in the queue of a stage, of which the last four are parts; NULL: no memory.

    It uses the channel until listener_free(). Before the stage knows of it.
    """
    cdef Listener* listener = <Listener*> memory_alloc(sizeof(Listener))
    if listener == NULL:
        return NULL
    channel_retain(channel)
    listener.channel = channel
    listener.wq = wq
    listener.work = work
    listener.position = position
    listener.touched = touched
    listener.full = full
    listener.offered_at = listener.waits_at = ~<uint64_t> 0      # no position is odd
    lock_take(&channel.lock)
    listener.following = channel.listeners
    channel.listeners = listener
    lock_drop(&channel.lock)
    return listener


cdef inline void listener_leave(Listener* listener) noexcept nogil:
    """Have no stage wait for the channel any more, after it was cancelled; harmless to repeat. Any thread."""
    a32_store_release(&listener.has_left, 1)                                # [listener-left]
    listener_unlink(listener)
    a32_fetch_or_full(&listener.channel.room_wanted, 0)                     # [room-wanted]
    expedite_work(listener.wq, listener.work)


cdef inline void listener_unlink(Listener* listener) noexcept nogil:
    """Have readers not look at it any more; harmless to repeat. Any thread."""
    cdef Listener** link = &listener.channel.listeners
    lock_take(&listener.channel.lock)
    while link[0] != NULL and link[0] != listener:
        link = &link[0].following
    if link[0] != NULL:
        link[0] = listener.following
    lock_drop(&listener.channel.lock)


cdef inline void listener_free(void* context) noexcept nogil:
    """Free a place that no chain has any more: the `release` of its Subscriber. With the queue's lock."""
    cdef Listener* listener = <Listener*> context
    listener_unlink(listener)        # a pipeline that goes doesn't take its subscribers out of their chains
    channel_release(listener.channel)
    memory_free(listener)


# -- offering --------------------------------------------------------------------------------------

cdef inline int channel_offer(void* context, const tocsin_event* event) noexcept nogil:
    """Offer an event: the function of the Subscriber of a channel. CHAIN_FULL: the stage should wait. Its stage."""
    cdef Listener* listener = <Listener*> context
    cdef Channel* channel = listener.channel
    cdef bint is_settled
    if listener.offered_at == listener.position[0]:
        return 0                             # by another chain, or before the stage waited
    if listener.is_full:
        return CHAIN_FULL                    # for another chain; the stage is about to wait
    if channel.is_locked:
        lock_take(&channel.lock)
    is_settled = listener_settle(listener, channel, event)
    if channel.is_locked:
        lock_drop(&channel.lock)
    if not is_settled:
        listener.is_full = True
        listener.next_full = listener.full[0]
        listener.full[0] = listener
        return CHAIN_FULL
    listener.offered_at = listener.position[0]
    return 0


cdef inline bint listener_settle(
    Listener* listener, Channel* channel, const tocsin_event* event
) noexcept nogil:
    """Settle what becomes of an event in a channel; False: the stage should wait for room. Its stage."""
    cdef Remedy remedy
    cdef int tries = 0
    if channel.overflow == OVERFLOW_LATEST and channel_overwrite(channel, event):
        channel_count_offered(channel, 1)
        return True
    while not channel_put(channel, event):
        remedy = listener_find_room(listener, channel, event, tries)
        if remedy == REMEDY_WAIT:
            return False
        if remedy == REMEDY_DROP:
            channel_drop(channel, event)
            channel_count_offered(channel, 1)
            return True
        tries += 1
    if not listener.is_touched:
        listener_touch(listener)
    channel_count_offered(channel, 1)
    return True


cdef inline Remedy listener_find_room(
    Listener* listener, Channel* channel, const tocsin_event* event, int tries
) noexcept nogil:
    """What to do about an event that found no room, having tried so often before. Its stage."""
    if channel.overflow == OVERFLOW_DROP_OLDEST:
        channel_push_out(channel)            # in the end the ring is empty, and takes any event
        return REMEDY_TRY
    if channel.overflow != OVERFLOW_BLOCK:
        return REMEDY_DROP
    if tries == 0:
        # What is read after this look will be noticed (listener_has_news), or found by the second try.
        listener.tried_at = a64_load_acquire(&channel.n_out)                # [room-made]
        return REMEDY_TRY
    return REMEDY_WAIT if listener_may_wait(listener, channel) else REMEDY_DROP


cdef inline void channel_count_offered(Channel* channel, uint64_t n) noexcept nogil:
    """Count n events of which it is counted already what became of them. A writer."""
    a64_store_release(&channel.offered, a64_load_relaxed(&channel.offered) + n)     # [event-offered]


cdef inline void listener_touch(Listener* listener) noexcept nogil:
    """Have the channel kicked at the end of the streak. Its stage."""
    listener.is_touched = True
    listener.next_touched = listener.touched[0]
    listener.touched[0] = listener


# -- waiting for room ------------------------------------------------------------------------------

cdef inline bint listener_may_wait(Listener* listener, Channel* channel) noexcept nogil:
    """True if the stage should wait for room in a full channel, until `deadline`. Its stage."""
    cdef uint64_t now
    if listener.wq.base_threads == 0:
        return False
    if listener.has_given_up and listener.given_up_at == listener.tried_at:
        return False                         # nobody has read since it waited in vain
    now = clock_monotonic()
    if listener.waits_at != listener.position[0] or listener.has_given_up:
        listener.waits_at = listener.position[0]
        listener.deadline = now + channel.timeout
        listener.has_given_up = False
        count_one(&channel.waits)
    if now < listener.deadline:
        return True
    listener.has_given_up = True
    listener.given_up_at = listener.tried_at
    return False


cdef inline void listeners_park(Listener** full, WorkQueue* wq, Work* work) noexcept nogil:
    """Put the work of a stage off until the first of its full channels has room, or its time is over. Its stage.

    The stage is still inside its run, so the work doesn't run again before it has left; and in the same turn, so
    the listeners are still there.
    """
    cdef Listener* listener = full[0]
    cdef uint64_t due = listener.deadline
    cdef uint64_t now = clock_monotonic()
    while listener != NULL:
        due = min(due, listener.deadline)
        listener = listener.next_full
    # Instead of any run that is owed: kicks by writers are no reason to look at a full channel again.
    modify_delayed_work(wq, work, due - now if due > now else 0)
    listener = full[0]
    full[0] = NULL
    while listener != NULL:
        listener.is_full = False
        a32_fetch_or_full(&listener.channel.room_wanted, 1)                 # [room-wanted]
        if listener_has_news(listener):
            expedite_work(wq, work)          # nobody else may know that we wait
        listener = listener.next_full


cdef inline bint listener_has_news(Listener* listener) noexcept nogil:
    """True if somebody has read since the last try, or the channel has left. Its stage."""
    if a32_load_acquire(&listener.has_left):                                # [listener-left]
        return True
    return a64_load_acquire(&listener.channel.n_out) != listener.tried_at   # [room-made]
