"""Workers: the threads of a workqueue, how they sleep, and the keeper that watches them.

A worker takes items until there are none, looks around for a moment (spin.pxd), announces itself as a sleeper,
looks once more and parks. The announcement is made under the lock of the queue and before the last look, so
neither a push nor a change under the lock can fall between the look and the sleep.

The keeper is one more thread per queue. It sleeps without a time limit unless a delayed item waits for its
time or somebody armed it: workqueue_call_help() does, when a runnable item is left with no sleeper to call.
Armed, it looks every 10 ms; if no item was taken since its last look although one may be, and every worker is
inside an item and none of them waits for the GIL, it starts one more worker, up to a limit. With nothing to
take it disarms itself and looks at the stack once more: who pushes for others looks at `keeper_armed` after
that, so one of the two sees the other [keeper-disarmed]. A worker above the base number ends after 10 s
without work.

Lifetime. Threads are detached and each holds a reference on the owner of the queue (retain, release). Nobody
joins, so the last reference may be dropped anywhere, also inside a callback on a worker. A thread counts
itself out in `alive` and rings `settled` before it lets its reference go.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from tocsin._core.atomic cimport (
    a32_exchange_full,
    a32_fetch_add_full,
    a32_fetch_or_full,
    a32_fetch_sub_full,
    a32_load_relaxed,
    a32_load_seq_cst,
    a32_store_relaxed,
    aptr_load_relaxed,
    aptr_load_seq_cst,
)
from tocsin._core.clock cimport clock_monotonic
from tocsin._core.memory cimport memory_alloc, memory_free
from tocsin._core.spin cimport spin_for_work, spin_learn
from tocsin._core.thread cimport (
    EVERYONE,
    bell_look,
    bell_park,
    bell_ring,
    lock_drop,
    lock_take,
    thread_self,
    thread_start,
)
from tocsin._core.timer cimport queue_relook, timers_fire
from tocsin._core.work cimport Work
from tocsin._core.workqueue cimport (
    HALT_FORKED,
    HALT_STOPPED,
    WorkQueue,
    Worker,
    workqueue_collect,
    workqueue_delist,
    workqueue_enlist,
    workqueue_finish,
    workqueue_leave,
    workqueue_may_take,
    workqueue_try_take,
)


cdef enum:
    KEEPER_TICK_NS = 10_000_000
    IDLE_WORKER_NS = 2_000_000_000       # this many nanoseconds, this many times in a row
    IDLE_WORKER_TURNS = 5


# -- sleeping --------------------------------------------------------------------------------------

cdef inline bint worker_sleep(WorkQueue* wq) noexcept nogil:
    """Announce, look once more, and sleep. True if one above the base number slept idly. Worker only."""
    cdef uint32_t seen
    cdef uint64_t began
    cdef bint is_extra
    lock_take(&wq.lock)
    seen = bell_look(&wq.bell)
    a32_fetch_add_full(&wq.sleepers, 1)                                     # [sleeper-announced]
    if aptr_load_seq_cst(&wq.stack) != NULL:                                # [work-pushed]
        workqueue_collect(wq)
    if workqueue_may_take(wq) or a32_load_relaxed(&wq.halted) & HALT_STOPPED:
        a32_fetch_sub_full(&wq.sleepers, 1)
        lock_drop(&wq.lock)
        return False
    is_extra = wq.threads > wq.base_threads
    lock_drop(&wq.lock)

    began = clock_monotonic()
    bell_park(&wq.bell, seen, IDLE_WORKER_NS if is_extra else -1)
    a32_fetch_sub_full(&wq.sleepers, 1)
    spin_learn(wq, began)
    return is_extra and clock_monotonic() - began >= IDLE_WORKER_NS


cdef inline Work* worker_take(WorkQueue* wq, Worker* worker) noexcept nogil:
    """Take the next item and begin its run, sleeping until there is one; NULL: end the thread. Worker only."""
    cdef Work* work
    cdef int idle_turns = 0
    while True:
        lock_take(&wq.lock)
        work = workqueue_try_take(wq, worker)
        if wq.first == NULL and a32_load_relaxed(&wq.left_behind):
            a32_store_relaxed(&wq.left_behind, 0)
        if work != NULL:
            if workqueue_may_take(wq):
                workqueue_leave(wq)
            lock_drop(&wq.lock)
            return work
        if a32_load_relaxed(&wq.halted) & HALT_STOPPED:
            lock_drop(&wq.lock)
            return NULL
        if idle_turns >= IDLE_WORKER_TURNS and wq.threads > wq.base_threads:
            wq.threads -= 1                  # decided under the lock, or all extra ones and more would leave
            worker.leaving = True
            lock_drop(&wq.lock)
            return NULL
        lock_drop(&wq.lock)
        if not spin_for_work(wq):
            idle_turns = idle_turns + 1 if worker_sleep(wq) else 0


# -- threads ---------------------------------------------------------------------------------------

cdef inline void worker_main(void* raw) noexcept nogil:
    """Run items until the queue is stopped. The whole life of a worker's thread."""
    cdef Worker* worker = <Worker*> raw
    cdef WorkQueue* wq = worker.queue
    cdef Work* work
    lock_take(&wq.lock)
    worker.thread = thread_self()
    lock_drop(&wq.lock)
    if wq.thread_begin != NULL:
        wq.thread_begin(worker)
    work = worker_take(wq, worker)
    while work != NULL:
        work.function(work)
        if a32_load_relaxed(&wq.halted) & HALT_FORKED:
            break                            # a child has no part in what follows
        queue_relook(wq, work)
        workqueue_finish(wq, work, True)
        work = worker_take(wq, worker)
    if wq.thread_exit != NULL:
        wq.thread_exit(worker)
    if a32_load_relaxed(&wq.halted) & HALT_FORKED:
        return
    lock_take(&wq.lock)
    if not worker.leaving:
        wq.threads -= 1
    workqueue_delist(wq, worker)
    lock_drop(&wq.lock)
    memory_free(worker)
    thread_is_done(wq)


cdef inline void thread_is_done(WorkQueue* wq) noexcept nogil:
    """Count a thread out. The last thing that it does with the queue."""
    a32_fetch_sub_full(&wq.alive, 1)
    bell_ring(&wq.settled, EVERYONE)
    wq.release(wq.owner)


cdef inline int worker_start(WorkQueue* wq) noexcept nogil:
    """Start one more worker. 0, or the error number. Under the lock."""
    cdef int error
    cdef Worker* worker = <Worker*> memory_alloc(sizeof(Worker))
    if worker == NULL:
        return 12     # ENOMEM
    worker.queue = wq
    workqueue_enlist(wq, worker)
    wq.threads += 1
    a32_fetch_add_full(&wq.alive, 1)
    wq.retain(wq.owner)
    error = thread_start(wq.name, worker_main, worker)
    if error:
        wq.release(wq.owner)
        a32_fetch_sub_full(&wq.alive, 1)
        wq.threads -= 1
        workqueue_delist(wq, worker)
        memory_free(worker)
    return error


cdef inline int workqueue_start(WorkQueue* wq, uint32_t workers, uint32_t max_workers) noexcept nogil:
    """Start the base workers and the keeper. 0, or the error number; then stop the queue. Its owner, once."""
    cdef int error = 0
    lock_take(&wq.lock)
    wq.base_threads = workers
    wq.max_threads = max_workers
    wq.has_keeper = workers > 0      # said before there is anyone to ask; a bell rung early is not lost
    while error == 0 and wq.threads < workers:
        error = worker_start(wq)
    lock_drop(&wq.lock)
    if error == 0 and workers > 0:
        a32_fetch_add_full(&wq.alive, 1)
        wq.retain(wq.owner)
        error = thread_start("tocsin-keeper", keeper_main, wq)
        if error:
            a32_fetch_sub_full(&wq.alive, 1)
            wq.release(wq.owner)
    return error


cdef inline void workqueue_stop(WorkQueue* wq) noexcept nogil:
    """Have every thread end after the run that it is in; what is queued stays. Any thread; never waits."""
    lock_take(&wq.lock)      # a worker on its way to sleep has announced itself, or will see the change
    a32_fetch_or_full(&wq.halted, HALT_STOPPED)
    lock_drop(&wq.lock)
    bell_ring(&wq.bell, EVERYONE)
    bell_ring(&wq.keeper_bell, 1)


cdef inline bint workqueue_await_end(WorkQueue* wq, int64_t timeout) noexcept nogil:
    """Sleep once, at most `timeout` ns, until all threads have ended. True if they have. Not on one of them."""
    cdef uint32_t seen = bell_look(&wq.settled)
    if a32_load_seq_cst(&wq.alive) == 0:
        return True
    bell_park(&wq.settled, seen, timeout)
    return a32_load_seq_cst(&wq.alive) == 0


# -- the keeper ------------------------------------------------------------------------------------

cdef inline void keeper_main(void* raw) noexcept nogil:
    """Keep the time of delayed items and watch that runnable ones are taken. The keeper's whole life."""
    cdef WorkQueue* wq = <WorkQueue*> raw
    cdef bint ticking = False
    cdef uint64_t tick = 0
    cdef uint64_t taken = 0
    cdef uint64_t now
    cdef int64_t wait
    cdef uint32_t seen
    while True:
        seen = bell_look(&wq.keeper_bell)
        lock_take(&wq.lock)
        if a32_load_relaxed(&wq.halted) & HALT_STOPPED:
            lock_drop(&wq.lock)
            break
        now = clock_monotonic()
        wait = timers_fire(wq, now)
        if a32_load_seq_cst(&wq.keeper_armed):
            if not ticking or now >= tick:
                ticking = keeper_look(wq, ticking and taken == wq.taken)
                taken = wq.taken
                tick = now + KEEPER_TICK_NS
            if ticking:
                wait = <int64_t> (tick - now) if wait < 0 else min(wait, <int64_t> (tick - now))
        lock_drop(&wq.lock)
        if wait != 0:
            bell_park(&wq.keeper_bell, seen, wait)
    thread_is_done(wq)


cdef inline bint keeper_look(WorkQueue* wq, bint nothing_was_taken) noexcept nogil:
    """Help if help is due. True while there is something to watch, else disarmed. Keeper, under the lock."""
    if aptr_load_relaxed(&wq.stack) != NULL:
        workqueue_collect(wq)
        if workqueue_may_take(wq):
            workqueue_leave(wq)          # who pushed it may have relied on one that looks at the stack
    if not workqueue_may_take(wq):
        a32_exchange_full(&wq.keeper_armed, 0)                              # [keeper-disarmed]
        if aptr_load_seq_cst(&wq.stack) == NULL:                            # [work-pushed]
            return False
        a32_exchange_full(&wq.keeper_armed, 1)
        return True
    if (
        nothing_was_taken
        and wq.active >= wq.threads
        and wq.threads < wq.max_threads
        and a32_load_relaxed(&wq.waiting) == 0
    ):
        worker_start(wq)     # a failure is no loss: the next tick tries again
    return True
