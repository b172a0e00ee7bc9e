"""Chains: the subscribers of one key, in the order in which they are called.

A chain is an immutable array of pointers to subscribers: higher priority first, equal priorities by age,
channels before and batch subscribers behind all others. To change one, a copy with the change is made and put
in its place by one release store; whoever is walking the old one goes on undisturbed. So a subscriber may
cancel itself or others, and subscribe new ones, while it is being called. The owner of the chain (a queue, or a
NotifierChain) decides when the old one can be freed: nothing here knows who walks.

A subscriber that is alone in the chains of many keys has one chain for them all, which stays in the cache. It is
retired with the last of its keys: then walks that began before for another key are looked for too.

A subscriber outlives its place in a chain: `users` counts the chains that hold it and its owner. Cancelling
clears `active`, which is read before each call, so that also a walk that is under way does not begin a call
of it any more.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from tocsin cimport TOCSIN_STOP, tocsin_event, tocsin_subscriber
from tocsin._core.atomic cimport a32, a32_load_acquire, a32_load_relaxed, a32_store_relaxed
from tocsin._core.memory cimport memory_alloc_small, memory_free


cdef enum:
    # What a call of a chain came to; all but CALLED may also be in the result of a function of ours.
    CHAIN_STOPPED = 0x8000        # TOCSIN_STOP, the only one that a native subscriber can say
    CHAIN_COLLECTED = 0x10000     # kept for a batch: its call comes later
    CHAIN_CALLED = 0x20000
    CHAIN_SKIPPED = 0x40000       # in a result: no call was made after all
    CHAIN_FULL = 0x100000         # of one that may make its stage wait: it should, and offer the event again
    # What a subscriber takes, in the order in which they are called.
    SUBSCRIBER_CHANNEL = 0        # first: no stop keeps an event from it
    SUBSCRIBER_EVENT = 1          # one event, or a native one
    SUBSCRIBER_BATCH = 2


ctypedef void (*subscriber_release_function)(void* context) noexcept nogil


cdef struct Chain


cdef struct Subscriber:
    # Constant once it is in a chain, but for the last four. Small: of 10,000 it is the cache that decides.
    tocsin_subscriber function
    void* context
    subscriber_release_function release     # of the context, when the subscriber is freed; or NULL
    int priority
    uint8_t kind                  # SUBSCRIBER_*
    uint8_t is_ours               # the function is the core's own, and its result may say CHAIN_*
    uint8_t may_wait              # it is a channel, and asked before anybody is called (chain_admit)
    uint8_t may_pour              # it is a channel that takes streaks of events, if it is alone (pour.pxd)
    a32 active                    # any thread
    uint32_t users                # cold, under the owner's lock
    uint64_t lost_seen            # the stage's count of lost events when it was called last; the stage's
    Chain* alone                  # the chain in which it is alone, while somebody has it; as `users`


cdef struct Chain:
    # Retired, while a walk may still be in it.
    Chain* following
    uint32_t native_turn
    uint32_t python_turn
    uint32_t users                # keys whose chain it is; under the owner's lock
    # Constant once it is somebody's.
    uint32_t count
    uint8_t may_wait              # one of the subscribers may
    uint8_t may_pour              # the only subscriber may
    uint8_t is_alone              # the only subscriber is called event by event: no channel, no batches
    Subscriber* subscribers[1]    # `count` of them


cdef inline Subscriber* subscriber_new(
    tocsin_subscriber function, void* context, int priority, uint64_t lost
) noexcept nogil:
    """Make a subscriber of events with one user, the caller; NULL: no memory. Any thread."""
    cdef Subscriber* subscriber = <Subscriber*> memory_alloc_small(sizeof(Subscriber))
    if subscriber != NULL:
        subscriber.function = function
        subscriber.context = context
        subscriber.priority = priority
        subscriber.kind = SUBSCRIBER_EVENT
        subscriber.lost_seen = lost
        subscriber.users = 1
        a32_store_relaxed(&subscriber.active, 1)
    return subscriber


cdef inline void subscriber_release(Subscriber* subscriber) noexcept nogil:
    """Drop one user; the last one frees it. Under the owner's lock."""
    subscriber.users -= 1
    if subscriber.users == 0:
        if subscriber.release != NULL:
            subscriber.release(subscriber.context)
        memory_free(subscriber)


cdef inline Chain* chain_new(uint32_t count) noexcept nogil:
    """Make a chain with room for `count` subscribers; NULL: no memory. Any thread."""
    cdef Chain* chain = <Chain*> memory_alloc_small(sizeof(Chain) + (max(count, 1) - 1) * sizeof(Subscriber*))
    if chain != NULL:
        chain.count = count
        chain.users = 1
    return chain


cdef inline bint chain_comes_before(const Subscriber* one, const Subscriber* other) noexcept nogil:
    """True if `one`, the older, is called before `other`."""
    if one.kind != other.kind:
        return one.kind < other.kind
    return one.priority >= other.priority


cdef inline Chain* chain_insert(const Chain* old, Subscriber* subscriber) noexcept nogil:
    """Copy a chain (NULL: empty) with one more subscriber in its place; NULL: no memory. Cold."""
    cdef uint32_t count = 0 if old == NULL else old.count
    cdef Chain* chain
    cdef uint32_t before = 0
    cdef uint32_t i
    if count == 0:
        return chain_alone(subscriber)
    chain = chain_new(count + 1)
    if chain == NULL:
        return NULL
    while before < count and chain_comes_before(old.subscribers[before], subscriber):
        before += 1
    if before > 0:
        memcpy(chain.subscribers, old.subscribers, before * sizeof(Subscriber*))
    chain.subscribers[before] = subscriber
    if before < count:
        memcpy(
            chain.subscribers + before + 1, old.subscribers + before, (count - before) * sizeof(Subscriber*)
        )
    for i in range(count + 1):
        chain_hold(chain, chain.subscribers[i])
    return chain_judge(chain)


cdef inline Chain* chain_alone(Subscriber* subscriber) noexcept nogil:
    """The chain in which a subscriber is alone, the same one for all of its keys; NULL: no memory. Cold."""
    cdef Chain* chain = subscriber.alone
    if chain == NULL:
        chain = chain_new(1)
        if chain == NULL:
            return NULL
        chain.subscribers[0] = subscriber
        chain_hold(chain, subscriber)
        subscriber.alone = chain_judge(chain)
        return chain
    chain.users += 1
    return chain


cdef inline void chain_hold(Chain* chain, Subscriber* subscriber) noexcept nogil:
    """Count a new chain as a user of one that is in it. Cold, under the owner's lock."""
    subscriber.users += 1
    chain.may_wait |= subscriber.may_wait


cdef inline Chain* chain_judge(Chain* chain) noexcept nogil:
    """Note what a chain that is complete allows; the chain. Cold, before others see it."""
    cdef const Subscriber* first = chain.subscribers[0]
    chain.may_pour = chain.count == 1 and first.may_pour
    chain.is_alone = chain.count == 1 and first.kind == SUBSCRIBER_EVENT
    return chain


cdef inline Chain* chain_remove(const Chain* old, const Subscriber* subscriber) noexcept nogil:
    """Copy a chain of several without one that is in it once; NULL: no memory. Cold, under the owner's lock."""
    cdef Chain* chain
    cdef uint32_t i
    cdef uint32_t kept = 0
    if old.count == 2:
        return chain_alone(old.subscribers[1 if old.subscribers[0] == subscriber else 0])
    chain = chain_new(old.count - 1)
    if chain == NULL:
        return NULL
    for i in range(old.count):
        if old.subscribers[i] != subscriber:
            chain.subscribers[kept] = old.subscribers[i]
            chain_hold(chain, chain.subscribers[kept])
            kept += 1
    return chain_judge(chain)


cdef inline bint chain_holds(const Chain* chain, const Subscriber* subscriber) noexcept nogil:
    """True if the subscriber is in the chain (NULL: empty). Cold, under the owner's lock."""
    cdef uint32_t i
    if chain != NULL:
        for i in range(chain.count):
            if chain.subscribers[i] == subscriber:
                return True
    return False


cdef inline bint chain_leave(Chain* chain) noexcept nogil:
    """Drop one user of a chain; True: it was the last one, so the chain goes. Under the owner's lock."""
    chain.users -= 1
    if chain.users != 0:
        return False
    if chain.count == 1:
        chain.subscribers[0].alone = NULL
    return True


cdef inline void chain_free(Chain* chain) noexcept nogil:
    """Free a chain that nobody has and let go of its subscribers. Under the owner's lock, nobody walking."""
    cdef uint32_t i
    for i in range(chain.count):
        subscriber_release(chain.subscribers[i])
    memory_free(chain)


cdef inline bint subscriber_is_active(const Subscriber* subscriber) noexcept nogil:
    """False once it was cancelled. Its stage."""
    return a32_load_acquire(&subscriber.active) != 0                        # [subscriber-cancelled]


cdef inline bint subscriber_is_behind(const Subscriber* subscriber, uint64_t lost_total) noexcept nogil:
    """True if it has to hear of lost events. Its stage.

    Not of those for one that came after more had been refused than the headers so far have told of.
    """
    return <int64_t> (lost_total - subscriber.lost_seen) > 0


cdef inline uint64_t subscriber_take_lost(Subscriber* subscriber, uint64_t lost_total) noexcept nogil:
    """How many events were lost since the one that it saw before. Its stage."""
    cdef uint64_t lost
    if not subscriber_is_behind(subscriber, lost_total):
        return 0
    lost = lost_total - subscriber.lost_seen
    subscriber.lost_seen = lost_total
    return lost


cdef inline bint chain_admit(const Chain* chain, tocsin_event* event, uint64_t lost_total) noexcept nogil:
    """Offer the event to those who may make the stage wait; False: it should. Its stage, before chain_call().

    Who has taken it says so no second time, to chain_call() either.
    """
    cdef Subscriber* subscriber
    cdef uint64_t lost_seen
    cdef uint32_t i
    cdef bint is_admitted = True
    for i in range(chain.count):
        subscriber = chain.subscribers[i]
        if subscriber.kind != SUBSCRIBER_CHANNEL:
            break
        if not subscriber.may_wait or not subscriber_is_active(subscriber):
            continue
        lost_seen = subscriber.lost_seen
        event.lost = subscriber_take_lost(subscriber, lost_total)
        if subscriber.function(subscriber.context, event) & CHAIN_FULL:
            subscriber.lost_seen = lost_seen         # it will be asked again
            is_admitted = False
    return is_admitted


cdef inline int subscriber_call(
    Subscriber* subscriber, tocsin_event* event, uint64_t lost_total
) noexcept nogil:
    """Call a subscriber, unless it was cancelled. CHAIN_* of what came of it. Its stage."""
    cdef int result
    if not subscriber_is_active(subscriber):
        return 0
    event.lost = subscriber_take_lost(subscriber, lost_total)
    result = subscriber.function(subscriber.context, event)
    if not subscriber.is_ours:
        return result & TOCSIN_STOP | CHAIN_CALLED
    if result & CHAIN_SKIPPED:
        return 0
    if result & CHAIN_COLLECTED:
        return result & (TOCSIN_STOP | CHAIN_COLLECTED)
    return result & TOCSIN_STOP | CHAIN_CALLED


cdef inline int chain_call(
    const Chain* chain, tocsin_event* event, uint64_t lost_total, const a32* halted, uint32_t stopped
) noexcept nogil:
    """Call the subscribers in order until one stops the chain. CHAIN_* of what came of it. Its stage.

    No call but the first, for which the caller has just looked, begins while a bit of `stopped` is set in
    `halted`.
    """
    cdef int came = subscriber_call(chain.subscribers[0], event, lost_total)
    if chain.count == 1:      # so often that the loop's own state isn't made for it
        return came
    return chain_call_others(chain, event, lost_total, halted, stopped, came)


cdef inline int chain_call_others(
    const Chain* chain, tocsin_event* event, uint64_t lost_total, const a32* halted, uint32_t stopped, int came
) noexcept nogil:
    cdef uint32_t i = 1
    while i < chain.count and not came & CHAIN_STOPPED and not a32_load_relaxed(halted) & stopped:
        came |= subscriber_call(chain.subscribers[i], event, lost_total)
        i += 1
    return came
