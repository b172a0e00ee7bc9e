"""The shipped core as plain C functions, for programs that never start Python.

Every function below is a thin cover of the text in pyx/: no rule of the core is repeated here. The Python
stage gets C functions in place of the hooks that take the GIL, and the work function of each stage is
wrapped, so that the program sees every run begin and end.

world.h declares these functions to C and says what the program must bring along.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from tocsin cimport TOCSIN_NOW, tocsin_functions, tocsin_producer, tocsin_subscriber
from tocsin._core.atomic cimport a64_load_seq_cst
from tocsin._core.books cimport Books, equeue_books
from tocsin._core.chain cimport SUBSCRIBER_BATCH, Subscriber, subscriber_new, subscriber_release
from tocsin._core.clock cimport CLOCK_KIND_MONOTONIC
from tocsin._core.control cimport workqueue_freeze, workqueue_thaw
from tocsin._core.core cimport (
    Core,
    core_add_queue,
    core_new,
    core_release,
    core_retain,
    core_use_fast_kicks,
    equeue_abandon,
    equeue_await_position,
    equeue_is_quiet,
    equeue_new,
    equeue_shut,
    equeue_target,
    equeue_wait_look,
)
from tocsin._core.stages cimport native_stage, python_stage
from tocsin._core.equeue cimport (
    NOTIFY_FULL,
    EventsQueue,
    Notified,
    Stage,
    equeue_notify,
    equeue_refuse,
    stage_has_passed,
    stage_look_at_turn,
)
from tocsin._core.lifetime cimport equeue_release, equeue_retain
from tocsin._core.memory cimport memory_alloc, memory_free
from tocsin._core.payload cimport PayloadRule
from tocsin._core.producer cimport (
    Producer,
    producer_init,
    producer_is_inside,
    producer_notify_exclusive,
    producer_notify_shared,
    producer_shut,
)
from tocsin._core.ring cimport ring_share
from tocsin._core.subscribe cimport equeue_cancel, equeue_subscribe
from tocsin._core.thread cimport bell_park, lock_drop, lock_take
from tocsin._core.work cimport Work
from tocsin._core.worker cimport workqueue_await_end, workqueue_start, workqueue_stop
from tocsin._core.workqueue cimport queue_work


cdef extern from "world.h" nogil:
    ctypedef struct books_t:
        pass
    int hook_enter(void* owner) noexcept
    void hook_leave(void* owner) noexcept
    void hook_call_batches(void* owner) noexcept
    void hook_run(void* owner, int is_python, int step) noexcept


# -- cores -----------------------------------------------------------------------------------------

cdef public void* world_new(int portable, int shared_writers) noexcept nogil:
    return core_new(portable, shared_writers, CLOCK_KIND_MONOTONIC)


cdef public int world_use_fast_kicks(void* world) noexcept nogil:
    return core_use_fast_kicks(<Core*> world)


cdef public int world_start(
    void* world, int native_workers, int python_workers, int max_workers, int may_spin
) noexcept nogil:
    cdef Core* core = <Core*> world
    cdef int error
    core.native.may_spin = may_spin
    error = workqueue_start(&core.native, native_workers, max_workers)
    return error or workqueue_start(&core.python, python_workers, max_workers)


cdef public void world_freeze(void* world) noexcept nogil:
    workqueue_freeze(&(<Core*> world).native)
    workqueue_freeze(&(<Core*> world).python)


cdef public void world_thaw(void* world) noexcept nogil:
    workqueue_thaw(&(<Core*> world).native)
    workqueue_thaw(&(<Core*> world).python)


cdef public void world_stop(void* world) noexcept nogil:
    workqueue_stop(&(<Core*> world).native)
    workqueue_stop(&(<Core*> world).python)


cdef public int world_has_ended(void* world, int64_t timeout) noexcept nogil:
    cdef bint native = workqueue_await_end(&(<Core*> world).native, timeout)
    return workqueue_await_end(&(<Core*> world).python, timeout) and native


cdef public void world_release(void* world) noexcept nogil:
    core_release(world)


# -- queues ----------------------------------------------------------------------------------------

cdef bint stage_enter_c(Stage* stage) noexcept nogil:
    return hook_enter(stage.owner)


cdef void stage_leave_c(Stage* stage) noexcept nogil:
    hook_leave(stage.owner)


cdef uint32_t stage_collect_c(Stage* stage, Subscriber* subscriber, uint64_t limit, uint32_t most) noexcept nogil:
    return 0      # event by event


cdef uint64_t stage_batches_c(Stage* stage) noexcept nogil:
    hook_call_batches(stage.owner)
    return stage.n_collected


cdef void native_stage_seen(Work* work) noexcept nogil:
    hook_run((<Stage*> work).owner, 0, 1)
    native_stage(work)
    hook_run((<Stage*> work).owner, 0, -1)


cdef void python_stage_seen(Work* work) noexcept nogil:
    hook_run((<Stage*> work).owner, 1, 1)
    python_stage(work)
    hook_run((<Stage*> work).owner, 1, -1)


cdef public void* queue_new(
    void* world, int protocol, uint64_t size, uint64_t start, void* owner
) noexcept nogil:
    cdef EventsQueue* q = equeue_new(<Core*> world, protocol, size, start)
    cdef PayloadRule* rule = <PayloadRule*> memory_alloc(sizeof(PayloadRule))
    rule.min_size = 16
    rule.max_size = 1024
    rule.source_width = 4
    q.rules[0] = rule
    q.native.owner = owner
    q.python.owner = owner
    q.native.work.function = native_stage_seen
    q.python.work.function = python_stage_seen
    q.python.enter = stage_enter_c
    q.python.leave = stage_leave_c
    q.python.call_batches = stage_batches_c
    q.python.collect = stage_collect_c
    core_add_queue(<Core*> world, q)
    return q


cdef public int queue_notify(void* queue, const void* payload, uint32_t size) noexcept nogil:
    """0, or the Notified; a full queue is counted. For shared queues, or under the writers' lock."""
    cdef Notified notified = equeue_notify(<EventsQueue*> queue, 0, payload, size, TOCSIN_NOW)
    if notified == NOTIFY_FULL:
        equeue_refuse(<EventsQueue*> queue, 1)
    return notified


cdef public int queue_notify_waiting(
    void* queue, const void* payload, uint32_t size, int64_t timeout
) noexcept nogil:
    """The same, but wait for room: the Notified. NOTIFY_FULL says that nobody woke us in time."""
    cdef EventsQueue* q = <EventsQueue*> queue
    cdef Notified notified = equeue_notify(q, 0, payload, size, TOCSIN_NOW)
    cdef uint32_t seen
    cdef int tries = 0
    if notified != NOTIFY_FULL:
        return notified
    while notified == NOTIFY_FULL and tries < 100_000:
        seen = equeue_wait_look(q)
        notified = equeue_notify(q, 0, payload, size, TOCSIN_NOW)
        if notified == NOTIFY_FULL:
            bell_park(&q.progress, seen, timeout)
            tries += 1
    return notified


cdef public void queue_share(void* queue) noexcept nogil:
    ring_share(&(<EventsQueue*> queue).ring)


cdef public uint64_t queue_target(void* queue) noexcept nogil:
    return equeue_target(<EventsQueue*> queue)


cdef public int queue_await(void* queue, uint64_t target, int64_t timeout) noexcept nogil:
    """Sleep once until everything before the target has passed: true if it has."""
    return equeue_await_position(<EventsQueue*> queue, target, timeout)


cdef public void queue_shut(void* queue) noexcept nogil:
    equeue_shut(<EventsQueue*> queue)


cdef public void queue_abandon(void* queue) noexcept nogil:
    equeue_abandon(<EventsQueue*> queue)


cdef public int queue_is_quiet(void* queue) noexcept nogil:
    return equeue_is_quiet(<EventsQueue*> queue)


cdef public void queue_books(void* queue, books_t* books) noexcept nogil:
    equeue_books(<EventsQueue*> queue, <Books*> books)


cdef public void* queue_stage(void* queue, int is_python) noexcept nogil:
    cdef EventsQueue* q = <EventsQueue*> queue
    return &q.python if is_python else &q.native


cdef public const void* queue_in(void* queue) noexcept nogil:
    """Where the counter stands that a stage reads to see whether the queue is empty."""
    return &(<EventsQueue*> queue).ring.fifo.in_


cdef public int queue_kick(void* queue, int is_python) noexcept nogil:
    """Kick a stage and nothing else: KICK_WAS_OWED, KICK_IS_QUEUED or KICK_WOKE."""
    cdef Stage* stage = <Stage*> queue_stage(queue, is_python)
    return queue_work(stage.wq, &stage.work)


cdef public uint64_t queue_word(void* queue, int is_python) noexcept nogil:
    """The state word of a stage's work item."""
    return a64_load_seq_cst(&(<Stage*> queue_stage(queue, is_python)).work.state)


# -- subscribers -----------------------------------------------------------------------------------

cdef public void* queue_subscribe(
    void* queue, uint32_t source, tocsin_subscriber function, void* context, int priority,
    int is_python, int batch
) noexcept nogil:
    cdef Subscriber* subscriber = subscriber_new(function, context, priority, 0)
    if subscriber == NULL:
        return NULL
    if batch:
        subscriber.kind = SUBSCRIBER_BATCH
    subscriber.is_ours = is_python     # it stands for the bridge: its results may say that they were collected
    if not equeue_subscribe(<EventsQueue*> queue, source, subscriber, is_python):
        return NULL
    return subscriber


cdef public int queue_subscribe_also(void* queue, uint32_t source, void* subscriber, int is_python) noexcept nogil:
    """Subscribe one that is subscribed already to one more source."""
    return equeue_subscribe(<EventsQueue*> queue, source, <Subscriber*> subscriber, is_python)


cdef public void queue_cancel(void* queue, uint32_t source, void* subscriber, int is_python) noexcept nogil:
    equeue_cancel(<EventsQueue*> queue, source, <Subscriber*> subscriber, is_python)


cdef public int queue_await_turn(void* queue, int is_python, int64_t timeout) noexcept nogil:
    """After a cancel: wait until no call of it can be running. False: nobody woke us in time."""
    cdef EventsQueue* q = <EventsQueue*> queue
    cdef Stage* stage = <Stage*> queue_stage(queue, is_python)
    cdef uint32_t turn = stage_look_at_turn(stage)
    cdef uint32_t seen
    cdef int tries = 0
    while not stage_has_passed(stage, turn) and tries < 100_000:
        seen = equeue_wait_look(q)
        if not stage_has_passed(stage, turn):
            bell_park(&q.progress, seen, timeout)
            tries += 1
    return stage_has_passed(stage, turn)


cdef public void queue_let_go(void* queue, void* subscriber) noexcept nogil:
    """Drop the caller's use of a cancelled subscriber; the chains that still hold it are retired."""
    lock_take(&(<EventsQueue*> queue).lock)
    subscriber_release(<Subscriber*> subscriber)
    lock_drop(&(<EventsQueue*> queue).lock)


# -- handles ---------------------------------------------------------------------------------------

cdef tocsin_functions[2] functions

cdef public tocsin_producer* handle_new(void* world, void* queue, int exclusive) noexcept nogil:
    cdef Producer* producer = <Producer*> memory_alloc(sizeof(Producer))
    functions[0].notify = producer_notify_shared
    functions[1].notify = producer_notify_exclusive
    core_retain(world)
    equeue_retain(<EventsQueue*> queue)
    producer_init(producer, <EventsQueue*> queue, <Core*> world, exclusive)
    producer.handle.functions = &functions[exclusive]
    return &producer.handle


cdef public int handle_close(tocsin_producer* handle) noexcept nogil:
    """Refuse later calls: true if nobody is inside an exclusive one any more."""
    producer_shut(<Producer*> handle)
    return not producer_is_inside(<Producer*> handle)


cdef public void handle_release(tocsin_producer* handle) noexcept nogil:
    cdef Core* core = (<Producer*> handle).core
    equeue_release((<Producer*> handle).queue)
    memory_free(handle)
    core_release(core)
