# Annotations here are for __signature__ only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""Workqueues for Python: functions that run on worker threads, once per kick and never twice at once.

The same work items and workers as under a pipeline (work.pxd, workqueue.pxd, worker.pxd); the function of an
item takes the GIL and calls a Python one. A queue keeps every item that it was given alive until it is idle.
The block with an item's node is freed with the item, or, if a list still holds the node then, with the queue.

Any thread. Waits let the GIL go and answer signals; one that would wait for itself raises RuntimeError.
"""

from libc.stdint cimport int64_t, uint64_t

from tocsin._core.atomic cimport a32_load_relaxed, a64_load_seq_cst
from tocsin._core.bridge cimport bridge_install, gil_give, gil_take
from tocsin._core.control cimport workqueue_freeze, workqueue_thaw, workqueue_worker_here
from tocsin._core.memory cimport memory_alloc, memory_free
from tocsin._core.timer cimport cancel_work, expedite_work, modify_delayed_work, queue_delayed_work
from tocsin._core.pool cimport Pool, PyWork, pool_await_clear, pool_await_flush, pool_end, pool_new
from tocsin._core.pool cimport pool_release, pool_retain
from tocsin._core.times cimport deadline_of, delay_of
from tocsin._core.work cimport WORK_LINKED, WORK_PENDING, WORK_RUNNING, WORK_TIMED, Work, work_disable
from tocsin._core.work cimport work_enable, work_flush_target, work_init
from tocsin._core.worker cimport workqueue_start, workqueue_stop
from tocsin._core.workqueue cimport QUEUED_NOT, Worker, WorkQueue, queue_work

from tocsin.errors import ClosedError


ctypedef void (*run_function)(void* block) noexcept nogil


cdef void work_run(Work* work) noexcept nogil:
    """Call the Python function of an item. Its worker."""
    cdef PyWork* block = <PyWork*> work
    cdef int state = gil_take(&block.pool.wq)
    if state >= 0:
        (<run_function> <void*> work_call)(block)
        gil_give(state)


cdef void work_call(void* raw) noexcept:
    cdef PyWork* block = <PyWork*> raw
    if block.object == NULL:
        return
    cdef WorkCore work = <WorkCore> block.object
    try:
        work.function()
    except BaseException as error:
        work.queue._report(error, work)


cdef class WorkCore:
    """Stand for a function and the state of its runs: what Work is built on."""

    cdef PyWork* block
    cdef readonly object function
    cdef WorkQueueCore queue

    def __cinit__(self, function: object, *args, **kwargs):
        if not callable(function):
            raise TypeError(f"a work needs a function, not {function!r}")
        self.function = function
        self.block = <PyWork*> memory_alloc(sizeof(PyWork))
        if self.block == NULL:
            raise MemoryError("no memory for a work")
        work_init(&self.block.work, work_run)
        self.block.object = <void*> self

    def __del__(self):
        if self.block != NULL:
            self.block.object = NULL      # a worker that gets the GIL now calls nothing any more

    def __dealloc__(self):
        cdef Pool* pool
        if self.block == NULL:
            return
        self.block.object = NULL
        pool = self.block.pool
        if pool == NULL:
            memory_free(self.block)
            return
        cancel_work(&pool.wq, &self.block.work)
        if self.state() & (WORK_LINKED | WORK_RUNNING):
            self.block.following = pool.orphans
            pool.orphans = self.block
        else:
            memory_free(self.block)
        pool_release(pool)

    cdef uint64_t state(self) noexcept:
        return a64_load_seq_cst(&self.block.work.state)

    @property
    def pending(self) -> bool:
        """Whether a run is owed that has not begun, delayed or not."""
        return self.state() & WORK_PENDING != 0

    @property
    def running(self) -> bool:
        """Whether a worker is inside the function."""
        return self.state() & WORK_RUNNING != 0

    def flush(self, timeout: object = None) -> bool:
        """Wait for the run that is owed or in progress; later ones don't matter. True if it waited.

        A delayed run is made due now. TimeoutError after `timeout` seconds. RuntimeError where it
        would wait for itself: in its own function, or in a function of the same ordered queue.
        """
        if self.queue is None:
            return False
        self.queue.refuse_inside(self, "flush")
        expedite_work(&self.block.pool.wq, &self.block.work)
        cdef uint64_t state = self.state()
        if state & (WORK_PENDING | WORK_RUNNING) == 0:
            return False
        if not pool_await_flush(self.queue.pool, &self.block.work, work_flush_target(state), deadline_of(timeout)):
            raise TimeoutError(f"{self!r} did not finish within {timeout} seconds")
        return True

    def cancel(self) -> bool:
        """Drop the run that is owed; one in progress goes on. True if one was owed. Never waits."""
        return self.queue is not None and cancel_work(&self.block.pool.wq, &self.block.work)

    def cancel_sync(self, timeout: object = None) -> bool:
        """Drop the run that is owed and wait for one in progress; kicks meanwhile are refused.

        True if one was owed. TimeoutError after `timeout` seconds; RuntimeError in its own function.
        """
        if self.queue is None:
            return False
        self.queue.refuse_inside(self, "cancel_sync")
        if not work_disable(&self.block.work):
            raise RuntimeError(f"{self!r} is being cancelled 65,535 times already")
        try:
            cancelled = cancel_work(&self.block.pool.wq, &self.block.work)
            if not pool_await_clear(self.queue.pool, &self.block.work, WORK_RUNNING, deadline_of(timeout)):
                raise TimeoutError(f"{self!r} did not finish within {timeout} seconds")
            return cancelled
        finally:
            work_enable(&self.block.work)


cdef class WorkQueueCore:
    """Own the workers and run works on them: what WorkQueue is built on."""

    cdef Pool* pool
    cdef object __weakref__
    cdef set works            # those that may not be idle
    cdef int purge_at
    cdef bint is_closed
    cdef bint is_draining

    def __cinit__(self, *args, **kwargs):
        self.works = set()
        self.purge_at = 64

    def _start(self, workers: int, most: int, max_active: int, portable: bool) -> None:
        if self.pool != NULL:
            raise RuntimeError("a workqueue is initialised once")
        self.pool = pool_new(portable)
        if self.pool == NULL:
            raise MemoryError("no memory for a workqueue")
        cdef WorkQueue* wq = &self.pool.wq
        wq.max_active = max_active
        bridge_install(wq)
        error = workqueue_start(wq, workers, most)
        if error:
            workqueue_stop(wq)
            raise OSError(error, "a worker could not be started")

    def __del__(self):
        if self.pool != NULL:
            workqueue_stop(&self.pool.wq)

    def __dealloc__(self):
        if self.pool != NULL:
            workqueue_stop(&self.pool.wq)
            pool_release(self.pool)

    cdef int admit(self, WorkCore work) except -1:
        """See that a work may be queued here, and keep it until it is idle."""
        if work is None:
            raise TypeError("a work must be a Work, not None")
        if self.pool == NULL:
            raise RuntimeError("the workqueue was not initialised: a subclass must call super().__init__()")
        if self.is_closed:
            raise ClosedError(f"{self!r} is closed")
        if self.is_draining and workqueue_worker_here(&self.pool.wq) == NULL:
            raise RuntimeError(f"{self!r} is being drained: only its own works may queue")
        if work.queue is not self:
            if work.queue is not None and work.state() & (WORK_PENDING | WORK_LINKED | WORK_RUNNING):
                raise RuntimeError(f"{work!r} is busy on {work.queue!r}")
            if work.block.pool != NULL:
                work.queue.works.discard(work)
                pool_release(work.block.pool)
            pool_retain(self.pool)
            work.queue = self
            work.block.pool = self.pool
        if len(self.works) >= self.purge_at:
            self.works = {
                known
                for known in tuple(self.works)
                if (<WorkCore> known).state() & (WORK_PENDING | WORK_LINKED | WORK_RUNNING)
            }
            self.purge_at = max(64, 2 * len(self.works))
        self.works.add(work)
        return 0

    def queue(self, work: WorkCore) -> bool:
        """Have a work run once after now; False if a run that has not begun was owed already. Any thread."""
        self.admit(work)
        return queue_work(&self.pool.wq, &(<WorkCore> work).block.work) != QUEUED_NOT

    def queue_delayed(self, work: WorkCore, seconds: object) -> bool:
        """Have a work run `seconds` from now; False if a run was owed already: that one stays."""
        cdef uint64_t delay = delay_of(seconds)
        if delay == 0:
            return self.queue(work)
        self.admit(work)
        return queue_delayed_work(&self.pool.wq, &(<WorkCore> work).block.work, delay)

    def modify_delayed(self, work: WorkCore, seconds: object) -> bool:
        """Have a work run `seconds` from now instead of when it would. True if a run was owed."""
        cdef uint64_t delay = delay_of(seconds)
        self.admit(work)
        return modify_delayed_work(&self.pool.wq, &(<WorkCore> work).block.work, delay)

    def freeze(self) -> None:
        """Begin no run until thaw(); returns at once, runs in progress go on."""
        if self.pool != NULL:
            workqueue_freeze(&self.pool.wq)

    def thaw(self) -> None:
        """Take freeze() back."""
        if self.pool != NULL:
            workqueue_thaw(&self.pool.wq)

    @property
    def frozen(self) -> bool:
        """Whether no run begins until thaw()."""
        return self.pool != NULL and a32_load_relaxed(&self.pool.wq.halted) != 0

    def flush(self, timeout: object = None) -> None:
        """Wait for every run that is owed or in progress now; later ones don't prolong it.

        Delayed works are not waited for. TimeoutError; RuntimeError inside a function of this queue.
        """
        self.flush_works(deadline_of(timeout), "flush")

    def drain(self, timeout: object = None) -> None:
        """Wait until nothing is owed; meanwhile only the queue's own functions may queue. As flush()."""
        deadline = deadline_of(timeout)
        self.is_draining = True
        try:
            while self.flush_works(deadline, "drain"):
                pass
        finally:
            self.is_draining = False

    def close(self, timeout: object = None) -> None:
        """Thaw, drain, end the workers; harmless to repeat. Delayed works are cancelled. As flush()."""
        if self.is_closed or self.pool == NULL:
            return
        for work in list(self.works):
            if not self.is_due(work):
                work.cancel()
        self.thaw()
        self.drain(timeout)
        self.is_closed = True
        pool_end(self.pool, deadline_of(timeout))

    cdef bint is_due(self, WorkCore work) noexcept:
        return work.block.work.due == 0 or work.state() & WORK_TIMED == 0

    cdef int flush_works(self, int64_t deadline, str what) except -1:
        """Flush all works that are owed a run. How many there were."""
        self.refuse_inside(None, what)
        if deadline < 0 and self.frozen:
            raise RuntimeError(f"{what} of the frozen {self!r} would wait for ever: thaw() first, or a timeout")
        owed = [
            (work, work_flush_target((<WorkCore> work).state()))
            for work in tuple(self.works)
            if (<WorkCore> work).state() & (WORK_PENDING | WORK_RUNNING) and self.is_due(work)
        ]
        for work, target in owed:
            if not pool_await_flush(self.pool, &(<WorkCore> work).block.work, target, deadline):
                raise TimeoutError(f"{work!r} did not finish in time")
        return len(owed)

    cdef int refuse_inside(self, WorkCore work, str what) except -1:
        """Raise if the caller would wait for itself, or has nothing to wait on."""
        if self.pool == NULL:
            raise RuntimeError("the workqueue was not initialised: a subclass must call super().__init__()")
        cdef Worker* worker = workqueue_worker_here(&self.pool.wq)
        if worker == NULL:
            return 0
        if work is None or worker.current == &work.block.work or self.pool.wq.max_active == 1:
            raise RuntimeError(f"{what} inside a function of {self!r} would wait for itself")
        return 0
