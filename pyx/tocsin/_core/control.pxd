"""Controlling a workqueue: who am I, run this, wait for this, hold everything.

All of it is cold and for any thread. Waits sleep once, at most for the time given, and say whether what they wait
for has come: the caller goes round, and looks at its own business (signals, a deadline) in between. A waiter
sets WAITED in the state of the item, by a read-modify-write that also shows it the state; whoever changes the
state takes WAITED out in the same operation and then rings `settled` [work-kicked].
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from tocsin._core.atomic cimport (
    a32_fetch_and_full,
    a32_fetch_or_full,
    a64_fetch_or_full,
    a64_load_seq_cst,
)
from tocsin._core.thread cimport (
    EVERYONE,
    bell_look,
    bell_park,
    bell_ring,
    lock_drop,
    lock_take,
    thread_self,
)
from tocsin._core.work cimport WORK_WAITED, Work, work_is_flushed
from tocsin._core.workqueue cimport (
    HALT_FROZEN,
    Worker,
    WorkQueue,
    workqueue_collect,
    workqueue_delist,
    workqueue_enlist,
    workqueue_finish,
    workqueue_leave,
    workqueue_may_take,
    workqueue_try_take,
)


cdef inline Worker* workqueue_worker_here(WorkQueue* wq) noexcept nogil:
    """The worker whose thread the caller is on, or NULL: whatever it does, it is inside. Any thread."""
    cdef uint64_t thread = thread_self()
    cdef Worker* worker
    lock_take(&wq.lock)
    worker = wq.workers
    while worker != NULL and worker.thread != thread:
        worker = worker.following
    lock_drop(&wq.lock)
    return worker


cdef inline bint workqueue_run_here(WorkQueue* wq) noexcept nogil:
    """Run the next item, if there is one, in the calling thread. Any thread; for queues without workers."""
    cdef Worker worker
    cdef Work* work
    worker.queue = wq
    worker.thread = thread_self()
    worker.current = NULL
    worker.attachment = NULL
    lock_take(&wq.lock)
    workqueue_enlist(wq, &worker)
    work = workqueue_try_take(wq, &worker)
    if work != NULL:
        lock_drop(&wq.lock)
        work.function(work)
        workqueue_finish(wq, work, False)
        lock_take(&wq.lock)
        wq.active -= 1
    workqueue_delist(wq, &worker)
    lock_drop(&wq.lock)
    return work != NULL


cdef inline bint workqueue_await_flush(
    WorkQueue* wq, Work* work, uint32_t target, int64_t timeout
) noexcept nogil:
    """Sleep once, at most `timeout` ns, until work_is_flushed(). True if it is. Not on the item's worker."""
    cdef uint32_t seen = bell_look(&wq.settled)
    if work_is_flushed(a64_fetch_or_full(&work.state, WORK_WAITED), target):
        return True
    bell_park(&wq.settled, seen, timeout)
    return work_is_flushed(a64_load_seq_cst(&work.state), target)


cdef inline bint workqueue_await_clear(
    WorkQueue* wq, Work* work, uint64_t bits, int64_t timeout
) noexcept nogil:
    """Sleep once, at most `timeout` ns, until none of the state bits is set. True if none is."""
    cdef uint32_t seen = bell_look(&wq.settled)
    if a64_fetch_or_full(&work.state, WORK_WAITED) & bits == 0:
        return True
    bell_park(&wq.settled, seen, timeout)
    return a64_load_seq_cst(&work.state) & bits == 0


cdef inline void workqueue_freeze(WorkQueue* wq) noexcept nogil:
    """Begin no run until workqueue_thaw(); runs in progress look at `halted` before each call. Any thread."""
    a32_fetch_or_full(&wq.halted, HALT_FROZEN)


cdef inline void workqueue_thaw(WorkQueue* wq) noexcept nogil:
    """Take workqueue_freeze() back. Any thread."""
    lock_take(&wq.lock)      # a worker on its way to sleep has announced itself, or will see the change
    a32_fetch_and_full(&wq.halted, ~<uint32_t> HALT_FROZEN)
    workqueue_collect(wq)
    if workqueue_may_take(wq):
        workqueue_leave(wq)          # the keeper may have disarmed itself, since nothing could be taken
    lock_drop(&wq.lock)
    bell_ring(&wq.bell, EVERYONE)
