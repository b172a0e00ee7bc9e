# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""The calls of Python callables, between the taking of the GIL and its giving back.

Per event a copy of the record and one call; for batches one call at the end of the look (collect.pyx). All run
with the GIL, on the worker of the Python stage. The stage's hooks are typed nogil, because the layers below
know no GIL, so these functions are installed by a cast.

Nothing lets an exception out: a callable that raises is counted and reported to `on_error`, and if that raises
too, to sys.unraisablehook. Frozen in the middle of a chain, the worker sleeps here without the GIL and goes on
after the thaw; stopped, it calls nothing any more.
"""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport uint32_t, uint64_t

from tocsin cimport tocsin_event
from tocsin._core.atomic cimport (
    a32_load_relaxed,
    a64_fetch_add_relaxed,
    a64_load_relaxed,
    a64_store_relaxed,
)
from tocsin._core.chain cimport CHAIN_CALLED
from tocsin._core.event cimport event_for, event_let_go
from tocsin._core.stopwatch cimport watch_lap
from tocsin._core.thread cimport bell_look, bell_park
from tocsin._core.ties cimport Member, StageBridge, SubscriptionCore, bridge_reclaim_all
from tocsin._core.workqueue cimport HALT_FROZEN, HALT_STOPPED, WorkQueue

from tocsin._core.chain import BAD, STOP


cdef extern from "Python.h":
    void Py_XDECREF(PyObject* object)
    PyObject* PyList_GET_ITEM(PyObject* list, Py_ssize_t i)
    void PyErr_Fetch(PyObject** type, PyObject** value, PyObject** traceback)
    void PyErr_NormalizeException(PyObject** type, PyObject** value, PyObject** traceback)
    int PyException_SetTraceback(PyObject* error, PyObject* traceback)


cdef bint await_thaw(StageBridge bridge) except? False:
    """Sleep without the GIL while frozen; False: stopped. The stage, with the GIL."""
    cdef uint32_t seen
    cdef WorkQueue* wq = bridge.q.python.wq
    while is_halted(wq):
        if a32_load_relaxed(&wq.halted) & HALT_STOPPED:
            return False
        with nogil:      # frozen in the middle of a chain: its rest comes after the thaw
            seen = bell_look(&wq.bell)
            if a32_load_relaxed(&wq.halted) == HALT_FROZEN:
                bell_park(&wq.bell, seen, -1)
    return True


cdef void calls_begin(void* context, int gil_state) noexcept:
    """Open a run of calls. The stage, having taken the GIL."""
    cdef StageBridge bridge = <StageBridge> context
    bridge.gil_state = gil_state


cdef int calls_end(void* context) noexcept:
    """Close a run of calls; gives what the GIL is given back with. The stage."""
    cdef StageBridge bridge = <StageBridge> context
    if bridge.watch.calls != 0:
        book_time(bridge)
    bridge.timed = None
    Py_XDECREF(bridge.spare)
    bridge.spare = NULL
    bridge_reclaim_all(bridge)
    return bridge.gil_state


cdef void book_time(StageBridge bridge) noexcept:
    """Book the lap of the stopwatch on the member that it was for."""
    cdef uint64_t lap
    if bridge.timed is not None:
        lap = watch_lap(&bridge.watch)
        if lap > a64_load_relaxed(&bridge.timed.slowest):
            a64_store_relaxed(&bridge.timed.slowest, lap)


# -- calls -----------------------------------------------------------------------------------------

cdef PyObject* member_begin_late(StageBridge bridge, Member member, object argument) noexcept:
    """As member_begin_call(), after a thaw; NULL also if the pipeline was stopped. The stage, with the GIL."""
    cdef PyObject* callback = NULL
    cdef bint must_wait = True
    try:
        while must_wait and await_thaw(bridge):
            callback = member_begin_call(bridge, member, &must_wait)
    except BaseException as error:           # a signal handler's, in the main thread with workers=0
        report(bridge, member, error, argument)
    return callback


cdef bint asks_to_stop(PyObject* result) noexcept:
    """True if what a callable returned ends the chain. The stage, with the GIL."""
    return result == <PyObject*> STOP or result == <PyObject*> BAD


# Of event_for(): NULL with an exception set.
ctypedef PyObject* (*event_function)(PyObject* spare, PyObject* of, const tocsin_event* record) noexcept


cdef int call_with_event(Member member, const tocsin_event* record) noexcept:
    """Call a per-event callable: the function of its Subscriber. The stage, between enter and leave."""
    cdef StageBridge bridge = member.bridge
    cdef PyObject* spare = bridge.spare
    cdef PyObject* event
    bridge.spare = NULL
    event = (<event_function> <void*> event_for)(
        spare, PyList_GET_ITEM(<PyObject*> bridge.types, record.event), record
    )
    if event == NULL:            # no memory: told as if the callable had raised it
        Py_XDECREF(spare)
        report_raised(bridge, member, None)
        return CHAIN_CALLED
    cdef int came = member_call(bridge, member, <object> event)
    bridge.spare = event_let_go(event)
    return came


# -- errors ----------------------------------------------------------------------------------------

cdef void report_raised(StageBridge bridge, Member member, object argument) noexcept:
    """Report the exception that a call left behind."""
    cdef PyObject* kind = NULL
    cdef PyObject* value = NULL
    cdef PyObject* traceback = NULL
    PyErr_Fetch(&kind, &value, &traceback)
    PyErr_NormalizeException(&kind, &value, &traceback)
    if traceback != NULL:
        PyException_SetTraceback(value, traceback)
    report(bridge, member, <object> value, argument)
    Py_DECREF(kind)
    Py_DECREF(value)
    Py_XDECREF(traceback)


cdef void report(StageBridge bridge, Member member, object error, object argument) noexcept:
    """Count an exception of a callable and tell on_error of it."""
    cdef SubscriptionCore subscription = member.subscription
    with cython.critical_section(subscription):
        subscription.errors += 1
        before, subscription.last_error = subscription.last_error, error
    del before           # what it frees runs out here
    a64_fetch_add_relaxed(&bridge.q.callback_errors, 1)
    tell(bridge.on_error, error, subscription, argument)


cdef void tell(object on_error, object error, object subscription, object argument) noexcept:
    """Call on_error; what that raises goes to sys.unraisablehook, as this function's own would."""
    on_error(error, subscription, argument)
