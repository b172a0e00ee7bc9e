"""A stopwatch for calls of which most are too short to time one by one.

It is read after streaks of 1, 2, 4 ... 64 calls, as long as a streak is short, and whenever its owner turns to
something else; the time of a streak is an upper bound for its slowest call. So a call that takes long is
found with an error of a streak of short ones, and short ones cost no clock. One thread.
"""

from libc.stdint cimport uint32_t, uint64_t

from tocsin._core.clock cimport clock_monotonic


cdef enum:
    WATCH_STREAK = 64         # calls between two looks at the clock
    WATCH_NS = 20_000         # a streak that took less may be longer next time


cdef struct Stopwatch:
    uint64_t mark
    uint32_t streak
    uint32_t calls


cdef inline void watch_start(Stopwatch* watch, bint is_new) noexcept nogil:
    """Begin to time something else: new, or since the last lap."""
    if is_new:
        watch.mark = clock_monotonic()
    watch.streak = 1
    watch.calls = 0


cdef inline bint watch_is_due(Stopwatch* watch) noexcept nogil:
    """Note that one more call has ended; True if the watch should be read."""
    watch.calls += 1
    return watch.calls >= watch.streak


cdef inline uint64_t watch_lap(Stopwatch* watch) noexcept nogil:
    """The time since the last look, in ns; choose how long the next streak is."""
    cdef uint64_t now = clock_monotonic()
    cdef uint64_t lap = now - watch.mark
    watch.streak = min(2 * watch.streak, <uint32_t> WATCH_STREAK) if lap < WATCH_NS else 1
    watch.calls = 0
    watch.mark = now
    return lap
