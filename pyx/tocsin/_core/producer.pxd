"""Native producers: handles through which native code notifies one protocol.

A handle begins with the address of a table of functions, which is all that tocsin.h knows of it. It counts as
a user of the core, so it answers as long as anybody holds it, also when pipeline and interpreter are gone.

A shared producer writes as everybody does, by reservation; several threads may use one handle. An exclusive
one has the protocol for itself: while it is open the shared door is shut and everybody else is told so. One
thread at a time uses it. It announces itself in `inside` before it looks whether the handle is closed, and
whoever closes it does the same the other way round, so close() knows when the last call has gone
[producer-inside], [producer-closed]. As with a kick (kick.pxd) both sides do a read-modify-write, or the
producer only a store and the closer has everybody pass a barrier; a barrier that fails changes the form, and
for 10 ms the closer can't tell.

Each kind has a function of its own for what nearly every event is: of 4 to 64 bytes, stamped by the caller, with
room for it and a run that is owed already. It calls nothing, so the compiler finds it registers enough; whatever
else comes it leaves, by a jump, to producer_notify(), which begins anew, or to producer_kick(). That takes a
quarter to a third off the time of an event, where instructions are what limits it.
"""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from tocsin cimport TOCSIN_NOW, tocsin_functions, tocsin_producer
from tocsin._core.atomic cimport (
    BYTES_FEW_MAX,
    BYTES_FEW_MIN,
    a32,
    a32_exchange_full,
    a32_load_relaxed,
    a32_load_seq_cst,
    a32_store_relaxed,
    a32_store_release,
    a64_fetch_add_relaxed,
)
from tocsin._core.barrier cimport barrier_here
from tocsin._core.core cimport Core, Kept
from tocsin._core.equeue cimport (
    NOTIFIED,
    NOTIFY_CLOSED,
    NOTIFY_EXCLUSIVE,
    NOTIFY_FULL,
    NOTIFY_INVALID,
    NOTIFY_UNKNOWN,
    EventsQueue,
    Notified,
    equeue_check,
    equeue_is_kicked,
    equeue_kick,
    equeue_notify,
    equeue_refuse,
    equeue_write,
)
from tocsin._core.clock cimport clock_now
from tocsin._core.header cimport header_stride
from tocsin._core.kick cimport kick_is_cleared, kick_is_fast, kick_must_relook
from tocsin._core.memory cimport MEMORY_WRITER, memory_enter, memory_leave
from tocsin._core.payload cimport payload_is_plain
from tocsin._core.ring cimport (
    CLAIMED,
    ring_claim_locked,
    ring_claim_shared,
    ring_leave_shared,
    ring_publish_locked,
)


cdef extern from "tocsin.h" nogil:   # which makes up for a missing one
    enum:
        EBUSY
        EINVAL
        ENOBUFS
        ESHUTDOWN


cdef struct Producer
ctypedef int (*notify_function)(
    tocsin_producer* handle, uint8_t event, const void* payload, uint32_t size, uint64_t timestamp
) noexcept nogil
ctypedef int (*kick_function)(Producer* producer) noexcept nogil

cdef struct Producer:
    tocsin_producer handle        # first: what native code holds
    EventsQueue* queue
    Core* core
    Kept kept
    bint exclusive
    notify_function notify        # producer_notify() and producer_kick(): by address, since a compiler would
    kick_function kick            # put what it knows into the functions that are to be small
    char _pad0[128]
    a32 closed
    char _pad1[128]
    a32 inside


cdef inline void producer_init(
    Producer* producer, EventsQueue* q, Core* core, bint exclusive
) noexcept nogil:
    """Make a handle, but for its table of functions, in zeroed memory. Before anyone else sees it."""
    producer.queue = q
    producer.core = core
    producer.exclusive = exclusive
    producer.notify = producer_notify
    producer.kick = producer_kick


cdef inline int producer_notify_exclusive(
    tocsin_producer* handle, uint8_t event, const void* payload, uint32_t size, uint64_t timestamp
) noexcept nogil:
    """Put one event in: the function behind tocsin_notify() of an exclusive producer. Its thread."""
    cdef Producer* producer = <Producer*> handle
    cdef EventsQueue* q = producer.queue
    cdef uint64_t at
    cdef uint64_t length = header_stride(size)
    # Whoever keeps addresses may have taken that of another handle.
    if not is_usual(payload, size, timestamp) or not producer.exclusive:
        return producer.notify(handle, event, payload, size, timestamp)
    a32_store_relaxed(&producer.inside, 1)                                  # [producer-inside]
    barrier_here()
    if (
        not kick_is_fast(&producer.core.native.form)
        or a32_load_seq_cst(&producer.closed)                               # [producer-closed]
        or a32_load_relaxed(&q.closed)
        or not payload_is_plain(q.rules[event], size)
        or ring_claim_locked(&q.ring, length, &at) != CLAIMED
    ):
        return producer.notify(handle, event, payload, size, timestamp)
    memory_enter(q.ring.fifo.data, MEMORY_WRITER)
    equeue_write(q, at, event, payload, size, timestamp)
    memory_leave(q.ring.fifo.data, MEMORY_WRITER)
    ring_publish_locked(&q.ring, at, length, 1)
    if not equeue_is_kicked(q):
        return producer.kick(producer)
    a32_store_release(&producer.inside, 0)                                  # [producer-left]
    return 0


cdef inline int producer_notify_shared(
    tocsin_producer* handle, uint8_t event, const void* payload, uint32_t size, uint64_t timestamp
) noexcept nogil:
    """Put one event in: the function behind tocsin_notify() of a shared producer. Any thread."""
    cdef Producer* producer = <Producer*> handle
    cdef EventsQueue* q = producer.queue
    cdef uint64_t at
    if (
        not is_usual(payload, size, timestamp)
        or a32_load_relaxed(&producer.closed)
        or not payload_is_plain(q.rules[event], size)
        or ring_claim_shared(&q.ring, header_stride(size), &at) != CLAIMED
    ):
        return producer.notify(handle, event, payload, size, timestamp)
    equeue_write(q, at, event, payload, size, timestamp)
    ring_leave_shared(&q.ring, 1)
    return 0 if equeue_is_kicked(q) else producer.kick(producer)


cdef inline bint is_usual(const void* payload, uint32_t size, uint64_t timestamp) noexcept nogil:
    """True if neither a clock has to be read nor a function to be called that copies. Any thread."""
    return timestamp != TOCSIN_NOW and payload != NULL and BYTES_FEW_MIN <= size <= BYTES_FEW_MAX


cdef inline int producer_kick(Producer* producer) noexcept nogil:
    """Kick, and leave the call in which an event was put in: 0. Any thread, or the exclusive one."""
    equeue_kick(producer.queue)
    if producer.exclusive:
        a32_store_release(&producer.inside, 0)                              # [producer-left]
    return 0


cdef inline int producer_notify(
    tocsin_producer* handle, uint8_t event, const void* payload, uint32_t size, uint64_t timestamp
) noexcept nogil:
    """Put one event in, whatever it is. Any thread, or the exclusive one."""
    cdef Producer* producer = <Producer*> handle
    cdef EventsQueue* q = producer.queue
    cdef Notified notified = NOTIFY_CLOSED
    if payload == NULL and size != 0:
        a64_fetch_add_relaxed(&q.invalid, 1)
        return -EINVAL
    if producer.exclusive:
        producer_enter(producer)
        if not a32_load_seq_cst(&producer.closed) and not a32_load_relaxed(&q.closed):  # [producer-closed]
            notified = producer_write(q, event, payload, size, timestamp)
        a32_store_release(&producer.inside, 0)                              # [producer-left]
    elif not a32_load_relaxed(&producer.closed):
        notified = equeue_notify(q, event, payload, size, timestamp)
    if notified == NOTIFIED:
        return 0
    if notified == NOTIFY_FULL:
        equeue_refuse(q, 1)
        return -ENOBUFS
    if notified == NOTIFY_CLOSED:
        a64_fetch_add_relaxed(&producer.core.closed, 1)
        return -ESHUTDOWN
    if notified == NOTIFY_UNKNOWN:
        a64_fetch_add_relaxed(&producer.core.unknown, 1)
    return -EBUSY if notified == NOTIFY_EXCLUSIVE else -EINVAL


cdef inline void producer_enter(Producer* producer) noexcept nogil:
    """Announce the call that begins, before the look at `closed`. The exclusive producer's thread.

    The form is read after the store, as by who kicks (kick.pxd): so the store is on its way already if the form
    changes, however long this thread stands still in between.
    """
    a32_store_relaxed(&producer.inside, 1)                                  # [producer-inside]
    barrier_here()
    if not kick_is_fast(&producer.core.native.form):
        a32_exchange_full(&producer.inside, 1)                              # [producer-inside]


cdef inline Notified producer_write(
    EventsQueue* q, uint8_t event, const void* payload, uint32_t size, uint64_t timestamp
) noexcept nogil:
    """Put one event in by the locked way, which the exclusive producer has for itself. Its thread."""
    cdef uint64_t at
    cdef uint64_t length = header_stride(size)
    cdef Notified notified = equeue_check(q, event, payload, size)
    if notified != NOTIFIED:
        return notified
    if ring_claim_locked(&q.ring, length, &at) != CLAIMED:
        return NOTIFY_FULL
    memory_enter(q.ring.fifo.data, MEMORY_WRITER)
    if timestamp == TOCSIN_NOW:
        timestamp = clock_now(q.clock_kind)
    equeue_write(q, at, event, payload, size, timestamp)
    memory_leave(q.ring.fifo.data, MEMORY_WRITER)
    ring_publish_locked(&q.ring, at, length, 1)
    equeue_kick(q)
    return NOTIFIED


cdef inline bint producer_is_inside(Producer* producer) noexcept nogil:
    """True if the exclusive producer is inside a call that began before it was closed. The closer."""
    if not producer.exclusive:
        return False
    if kick_must_relook(&producer.core.native.form):    # its announcement may be on its way
        return True
    return a32_load_seq_cst(&producer.inside) != 0                  # [producer-left] [producer-inside]


cdef inline void producer_shut(Producer* producer) noexcept nogil:
    """Answer every later call with -ESHUTDOWN. Any thread."""
    a32_exchange_full(&producer.closed, 1)                                  # [producer-closed]
    kick_is_cleared(&producer.core.native.form)
