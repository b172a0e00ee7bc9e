"""The block behind a WorkQueue: what its threads may use after Python has let it go.

Like the core of a pipeline it counts its users, the object and each thread, and the last one frees it. The
block of a work whose object has gone while a list still held its node waits here for that.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from tocsin._core.atomic cimport a32, a32_fetch_add_full, a32_fetch_sub_full, a32_store_relaxed
from tocsin._core.memory cimport memory_alloc, memory_free
from tocsin._core.work cimport Work, work_function
from tocsin._core.workqueue cimport QUEUED_NOT, WorkQueue, queue_work, workqueue_destroy, workqueue_init


cdef struct PyWork

cdef struct Pool:
    a32 users
    PyWork* orphans           # blocks whose objects have gone while a list held them; under the lock of wq
    bint portable
    WorkQueue wq


cdef struct PyWork:
    Work work                 # first, so that a Work* of a block is the block
    void* object              # the WorkCore, or NULL when it goes; under the lock of wq once there is a pool
    a32 is_kept               # 1: its queue keeps it; 0 while nobody knows, which costs one more look
    PyWork* following
    Pool* pool                # of the queue that it was given to, or NULL; changes only while it is idle


cdef inline Pool* pool_new(bint portable) noexcept nogil:
    """Make a pool with one user, the caller; NULL: no memory."""
    cdef Pool* pool = <Pool*> memory_alloc(sizeof(Pool))
    if pool != NULL:
        a32_store_relaxed(&pool.users, 1)
        pool.portable = portable
        workqueue_init(&pool.wq, portable)
        pool.wq.owner = pool
        pool.wq.retain = pool_retain
        pool.wq.release = pool_release
        pool.wq.name = "tocsin-work"
    return pool


cdef inline void pool_retain(void* pool) noexcept nogil:
    a32_fetch_add_full(&(<Pool*> pool).users, 1)


cdef inline void pool_release(void* raw) noexcept nogil:
    cdef Pool* pool = <Pool*> raw
    cdef PyWork* orphan
    if a32_fetch_sub_full(&pool.users, 1) != 1:
        return
    while pool.orphans != NULL:
        orphan = pool.orphans
        pool.orphans = orphan.following
        memory_free(orphan)
    workqueue_destroy(&pool.wq)
    memory_free(pool)


cdef inline bint queue_at_once(WorkQueue* wq, Work* work, uint64_t delay) noexcept nogil:
    """queue_work() in the form of the delayed ones; False: a run was owed already. Any thread."""
    return queue_work(wq, work) != QUEUED_NOT


cdef PyWork* block_new(void* object, work_function function) except NULL
cdef dict busy_works(dict works)
cdef object block_object(PyWork* block)
cdef void block_orphan(void* block, object kept) noexcept
cdef void block_release(PyWork* block) noexcept
cdef bint pool_await_flush(Pool* pool, Work* work, uint32_t target, int64_t deadline) except -1
cdef bint pool_await_clear(Pool* pool, Work* work, uint64_t bits, int64_t deadline) except -1
cdef void cancel_delayed_works(Pool* pool, dict works) noexcept
cdef list owed_works(dict works)
cdef int pool_flush_works(Pool* pool, list owed, int64_t deadline) except -1
cdef void pool_stop(void* pool, object kept) noexcept
cdef bint pool_end(Pool* pool, int64_t deadline) except -1
cdef void pool_leave_to_parent(Pool* pool, dict works) noexcept
