"""The calls of Python callables (calls.pyx holds the theory).

member_call() is inlined where it is called from, once in each module: an event takes 23 instructions less, of 650.
"""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport uint32_t

from tocsin cimport TOCSIN_STOP, tocsin_event
from tocsin._core.atomic cimport a32_load_relaxed, a64_load_relaxed, a64_store_relaxed
from tocsin._core.chain cimport CHAIN_CALLED, CHAIN_SKIPPED
from tocsin._core.stopwatch cimport watch_is_due, watch_start
from tocsin._core.thread cimport EVERYONE, bell_ring
from tocsin._core.ties cimport Member, StageBridge
from tocsin._core.workqueue cimport HALT_STOPPED, WorkQueue


cdef extern from "Python.h":
    void Py_DECREF(PyObject* object)
    PyObject* Py_NewRef(PyObject* object)


cdef extern from *:
    """
    /* As PyObject_CallOneArg(), but a function written in Python is entered directly: 20 instructions less. Where
     * C code below has broken the rules and left an exception, it is told as the callable's. */
    static inline PyObject *call_with_one(PyObject *callable, PyObject *argument) {
        PyObject *arguments[2] = {NULL, argument};
        PyObject *result;
        if (!PyFunction_Check(callable))
            return PyObject_CallOneArg(callable, argument);
        result = ((PyFunctionObject *)callable)->vectorcall(
            callable, arguments + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
        if (PyErr_Occurred())
            Py_CLEAR(result);
        else if (result == NULL)
            PyErr_SetString(PyExc_SystemError, "a call ended with neither a result nor an exception");
        return result;
    }
    """
    PyObject* call_with_one(PyObject* callable, PyObject* argument)


cdef void calls_begin(void* context, int gil_state) noexcept
cdef int calls_end(void* context) noexcept
cdef int call_with_event(Member member, const tocsin_event* record) noexcept
cdef void book_time(StageBridge bridge) noexcept
cdef PyObject* member_begin_late(StageBridge bridge, Member member, object argument) noexcept
cdef void report_raised(StageBridge bridge, Member member, object argument) noexcept
cdef bint asks_to_stop(PyObject* result) noexcept
cdef void report(StageBridge bridge, Member member, object error, object argument) noexcept
cdef void tell(object on_error, object error, object subscription, object argument) noexcept


cdef inline bint is_halted(const WorkQueue* wq) noexcept:
    """True if no call may begin now. Frozen without workers, who flushes ends the chain that it is in."""
    cdef uint32_t halted = a32_load_relaxed(&wq.halted)
    return halted != 0 and (wq.base_threads != 0 or halted & HALT_STOPPED != 0)


cdef inline PyObject* member_begin_call(StageBridge bridge, Member member, bint* must_wait) noexcept:
    """A reference to the callable, which runs from now on; NULL: it was cancelled, or must wait. The stage."""
    cdef PyObject* callback = NULL
    cdef const WorkQueue* wq = bridge.q.python.wq
    with cython.critical_section(member):
        must_wait[0] = is_halted(wq)
        if not must_wait[0] and member.callback is not None:
            callback = Py_NewRef(<PyObject*> member.callback)
            member.is_running = True
            a64_store_relaxed(&member.calls, a64_load_relaxed(&member.calls) + 1)
    return callback


cdef inline bint member_end_call(Member member) noexcept:
    """Note that the call has ended; True if somebody may wait for that, in cancel(). The stage, with the GIL."""
    cdef bint is_cancelled
    with cython.critical_section(member):
        member.is_running = False
        is_cancelled = member.callback is None
    return is_cancelled


cdef inline int member_call(StageBridge bridge, Member member, object argument) noexcept:
    """Call the callable of a member, unless it was cancelled. The stage, with the GIL.

    A member that has left and kept a batch from a frozen run has no bridge of its own any more.
    """
    cdef PyObject* result
    cdef bint is_cancelled
    cdef bint must_wait
    cdef bint stops
    cdef PyObject* callback = member_begin_call(bridge, member, &must_wait)
    if must_wait:
        callback = member_begin_late(bridge, member, argument)
    if callback == NULL:
        return CHAIN_SKIPPED
    if bridge.timed is not member:
        if bridge.watch.calls != 0:
            book_time(bridge)
        watch_start(&bridge.watch, bridge.timed is None)
        bridge.timed = member
    result = call_with_one(callback, <PyObject*> argument)
    is_cancelled = member_end_call(member)
    if watch_is_due(&bridge.watch):
        book_time(bridge)
    if result == NULL:
        report_raised(bridge, member, argument)
    if is_cancelled:
        bell_ring(&bridge.q.progress, EVERYONE)      # somebody may wait in cancel()
    Py_DECREF(callback)
    if result == NULL:
        return CHAIN_CALLED
    stops = result != <PyObject*> None and asks_to_stop(result)
    Py_DECREF(result)
    return TOCSIN_STOP if stops else 0
