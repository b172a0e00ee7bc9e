"""Tying and untying: how a queue and a subscription come to their Python objects. Cold, with the GIL."""

from cpython.ref cimport Py_INCREF
from libc.stdint cimport uint64_t, uintptr_t

from tocsin cimport tocsin_subscriber
from tocsin._core.atomic cimport a64_load_relaxed
from tocsin._core.bridge cimport bridge_enter, bridge_leave
from tocsin._core.calls cimport call_with_event
from tocsin._core.chain cimport SUBSCRIBER_BATCH, SUBSCRIBER_CHANNEL, subscriber_new
from tocsin._core.collect cimport call_batches, call_with_batch_later, collect
from tocsin._core.core cimport Core, core_retain
from tocsin._core.event cimport typeref_new
from tocsin._core.equeue cimport EventsQueue, stage_look_at_turn
from tocsin._core.lifetime cimport equeue_hold, equeue_retain
from tocsin._core.channel cimport OVERFLOW_BLOCK, OVERFLOW_LATEST
from tocsin._core.offer cimport channel_offer, listener_free
from tocsin._core.opening cimport channel_listen
from tocsin._core.thread cimport lock_drop, lock_take
from tocsin._core.ties cimport Member, StageBridge, SubscriptionCore, bridge_reclaim


cdef StageBridge bridge_new(Core* core, EventsQueue* q, list types, object on_error):
    """Tie the Python stage of a queue to Python. `types`: 256 event types or None. Before it is known."""
    cdef StageBridge bridge = StageBridge.__new__(StageBridge)
    bridge.core = core
    equeue_hold(q)
    bridge.q = q
    bridge.types = [None if event_type is None else typeref_new(event_type) for event_type in types]
    bridge.on_error = on_error
    bridge.members = set()
    bridge.leaving = []
    bridge.filled = []
    bridge.marked = ~<uint64_t> 0
    q.python.enter = bridge_enter
    q.python.leave = bridge_leave
    q.python.call_batches = call_batches
    q.python.collect = collect
    q.python.owner = <void*> bridge
    return bridge


cdef void bridge_detach(StageBridge bridge) noexcept:
    """Let the stage take the GIL no more for a pipeline that goes. With the GIL."""
    lock_take(&bridge.q.lock)        # as bridge_enter() does, which may be about to take a reference
    bridge.q.python.owner = NULL
    lock_drop(&bridge.q.lock)


cdef void bridge_keep_running(StageBridge bridge, list lingering) noexcept:
    """Keep the native functions that may be running while their pipeline goes. After the stop, with the GIL.

    Nobody waits for them here, and a ctypes function must not be freed under its own feet: so these few
    objects are never freed.
    """
    cdef Member member
    cdef SubscriptionCore cancelled
    if stage_look_at_turn(&bridge.q.native) & 1:
        for member in bridge.members:
            if not member.subscription.is_python and member.listener == NULL:
                Py_INCREF(member.subscription.function)
        for cancelled in lingering:
            Py_INCREF(cancelled.function)


cdef Member bridge_subscribe(
    StageBridge bridge, SubscriptionCore subscription, uint64_t function, uint64_t context, int priority
):
    """Make a subscription's member for one protocol; `function`: native, or 0 for its callable.

    Under the face's lock.
    """
    cdef Member member = Member.__new__(Member)
    member.ids = []
    member.batches = {}
    cdef tocsin_subscriber target = <tocsin_subscriber> <void*> <uintptr_t> function
    cdef void* argument = <void*> <uintptr_t> context
    if subscription.channel is not None:
        target = channel_offer
        member.listener = channel_listen(subscription.channel, &bridge.q.native)
        argument = member.listener
    elif function == 0:
        argument = <void*> member
        if subscription.is_batch:
            target = <tocsin_subscriber> <void*> call_with_batch_later
        else:
            target = <tocsin_subscriber> <void*> call_with_event
    member.subscription = subscription
    member.bridge = bridge
    member.subscriber = subscriber_new(
        target, argument, priority, a64_load_relaxed(&bridge.q.refused)
    )
    if member.subscriber == NULL:
        if member.listener != NULL:
            listener_free(member.listener)
        raise MemoryError("no memory for a subscriber")
    member.subscriber.is_ours = function == 0
    if subscription.is_batch:
        member.subscriber.kind = SUBSCRIBER_BATCH
    if member.listener != NULL:
        member.subscriber.release = listener_free
        member.subscriber.kind = SUBSCRIBER_CHANNEL
        member.subscriber.may_wait = member.listener.channel.overflow == OVERFLOW_BLOCK
        member.subscriber.may_pour = member.listener.channel.overflow != OVERFLOW_LATEST
    member.q = bridge.q
    member.core = bridge.core
    equeue_retain(bridge.q)
    core_retain(bridge.core)
    if subscription.is_python:
        member.callback = subscription.function
    subscription.add_member(member)      # first: of the two, who leaves looks there
    bridge.members.add(member)
    bridge_reclaim(bridge)
    return member
