"""Channels: a bounded queue of a subscriber's own. A fifo and a wake-up.

A channel is a native subscriber (offer.pxd) that puts records into a ring of its own (segment.pxd), so there is
no GIL in the path until somebody reads (take.pxd).

Who takes the lock. Readers do, always: there may be several. They hold it for 64 events at most, and never
while they wait. Of the writers, the native stages, only those that need it do (`is_locked`): where they take
away or change what readers read (drop_oldest, latest), and where there may be two of them, because the channel
listens to several protocols. Otherwise the one stage is the locked writer of the ring and readers and it never
wait for each other. Nobody who holds the lock waits for anything: neither for the GIL nor for another lock but
that of a workqueue.

Capacity counts events, exactly: `n_in` is the writer's count of those put in, `n_out` the readers' of those
gone. Space is given back first and `n_out` moved after it, by a release [room-made]: a writer who sees that
there is a place finds the bytes for it too.

The last event before silence. A reader that finds nothing announces itself in `sleepers` and looks once more
before it parks; a writer publishes its record and does a read-modify-write on the same word at the end of its
streak [reader-announced]. The two operations have an order: either the reader's comes later, and its look sees
the record; or the writer's does, and it finds the sleeper and rings. One sleeper is called for one streak, once
(sleepers.pxd): whoever takes an event and leaves others behind, or turns back with the ring in hand, calls the
next one. Event loops sleep elsewhere, and are announced in the same way (doorbell.pxd).

The end. Whoever closes sets `closed` and rings for all. A reader looks at `closed` before it looks for events:
so what was put in before the end is found, and read to the last event [channel-closed].

Room. A stage that waits for room (offer.pxd) says so in `room_wanted`, after it has put its work off, and looks
once more; a reader that has made room does a read-modify-write on the same word [room-wanted] and hastens the
work. So either the stage sees the room, or the reader sees the stage, whose work is on the list of timers by then.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tocsin._core.atomic cimport (
    a32,
    a32_exchange_full,
    a32_fetch_add_full,
    a32_fetch_sub_full,
    a32_load_acquire,
    a32_store_relaxed,
    a64,
    a64_fetch_add_full,
)
from tocsin._core.doorbell cimport Doorbells, doorbells_ring
from tocsin._core.kfifo cimport fifo_ready, fifo_size
from tocsin._core.memory cimport memory_alloc, memory_free
from tocsin._core.segment cimport Origin, Segment, segment_copy_origins, segment_free, segment_new
from tocsin._core.sleepers cimport sleepers_announce, sleepers_call, sleepers_leave, sleepers_want_call
from tocsin._core.thread cimport (
    EVERYONE,
    bell_destroy,
    bell_init,
    bell_look,
    bell_park,
    bell_ring,
    bell_t,
    lock_destroy,
    lock_drop,
    lock_init,
    lock_t,
    lock_take,
)
from tocsin._core.work cimport Work
from tocsin._core.workqueue cimport WorkQueue


cdef enum Overflow:
    OVERFLOW_DROP_NEWEST
    OVERFLOW_DROP_OLDEST
    OVERFLOW_LATEST
    OVERFLOW_BLOCK


cdef enum Look:
    LOOK_EMPTY
    LOOK_READY
    LOOK_OVER         # closed, and nothing is left


cdef struct Channel
cdef struct Listener
ctypedef void (*channel_wake)(void* context) noexcept nogil

cdef struct Listener:
    # The channel's place in one queue: what a chain calls. Constant:
    Channel* channel
    const uint64_t* position  # of the event that its stage is at
    Listener** touched        # the stage's lists: channels to kick, and channels that have no room
    Listener** full
    WorkQueue* wq             # of the stage
    Work* work
    # The stage.
    uint64_t offered_at       # the position that was offered last
    uint64_t waits_at         # the position for which it waited last,
    uint64_t deadline         # and until when
    uint64_t tried_at         # `n_out` before its last try in vain
    uint64_t given_up_at      # the same, when time was over
    bint has_given_up
    bint is_touched           # it is in that list
    bint is_full
    Listener* next_touched
    Listener* next_full
    # Under the lock of the channel.
    Listener* following
    a32 has_left              # the chains

cdef struct Channel:
    # Constant after channel_new(); `wake` is called for each streak beside the bell.
    Overflow overflow
    uint64_t capacity
    uint64_t timeout
    bint is_locked
    channel_wake wake
    void* wake_context
    char _pad0[128]
    # Writers.
    Segment* writing          # the last one; changed while no writer can be inside
    uint64_t out_seen         # their last look at `n_out`
    uint64_t unreported       # lost events that no record has told of yet
    a64 n_in
    a64 offered
    a64 dropped
    a64 conflated
    a64 high_water
    a64 waits
    char _pad1[128]
    # Readers, under the lock.
    lock_t lock
    Segment* reading          # the first one, or NULL
    uint64_t n_taken          # `n_out` as it will be
    uint64_t n_pushed_out     # of these, dropped to make room
    uint64_t carry            # lost events that the next one taken tells of
    Listener* listeners
    a64 n_out
    char _pad2[128]
    # Both.
    a32 users
    a64 sleepers              # sleepers.pxd
    a32 closed
    a32 room_wanted
    bell_t bell
    Doorbells doorbells       # of event loops


cdef inline Channel* channel_new(
    Overflow overflow, uint64_t capacity, uint64_t timeout, bint is_locked, bint portable
) noexcept nogil:
    """Make a channel with one user, the caller; NULL: no memory. timeout: ns, of OVERFLOW_BLOCK. Any thread."""
    cdef Channel* channel = <Channel*> memory_alloc(sizeof(Channel))
    if channel != NULL:
        channel.overflow = overflow
        channel.capacity = capacity
        channel.timeout = timeout
        channel.is_locked = is_locked
        a32_store_relaxed(&channel.users, 1)
        lock_init(&channel.lock)
        lock_init(&channel.doorbells.lock)
        bell_init(&channel.bell, portable)
    return channel


cdef inline void channel_retain(Channel* channel) noexcept nogil:
    """Count one more user. A user."""
    a32_fetch_add_full(&channel.users, 1)


cdef inline void channel_release(Channel* channel) noexcept nogil:
    """Count a user out; the last one frees the channel. A user, once."""
    cdef Segment* segment
    if a32_fetch_sub_full(&channel.users, 1) != 1:
        return
    while channel.reading != NULL:
        segment = channel.reading
        channel.reading = segment.following
        segment_free(segment)
    lock_destroy(&channel.lock)
    lock_destroy(&channel.doorbells.lock)
    bell_destroy(&channel.bell)
    memory_free(channel)


cdef inline bint channel_may_have(Channel* channel) noexcept nogil:
    """True if there is a record to read; goes on to the next segment at the end of one. Under the lock."""
    cdef Segment* segment = channel.reading
    while segment != NULL and fifo_ready(&segment.ring.fifo, segment.at) == 0:
        if segment.following == NULL:
            return False
        channel.reading = segment.following      # nobody writes to the old one any more
        segment_free(segment)
        segment = channel.reading
    return segment != NULL


cdef inline bint channel_extend(
    Channel* channel, uint8_t protocol, Origin* origin, uint64_t size, uint64_t start
) noexcept nogil:
    """Listen to a protocol whose stage doesn't know the channel yet; False: no memory, nothing changed. Cold.

    The origin is the channel's from now on. size: bytes that the ring should have at least, a power of two.
    """
    cdef Segment* old = channel.writing
    cdef Segment* segment = old
    cdef bint is_empty
    lock_take(&channel.lock)
    is_empty = not channel_may_have(channel)
    if old == NULL or fifo_size(&old.ring.fifo) < size or not (is_empty or old.origins[protocol] == NULL):
        segment = channel_new_segment(channel, old, size, start)
        if segment == NULL:
            lock_drop(&channel.lock)
            return False
        channel.writing = segment
        if old == NULL:
            channel.reading = segment
        elif is_empty:
            channel.reading = segment
            segment_free(old)
        else:
            old.following = segment
    memory_free(segment.origins[protocol])
    segment.origins[protocol] = origin
    lock_drop(&channel.lock)
    return True


cdef inline Segment* channel_new_segment(
    const Channel* channel, const Segment* old, uint64_t size, uint64_t start
) noexcept nogil:
    """Make an empty segment that is not smaller than an old one (NULL: none) and knows what that does. Cold."""
    cdef uint32_t places = 0
    cdef Segment* segment
    if channel.overflow == OVERFLOW_LATEST:
        places = 4
        while places < 2 * channel.capacity:
            places *= 2
    if old != NULL:
        size = max(size, old.ring.fifo.mask + 1)
    segment = segment_new(size, start, places)
    if segment != NULL and old != NULL and not segment_copy_origins(segment, old):
        segment_free(segment)
        return NULL
    return segment


# -- waiting and waking ----------------------------------------------------------------------------

cdef inline Look channel_look(Channel* channel) noexcept nogil:
    """See whether there is an event, or will never be one any more. A reader, without the lock."""
    cdef bint is_closed = a32_load_acquire(&channel.closed) != 0            # [channel-closed]
    cdef bint has_events
    lock_take(&channel.lock)
    has_events = channel_may_have(channel)
    lock_drop(&channel.lock)
    if has_events:
        return LOOK_READY
    return LOOK_OVER if is_closed else LOOK_EMPTY


cdef inline Look channel_await(Channel* channel, int64_t timeout) noexcept nogil:
    """Sleep once, at most `timeout` ns, until there is an event or the end. What the last look found. A reader."""
    cdef uint32_t seen = bell_look(&channel.bell)
    cdef Look found
    sleepers_announce(&channel.sleepers)
    found = channel_look(channel)
    if found == LOOK_EMPTY:
        bell_park(&channel.bell, seen, timeout)
        found = channel_look(channel)
    sleepers_leave(&channel.sleepers)
    return found


cdef inline void channel_call(Channel* channel) noexcept nogil:
    """Call one of the threads that sleep and were not called yet, and the loops. Any thread."""
    if sleepers_call(&channel.sleepers):
        bell_ring(&channel.bell, 1)
    doorbells_ring(&channel.doorbells, &channel.sleepers)


cdef inline void channel_kick(Channel* channel) noexcept nogil:
    """Have somebody read what was put in. A writer, at the end of its streak."""
    if sleepers_want_call(a64_fetch_add_full(&channel.sleepers, 0)):        # [reader-announced]
        channel_call(channel)
    if channel.wake != NULL:
        channel.wake(channel.wake_context)


cdef inline void channel_close(Channel* channel) noexcept nogil:
    """Say that nothing more will come, and wake all who wait; what is there can be read. Any thread."""
    a32_exchange_full(&channel.closed, 1)                                   # [channel-closed]
    bell_ring(&channel.bell, EVERYONE)
    doorbells_ring(&channel.doorbells, &channel.sleepers)


cdef inline void listeners_kick(Listener** touched) noexcept nogil:
    """Kick the channels that a streak of a stage has put something into. The stage."""
    cdef Listener* listener = touched[0]
    touched[0] = NULL
    while listener != NULL:
        listener.is_touched = False
        channel_kick(listener.channel)
        listener = listener.next_touched
