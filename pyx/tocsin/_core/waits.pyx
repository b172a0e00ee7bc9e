"""Waiting for a queue: until all has passed, until nobody is inside, until nobody is at it; cold.

Each wait lets the GIL go, in slices after each of which signals are answered; a deadline is a time of the monotonic
clock in ns, -1 for none; False says that it came first. The caller keeps what it waits for: a bridge, or a
Member. In a pipeline without threads the waiter runs the works itself, one after the other.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t, uint32_t, uint64_t

from tocsin._core.atomic cimport a32_load_acquire
from tocsin._core.control cimport workqueue_run_here
from tocsin._core.core cimport Core, equeue_await_position, equeue_has_passed, equeue_is_quiet
from tocsin._core.core cimport equeue_wait_look
from tocsin._core.equeue cimport EventsQueue, stage_has_passed, stage_look_at_turn
from tocsin._core.lifetime cimport equeue_await_idle
from tocsin._core.thread cimport bell_park
from tocsin._core.ties cimport Member, member_is_running
from tocsin._core.times cimport slice_until
from tocsin._core.worker cimport workqueue_await_end


cdef inline bint run_here(Core* core) noexcept nogil:
    """Run the next works, if that is the caller's part. True if there were any."""
    if core.native.base_threads != 0:
        return False
    return workqueue_run_here(&core.native) | workqueue_run_here(&core.python)


cdef bint await_position(Core* core, EventsQueue* q, uint64_t position, int64_t deadline) except -1:
    """Wait until everything before a position has passed its last stage, or the rest was abandoned."""
    cdef int64_t slice = 0
    cdef bint ran = False
    cdef bint passed = equeue_has_passed(q, position)
    if passed:
        return True
    while not passed:
        slice = slice_until(deadline)
        with nogil:
            ran = run_here(core)
            passed = equeue_has_passed(q, position)
            if not passed and not ran and slice > 0:
                passed = equeue_await_position(q, position, slice)
        PyErr_CheckSignals()
        if slice == 0 or a32_load_acquire(&q.abandoned):                # [abandoned]
            break
    return equeue_has_passed(q, position)


cdef bint await_quiet(Core* core, EventsQueue* q, int64_t deadline) except -1:
    """Wait until no shared writer is inside. They are quick, and don't ring."""
    while not equeue_is_quiet(q):
        if slice_until(deadline) == 0:
            return False
        with nogil:
            workqueue_await_end(&core.native, 100_000)
        PyErr_CheckSignals()
    return True


cdef bint await_idle(Core* core, EventsQueue* q, int64_t deadline) except -1:
    """Wait until nobody has the works of a disabled queue. False also if the workers were stopped."""
    cdef int64_t slice = slice_until(deadline)
    cdef bint is_idle = equeue_await_idle(q, 0)
    while not is_idle and slice > 0 and not a32_load_acquire(&q.abandoned):     # [abandoned]
        with nogil:
            if not run_here(core):           # only a run takes an item off its list
                equeue_await_idle(q, slice)
            is_idle = equeue_await_idle(q, 0)
        PyErr_CheckSignals()
        slice = slice_until(deadline)
    return is_idle


cdef bint await_member(Member member, int64_t deadline) except -1:
    """Wait until no call of a cancelled subscription is running in one protocol."""
    cdef EventsQueue* q = member.q
    cdef bint is_python = member.subscription.is_python
    cdef uint32_t turn = stage_look_at_turn(&q.native)
    cdef uint32_t seen
    cdef int64_t slice
    while True:
        seen = equeue_wait_look(q)
        if is_python and not member_is_running(member):
            return True
        if not is_python and stage_has_passed(&q.native, turn):
            return True
        slice = slice_until(deadline)
        if slice == 0:
            return False
        with nogil:
            bell_park(&q.progress, seen, slice)
        PyErr_CheckSignals()


cdef bint await_workers(Core* core, int64_t deadline) except -1:
    """Wait until all threads have ended, after the stop."""
    cdef bint ended = False
    cdef int64_t slice = 1
    while not ended and slice != 0:
        slice = slice_until(deadline)
        with nogil:
            ended = workqueue_await_end(&core.native, slice) and workqueue_await_end(&core.python, slice)
        PyErr_CheckSignals()
    return ended
