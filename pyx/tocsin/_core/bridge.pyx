# Annotations here are for __signature__ only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""The GIL door: the only code on the event path that takes the GIL or touches a Python object.

A Python worker makes its thread state once, when its thread begins (PyGILState_Ensure), keeps it parked
(PyEval_SaveThread) for the life of the thread, and takes the GIL through it once per run of a stage, with the
first event in hand that a Python subscriber wants (`bridge_enter`). Between there and `bridge_leave` all of
the stage's calls are made: per event a copy of the record and one call of the callable, for batches one call
at the end of the look. A stage that waits for the GIL counts itself in `waiting`, so that the keeper doesn't
take it for a hanging one. While a thread waits for the GIL it holds no lock of the core.

The hooks of a stage are typed nogil, because the layers below know no GIL; those that run between enter and
leave are GIL-holding functions and are installed by a cast. None lets an exception out: a callable that
raises is counted and reported to `on_error`, and if that raises too, to sys.unraisablehook.

Who keeps what alive. A pipeline owns a StageBridge per protocol and its subscriptions; the stage borrows the
bridge (`stage.owner`) and holds a reference from enter to leave, so the pipeline may go in the middle of a run.
A chain borrows the Member that it calls; the bridge keeps it until it is cancelled, which clears `active` with the
GIL, and between the look at `active` and the call the GIL is not released.

Exit. Once `close_gil()` was called no worker takes the GIL any more: the interpreter is about to go. A worker
that comes back from a call that outlasted the exit ends in the interpreter, which is its way.
"""

from cpython.list cimport PyList_GET_ITEM
from cpython.object cimport PyObject
from libc.stdint cimport uint32_t, uint64_t, uintptr_t

from tocsin cimport TOCSIN_STOP, tocsin_event, tocsin_subscriber
from tocsin._core.atomic cimport (
    a32,
    a32_exchange_full,
    a32_fetch_add_full,
    a32_fetch_sub_full,
    a32_load_acquire,
    a32_load_relaxed,
    a64_fetch_add_relaxed,
    a64_load_relaxed,
)
from tocsin._core.batch cimport Batch, batch_add, batch_clear, batch_is_ours, batch_new
from tocsin._core.chain cimport (
    CHAIN_CALLED,
    CHAIN_COLLECTED,
    CHAIN_SKIPPED,
    Subscriber,
    subscriber_new,
    subscriber_release,
)
from tocsin._core.clock cimport clock_monotonic
from tocsin._core.core cimport core_release, core_retain
from tocsin._core.equeue cimport Stage, stage_call_batches, stage_enter, stage_leave
from tocsin._core.event cimport Event, event_from_record
from tocsin._core.subscribe cimport equeue_cancel
from tocsin._core.thread cimport EVERYONE, bell_look, bell_park, bell_ring, lock_drop, lock_take
from tocsin._core.workqueue cimport HALT_FROZEN, HALT_STOPPED, Worker, worker_function

from tocsin._core.chain import BAD, STOP


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

cdef extern from "Python.h":
    PyObject* PyObject_CallOneArg(PyObject* callable, PyObject* argument)
    void PyErr_Fetch(PyObject** type, PyObject** value, PyObject** traceback)
    void PyErr_NormalizeException(PyObject** type, PyObject** value, PyObject** traceback)
    int PyException_SetTraceback(PyObject* error, PyObject* traceback)
    void PyErr_WriteUnraisable(object where)


ctypedef void (*begin_function)(void* bridge, int state) noexcept nogil
ctypedef int (*end_function)(void* bridge) noexcept nogil
ctypedef void (*batches_function)(void* bridge) noexcept nogil


cdef enum:
    STREAK_MAX = 64           # calls of one subscription between two looks at the clock
    STREAK_NS = 20_000        # a streak that took less may be longer next time


# The exit registry's one flag: the interpreter is about to go.
cdef a32 gil_is_closed


def close_gil() -> None:
    """Have no worker take the GIL any more; for the exit hook, after all pipelines were closed."""
    a32_exchange_full(&gil_is_closed, 1)


# -- taking and leaving the GIL --------------------------------------------------------------------

cdef void bridge_thread_begin(Worker* worker) noexcept nogil:
    """Make the thread state that this worker keeps for its life. A Python worker, first thing."""
    if a32_load_acquire(&gil_is_closed):
        return
    PyGILState_Ensure()
    worker.attachment = PyEval_SaveThread()


cdef void bridge_thread_exit(Worker* worker) noexcept nogil:
    """Give the thread state back. A Python worker, last thing."""
    if worker.attachment != NULL and not a32_load_acquire(&gil_is_closed):
        PyEval_RestoreThread(<PyThreadState*> worker.attachment)
        PyGILState_Release(PyGILState_UNLOCKED)


cdef int gil_take(WorkQueue* wq) noexcept nogil:
    """Take the GIL: what to give it back with, or -1, not taken: there is no Python any more. A worker."""
    cdef PyGILState_STATE state
    if a32_load_acquire(&gil_is_closed):
        return -1
    a32_fetch_add_full(&wq.waiting, 1)
    state = PyGILState_Ensure()
    a32_fetch_sub_full(&wq.waiting, 1)
    if a32_load_acquire(&gil_is_closed):
        PyGILState_Release(state)
        return -1
    return <int> state


cdef void gil_give(int state) noexcept nogil:
    """Give the GIL back."""
    PyGILState_Release(<PyGILState_STATE> state)


cdef bint bridge_enter(Stage* stage) noexcept nogil:
    """Take the GIL for the rest of a run; False: there is no Python to call any more. Its worker."""
    cdef int state = gil_take(stage.wq)
    if state < 0:
        return False
    if stage.owner == NULL:
        gil_give(state)
        return False
    stage.held = stage.owner
    Py_IncRef(stage.held)
    (<begin_function> <void*> stopwatch_begin)(stage.held, state)
    return True


cdef void bridge_leave(Stage* stage) noexcept nogil:
    """Give the GIL back at the end of a run. Its worker."""
    cdef int state = (<end_function> <void*> stopwatch_end)(stage.held)
    Py_DecRef(stage.held)
    stage.held = NULL
    gil_give(state)


cdef bint bridge_may_call(StageBridge bridge, SubscriptionCore subscription) except? False:
    """True if a call may begin now; sleeps without the GIL while frozen. The stage, with the GIL."""
    cdef uint32_t seen
    cdef WorkQueue* wq = bridge.q.python.wq
    while a32_load_relaxed(&wq.halted):
        if a32_load_relaxed(&wq.halted) & HALT_STOPPED:
            return False
        if wq.base_threads == 0:
            break            # the thread that flushes must not wait for itself: it ends this chain
        with nogil:      # frozen in the middle of a chain: its rest comes after the thaw
            seen = bell_look(&wq.bell)
            if a32_load_relaxed(&wq.halted) == HALT_FROZEN:
                bell_park(&wq.bell, seen, -1)
    return subscription.is_active


# -- the stopwatch ---------------------------------------------------------------------------------
#
# It is read when another subscription is called and after streaks of 1, 2, 4 ... 64 calls of the same
# one, as long as those are short; a streak's time is booked as that of its slowest call. So a call that
# takes long is booked with an error of a streak of short ones, and short ones cost no clock.

cdef void stopwatch_begin(void* context, int gil_state) noexcept:
    cdef StageBridge bridge = <StageBridge> context
    bridge.gil_state = gil_state
    bridge.streak = 1
    bridge.calls = 0
    bridge.timed = None


cdef int stopwatch_end(void* context) noexcept:
    cdef StageBridge bridge = <StageBridge> context
    if bridge.timed is not None:
        stopwatch_read(bridge)
        bridge.timed = None
    return bridge.gil_state


cdef inline void stopwatch_start(StageBridge bridge, SubscriptionCore subscription) noexcept:
    if bridge.timed is not subscription:
        if bridge.timed is not None:
            stopwatch_read(bridge)
        bridge.timed = subscription
        bridge.mark = clock_monotonic()
        bridge.streak = 1
        bridge.calls = 0


cdef inline void stopwatch_stop(StageBridge bridge) noexcept:
    bridge.calls += 1
    if bridge.calls >= bridge.streak and bridge.timed is not None:
        stopwatch_read(bridge)


cdef void stopwatch_read(StageBridge bridge) noexcept:
    cdef uint64_t now = clock_monotonic()
    cdef uint64_t elapsed = now - bridge.mark
    if elapsed > bridge.timed.slowest:
        bridge.timed.slowest = elapsed
    bridge.streak = min(2 * bridge.streak, <uint32_t> STREAK_MAX) if elapsed < STREAK_NS else 1
    bridge.calls = 0
    bridge.mark = now


# -- calls -----------------------------------------------------------------------------------------

cdef int bridge_call(void* context, const tocsin_event* record) noexcept:
    """Call a per-event callable: the function of its Subscriber. The stage, between enter and leave."""
    cdef Member member = <Member> context
    cdef object event
    if a32_load_relaxed(&member.bridge.q.python.wq.halted):
        try:
            if not bridge_may_call(member.bridge, member.subscription):
                return CHAIN_SKIPPED
        except BaseException as error:       # a signal handler's, in the main thread with workers=0
            bridge_report(member, error, None)
            return CHAIN_SKIPPED
    event = event_from_record(<object> PyList_GET_ITEM(member.bridge.types, record.event), record)
    return bridge_invoke(member, event)


cdef int bridge_invoke(Member member, object argument) noexcept:
    """Call the callable of a subscription with an event or a batch. The stage, with the GIL."""
    cdef SubscriptionCore subscription = member.subscription
    cdef object callback = subscription.callback
    cdef PyObject* result
    cdef bint stops
    stopwatch_start(member.bridge, subscription)
    subscription.calls += 1
    subscription.running += 1
    result = PyObject_CallOneArg(<PyObject*> callback, <PyObject*> argument)
    subscription.running -= 1
    stopwatch_stop(member.bridge)
    if result == NULL:
        bridge_report_raised(member, argument)
    if not subscription.is_active:
        bell_ring(&member.bridge.q.progress, EVERYONE)      # somebody may wait in cancel()
    if result == NULL:
        return CHAIN_CALLED
    stops = result == <PyObject*> STOP or result == <PyObject*> BAD
    Py_DecRef(result)
    return TOCSIN_STOP if stops else 0


cdef int bridge_collect(void* context, const tocsin_event* record) noexcept:
    """Keep a record for a batch callable: the function of its Subscriber. The stage, with the GIL."""
    cdef Member member = <Member> context
    cdef Batch batch
    try:
        batch = member.batches.get(record.event)
        if batch is None:
            batch = batch_new(member.bridge.types[record.event])
            member.batches[record.event] = batch
        if batch.count == 0:
            member.bridge.filled.append(member)
        if not batch_add(batch, record):
            raise MemoryError("no memory for a batch")
    except BaseException as error:
        bridge_report(member, error, None)
        return CHAIN_CALLED
    return CHAIN_COLLECTED


cdef void bridge_call_batches(void* context) noexcept:
    """Call the batch callables with what the look collected. The stage."""
    cdef StageBridge bridge = <StageBridge> context
    cdef Member member
    cdef Batch batch
    filled, bridge.filled = bridge.filled, []
    for member in filled:
        for event in list(member.batches):
            batch = member.batches.pop(event)
            if batch.count != 0:
                try:
                    may_call = bridge_may_call(bridge, member.subscription)
                except BaseException as error:
                    bridge_report(member, error, batch)
                    may_call = False
                if may_call:
                    bridge_invoke(member, batch)
            if batch_is_ours(batch):
                batch_clear(batch)
                member.batches[event] = batch


cdef void bridge_stage_batches(Stage* stage) noexcept nogil:
    (<batches_function> <void*> bridge_call_batches)(stage.held)


# -- errors ----------------------------------------------------------------------------------------

cdef void bridge_report_raised(Member member, object argument) noexcept:
    """Report the exception that a call left behind."""
    cdef PyObject* kind = NULL
    cdef PyObject* value = NULL
    cdef PyObject* traceback = NULL
    PyErr_Fetch(&kind, &value, &traceback)
    PyErr_NormalizeException(&kind, &value, &traceback)
    if traceback != NULL:
        PyException_SetTraceback(value, traceback)
    bridge_report(member, <object> value, argument)
    Py_DecRef(kind)
    Py_DecRef(value)
    Py_DecRef(traceback)


cdef void bridge_report(Member member, object error, object argument) noexcept:
    """Count an exception of a callable and tell on_error of it."""
    cdef SubscriptionCore subscription = member.subscription
    subscription.errors += 1
    subscription.last_error = error
    a64_fetch_add_relaxed(&member.bridge.q.callback_errors, 1)
    try:
        member.bridge.on_error(error, subscription, argument)
    except BaseException:
        PyErr_WriteUnraisable(member.bridge.on_error)


# -- making and breaking the ties ------------------------------------------------------------------

cdef void bridge_install(WorkQueue* wq) noexcept:
    """Have the workers of a queue keep a thread state. Before it is started."""
    wq.thread_begin = bridge_thread_begin
    wq.thread_exit = bridge_thread_exit


cdef StageBridge bridge_new(Core* core, EventsQueue* q, list types, object on_error):
    """Tie the Python stage of a queue to Python. `types`: 256 event types or None. Before it is known."""
    cdef StageBridge bridge = StageBridge.__new__(StageBridge)
    bridge.core = core
    bridge.q = q
    bridge.types = types
    bridge.on_error = on_error
    bridge.members = set()
    bridge.filled = []
    q.python.enter = bridge_enter
    q.python.leave = bridge_leave
    q.python.call_batches = bridge_stage_batches
    q.python.owner = <void*> bridge
    return bridge


cdef void bridge_detach(StageBridge bridge) noexcept:
    """Let the stage take the GIL no more for a pipeline that goes. With the GIL."""
    bridge.q.python.owner = NULL


cdef class StageBridge:
    """Tie the Python stage of one protocol to its Python objects."""


cdef class Member:
    """Stand for a subscription in the chains of one protocol."""

    def __dealloc__(self):
        if self.subscriber != NULL:
            lock_take(&self.q.lock)
            subscriber_release(self.subscriber)
            lock_drop(&self.q.lock)
            core_release(self.core)


cdef class SubscriptionCore:
    """The core's half of a Subscription: what the stages need of it."""

    def _setup(self, callback: object, is_python: bool, is_batch: bool) -> None:
        self.callback = callback
        self.is_python = is_python
        self.is_batch = is_batch
        self.is_active = True
        self.members = []

    def _deactivate(self) -> None:
        """Begin no call any more, and leave the chains."""
        cdef Member member
        self.is_active = False
        for member in self.members:
            for id in member.ids:
                equeue_cancel(member.q, id, member.subscriber, self.is_python)
            member.ids = []
            member.bridge.members.discard(member)

    def _forget(self) -> None:
        """Let the callable go, after _deactivate(); a call that is running holds its own reference."""
        self.callback = None

    def _counts(self) -> tuple:
        return self.calls, self.errors, self.last_error, self.slowest


cdef Member bridge_subscribe(
    StageBridge bridge, SubscriptionCore subscription, uint64_t function, uint64_t context, int priority
):
    """Make a subscription's member for one protocol; `function`: native, or 0 for its callable."""
    cdef Member member = Member.__new__(Member)
    cdef tocsin_subscriber target = <tocsin_subscriber> <void*> <uintptr_t> function
    cdef void* argument = <void*> <uintptr_t> context
    if function == 0:
        argument = <void*> member
        target = <tocsin_subscriber> <void*> (bridge_collect if subscription.is_batch else bridge_call)
    member.subscription = subscription
    member.bridge = bridge
    member.ids = []
    member.batches = {}
    member.subscriber = subscriber_new(
        target, argument, priority, subscription.is_batch, a64_load_relaxed(&bridge.q.refused)
    )
    if member.subscriber == NULL:
        raise MemoryError("no memory for a subscriber")
    member.q = bridge.q
    member.core = bridge.core
    core_retain(bridge.core)
    bridge.members.add(member)
    return member
