"""Who keeps what alive between Python and the core (ties.pyx holds the theory)."""

from libc.stdint cimport uint32_t, uint64_t

from tocsin._core.chain cimport Subscriber
from tocsin._core.core cimport Core
from tocsin._core.equeue cimport EventsQueue
from tocsin._core.stopwatch cimport Stopwatch


cdef class StageBridge:
    cdef EventsQueue* q
    cdef Core* core
    cdef list types
    cdef object on_error
    cdef set members          # those in the chains: a chain borrows what it calls
    cdef list filled
    cdef int slots            # batches of this look so far
    cdef uint64_t marked      # the position of the event that was marked last
    cdef uint64_t[4096] marks  # for each event that only batches hold: which ones
    cdef int gil_state
    cdef SubscriptionCore timed       # whom the stopwatch is for
    cdef Stopwatch watch


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
