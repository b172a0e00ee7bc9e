"""Calls on their way to the main thread: pending calls of the interpreter, at most one for each channel.

Python code on the main thread is interrupted by signal handlers and by *pending calls*: functions that any
thread may put in a small table of the interpreter, without the GIL. The kick of a channel does that. It is a
work item again: `outstanding` is set, by a read-modify-write, before a call is put in the table, and cleared by
the call in the same way before it looks for events; so a kick that finds it set knows that a call is on its way
that will see its event [main-kicked]. If the table is full a timer tries again a millisecond later.

A call in the table may not make a busy main thread look there (breaker.h). Where we know no better way a Python
worker asks for the GIL: that does it, after the interpreter's switch interval.

The block behind a call lives as long as the core, of which a call on its way is a user: a kick, a timer or a
call that comes late finds it. The next channel may have it meanwhile, which is kicked once too often then. Once
`close_gil()` was called no call is put in the table any more.

A forked child has a copy of the table. What stands there is the parent's business, and locks that it would take
may be those of threads that the child doesn't have: a call that was put there by another process ends at once.
"""

from libc.stdint cimport uint32_t, uint64_t

from tocsin._core.atomic cimport (
    a32,
    a32_exchange_full,
    a32_load_acquire,
    a32_load_relaxed,
    a32_load_seq_cst,
    a32_store_relaxed,
    a32_store_release,
)
from tocsin._core.bridge cimport gil_give, gil_hold_open, gil_may_close, gil_take
from tocsin._core.core cimport core_keep, core_release, core_retain
from tocsin._core.memory cimport memory_alloc
from tocsin._core.thread cimport lock_drop, lock_take, process_self
from tocsin._core.timer cimport queue_delayed_work
from tocsin._core.work cimport work_init
from tocsin._core.workqueue cimport queue_work

from threading import get_ident, main_thread


cdef extern from "Python.h" nogil:
    int Py_AddPendingCall(pending_function function, void* argument)

cdef extern from "tocsin/_core/breaker.h":
    enum:
        BREAKER_UNTRIED
        BREAKER_WORKS
        BREAKER_NEEDLESS
    int breaker_try()
    void breaker_raise() nogil


cdef enum:
    RETRY_NS = 1_000_000
    MOST_DOUBLINGS = 6        # 64 ms: the main thread is blocked in C, and looks at the table when it comes back


# What this interpreter can do, once it is known: BREAKER_*.
cdef a32 breaker


cdef MainCall* main_call_new(Core* core, pending_function run) except NULL:
    """Make the block behind the calls of one channel, which the core keeps. Under the face's lock."""
    cdef MainCall* call
    lock_take(&core.native.lock)
    call = <MainCall*> core.spare_calls
    if call != NULL:
        core.spare_calls = call.following
    lock_drop(&core.native.lock)
    if call != NULL:
        return call
    call = <MainCall*> memory_alloc(sizeof(MainCall))
    if call == NULL:
        raise MemoryError("no memory for a subscription")
    work_init(&call.retry, main_retry)
    work_init(&call.nudge.work, main_nudge)
    call.nudge.call = call
    call.core = core
    call.process = process_self()
    call.run = run
    core_keep(core, &call.kept, call, NULL)
    return call


cdef void main_call_spare(MainCall* call) noexcept:
    """Have calls on their way find nobody, and give the block back. Any thread, once."""
    lock_take(&call.core.native.lock)
    call.owner = NULL
    call.following = <MainCall*> call.core.spare_calls
    call.core.spare_calls = call
    lock_drop(&call.core.native.lock)


cdef void main_kick(void* context) noexcept nogil:
    """Have the main thread look for events after now: the `wake` of a channel. Any thread."""
    cdef MainCall* call = <MainCall*> context
    if a32_exchange_full(&call.outstanding, 1) == 0:                        # [main-kicked]
        main_put(call)


cdef bint main_put(MainCall* call) noexcept nogil:
    """Put a call in the interpreter's table, or try again later; False: not now. Any thread."""
    cdef bint is_put
    if not gil_hold_open():
        gil_may_close()
        return False
    core_retain(call.core)
    a32_store_release(&call.is_in_table, 1)                                 # [call-arrives]
    is_put = Py_AddPendingCall(call.run, call) == 0
    gil_may_close()
    if is_put:
        main_look_up(call)
        return True
    a32_store_release(&call.is_in_table, 0)                                 # [call-arrives]
    core_release(call.core)
    if call.core.native.base_threads == 0:
        a32_exchange_full(&call.outstanding, 0)      # nobody keeps the time: the next kick tries again
    else:
        queue_delayed_work(&call.core.native, &call.retry, RETRY_NS)
    return False


cdef void main_retry(Work* work) noexcept nogil:
    """See after a call that has not arrived for a millisecond: the work function of the timer."""
    cdef MainCall* call = <MainCall*> work
    if a32_load_seq_cst(&call.outstanding) == 0:
        return
    if a32_load_acquire(&call.is_in_table):                                 # [call-arrives]
        main_look_up(call)
    else:
        main_put(call)


cdef void main_look_up(MainCall* call) noexcept nogil:
    """Have a busy main thread look at the table. Any thread."""
    cdef uint32_t known = a32_load_relaxed(&breaker)
    cdef uint32_t doublings
    if known == BREAKER_NEEDLESS:
        return
    if known == BREAKER_WORKS:
        breaker_raise()
        # In case that it missed that; a guess that is off once, by a call that arrives just now, does no harm.
        doublings = a32_load_relaxed(&call.doublings)
        a32_store_relaxed(&call.doublings, min(doublings + 1, <uint32_t> MOST_DOUBLINGS))
        queue_delayed_work(&call.core.native, &call.retry, <uint64_t> RETRY_NS << doublings)
    elif call.core.python.base_threads != 0:
        queue_work(&call.core.python, &call.nudge.work)      # without workers, who flushes will want the GIL


cdef void main_nudge(Work* work) noexcept nogil:
    """Ask for the GIL, and give it back: a Python worker."""
    cdef MainCall* call = (<Nudge*> work).call
    cdef int state = gil_take(&call.core.python)
    if state >= 0:
        gil_give(state)


cdef bint main_arrive(MainCall* call) noexcept:
    """Take the next kick for a new one: the call, first thing. False: it was the parent's. The main thread."""
    if call.process != process_self():
        return False
    a32_store_relaxed(&call.doublings, 0)
    a32_store_release(&call.is_in_table, 0)                                 # [call-arrives]
    a32_exchange_full(&call.outstanding, 0)                                 # [main-kicked]
    main_try_breaker()
    return True


cdef void main_try_breaker() noexcept:
    """See whether there is a way to have a busy main thread look up. The main thread."""
    if a32_load_relaxed(&breaker) == BREAKER_UNTRIED:
        a32_store_relaxed(&breaker, breaker_try())


if get_ident() == main_thread().ident:
    main_try_breaker()       # early, when nobody else wants the GIL: that would hide it
