"""The GIL door (bridge.pyx holds the theory)."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from tocsin._core.chain cimport Subscriber
from tocsin._core.core cimport Core
from tocsin._core.equeue cimport EventsQueue
from tocsin._core.workqueue cimport WorkQueue


cdef class StageBridge:
    cdef EventsQueue* q
    cdef Core* core
    cdef list types
    cdef object on_error
    cdef set members          # those in the chains: a chain borrows what it calls
    cdef list filled
    cdef int gil_state
    # The stopwatch.
    cdef SubscriptionCore timed
    cdef uint64_t mark
    cdef uint32_t streak
    cdef uint32_t calls


cdef class Member:
    cdef SubscriptionCore subscription
    cdef StageBridge bridge
    cdef EventsQueue* q
    cdef Core* core
    cdef Subscriber* subscriber
    cdef list ids
    cdef dict batches


cdef class SubscriptionCore:
    cdef object __weakref__
    cdef list members
    cdef readonly object callback
    cdef bint is_python
    cdef bint is_batch
    cdef bint is_active
    cdef int running
    cdef uint64_t calls
    cdef uint64_t errors
    cdef uint64_t slowest
    cdef object last_error


cdef int gil_take(WorkQueue* wq) noexcept nogil
cdef void gil_give(int state) noexcept nogil
cdef void bridge_install(WorkQueue* wq) noexcept
cdef StageBridge bridge_new(Core* core, EventsQueue* q, list types, object on_error)
cdef void bridge_detach(StageBridge bridge) noexcept
cdef Member bridge_subscribe(
    StageBridge bridge, SubscriptionCore subscription, uint64_t function, uint64_t context, int priority
)
