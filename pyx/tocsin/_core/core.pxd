"""The core of a pipeline: its workqueues and queues, and how long they live.

Everything that threads or native handles may still use after Python has let the pipeline go hangs on one
`Core`, which counts its users: the pipeline, each worker and keeper, each subscription, each native producer.
The last one frees it, wherever it is. A queue that is registered has its place here, and the core is one of
those that hold it; how it goes when its protocol is unregistered stands in lifetime.pxd.

Closing goes in steps, each harmless to repeat: shut the doors (no event is accepted any more), wait until no
writer is inside, let the workers deliver what was accepted, then either everything has passed or the rest is
abandoned: from then on no call begins and the books count what is left.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from tocsin._core.atomic cimport (
    a32,
    a32_exchange_full,
    a32_fetch_add_full,
    a32_fetch_sub_full,
    a32_load_seq_cst,
    a32_store_relaxed,
    a32_store_release,
    a64,
    a64_load_acquire,
    a64_load_relaxed,
    a64_store_relaxed,
    aptr,
    aptr_load_acquire,
    aptr_store_release,
)
from tocsin._core.barrier cimport barrier_register
from tocsin._core.control cimport workqueue_worker_here
from tocsin._core.equeue cimport EventsQueue, Stage, stage_look_at_turn
from tocsin._core.kick cimport kick_use_fast_form
from tocsin._core.ledger cimport ledger_settle
from tocsin._core.lifetime cimport equeue_let_go, equeue_release, equeue_retain
from tocsin._core.memory cimport (
    memory_alloc,
    memory_fault_in,
    memory_free,
    memory_map,
    memory_unmap,
)
from tocsin._core.ring cimport ring_close, ring_init, ring_is_quiet, ring_reserved, ring_share
from tocsin._core.stages cimport native_stage, python_stage
from tocsin._core.thread cimport (
    EVERYONE,
    bell_init,
    bell_look,
    bell_park,
    bell_ring,
    lock_init,
    thread_self,
)
from tocsin._core.work cimport work_function, work_init
from tocsin._core.workqueue cimport WorkQueue, owner_function, workqueue_destroy, workqueue_init


cdef struct Kept:
    # Part of a block that native code may hold an address of: freed with the core, and a user of its queue.
    Kept* following
    void* block
    EventsQueue* queue


cdef struct Core:
    a32 users
    a32 starting                  # a thread is about to start the workers of a child (forks.pyx)
    Kept* kept                    # under the face's lock
    bint portable
    bint shared_writers           # every ring is shared from the start: the GIL is no writer lock
    int clock_kind
    WorkQueue native
    WorkQueue python
    aptr queues[256]              # EventsQueue* by protocol id
    a64 unknown                   # events that named nothing registered
    a64 closed                    # events that came too late
    a64 main_inside               # the main thread, while one of its callables is running there; or 0
    void* spare_calls             # of maincall.pyx, or NULL; under the lock of the native workqueue
    # The list of all cores, of forks.pyx and under its lock.
    Core* next_core
    Core** link
    owner_function going          # takes it off that list; or NULL


cdef inline Core* core_new(bint portable, bint shared_writers, int clock_kind) noexcept nogil:
    """Make a core with one user, the caller; NULL: no memory."""
    cdef Core* core = <Core*> memory_alloc(sizeof(Core))
    if core != NULL:
        a32_store_relaxed(&core.users, 1)
        core.portable = portable
        core.shared_writers = shared_writers
        core.clock_kind = clock_kind
        core_init_workqueue(core, &core.native, "tocsin-native")
        core_init_workqueue(core, &core.python, "tocsin-python")
    return core


cdef inline void core_init_workqueue(Core* core, WorkQueue* wq, const char* name) noexcept nogil:
    workqueue_init(wq, core.portable)
    wq.owner = core
    wq.retain = core_retain
    wq.release = core_release
    wq.name = name


cdef inline bint core_use_fast_kicks(Core* core) noexcept nogil:
    """Have kickers look first, if barriers for everybody are to be had. False if not. Before the start."""
    if core.portable or barrier_register() != 0:
        return False
    kick_use_fast_form(&core.native.form)
    kick_use_fast_form(&core.python.form)
    return True


cdef inline void core_retain(void* core) noexcept nogil:
    """Count one more user. A user."""
    a32_fetch_add_full(&(<Core*> core).users, 1)


cdef inline void core_release(void* core) noexcept nogil:
    """Count a user out; the last one frees the core. A user, once."""
    if a32_fetch_sub_full(&(<Core*> core).users, 1) == 1:
        core_free(<Core*> core)


cdef inline void core_keep(Core* core, Kept* kept, void* block, EventsQueue* q) noexcept nogil:
    """Free a block together with the core, and have it use a queue until then, or NULL. One caller at a time."""
    if q != NULL:
        equeue_retain(q)
    kept.block = block
    kept.queue = q
    kept.following = core.kept
    core.kept = kept


cdef inline void core_free(Core* core) noexcept nogil:
    cdef int protocol
    cdef EventsQueue* q
    cdef void* block
    if core.going != NULL:
        core.going(core)
    while core.kept != NULL:
        block = core.kept.block
        if core.kept.queue != NULL:
            equeue_release(core.kept.queue)
        core.kept = core.kept.following
        memory_free(block)
    for protocol in range(256):
        q = core_queue(core, protocol)
        if q != NULL:
            equeue_let_go(q)
    workqueue_destroy(&core.native)
    workqueue_destroy(&core.python)
    memory_free(core)


cdef inline bint core_is_inside(Core* core) noexcept nogil:
    """True if the caller is inside a callback of the pipeline. Any thread."""
    return (
        workqueue_worker_here(&core.python) != NULL
        or workqueue_worker_here(&core.native) != NULL
        or a64_load_relaxed(&core.main_inside) == thread_self()
    )


# -- queues ----------------------------------------------------------------------------------------

cdef inline void stage_init(Stage* stage, EventsQueue* q, WorkQueue* wq, work_function function) noexcept nogil:
    work_init(&stage.work, function)
    stage.queue = q
    stage.wq = wq
    stage.position = stage.ahead = a64_load_acquire(&q.ring.fifo.in_)       # [bytes-ready]
    ledger_settle(&stage.ledger, stage.position, 0, 0, 0)


cdef inline EventsQueue* equeue_new(Core* core, int protocol, uint64_t size, uint64_t start) noexcept nogil:
    """Make the queue of a protocol, `size` bytes, a power of two; NULL: no memory. Not yet visible.

    The caller is its holder, until core_add_queue().
    """
    cdef EventsQueue* q = <EventsQueue*> memory_alloc(sizeof(EventsQueue))
    cdef void* data = memory_map(size)
    if q == NULL or data == NULL:
        memory_free(q)
        memory_unmap(data, size)
        return NULL
    a32_store_relaxed(&q.users, 1)
    a32_store_relaxed(&q.holders, 1)
    ring_init(&q.ring, data, size, start)
    if core.shared_writers:
        ring_share(&q.ring)
    a64_store_relaxed(&q.passed, start)
    q.protocol = protocol
    q.clock_kind = core.clock_kind
    bell_init(&q.progress, core.portable)
    lock_init(&q.lock)
    stage_init(&q.native, q, &core.native, native_stage)
    stage_init(&q.python, q, &core.python, python_stage)
    q.python.is_python = True
    aptr_store_release(&q.first, &q.native)                                 # [first-stage]
    return q


cdef inline void core_add_queue(Core* core, EventsQueue* q) noexcept nogil:
    """Hold a finished queue in place of the caller, who made it. One caller at a time."""
    aptr_store_release(&core.queues[q.protocol], q)                         # [queue-added]


cdef inline EventsQueue* core_queue(const Core* core, int protocol) noexcept nogil:
    """The queue of a protocol, or NULL. Under the face's lock, or when nobody has the pipeline any more."""
    return <EventsQueue*> aptr_load_acquire(&core.queues[protocol])         # [queue-added]


cdef inline void core_remove_queue(Core* core, EventsQueue* q) noexcept nogil:
    """Hold a queue no more, at the end of its registration (lifetime.pxd). One caller at a time."""
    aptr_store_release(&core.queues[q.protocol], NULL)                      # [queue-added]
    equeue_let_go(q)


cdef inline void equeue_fault_in(EventsQueue* q) noexcept nogil:
    """Have the pages of the ring present, so that no writer waits for one. Any thread."""
    memory_fault_in(q.ring.fifo.data, q.ring.fifo.mask + 1)   # where the system can't, pages come as needed


# -- waiting ---------------------------------------------------------------------------------------

cdef inline uint32_t equeue_wait_look(EventsQueue* q) noexcept nogil:
    """What to park on; the caller looks for what it waits for after this and before parking. Any thread."""
    cdef uint32_t seen = bell_look(&q.progress)
    a32_exchange_full(&q.awaited, 1)      # whether others wait makes no difference      [awaited]
    stage_look_at_turn(&q.native)
    stage_look_at_turn(&q.python)
    return seen


cdef inline bint equeue_has_passed(EventsQueue* q, uint64_t position) noexcept nogil:
    """True if everything before a position has left its last stage. Any thread."""
    return <int64_t> (a64_load_acquire(&q.ring.fifo.out) - position) >= 0   # [space-freed]


cdef inline bint equeue_await_position(EventsQueue* q, uint64_t position, int64_t timeout) noexcept nogil:
    """Sleep once, at most `timeout` ns, until equeue_has_passed(). True if it has. Any thread."""
    cdef uint32_t seen = equeue_wait_look(q)
    if not equeue_has_passed(q, position):
        bell_park(&q.progress, seen, timeout)
    return equeue_has_passed(q, position)


# -- closing ---------------------------------------------------------------------------------------

cdef inline void equeue_shut(EventsQueue* q) noexcept nogil:
    """Accept no event any more. Any thread; with locked writers, the one that holds their lock."""
    a32_store_relaxed(&q.closed, 1)      # which error a writer gets; the door itself is the ring's
    ring_close(&q.ring)


cdef inline bint equeue_is_quiet(EventsQueue* q) noexcept nogil:
    """True if no shared writer is inside. Any thread."""
    return not q.ring.shared or ring_is_quiet(&q.ring)


cdef inline void equeue_abandon(EventsQueue* q) noexcept nogil:
    """Count what is left as abandoned. Any thread, after the workqueues were stopped."""
    a32_store_release(&q.abandoned, 1)                                      # [abandoned]
    bell_ring(&q.progress, EVERYONE)


cdef inline uint64_t equeue_target(EventsQueue* q) noexcept nogil:
    """The position that has passed once everything accepted so far has been delivered. Any thread."""
    return ring_reserved(&q.ring)
