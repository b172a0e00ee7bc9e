"""Callables that run on the main thread (mainthread.pyx holds the theory)."""

from libc.stdint cimport int64_t, uint64_t

from tocsin._core.core cimport Core
from tocsin._core.maincall cimport MainCall
from tocsin._core.reader cimport ChannelCore
from tocsin._core.ties cimport SubscriptionCore


cdef class MainReader:
    cdef MainCall* call
    cdef ChannelCore channel
    cdef SubscriptionCore subscription
    cdef object on_error
    cdef bint is_kept         # by itself, until the main thread has called what is left
    # In its critical section.
    cdef object callback      # None: cancelled
    cdef bint is_running


cdef MainReader main_new(
    ChannelCore channel, SubscriptionCore subscription, object on_error, bint is_main
)
cdef bint main_is_inside(Core* core) noexcept
cdef void main_silence(MainReader main) noexcept
cdef bint main_outlive(MainReader main) noexcept
cdef void main_put_later(list mains) noexcept
cdef bint main_await(MainReader main, int64_t deadline) except -1
cdef uint64_t main_drain(MainReader main, uint64_t most, int64_t deadline) except? 0xFFFFFFFF
cdef bint main_has_more(MainReader main) noexcept
cdef void main_again(MainReader main) noexcept
