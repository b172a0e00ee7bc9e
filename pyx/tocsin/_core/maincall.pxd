"""Calls on their way to the main thread (maincall.pyx holds the theory)."""

from libc.stdint cimport uint32_t

from tocsin._core.atomic cimport a32
from tocsin._core.core cimport Core, Kept
from tocsin._core.work cimport Work


cdef struct MainCall
ctypedef int (*pending_function)(void* argument) noexcept nogil

cdef struct Nudge:
    Work work                 # first, so that a Work* of a nudge is the nudge
    MainCall* call

cdef struct MainCall:
    Work retry                # first, so that a Work* of a call is the call
    Nudge nudge               # of the Python workqueue
    Kept kept
    MainCall* following       # another spare one
    Core* core
    uint32_t process          # that made it
    pending_function run      # what the main thread does
    a32 outstanding           # a call that has yet to look for events is on its way
    a32 is_in_table           # it stands in the interpreter's table
    a32 doublings             # of the time until the next look after it
    void* owner               # the MainReader, or NULL: nobody to call; under the lock of the native workqueue


cdef MainCall* main_call_new(Core* core, pending_function run) except NULL
cdef void main_call_spare(MainCall* call) noexcept
cdef void main_kick(void* context) noexcept nogil
cdef bint main_put(MainCall* call) noexcept nogil
cdef bint main_arrive(MainCall* call) noexcept
cdef void main_try_breaker() noexcept
