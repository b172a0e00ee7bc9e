"""The blocks of works, and waiting for works and for the end of a pool; cold.

A worker gets from a block to its object under the lock of the workqueue, and there it takes its own
reference; an object that goes takes itself out of its block under the same lock, in its finaliser, when
it can still be brought back to life. So it doesn't take a GIL to have one of the two come first.

Each wait lets the GIL go and answers signals.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t, uint32_t, uint64_t, uintptr_t

from tocsin._core.atomic cimport a32_store_relaxed, a64_load_seq_cst
from tocsin._core.control cimport workqueue_await_clear, workqueue_await_flush
from tocsin._core.forks cimport workqueue_orphan
from tocsin._core.memory cimport memory_alloc, memory_free
from tocsin._core.thread cimport lock_drop, lock_take
from tocsin._core.timer cimport cancel_work
from tocsin._core.times cimport slice_until
from tocsin._core.work cimport WORK_LINKED, WORK_PENDING, WORK_RUNNING, WORK_TIMED, Work
from tocsin._core.work cimport work_flush_target, work_function, work_init
from tocsin._core.worker cimport workqueue_await_end, workqueue_stop


cdef PyWork* block_new(void* object, work_function function) except NULL:
    """Make the block of an object, whose item runs a function; MemoryError."""
    cdef PyWork* block = <PyWork*> memory_alloc(sizeof(PyWork))
    if block == NULL:
        raise MemoryError("no memory for a work")
    work_init(&block.work, function)
    block.object = object
    return block


cdef dict busy_works(dict works):
    """Those of the works, by the address of their block, that are not idle. In their queue's critical section."""
    cdef dict busy = {}
    cdef PyWork* block
    for address, work in works.items():
        block = <PyWork*> <uintptr_t> address
        if a64_load_seq_cst(&block.work.state) & (WORK_PENDING | WORK_LINKED | WORK_RUNNING):
            busy[address] = work
        else:
            a32_store_relaxed(&block.is_kept, 0)
    return busy


cdef object block_object(PyWork* block):
    """The object of a block whose run has begun; None: it has gone. Its worker, with the GIL."""
    cdef object work = None
    lock_take(&block.pool.wq.lock)
    if block.object != NULL:
        work = <object> block.object
    lock_drop(&block.pool.wq.lock)
    return work


cdef void block_orphan(void* raw, object kept) noexcept:
    """Have workers find no object any more. The object's finaliser, with the GIL."""
    cdef PyWork* block = <PyWork*> raw
    if block.pool == NULL:
        block.object = NULL
    else:
        lock_take(&block.pool.wq.lock)
        block.object = NULL
        lock_drop(&block.pool.wq.lock)


cdef void block_release(PyWork* block) noexcept:
    """Free a block (NULL: none), or leave it to its pool while a list holds its node. The object, last thing."""
    cdef Pool* pool = NULL if block == NULL else block.pool
    cdef bint is_free = True
    if pool != NULL:
        cancel_work(&pool.wq, &block.work)
        lock_take(&pool.wq.lock)
        is_free = a64_load_seq_cst(&block.work.state) & (WORK_LINKED | WORK_RUNNING) == 0
        if not is_free:
            block.following = pool.orphans
            pool.orphans = block
        lock_drop(&pool.wq.lock)
    if is_free:
        memory_free(block)
    if pool != NULL:
        pool_release(pool)


cdef bint pool_await_flush(Pool* pool, Work* work, uint32_t target, int64_t deadline) except -1:
    """Wait until so many runs of a work have ended, or none is owed; False: not in time."""
    cdef bint done = False
    cdef int64_t slice = 1
    while not done and slice != 0:
        slice = slice_until(deadline)
        with nogil:
            done = workqueue_await_flush(&pool.wq, work, target, slice)
        PyErr_CheckSignals()
    return done


cdef bint pool_await_clear(Pool* pool, Work* work, uint64_t bits, int64_t deadline) except -1:
    """Wait until none of the state bits of a work is set; False: not in time."""
    cdef bint done = False
    cdef int64_t slice = 1
    while not done and slice != 0:
        slice = slice_until(deadline)
        with nogil:
            done = workqueue_await_clear(&pool.wq, work, bits, slice)
        PyErr_CheckSignals()
    return done


cdef void cancel_delayed_works(Pool* pool, dict works) noexcept:
    """Cancel the delayed runs among the works of a queue. In its critical section."""
    cdef Work* work
    for address in works:
        work = &(<PyWork*> <uintptr_t> address).work
        if a64_load_seq_cst(&work.state) & WORK_TIMED:
            cancel_work(&pool.wq, work)


cdef list owed_works(dict works):
    """What is owed to the works of a queue now, for pool_flush_works(). In its critical section."""
    cdef list owed = []
    cdef uint64_t state
    for address, work in works.items():
        state = a64_load_seq_cst(&(<PyWork*> <uintptr_t> address).work.state)
        if state & WORK_TIMED:
            state &= ~<uint64_t> WORK_PENDING        # not now; a run that has armed it again may go on
        if state & (WORK_PENDING | WORK_RUNNING):
            owed.append((address, work, work_flush_target(state)))
    return owed


cdef int pool_flush_works(Pool* pool, list owed, int64_t deadline) except -1:
    """Wait until what was owed is done, delayed runs excepted. How much it was."""
    for address, work, target in owed:
        if not pool_await_flush(pool, &(<PyWork*> <uintptr_t> address).work, target, deadline):
            raise TimeoutError(f"{work!r} did not finish in time")
    return len(owed)


cdef void pool_stop(void* pool, object kept) noexcept:
    """Begin no run any more. The queue's finaliser, with the GIL."""
    workqueue_stop(&(<Pool*> pool).wq)


cdef bint pool_end(Pool* pool, int64_t deadline) except -1:
    """Stop the workers and wait for their end; False: not in time."""
    cdef bint done = False
    cdef int64_t slice = 1
    workqueue_stop(&pool.wq)
    while not done and slice != 0:
        slice = slice_until(deadline)
        with nogil:
            done = workqueue_await_end(&pool.wq, slice)
        PyErr_CheckSignals()
    return done


cdef void pool_leave_to_parent(Pool* pool, dict works) noexcept:
    """Have a pool begin nothing, and the works of its queue idle. A child's only thread, after the fork.

    The pool is never freed, since a list in there may be half changed. A work whose function forked is idle too:
    its worker looks at it no more.
    """
    cdef PyWork* block
    pool_retain(pool)
    workqueue_orphan(&pool.wq, pool.portable)
    for address in works:
        block = <PyWork*> <uintptr_t> address
        work_init(&block.work, block.work.function)
        a32_store_relaxed(&block.is_kept, 0)
