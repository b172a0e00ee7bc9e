# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""The GIL door: the only code on the event path that takes the GIL or touches a Python object.

A Python worker makes its thread state once, when its thread begins (PyGILState_Ensure), keeps it parked
(PyEval_SaveThread) for the life of the thread, and takes the GIL through it once per run of a stage, with the
first event in hand that a Python subscriber wants (`bridge_enter`). Between there and `bridge_leave` all of
the stage's calls are made: per event a copy of the record and one call of the callable, for batches one call
at the end of the look. A stage that waits for the GIL counts itself in `waiting`, so that the keeper doesn't
take it for a hanging one. While a thread waits for the GIL it holds no lock of the core.

Fairness. A thread that waits for the GIL asks its holder to let go only after 5 ms in which nobody gave it
back, and one that is woken by a give still has to wake up. A worker that gives the GIL back after each run of
a millisecond or less and takes it again a microsecond later would win each time, and never be asked. So once
the workers have had the GIL for 5 ms with no gap in which somebody could have come, the next to take it
pauses for 50 us first. A flood stands still for that long, 1 % of its time or a little more; without it other
threads waited for seconds.

The hooks of a stage are typed nogil, because the layers below know no GIL; those that run between enter and
leave are GIL-holding functions and are installed by a cast. None lets an exception out: a callable that
raises is counted and reported to `on_error`, and if that raises too, to sys.unraisablehook.

Exit. Once `close_gil()` was called no worker takes the GIL any more: the interpreter is about to go. A worker
that comes back from a call that outlasted the exit ends in the interpreter, which is its way. A thread that is
just making its thread state, or putting a call in the interpreter's table, is waited for: an interpreter that
goes may not be joined. It counts itself in before it looks whether the GIL is closed, and whoever closes it
looks at the count afterwards, all four sequentially consistent [gil-closed], [state-making].
"""

from libc.stdint cimport uint64_t

from tocsin._core.atomic cimport (
    a32,
    a32_exchange_full,
    a32_fetch_add_full,
    a32_fetch_sub_full,
    a32_load_acquire,
    a32_load_relaxed,
    a32_load_seq_cst,
    a32_store_relaxed,
    a64,
    a64_load_relaxed,
    a64_store_relaxed,
)
from tocsin._core.calls cimport calls_begin, calls_end
from tocsin._core.clock cimport clock_monotonic
from tocsin._core.equeue cimport Stage
from tocsin._core.thread cimport bell_destroy, bell_init, bell_look, bell_park, bell_t, lock_drop, lock_take
from tocsin._core.workqueue cimport Worker, WorkQueue

import os
from time import sleep


cdef extern from "Python.h" nogil:
    ctypedef struct PyThreadState:
        pass
    ctypedef int PyGILState_STATE
    PyGILState_STATE PyGILState_Ensure()
    void PyGILState_Release(PyGILState_STATE state)
    PyThreadState* PyEval_SaveThread()
    void PyEval_RestoreThread(PyThreadState* state)
    PyGILState_STATE PyGILState_UNLOCKED
    void Py_IncRef(void* object)
    void Py_DecRef(void* object)

cdef extern from *:
    """
    #ifdef Py_GIL_DISABLED
    #define GIL_EXISTS 0
    #else
    #define GIL_EXISTS 1
    #endif
    """
    bint GIL_EXISTS

ctypedef void (*begin_function)(void* bridge, int state) noexcept nogil
ctypedef int (*end_function)(void* bridge) noexcept nogil


# The exit registry: the exit hook is closing pipelines; then, the interpreter is about to go; threads for which
# it has to wait.
cdef a32 is_exiting
cdef a32 gil_is_closed
cdef a32 states_making


def begin_exit() -> None:
    """Have no callable of the main thread interrupt the program any more; for the exit hook, first thing."""
    a32_store_relaxed(&is_exiting, 1)


def close_gil() -> None:
    """Have no worker take the GIL any more; for the exit hook, after all pipelines were closed."""
    a32_exchange_full(&gil_is_closed, 1)   # [gil-closed]
    _await_states()


def _await_states() -> None:
    for _ in range(1000):                  # should there be no end of such threads: not for ever
        if a32_load_seq_cst(&states_making) == 0:   # [state-making]
            break
        sleep(0.001)


def _forget_states() -> None:
    a32_store_relaxed(&states_making, 0)


if hasattr(os, "register_at_fork"):        # the interpreter's locks that such a thread has would stay taken
    os.register_at_fork(before=_await_states, after_in_child=_forget_states)


cdef bint exit_has_begun() noexcept nogil:
    """True once begin_exit() was called."""
    return a32_load_relaxed(&is_exiting) != 0


cdef bint gil_is_gone() noexcept nogil:
    """True once close_gil() was called."""
    return a32_load_acquire(&gil_is_closed) != 0   # [gil-closed]


cdef bint gil_hold_open() noexcept nogil:
    """Have the interpreter stay until gil_may_close(), in a moment; False: it goes, and that too. Any thread."""
    a32_fetch_add_full(&states_making, 1)        # [state-making]
    return a32_load_seq_cst(&gil_is_closed) == 0      # [gil-closed]


cdef void gil_may_close() noexcept nogil:
    a32_fetch_sub_full(&states_making, 1)        # [state-making]


# -- taking and leaving the GIL --------------------------------------------------------------------

cdef void bridge_thread_begin(Worker* worker) noexcept nogil:
    """Make the thread state that this worker keeps for its life. A Python worker, first thing."""
    if gil_hold_open():
        PyGILState_Ensure()
        worker.attachment = PyEval_SaveThread()
    gil_may_close()


cdef void bridge_thread_exit(Worker* worker) noexcept nogil:
    """Give the thread state back. A Python worker, last thing."""
    if worker.attachment != NULL and not a32_load_acquire(&gil_is_closed):   # [gil-closed]
        PyEval_RestoreThread(<PyThreadState*> worker.attachment)
        PyGILState_Release(PyGILState_UNLOCKED)


cdef enum:
    GIL_KEPT_NS = 5_000_000       # how long the workers may have the GIL before they leave others a gap
    GIL_GAP_NS = 50_000           # in which a thread that waits has woken up


# Relaxed, of all workers: a guess that is off once does no harm.
cdef a64 gil_kept_since
cdef a64 gil_given_at


cdef void gil_let_others() noexcept nogil:
    """Pause if the workers have had the GIL for long, so that another thread may take it. A worker."""
    cdef uint64_t now = clock_monotonic()
    cdef bell_t never
    if now - a64_load_relaxed(&gil_given_at) < GIL_GAP_NS:
        if now - a64_load_relaxed(&gil_kept_since) < GIL_KEPT_NS:
            return
        bell_init(&never, False)
        bell_park(&never, bell_look(&never), GIL_GAP_NS)
        bell_destroy(&never)
    a64_store_relaxed(&gil_kept_since, now)


cdef int gil_take(WorkQueue* wq) noexcept nogil:
    """Take the GIL: what to give it back with, or -1, not taken: there is no Python any more. A worker."""
    cdef PyGILState_STATE state
    a32_fetch_add_full(&wq.waiting, 1)
    if GIL_EXISTS:
        gil_let_others()
    if a32_load_acquire(&gil_is_closed):   # [gil-closed]
        a32_fetch_sub_full(&wq.waiting, 1)
        return -1
    state = PyGILState_Ensure()
    a32_fetch_sub_full(&wq.waiting, 1)
    if a32_load_acquire(&gil_is_closed):   # [gil-closed]
        PyGILState_Release(state)
        return -1
    return <int> state


cdef void gil_give(int state) noexcept nogil:
    """Give the GIL back."""
    if GIL_EXISTS:
        a64_store_relaxed(&gil_given_at, clock_monotonic())
    PyGILState_Release(<PyGILState_STATE> state)


cdef bint bridge_enter(Stage* stage) noexcept nogil:
    """Take the GIL for the rest of a run; False: there is no Python to call any more. Its worker."""
    cdef int state = gil_take(stage.wq)
    if state < 0:
        return False
    lock_take(&stage.queue.lock)     # without a GIL the pipeline may be about to drop the bridge
    stage.held = stage.owner
    if stage.held != NULL:
        Py_IncRef(stage.held)
    lock_drop(&stage.queue.lock)
    if stage.held == NULL:
        gil_give(state)
        return False
    (<begin_function> <void*> calls_begin)(stage.held, state)
    return True


cdef void bridge_leave(Stage* stage) noexcept nogil:
    """Give the GIL back at the end of a run. Its worker."""
    cdef int state = (<end_function> <void*> calls_end)(stage.held)
    Py_DecRef(stage.held)
    stage.held = NULL
    gil_give(state)


cdef void bridge_install(WorkQueue* wq) noexcept:
    """Have the workers of a queue keep a thread state. Before it is started."""
    wq.thread_begin = bridge_thread_begin
    wq.thread_exit = bridge_thread_exit
