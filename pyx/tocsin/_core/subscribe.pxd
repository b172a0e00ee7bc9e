"""Subscribing and cancelling: how the chains of a queue change while its stages walk them.

All of this is cold and under the lock of the queue, which no stage and no writer takes. A change makes a new
chain, swaps it in, and retires the old one with the turns of both stages as they were after the swap; it is
freed by a later change, or with the queue, once both stages have passed those turns (equeue.pxd). At most
what was retired during one run of a stage waits for that.

The number of native and of Python subscriptions decides which stages the queue has: `python_present` makes the
native stage pass events on, `first` says whom writers kick. A stage is there before its first subscriber is in a
chain, and goes after its last one has left: otherwise the Python stage could call a new subscriber for events that
it still had before it, while the native stage, which knows of no Python subscriber yet, keeps the next ones
for itself; and what a new subscriber sees of the events that lay there would not be a suffix.
"""

from libc.stdint cimport uint32_t

from tocsin._core.atomic cimport (
    a32_load_relaxed,
    a32_store_relaxed,
    a32_store_release,
    aptr,
    aptr_load_relaxed,
    aptr_store_release,
)
from tocsin._core.chain cimport (
    Chain,
    Subscriber,
    chain_free,
    chain_holds,
    chain_insert,
    chain_leave,
    chain_remove,
)
from tocsin._core.equeue cimport EventsQueue, Stage, stage_has_passed, stage_look_at_turn
from tocsin._core.routes cimport route_add, route_get
from tocsin._core.thread cimport lock_drop, lock_take


cdef inline Stage* equeue_stage(EventsQueue* q, bint is_python) noexcept nogil:
    return &q.python if is_python else &q.native


cdef inline bint equeue_subscribe(
    EventsQueue* q, uint32_t id, Subscriber* subscriber, bint is_python
) noexcept nogil:
    """Put a subscriber in the chain of an id (event << 16 | source). False: no memory, nobody subscribed."""
    cdef Stage* stage = equeue_stage(q, is_python)
    cdef aptr* slot
    cdef Chain* chain = NULL
    lock_take(&q.lock)
    slot = route_add(&stage.routes[id >> 16], id & 0xFFFF)
    if slot != NULL:
        chain = chain_insert(<Chain*> aptr_load_relaxed(slot), subscriber)
    if chain == NULL:
        lock_drop(&q.lock)
        return False
    equeue_count_subscribers(q, is_python, 1)
    stage_swap_chain(stage, slot, chain)
    equeue_reclaim(q)
    lock_drop(&q.lock)
    return True


cdef inline void equeue_cancel(
    EventsQueue* q, uint32_t id, Subscriber* subscriber, bint is_python
) noexcept nogil:
    """Take a subscriber out of the chain of an id; no call of it begins from now on.

    The mark first, which each call of it looks at: so what it has heard of all its ids ends at one event.
    """
    cdef Stage* stage = equeue_stage(q, is_python)
    cdef aptr* slot
    cdef Chain* old
    cdef Chain* chain
    a32_store_release(&subscriber.active, 0)                                # [subscriber-cancelled]
    lock_take(&q.lock)
    slot = route_get(&stage.routes[id >> 16], id & 0xFFFF)
    old = NULL if slot == NULL else <Chain*> aptr_load_relaxed(slot)
    if chain_holds(old, subscriber):
        chain = NULL if old.count == 1 else chain_remove(old, subscriber)
        if chain != NULL or old.count == 1:      # without memory it stays there, inactive
            stage_swap_chain(stage, slot, chain)
        equeue_count_subscribers(q, is_python, -1)
    equeue_reclaim(q)
    lock_drop(&q.lock)


cdef inline void equeue_count_subscribers(EventsQueue* q, bint is_python, int change) noexcept nogil:
    """Count subscriptions and choose the stages that they need. Under the lock."""
    if is_python:
        a32_store_release(&q.python_present, a32_load_relaxed(&q.python_present) + change)   # [python-present]
    else:
        a32_store_relaxed(&q.native_present, a32_load_relaxed(&q.native_present) + change)
    # A kick that goes to the stage that was first before finds its way (python_look).
    if a32_load_relaxed(&q.python_present) and not a32_load_relaxed(&q.native_present):
        aptr_store_release(&q.first, &q.python)                             # [first-stage]
    else:
        aptr_store_release(&q.first, &q.native)                             # [first-stage]


cdef inline void stage_swap_chain(Stage* stage, aptr* slot, Chain* chain) noexcept nogil:
    """Put a chain (NULL: none) in a slot, and retire the one there unless other keys have it. Under the lock."""
    cdef EventsQueue* q = stage.queue
    cdef Chain* old = <Chain*> aptr_load_relaxed(slot)
    if chain != NULL and chain.users == 1:
        a32_store_relaxed(&stage.n_chains, a32_load_relaxed(&stage.n_chains) + 1)
    aptr_store_release(slot, chain)                                         # [chain-swapped]
    if old != NULL and chain_leave(old):
        a32_store_relaxed(&stage.n_chains, a32_load_relaxed(&stage.n_chains) - 1)
        old.native_turn = stage_look_at_turn(&q.native)
        old.python_turn = stage_look_at_turn(&q.python)
        old.following = q.retired
        q.retired = old


cdef inline void equeue_reclaim(EventsQueue* q) noexcept nogil:
    """Free what was retired and passed by both stages. Under the lock."""
    cdef Chain** link = &q.retired
    cdef Chain* retired
    while link[0] != NULL:
        retired = link[0]
        if stage_has_passed(&q.native, retired.native_turn) and stage_has_passed(
            &q.python, retired.python_turn
        ):
            link[0] = retired.following
            chain_free(retired)
        else:
            link = &retired.following
