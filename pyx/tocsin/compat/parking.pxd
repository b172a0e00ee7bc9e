"""Where the threads wait that a queue can't serve yet: one bell, and who was called.

Who calls: a queue in its critical section, where also the look was made that found nothing. A thread enters, lets
the GIL go, parks on what it read of the bell, comes back and leaves. A call between the entry and the park
changes the bell first, so the park returns at once.

called: how many calls have not been answered by somebody's leaving. A call is left out while it could wake nobody
who isn't on the way already: so a thousand puts in a row wake a sleeping reader once. Every call brings one more
of the parked threads back, or all of them are on the way; who leaves looks once more, or, if it leaves by an
exception, calls the next one. After a fork the numbers may count threads that the child has not; that costs
calls which nobody hears, and loses none.
"""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t, uint32_t

from tocsin._core.clock cimport clock_monotonic
from tocsin._core.thread cimport EVERYONE, bell_look, bell_park, bell_ring, bell_t
from tocsin._core.times cimport deadline_of, slice_until


cdef enum:
    NEVER = -1    # as a deadline, and as a time to sleep: for as long as it takes


cdef struct Parking:
    bell_t bell
    uint32_t parked
    uint32_t called


cdef inline uint32_t parking_enter(Parking* parking) noexcept nogil:
    """Announce a wait; returns what to park on."""
    parking.parked += 1
    return bell_look(&parking.bell)


cdef inline void parking_leave(Parking* parking) noexcept nogil:
    """End a wait, whatever has ended it."""
    parking.parked -= 1
    if parking.called > 0:
        parking.called -= 1


cdef inline void parking_call(Parking* parking) noexcept nogil:
    """Bring one thread back that waits, if there is one to bring."""
    if parking.called < parking.parked:
        parking.called += 1
        bell_ring(&parking.bell, 1)


cdef inline void parking_call_all(Parking* parking) noexcept nogil:
    """Bring all back."""
    if parking.parked > 0:
        parking.called = parking.parked
        bell_ring(&parking.bell, EVERYONE)


cdef inline int64_t deadline_after(object timeout) except? -2:
    """The time of the monotonic clock, in ns, at which `timeout` seconds are over."""
    if timeout < 0:
        raise ValueError(f"'timeout' must be a non-negative number, not {timeout!r}")
    return deadline_of(timeout)


cdef inline int64_t slice_for(bint is_main, int64_t deadline) noexcept:
    """How many ns to sleep now: 0, the time is over."""
    if is_main:
        return slice_until(deadline)
    return NEVER if deadline == NEVER else max(deadline - <int64_t> clock_monotonic(), <int64_t> 0)


cdef inline object left(int64_t deadline, object timeout):
    """The timeout for who goes on waiting on the other path."""
    return timeout if deadline == NEVER else slice_for(False, deadline) / 1e9


cdef inline int park(object owner, Parking* parking, uint32_t seen, int64_t slice) except -1:
    """Sleep, then answer signals; the owner has to be looked at again. Outside the critical section."""
    with nogil:
        bell_park(&parking.bell, seen, slice)
    with cython.critical_section(owner):
        parking_leave(parking)
    try:
        PyErr_CheckSignals()
    except BaseException:
        with cython.critical_section(owner):
            parking_call(parking)          # it may have been this thread that was called
        raise
    return 0
