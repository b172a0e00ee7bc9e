"""The events queue of a protocol: a ring, two stages that read it, and the way in.

Writers put records in (notify) and kick the first stage. The *native stage* reads [its position, in_) and
calls native subscribers; the *Python stage* reads [its position, passed) behind it and calls Python ones.
Each is a work item, so each has one reader at a time. The space of a record is freed, and the event
classified, by the last stage: the Python stage while it *owns* the end of the queue, else the native one.

Who owns the end. `python_owns` is written by the native stage only. It hands over when Python subscribers
are present, at a moment when its own position is `out`: then it publishes `passed` instead of `out`
[native-passed], and the Python stage goes on from `out`. It takes the end back when no Python subscriber is
present and `out` has come up to its own position: then the Python stage has nothing left between `out` and
`passed`, and will not have before `passed` moves again. The Python stage reads `passed` first and `out`
after it, each time it looks: acquiring a `passed` shows it an `out` at least as new as the one that the
native stage left behind, so after any number of handovers it starts at the right place or finds nothing.

Which stage is kicked. `first` is the Python stage while there are Python subscribers and no native ones:
then one wake-up suffices, and the Python worker runs the (empty) native stage in passing. A kick by a
writer who read an old `first` still comes to the right end: a Python stage that is not first kicks the
native one if there is something to pass, and a native stage always kicks the Python one after passing.

Turns. Each stage counts in `turn`: odd while it may hold pointers to chains, even outside; it changes at least
every 64 events, by a read-modify-write. Whoever swapped a chain or cleared `active` does a read-modify-write
on the same word afterwards: if it is even or changes later, the stage has seen the change [stage-turn]. So
old chains are freed when both turns have passed, and cancelling knows when no call can be running.

Waiting for room, for a flush or for a turn. A waiter looks at the bell `progress`, announces itself in `awaited`,
does a read-modify-write on the turns, looks, and parks at the bell; a stage that published changes its turn and
then looks at `awaited`. The two operations on the turn have an order: one of the two sees the other [stage-turn].
Who takes the announcements away owes a ring to all [awaited]; each sleep has its own, so there is one ring a sleep.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t, uint8_t

from tocsin._core.atomic cimport (
    a32,
    a32_exchange_full,
    a32_fetch_add_full,
    a32_load_relaxed,
    a32_load_seq_cst,
    a32_store_relaxed,
    a64,
    a64_exchange_full,
    a64_fetch_add_full,
    a64_fetch_add_relaxed,
    a64_load_acquire,
    a64_load_relaxed,
    aptr,
    aptr_load_acquire,
    bytes_put,
    bytes_put_few,
)
from tocsin._core.channel cimport Listener
from tocsin._core.clock cimport clock_now
from tocsin._core.header cimport HEADER_BYTES, EventHeader, header_stride
from tocsin._core.ledger cimport Ledger
from tocsin._core.kick cimport kick_is_owed_already
from tocsin._core.memory cimport MEMORY_WRITER, memory_enter, memory_leave
from tocsin._core.payload cimport PayloadRule, payload_fits
from tocsin._core.chain cimport Chain, Subscriber
from tocsin._core.ring cimport (
    CLAIM_CLOSED,
    CLAIM_FULL,
    CLAIMED,
    Claim,
    Ring,
    ring_claim_locked,
    ring_claim_shared,
    ring_leave_shared,
    ring_publish_locked,
)
from tocsin._core.routes cimport Route
from tocsin._core.thread cimport EVERYONE, bell_ring, bell_t, lock_t
from tocsin._core.work cimport Work
from tocsin._core.workqueue cimport QUEUED_WOKE, WorkQueue, queue_work


cdef enum Notified:
    NOTIFIED
    NOTIFY_UNKNOWN    # the protocol has no such event
    NOTIFY_INVALID    # a size or count that the event can't have: counted
    NOTIFY_FULL       # no room: for the caller to count, or to wait
    NOTIFY_CLOSED
    NOTIFY_EXCLUSIVE  # another producer has the protocol for itself


cdef struct Stage
cdef struct EventsQueue
ctypedef bint (*stage_enter)(Stage* stage) noexcept nogil
ctypedef void (*stage_leave)(Stage* stage) noexcept nogil
ctypedef uint64_t (*stage_call_batches)(Stage* stage) noexcept nogil
ctypedef uint32_t (*stage_collect_streak)(
    Stage* stage, Subscriber* subscriber, uint64_t limit, uint32_t most
) noexcept nogil

cdef struct Stage:
    Work work                     # first, so that a Work* of a stage is the stage
    char _pad0[128]               # kickers write to it; what follows is for the stage's worker
    EventsQueue* queue
    WorkQueue* wq
    bint is_python
    void* owner                   # what the hooks belong to
    void* held                    # the same, from enter to leave
    # Hooks of the Python stage: around calls, and for the batches of a run.
    stage_enter enter
    stage_leave leave
    stage_call_batches call_batches
    stage_collect_streak collect
    # Cold callers, under the lock of the queue; read by its worker.
    Route routes[256]             # by event id
    a32 n_chains                  # that they lead to
    # Its worker only.
    uint64_t position             # of the next event
    uint64_t ahead                # of the next one that was not looked at ahead (ahead.pxd)
    uint64_t lost_total           # events that the headers so far gave as lost,
    uint64_t markers              # and how many headers did
    uint64_t n_called             # of the events not settled yet: those with a call,
    uint64_t n_collected          # those that only batches hold,
    uint64_t n_unclaimed          # and those that nobody wanted
    bint entered
    bint is_inline                # the Python stage runs this native one in passing
    bint has_batches              # some of them are kept for batch subscribers
    Listener* touched             # channels that this streak has put something into
    Listener* full                # channels that the event at `position` has to wait for,
    bint is_parked                # and does: the work is put off (offer.pxd)
    # Read by others.
    a32 turn
    Ledger ledger
    a64 activations
    a64 empty_activations
    char _pad1[128]

cdef struct EventsQueue:
    Ring ring
    # Writers.
    a64 lost_markers              # headers that tell of lost events; counted before they are published
    a64 wakeups
    a64 refused
    a64 unreported                # refused events that no header has told of yet
    a64 invalid
    char _pad0[128]
    # The native stage.
    a64 passed                    # what the Python stage may read
    a32 python_owns
    a64 high_water
    char _pad1[128]
    # Cold callers, under the lock; read by stages and writers.
    aptr first                    # Stage*
    a32 python_present
    a32 native_present
    a32 closed
    a32 abandoned                 # what is left will not be delivered any more
    a32 exclusive                 # a producer has the protocol for itself: the shared door is shut
    a32 awaited                   # somebody may sleep at the bell
    a32 holders                   # those who may look at records and chains (lifetime.pxd)
    a32 users                     # those who may look at the rest; the holders together are one
    bell_t progress
    lock_t lock
    Chain* retired
    # Constant after registration.
    PayloadRule* rules[256]       # by event id
    int clock_kind
    uint8_t protocol
    Stage native
    Stage python
    a64 callback_errors


# -- the way in ------------------------------------------------------------------------------------

cdef inline Notified equeue_check(EventsQueue* q, uint8_t event, const void* payload, uint64_t size) noexcept nogil:
    """See whether the protocol can have this event. Any thread."""
    cdef const PayloadRule* rule = q.rules[event]
    if rule == NULL:
        return NOTIFY_UNKNOWN
    if not payload_fits(rule, payload, size):
        a64_fetch_add_relaxed(&q.invalid, 1)
        return NOTIFY_INVALID
    return NOTIFIED


cdef inline void equeue_head(
    EventsQueue* q, EventHeader* header, uint8_t event, uint32_t size, uint64_t timestamp
) noexcept nogil:
    """Fill in the header of an event that will be put in next. Its writer, between claim and publication."""
    header.timestamp = timestamp
    header.size_flags = size
    header.protocol = q.protocol
    header.event = event
    header.lost = 0
    if a64_load_relaxed(&q.unreported) != 0:
        header.lost = equeue_take_unreported(q)


cdef inline void equeue_write(
    EventsQueue* q, uint64_t at, uint8_t event, const void* payload, uint32_t size, uint64_t timestamp
) noexcept nogil:
    """Write one record into claimed space. Its writer."""
    cdef EventHeader header
    cdef uint64_t offset = at & q.ring.fifo.mask
    equeue_head(q, &header, event, size, timestamp)
    bytes_put(q.ring.fifo.data, offset, &header, HEADER_BYTES)
    bytes_put_few(q.ring.fifo.data, offset + HEADER_BYTES, payload, size)


cdef inline uint32_t equeue_take_unreported(EventsQueue* q) noexcept nogil:
    """How many refused events the next header tells of; what 16 bits can't hold waits for the one after."""
    cdef uint64_t lost = a64_exchange_full(&q.unreported, 0)
    if lost > 0xFFFF:
        a64_fetch_add_relaxed(&q.unreported, lost - 0xFFFF)
        lost = 0xFFFF
    if lost != 0:
        a64_fetch_add_relaxed(&q.lost_markers, 1)
    return <uint32_t> lost


cdef inline void equeue_refuse(EventsQueue* q, uint64_t n) noexcept nogil:
    """Count events that found no room, and have a later header tell of them. Any thread."""
    a64_fetch_add_relaxed(&q.refused, n)
    a64_fetch_add_relaxed(&q.unreported, n)


cdef inline Notified equeue_claim(EventsQueue* q, uint64_t length, uint64_t* at) noexcept nogil:
    """Get room for `length` bytes in one piece. A writer; after NOTIFIED, write and equeue_publish()."""
    cdef Claim claim
    if q.ring.shared:
        claim = ring_claim_shared(&q.ring, length, at)
    elif a32_load_relaxed(&q.closed) or a32_load_relaxed(&q.exclusive):
        claim = CLAIM_CLOSED
    else:
        claim = ring_claim_locked(&q.ring, length, at)
        if claim == CLAIMED:
            memory_enter(q.ring.fifo.data, MEMORY_WRITER)
    if claim == CLAIMED:
        return NOTIFIED
    if claim == CLAIM_FULL:
        return NOTIFY_FULL
    return NOTIFY_CLOSED if a32_load_relaxed(&q.closed) else NOTIFY_EXCLUSIVE


cdef inline void equeue_publish(EventsQueue* q, uint64_t at, uint64_t length, uint64_t n) noexcept nogil:
    """Publish n events that were claimed and written, and kick. Their writer."""
    if q.ring.shared:
        ring_leave_shared(&q.ring, n)
    else:
        memory_leave(q.ring.fifo.data, MEMORY_WRITER)
        ring_publish_locked(&q.ring, at, length, n)
    equeue_kick(q)


cdef inline bint equeue_is_kicked(EventsQueue* q) noexcept nogil:
    """True if a run that will see all that the caller has published is owed. Any thread."""
    cdef Stage* first = <Stage*> aptr_load_acquire(&q.first)                # [first-stage]
    return kick_is_owed_already(&first.wq.form, &first.work)


cdef inline void equeue_kick(EventsQueue* q) noexcept nogil:
    """Have the first stage look at the queue after now. Any thread."""
    cdef Stage* first = <Stage*> aptr_load_acquire(&q.first)                # [first-stage]
    # Whether this call queued the work or found it pending makes no difference: in both cases a run
    # follows that has yet to clear PENDING, and it will see what we have published.
    if queue_work(first.wq, &first.work) == QUEUED_WOKE:
        a64_fetch_add_relaxed(&q.wakeups, 1)


cdef inline Notified equeue_notify(
    EventsQueue* q, uint8_t event, const void* payload, uint64_t size, uint64_t timestamp
) noexcept nogil:
    """Put one event in, stamped now if `timestamp` is all ones; a full queue is not counted. A writer."""
    cdef uint64_t at, length
    cdef Notified notified = equeue_check(q, event, payload, size)
    if notified != NOTIFIED:
        return notified
    length = header_stride(size)
    notified = equeue_claim(q, length, &at)
    if notified != NOTIFIED:
        return notified
    if timestamp == ~<uint64_t> 0:
        timestamp = clock_now(q.clock_kind)
    equeue_write(q, at, event, payload, <uint32_t> size, timestamp)
    equeue_publish(q, at, length, 1)
    return NOTIFIED


# -- turns and waiters -----------------------------------------------------------------------------

cdef inline void stage_turn(Stage* stage, uint32_t step) noexcept nogil:
    """Pass a turn: a step of 1 begins or ends a run, 2 goes on within one. Its worker."""
    a32_fetch_add_full(&stage.turn, step)                                   # [stage-turn]
    if a32_load_seq_cst(&stage.queue.awaited) and a32_exchange_full(&stage.queue.awaited, 0):   # [awaited]
        bell_ring(&stage.queue.progress, EVERYONE)


cdef inline uint32_t stage_look_at_turn(Stage* stage) noexcept nogil:
    """The turn, after all that the caller changed before. Any thread."""
    return a32_fetch_add_full(&stage.turn, 0)                               # [stage-turn]


cdef inline bint stage_has_passed(Stage* stage, uint32_t turn) noexcept nogil:
    """True if the stage holds no pointer any more that it may have held at that turn. Any thread."""
    return turn & 1 == 0 or stage_look_at_turn(stage) != turn
