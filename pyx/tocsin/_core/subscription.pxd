"""Tying and untying a queue and its subscriptions (subscription.pyx)."""

from libc.stdint cimport uint64_t

from tocsin._core.core cimport Core
from tocsin._core.equeue cimport EventsQueue
from tocsin._core.ties cimport Member, StageBridge, SubscriptionCore


cdef StageBridge bridge_new(Core* core, EventsQueue* q, list types, object on_error)
cdef void bridge_detach(StageBridge bridge) noexcept
cdef void bridge_keep_running(StageBridge bridge, list lingering) noexcept
cdef Member bridge_subscribe(
    StageBridge bridge, SubscriptionCore subscription, uint64_t function, uint64_t context, int priority
)
