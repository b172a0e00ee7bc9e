"""Workqueues: how work items wait for a worker, and who calls one.

Kickers push items on a stack with one compare-and-swap; that is all they ever touch. A worker that wants
work takes the lock, takes the whole stack, reverses it behind the list of runnable items, and takes the
first one off. So items run in the order in which they were pushed, and freezing or a limit of active items
is decided in one place, by the popper. The lock is among workers and cold callers only, held for a few
instructions and never while an item runs.

A worker that finds nothing announces itself in `sleepers`, looks once more and parks on the bell; whoever
pushes looks at `sleepers` afterwards. Each side writes one word and reads the other's, all four accesses
sequentially consistent, so at least one sees the other: the worker finds the item, or the pusher rings
[sleeper-announced], [work-pushed]. A worker that still looks around is no sleeper and costs the kicker
nothing. Only a worker that ends a run of an item, and puts that back, looks for nobody: it takes the next item
itself, and calls somebody if there are more. If there is no sleeper to call, everybody is awake and will look
before sleeping; then the keeper is armed (worker.pxd), who watches that this doesn't take too long.

Sleeping, spinning, the keeper and the threads themselves are in worker.pxd; asking, waiting and freezing in
control.pxd.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from tocsin._core.atomic cimport (
    a32,
    a32_exchange_full,
    a32_load_relaxed,
    a32_load_seq_cst,
    a64,
    a64_store_relaxed,
    aptr,
    aptr_cas_full,
    aptr_exchange_full,
    aptr_load_relaxed,
    aptr_load_seq_cst,
    aptr_store_relaxed,
)
from tocsin._core.clock cimport clock_monotonic
from tocsin._core.kick cimport KickForm, kick_is_owed_already
from tocsin._core.thread cimport (
    EVERYONE,
    bell_destroy,
    bell_init,
    bell_ring,
    bell_t,
    lock_destroy,
    lock_drop,
    lock_init,
    lock_t,
    lock_take,
)
from tocsin._core.work cimport (
    KICK_PUSH,
    KICK_QUEUED,
    WORK_LINKED,
    WORK_WAITED,
    Kick,
    Work,
    work_begin,
    work_claim,
    work_end,
    work_kick,
    work_may_run,
)


cdef enum:
    HALT_FROZEN = 1
    HALT_STOPPED = 2
    HALT_FORKED = 4           # in a child, whose threads are its parent's (forks.pyx)


cdef enum Queued:
    QUEUED_NOT        # a run that covers the kick was owed already, or the item is disabled
    QUEUED            # one more run is owed
    QUEUED_WOKE       # the same, and a sleeping worker was called for it


cdef struct Worker
cdef struct WorkQueue
ctypedef void (*owner_function)(void* owner) noexcept nogil
ctypedef void (*worker_function)(Worker* worker) noexcept nogil

cdef struct Worker:
    WorkQueue* queue
    Worker* following         # list of the queue, under its lock
    uint64_t thread
    Work* current             # the item that this worker is inside; under the lock
    void* attachment          # what the bridge keeps for the life of the thread
    bint leaving              # not counted in `threads` any more

cdef struct WorkQueue:
    # Kickers.
    aptr stack
    char _pad0[120]
    # Workers on their way to sleep, and who looks for them.
    a32 sleepers
    a32 spinners              # workers that look around: they need no call
    a32 keeper_armed
    a32 halted                # HALT_*; read before each call of a subscriber
    a32 alive                 # threads, the keeper too, that have not ended
    a32 waiting               # workers inside an item that wait for something all of them would (the GIL)
    bell_t bell
    a64 called_at             # when a sleeper was called last
    a64 spin_ns               # how long a worker looks around: spin.pxd
    a32 left_behind           # runnable items are in the list, and who put them there doesn't take them
    bell_t keeper_bell
    bell_t settled            # rung when an item with WAITED changes, and when a worker ends
    char _pad1[128]
    # Under the lock.
    lock_t lock
    Work* first
    Work* last
    Work* timers              # by due time
    Worker* workers
    uint64_t taken            # items taken so far
    uint32_t active
    uint32_t max_active       # 0: no limit
    uint32_t threads
    uint32_t base_threads
    uint32_t max_threads
    # Constant after the start.
    bint has_keeper
    bint may_spin
    KickForm form             # of the kicks of its items; only changed if barriers fail
    void* owner
    owner_function retain
    owner_function release
    worker_function thread_begin  # first and last call on a worker's thread, or NULL
    worker_function thread_exit
    owner_function start_late  # called by the first push, which has nobody to call; or NULL
    const char* name


cdef inline void workqueue_init(WorkQueue* wq, bint portable) noexcept nogil:
    """Make an empty workqueue in zeroed memory. Before anyone else can see it."""
    lock_init(&wq.lock)
    bell_init(&wq.bell, portable)
    bell_init(&wq.keeper_bell, portable)
    bell_init(&wq.settled, portable)


cdef inline void workqueue_destroy(WorkQueue* wq) noexcept nogil:
    """Give back what workqueue_init() took. After the last user."""
    bell_destroy(&wq.settled)
    bell_destroy(&wq.keeper_bell)
    bell_destroy(&wq.bell)
    lock_destroy(&wq.lock)


# -- kicking ---------------------------------------------------------------------------------------

cdef inline Queued queue_work(WorkQueue* wq, Work* work) noexcept nogil:
    """Make sure that the work will run after now. Any thread, signal handlers too; never waits."""
    cdef Kick kick
    if kick_is_owed_already(&wq.form, work):
        return QUEUED_NOT
    kick = work_kick(work)
    if kick == KICK_PUSH:
        return QUEUED_WOKE if workqueue_push(wq, work) else QUEUED
    return QUEUED if kick == KICK_QUEUED else QUEUED_NOT


cdef inline bint workqueue_push(WorkQueue* wq, Work* work) noexcept nogil:
    """Hand over an item whose LINKED the caller turned on. True if a sleeper was called. Any thread."""
    workqueue_put(wq, work)
    return workqueue_call_help(wq)


cdef inline void workqueue_put(WorkQueue* wq, Work* work) noexcept nogil:
    """Put an item on the stack: the caller calls somebody for it, or looks there itself. Any thread."""
    cdef void* newest = aptr_load_relaxed(&wq.stack)       # only a guess: the exchange decides
    while True:
        aptr_store_relaxed(&work.next, newest)
        if aptr_cas_full(&wq.stack, &newest, work):                         # [work-pushed]
            return


cdef inline bint workqueue_call_help(WorkQueue* wq) noexcept nogil:
    """See to it that somebody will look at the runnable items. True if a sleeper was called. Any thread."""
    cdef owner_function start_late = wq.start_late         # once: it goes when the workers are there
    if a32_load_seq_cst(&wq.spinners) != 0:                                 # [spinner-gone]
        return False
    if a32_load_seq_cst(&wq.sleepers) != 0:                                 # [sleeper-announced]
        bell_ring(&wq.bell, 1)
        a64_store_relaxed(&wq.called_at, clock_monotonic())      # a hint (spin.pxd): who sleeps needn't wait for it
        return True
    if start_late != NULL:
        start_late(wq.owner)
        return False
    # Everybody is awake and will look before sleeping; the keeper watches that this doesn't take long.
    if wq.has_keeper and a32_load_seq_cst(&wq.keeper_armed) == 0:         # [keeper-disarmed]
        if a32_exchange_full(&wq.keeper_armed, 1) == 0:
            bell_ring(&wq.keeper_bell, 1)
    return False


cdef inline void workqueue_leave(WorkQueue* wq) noexcept nogil:
    """Leave runnable items in the list, not without a witness. Under the lock."""
    a32_exchange_full(&wq.left_behind, 1)                                   # [item-left]
    workqueue_call_help(wq)


# -- taking and finishing --------------------------------------------------------------------------

cdef inline void workqueue_collect(WorkQueue* wq) noexcept nogil:
    """Put all pushed items behind the runnable ones, oldest first. Under the lock."""
    cdef Work* newest = <Work*> aptr_exchange_full(&wq.stack, NULL)         # [work-pushed]
    cdef Work* oldest = NULL
    cdef Work* tail = newest
    cdef Work* older
    while newest != NULL:
        older = <Work*> aptr_load_relaxed(&newest.next)
        aptr_store_relaxed(&newest.next, oldest)
        oldest = newest
        newest = older
    if oldest == NULL:
        return
    if wq.last == NULL:
        wq.first = oldest
    else:
        aptr_store_relaxed(&wq.last.next, oldest)
    wq.last = tail


cdef inline bint workqueue_may_take(WorkQueue* wq) noexcept nogil:
    """True if there is an item that may run now. Under the lock, after workqueue_collect()."""
    if wq.first == NULL or a32_load_relaxed(&wq.halted) != 0:
        return False
    return wq.max_active == 0 or wq.active < wq.max_active


cdef inline Work* workqueue_try_take(WorkQueue* wq, Worker* worker) noexcept nogil:
    """Take the first item that may run and begin its run, or NULL. Its worker, under the lock."""
    cdef Work* work
    cdef uint64_t state
    if worker.current != NULL:
        worker.current = NULL                # the item before, which may be gone by now
        wq.active -= 1
    workqueue_collect(wq)
    while workqueue_may_take(wq):
        work = wq.first
        wq.first = <Work*> aptr_load_relaxed(&work.next)
        if wq.first == NULL:
            wq.last = NULL
        state = work_begin(work)
        if work_may_run(state):
            wq.active += 1
            wq.taken += 1
            worker.current = work
            return work
        if state & WORK_WAITED:
            bell_ring(&wq.settled, EVERYONE)
    return NULL


cdef inline void workqueue_finish(WorkQueue* wq, Work* work, bint is_taker) noexcept nogil:
    """End a run that work_begin() or work_claim() began; push the item if it owes another. Its worker.

    `is_taker`: the caller will take the next item right away. If it takes another one it calls a sleeper for this;
    to call one in any case would have two workers take turns at each long flow. Workers that the system refused are
    asked for again at each push, so at this one too.
    """
    cdef uint64_t state = work_end(work)
    if state & WORK_LINKED:
        workqueue_put(wq, work)
        if not is_taker or wq.start_late != NULL:
            workqueue_call_help(wq)
    # From here on the item may be gone: whoever waited for it may have freed it.
    if state & WORK_WAITED:
        bell_ring(&wq.settled, EVERYONE)


cdef inline void workqueue_enlist(WorkQueue* wq, Worker* worker) noexcept nogil:
    """Make a worker known to workqueue_worker_here(). Under the lock."""
    worker.following = wq.workers
    wq.workers = worker


cdef inline void workqueue_delist(WorkQueue* wq, Worker* worker) noexcept nogil:
    """Take a worker off the list. Under the lock."""
    cdef Worker** link = &wq.workers
    while link[0] != worker:
        link = &link[0].following
    link[0] = worker.following
