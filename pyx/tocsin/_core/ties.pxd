"""Who keeps what alive between Python and the core (ties.pyx holds the theory)."""

from cpython.object cimport PyObject
from libc.stdint cimport uint32_t, uint64_t

from tocsin._core.atomic cimport a64
from tocsin._core.batch cimport Batch
from tocsin._core.chain cimport Subscriber
from tocsin._core.channel cimport Listener
from tocsin._core.core cimport Core
from tocsin._core.equeue cimport EventsQueue
from tocsin._core.reader cimport ChannelCore
from tocsin._core.stopwatch cimport Stopwatch


cdef class StageBridge:
    cdef EventsQueue* q
    cdef Core* core
    cdef list types           # TypeRef or None, by event id
    cdef object on_error
    cdef set members          # those in the chains: a chain borrows what it calls; under the face's lock
    cdef list leaving         # those that a walk may still be at; in the critical section of the bridge
    cdef list filled
    cdef int slots            # batches of this look so far
    cdef uint64_t marked      # the position of the event that was marked last
    cdef uint64_t[4096] marks  # for each event that only batches hold: which ones
    cdef PyObject* spare      # an Event that nobody has, for the next call of the run, or NULL
    cdef int gil_state
    cdef Member timed         # whom the stopwatch is for
    cdef Stopwatch watch


cdef class Door:
    cdef StageBridge bridge
    cdef EventsQueue* q
    cdef list types           # EventType or None, by event id


cdef class Member:
    cdef SubscriptionCore subscription
    cdef StageBridge bridge   # None once no walk can be at it any more; in its critical section, and the stage
    cdef EventsQueue* q
    cdef Core* core
    cdef Subscriber* subscriber
    cdef Listener* listener   # of a channel, and then the subscriber's context; else NULL
    cdef list ids
    cdef uint32_t left_at     # the turn of the Python stage when it left the chains
    # In its critical section.
    cdef object callback      # None: native, or cancelled
    cdef bint is_running
    # The stage; read by anybody.
    cdef a64 calls
    cdef a64 slowest
    # The stage.
    cdef dict batches
    cdef Batch filling        # the one that took an event last in this look, or None
    cdef int filling_event


cdef class SubscriptionCore:
    cdef object __weakref__
    cdef bint is_python
    cdef bint is_batch
    cdef ChannelCore channel  # that hears of the events, or None
    cdef object main          # the MainReader that calls with them, or None
    # In its critical section.
    cdef list members
    cdef uint64_t calls_before    # of members that have gone with their protocols
    cdef uint64_t slowest_before
    cdef object function
    cdef uint64_t errors
    cdef object last_error

    cdef list copy_members(self)
    cdef int add_member(self, Member member) except -1


cdef Door door_new(StageBridge bridge)
cdef bint member_is_running(Member member) noexcept
cdef void member_leave(Member member, bint is_python) noexcept
cdef void bridge_pass(StageBridge bridge) noexcept
cdef void bridge_reclaim(StageBridge bridge) noexcept
cdef void member_reclaim(Member member) noexcept
cdef void bridge_reclaim_all(StageBridge bridge) noexcept
