"""What a forked child makes of the cores that it inherits: nothing, and safely so.

A child has one thread, a copy of that which forked. All other threads are missing, wherever they were: with a
lock in hand, in the middle of a list. So a core that was there before the fork is of no use in the child, and
all that happens to it is that it says so: its doors are shut, so that native handles are answered with
-ESHUTDOWN; what was queued is its parent's, so that nobody waits for it; its locks and bells are made anew, so
that Python objects which refer to it can be looked at and freed; and it is never freed itself, since a list in
there may be half changed. The pipeline makes itself a new core and binds its subscriptions to that
(tocsin/forks.py); threads come with the first kick, so a child that goes on to something else has none.

The child's handler is the system's (pthread_atfork), not Python's: so it runs whoever forks. It allocates
nothing, waits for nothing, and calls no Python. What it walks is a list of all cores, whose lock the forking
thread holds while it forks. Who forks in a callback is a worker, alone in the child: it makes no further call,
and when it comes back from this one its thread ends (worker.pxd).

The list is one of the library's registries; the others are that of the exit, and that of the workqueues which
Python made (tocsin/forks.py): a pool's locks and bells are made anew by the same function.
"""

from libc.stdint cimport uint32_t

from tocsin._core.atomic cimport a32_exchange_full, a32_fetch_or_full, a32_store_relaxed
from tocsin._core.core cimport core_queue, core_retain, equeue_abandon, equeue_shut
from tocsin._core.equeue cimport EventsQueue
from tocsin._core.lifetime cimport equeue_hold
from tocsin._core.thread cimport bell_init, lock_drop, lock_init, lock_t, lock_take, process_at_fork
from tocsin._core.worker cimport workqueue_start
from tocsin._core.workqueue cimport HALT_FORKED, HALT_STOPPED


cdef lock_t cores_lock
cdef Core* cores


# -- the list; any thread --------------------------------------------------------------------------

cdef void core_enlist(Core* core) noexcept nogil:
    """Have a child know of a core, until that is freed. Its maker, once."""
    lock_take(&cores_lock)
    link_in(core)
    lock_drop(&cores_lock)
    core.going = core_delist


cdef inline void link_in(Core* core) noexcept nogil:
    global cores
    core.next_core = cores
    core.link = &cores
    if cores != NULL:
        cores.link = &core.next_core
    cores = core


cdef void core_delist(void* raw) noexcept nogil:
    cdef Core* core = <Core*> raw
    lock_take(&cores_lock)
    core.link[0] = core.next_core
    if core.next_core != NULL:
        core.next_core.link = core.link
    lock_drop(&cores_lock)


# -- around a fork ---------------------------------------------------------------------------------

cdef void before_fork() noexcept nogil:
    lock_take(&cores_lock)


cdef void in_parent() noexcept nogil:
    lock_drop(&cores_lock)


cdef void in_child() noexcept nogil:
    global cores
    cdef Core* core = cores
    lock_init(&cores_lock)
    while core != NULL:
        core_orphan(core)
        core = core.next_core
    cores = NULL


cdef void core_orphan(Core* core) noexcept nogil:
    """Have a core say that it is the parent's. The child's only thread."""
    cdef int protocol
    core_retain(core)
    workqueue_orphan(&core.native, core.portable)
    workqueue_orphan(&core.python, core.portable)
    for protocol in range(256):
        if core_queue(core, protocol) != NULL:
            equeue_orphan(core_queue(core, protocol), core.portable)


cdef void workqueue_orphan(WorkQueue* wq, bint portable) noexcept nogil:
    """Have a workqueue begin nothing and be safe to touch. The child's only thread."""
    lock_init(&wq.lock)
    bell_init(&wq.bell, portable)
    bell_init(&wq.keeper_bell, portable)
    bell_init(&wq.settled, portable)
    a32_fetch_or_full(&wq.halted, HALT_STOPPED | HALT_FORKED)
    a32_store_relaxed(&wq.alive, 0)
    a32_store_relaxed(&wq.sleepers, 0)
    a32_store_relaxed(&wq.spinners, 0)
    wq.threads = 0
    wq.has_keeper = False
    wq.start_late = NULL


cdef void equeue_orphan(EventsQueue* q, bint portable) noexcept nogil:
    lock_init(&q.lock)
    bell_init(&q.progress, portable)
    equeue_hold(q)
    equeue_shut(q)
    equeue_abandon(q)


# -- threads for a child ---------------------------------------------------------------------------

cdef void core_start_late(Core* core, uint32_t native, uint32_t python, uint32_t most) noexcept nogil:
    """Have the first push start the workers. Before anybody else sees the core."""
    core.native.base_threads = native
    core.native.max_threads = most
    core.native.start_late = start_workers
    core.python.base_threads = python
    core.python.max_threads = most
    core.python.start_late = start_workers


cdef void start_workers(void* raw) noexcept nogil:
    """Start the workers of a core. Whoever pushed; native code can't, it has no handle before they run.

    If the system refuses a thread, what was pushed stays queued, and the next push tries again. One thread starts
    them all: a worker that is there already, and pushes, leaves the others to whoever started it.
    """
    cdef Core* core = <Core*> raw
    if a32_exchange_full(&core.starting, 1):
        return
    if workqueue_begin(&core.native) and workqueue_begin(&core.python):
        core.native.start_late = NULL
        core.python.start_late = NULL
    a32_exchange_full(&core.starting, 0)


cdef bint workqueue_begin(WorkQueue* wq) noexcept nogil:
    """Start the threads of a workqueue that has none. True: they are there."""
    return wq.threads > 0 or workqueue_start(wq, wq.base_threads, wq.max_threads) == 0


lock_init(&cores_lock)
if process_at_fork(before_fork, in_parent, in_child) != 0:
    raise MemoryError("no memory to know of forks")
