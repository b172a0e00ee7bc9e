# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""Times as Python gives them: timestamps, timeouts, delays, checked and in nanoseconds.

Waits last until a deadline, a time of the monotonic clock, and go in slices, after each of which the waiter
answers signals. Any thread.
"""

from cpython.long cimport PyLong_CheckExact
from libc.stdint cimport int64_t, uint64_t

from tocsin._core.clock cimport clock_monotonic


cdef enum:
    SLICE_NS = 50_000_000     # signals are answered at least this often


cdef uint64_t stamp_of(object timestamp) except? 1:
    """A timestamp in ns: an integer from 0 to 2**64 - 2."""
    cdef uint64_t value
    if PyLong_CheckExact(timestamp):
        try:
            value = timestamp
        except OverflowError:
            value = 0xFFFFFFFFFFFFFFFF
        if value == 0xFFFFFFFFFFFFFFFF:
            raise ValueError(f"timestamp {timestamp} is not in 0..2**64 - 2")
        return value
    if isinstance(timestamp, bool) or not hasattr(timestamp, "__index__"):
        raise TypeError(f"a timestamp must be an integer in ns, not {timestamp!r}")
    stamp = timestamp.__index__()
    if not 0 <= stamp < 0xFFFFFFFFFFFFFFFF:
        raise ValueError(f"timestamp {stamp} is not in 0..2**64 - 2")
    return stamp


cdef double number_of(str what, object seconds) except? -1:
    """A real number; float() alone would read strings."""
    if not hasattr(type(seconds), "__float__") and not hasattr(type(seconds), "__index__"):
        raise TypeError(f"{what} must be a number of seconds, not {seconds!r}")
    return float(seconds)


cdef int64_t deadline_of(object timeout) except? -2:
    """The time of the monotonic clock, in ns, at which `timeout` seconds are over; -1: never (None)."""
    if timeout is None:
        return -1
    seconds = number_of("timeout", timeout)
    if not seconds >= 0:
        raise ValueError(f"timeout must be at least 0 seconds or None, not {timeout!r}")
    if seconds > 1e9:
        return -1
    return <int64_t> clock_monotonic() + <int64_t> (seconds * 1e9)


cdef int64_t slice_until(int64_t deadline) noexcept nogil:
    """How many ns to sleep now; 0: the time is over. Any thread."""
    if deadline < 0:
        return SLICE_NS
    return max(<int64_t> 0, min(deadline - <int64_t> clock_monotonic(), <int64_t> SLICE_NS))


cdef uint64_t delay_of(object seconds) except? 1:
    """A delay in ns."""
    delay = number_of("a delay", seconds)
    if not 0 <= delay <= 1e9:
        raise ValueError(f"a delay must be 0 to 1e9 seconds, not {seconds!r}")
    return <uint64_t> (delay * 1e9)
