"""More of the shipped core as plain C functions: what the scenes need beside tests/native/driver.pyx.

Thin covers again; shipped.h declares them to C. The describe functions tell the explorer what words are called
and which ones decide nothing: counters that only statistics read are left out when states are compared.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from tocsin._core.atomic cimport a64, a64_load_relaxed, a64_load_seq_cst, a64_store_relaxed
from tocsin._core.control cimport (
    workqueue_await_clear,
    workqueue_await_flush,
    workqueue_freeze,
    workqueue_thaw,
)
from tocsin._core.core cimport Core, core_remove_queue
from tocsin._core.dispatch cimport stage_is_stopped
from tocsin._core.equeue cimport EventsQueue, Stage
from tocsin._core.ledger cimport LedgerCopy, ledger_read
from tocsin._core.lifetime cimport (
    equeue_await_idle,
    equeue_disable,
    equeue_hold,
    equeue_let_go,
)
from tocsin._core.memory cimport memory_alloc, memory_free
from tocsin._core.thread cimport lock_drop, lock_take
from tocsin._core.timer cimport cancel_work, expedite_work, modify_delayed_work, queue_delayed_work
from tocsin._core.work cimport (
    WORK_RUNNING,
    Work,
    work_disable,
    work_enable,
    work_flush_target,
    work_init,
)
from tocsin._core.worker cimport worker_start, workqueue_await_end, workqueue_start, workqueue_stop
from tocsin._core.workqueue cimport WorkQueue, queue_work, workqueue_destroy, workqueue_init


cdef extern from "shipped.h" nogil:
    void hook_item(int number) noexcept
    void hook_name(const void* address, uint64_t size, const char* name) noexcept
    void hook_ignore(const void* address, uint64_t size) noexcept


# -- worlds ----------------------------------------------------------------------------------------

cdef void start_bare(WorkQueue* wq, int workers) noexcept nogil:
    lock_take(&wq.lock)
    wq.base_threads = workers
    wq.max_threads = workers
    while wq.threads < <uint32_t> workers:
        worker_start(wq)
    lock_drop(&wq.lock)


cdef public int world_start_bare(void* world, int native_workers, int python_workers) noexcept nogil:
    start_bare(&(<Core*> world).native, native_workers)
    start_bare(&(<Core*> world).python, python_workers)
    return 0


cdef public void world_may_spin(void* world) noexcept nogil:
    (<Core*> world).native.may_spin = True
    a64_store_relaxed(&(<Core*> world).native.spin_ns, 50_000)      # as if it had paid lately


cdef void describe_works(WorkQueue* wq, const char* stack, const char* sleepers, const char* bell,
                         const char* lock) noexcept nogil:
    hook_name(&wq.stack, sizeof(wq.stack), stack)
    hook_name(&wq.sleepers, sizeof(wq.sleepers), sleepers)
    hook_name(&wq.spinners, sizeof(wq.spinners), "spinners")
    hook_name(&wq.bell, sizeof(wq.bell), bell)
    hook_name(&wq.keeper_bell, sizeof(wq.keeper_bell), "keeper_bell")
    hook_name(&wq.settled, sizeof(wq.settled), "settled")
    hook_name(&wq.keeper_armed, sizeof(wq.keeper_armed), "keeper_armed")
    hook_name(&wq.halted, sizeof(wq.halted), "halted")
    hook_name(&wq.alive, sizeof(wq.alive), "alive")
    hook_name(&wq.lock, sizeof(wq.lock), lock)
    if not wq.has_keeper:
        hook_ignore(&wq.taken, sizeof(wq.taken))      # only the keeper compares it


cdef public void world_describe(void* world) noexcept nogil:
    cdef Core* core = <Core*> world
    describe_works(&core.native, "native.stack", "native.sleepers", "native.bell", "native.lock")
    describe_works(&core.python, "python.stack", "python.sleepers", "python.bell", "python.lock")
    hook_name(&core.users, sizeof(core.users), "core.users")


cdef void describe_stage(Stage* stage, const char* state, const char* turn, const char* ledger) noexcept nogil:
    hook_name(&stage.work, sizeof(stage.work), state)
    hook_name(&stage.turn, sizeof(stage.turn), turn)
    hook_name(&stage.ledger, sizeof(stage.ledger), ledger)
    hook_ignore(&stage.activations, sizeof(a64))
    hook_ignore(&stage.empty_activations, sizeof(a64))


cdef public void queue_describe(void* queue) noexcept nogil:
    cdef EventsQueue* q = <EventsQueue*> queue
    hook_name(q.ring.fifo.data, q.ring.fifo.mask + 1, "record")
    hook_name(&q.ring.fifo.in_, sizeof(a64), "in_")
    hook_name(&q.ring.fifo.out, sizeof(a64), "out")
    hook_name(&q.ring.reserved, sizeof(a64), "reserved")
    hook_name(&q.ring.records, sizeof(a64), "records")
    hook_name(&q.ring.records_beside, sizeof(a64), "records_beside")
    hook_name(&q.wakeups, sizeof(a64), "wakeups")
    hook_name(&q.unreported, sizeof(a64), "unreported")
    hook_name(&q.refused, sizeof(a64), "refused")
    hook_name(&q.passed, sizeof(a64), "passed")
    hook_name(&q.python_owns, sizeof(q.python_owns), "python_owns")
    hook_name(&q.python_present, sizeof(q.python_present), "python_present")
    hook_name(&q.first, sizeof(q.first), "first")
    hook_name(&q.awaited, sizeof(q.awaited), "awaited")
    hook_name(&q.progress, sizeof(q.progress), "progress")
    hook_name(&q.lock, sizeof(q.lock), "queue.lock")
    describe_stage(&q.native, "native.state", "native.turn", "native.ledger")
    describe_stage(&q.python, "python.state", "python.turn", "python.ledger")
    hook_ignore(&q.wakeups, sizeof(a64))


cdef public uint64_t queue_position_in(void* queue) noexcept nogil:
    return a64_load_relaxed(&(<EventsQueue*> queue).ring.fifo.in_)


cdef public int queue_is_sane(void* queue) noexcept nogil:
    """Look at the counters as they are in memory, between two steps: out <= in_ <= out + size, passed <= in_."""
    cdef EventsQueue* q = <EventsQueue*> queue
    cdef uint64_t in_ = a64_load_relaxed(&q.ring.fifo.in_)
    cdef uint64_t out = a64_load_relaxed(&q.ring.fifo.out)
    return in_ - out <= q.ring.fifo.mask + 1 and <int64_t> (in_ - a64_load_relaxed(&q.passed)) >= 0


cdef public int64_t queue_calls_before(void* queue, int is_python) noexcept nogil:
    """How many calls of a stage are over by its books, which say that one is running; -1: they don't."""
    cdef EventsQueue* q = <EventsQueue*> queue
    cdef LedgerCopy copy
    ledger_read(&q.python.ledger if is_python else &q.native.ledger, &copy)
    return <int64_t> copy.delivered if copy.in_call else -1


cdef public int queue_is_stopped(void* queue) noexcept nogil:
    return stage_is_stopped(&(<EventsQueue*> queue).python)


# -- the life of a queue ---------------------------------------------------------------------------

cdef public void queue_hold(void* queue) noexcept nogil:
    equeue_hold(<EventsQueue*> queue)


cdef public void queue_unhold(void* queue) noexcept nogil:
    equeue_let_go(<EventsQueue*> queue)


cdef public void queue_disable(void* queue) noexcept nogil:
    equeue_disable(<EventsQueue*> queue)


cdef public int queue_await_idle(void* queue) noexcept nogil:
    """Sleep once for each stage until nobody has its work: true if nobody has."""
    return equeue_await_idle(<EventsQueue*> queue, -1)


cdef public void queue_remove(void* world, void* queue) noexcept nogil:
    core_remove_queue(<Core*> world, <EventsQueue*> queue)


# -- works alone -----------------------------------------------------------------------------------

cdef struct Item:
    Work work                 # first, so that a Work* of an item is the item
    WorkQueue* wq
    int number


cdef void item_run(Work* work) noexcept nogil:
    hook_item((<Item*> work).number)


cdef void keep_nothing(void* owner) noexcept nogil:
    pass


cdef public void* works_new() noexcept nogil:
    cdef WorkQueue* wq = <WorkQueue*> memory_alloc(sizeof(WorkQueue))
    workqueue_init(wq, False)
    wq.retain = keep_nothing
    wq.release = keep_nothing
    wq.name = "worker"
    return wq


cdef public void works_start(void* wq, int workers, int with_keeper, int max_workers) noexcept nogil:
    if with_keeper:
        workqueue_start(<WorkQueue*> wq, workers, max_workers)
    else:
        start_bare(<WorkQueue*> wq, workers)


cdef public void works_describe(void* wq) noexcept nogil:
    describe_works(<WorkQueue*> wq, "stack", "sleepers", "bell", "lock")


cdef public void works_limit(void* wq, int max_active) noexcept nogil:
    (<WorkQueue*> wq).max_active = max_active


cdef public void works_freeze(void* wq) noexcept nogil:
    workqueue_freeze(<WorkQueue*> wq)


cdef public void works_thaw(void* wq) noexcept nogil:
    workqueue_thaw(<WorkQueue*> wq)


cdef public void works_stop(void* wq) noexcept nogil:
    workqueue_stop(<WorkQueue*> wq)


cdef public int works_have_ended(void* wq) noexcept nogil:
    return workqueue_await_end(<WorkQueue*> wq, 0)


cdef public void works_free(void* wq) noexcept nogil:
    workqueue_destroy(<WorkQueue*> wq)
    memory_free(wq)


cdef public void* item_new(void* wq, int number) noexcept nogil:
    cdef Item* item = <Item*> memory_alloc(sizeof(Item))
    work_init(&item.work, item_run)
    item.wq = <WorkQueue*> wq
    item.number = number
    hook_name(item, sizeof(Item), "item")
    return item


cdef public void item_free(void* item) noexcept nogil:
    memory_free(item)


cdef public int item_queue(void* item) noexcept nogil:
    return queue_work((<Item*> item).wq, &(<Item*> item).work)


cdef public int item_queue_delayed(void* item, uint64_t nanoseconds) noexcept nogil:
    return queue_delayed_work((<Item*> item).wq, &(<Item*> item).work, nanoseconds)


cdef public int item_modify_delayed(void* item, uint64_t nanoseconds) noexcept nogil:
    return modify_delayed_work((<Item*> item).wq, &(<Item*> item).work, nanoseconds)


cdef public int item_cancel(void* item) noexcept nogil:
    return cancel_work((<Item*> item).wq, &(<Item*> item).work)


cdef public void item_cancel_sync(void* item) noexcept nogil:
    cdef Item* it = <Item*> item
    cancel_work(it.wq, &it.work)
    while not workqueue_await_clear(it.wq, &it.work, WORK_RUNNING, -1):
        pass


cdef public void item_disable(void* item) noexcept nogil:
    work_disable(&(<Item*> item).work)
    cancel_work((<Item*> item).wq, &(<Item*> item).work)


cdef public void item_enable(void* item) noexcept nogil:
    work_enable(&(<Item*> item).work)


cdef public void item_flush(void* item) noexcept nogil:
    cdef Item* it = <Item*> item
    cdef uint64_t state
    cdef uint32_t target
    expedite_work(it.wq, &it.work)
    state = a64_load_seq_cst(&it.work.state)
    target = work_flush_target(state)
    while not workqueue_await_flush(it.wq, &it.work, target, -1):
        pass


cdef public uint64_t item_word(void* item) noexcept nogil:
    return a64_load_seq_cst(&(<Item*> item).work.state)
