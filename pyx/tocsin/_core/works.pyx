# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""Workqueues for Python: functions that run on worker threads, once per kick and never twice at once.

The same work items and workers as under a pipeline (work.pxd, workqueue.pxd, worker.pxd); the function of an
item takes the GIL and calls a Python one. A queue keeps every item that it was given alive until it is idle.

Which queue an item is on, and which items a queue keeps, changes in the critical section of both: the GIL, or
on free-threaded builds their locks. An item is kept and queued in one such section, and in another those that
are idle are let go of; so none is let go of between the two. What that frees may run Python: it comes last.
An item that moves leaves its old queue first, so each queue finds only its own. Any thread.
In a forked child a queue is closed, and its items are idle: what was owed is the parent's, as the workers are.
Waits let the GIL go and answer signals; one that would wait for itself raises RuntimeError.
"""

cimport cython
from libc.stdint cimport int64_t, uint64_t, uintptr_t

from tocsin._core.atomic cimport a32_load_relaxed, a32_store_relaxed, a64_load_seq_cst
from tocsin._core.bridge cimport bridge_install, gil_give, gil_take
from tocsin._core.control cimport workqueue_freeze, workqueue_thaw, workqueue_worker_here
from tocsin._core.finaliser cimport finaliser_new, finaliser_run
from tocsin._core.pool cimport PyWork, block_new, block_object, block_orphan, block_release, busy_works
from tocsin._core.pool cimport cancel_delayed_works, owed_works, pool_await_clear, pool_await_flush, pool_end
from tocsin._core.pool cimport pool_flush_works, pool_leave_to_parent, pool_new, pool_release, pool_retain
from tocsin._core.pool cimport pool_stop, queue_at_once
from tocsin._core.timer cimport cancel_work, expedite_work, modify_delayed_work, queue_delayed_work
from tocsin._core.times cimport deadline_of, delay_of
from tocsin._core.work cimport WORK_LINKED, WORK_PENDING, WORK_RUNNING, Work
from tocsin._core.work cimport work_disable, work_enable, work_flush_target
from tocsin._core.worker cimport workqueue_start, workqueue_stop
from tocsin._core.workqueue cimport Worker, WorkQueue

from tocsin.errors import ClosedError

cdef str NOT_STARTED = "the workqueue was not initialised: a subclass must call super().__init__()"
cdef str FORKED = "of the process that this one was forked from: make another one here"
ctypedef void (*run_function)(void* block) noexcept nogil


cdef void work_run(Work* work) noexcept nogil:
    """Call the Python function of an item. Its worker."""
    cdef PyWork* block = <PyWork*> work
    cdef int state = gil_take(&block.pool.wq)
    if state >= 0:
        (<run_function> <void*> work_call)(block)
        gil_give(state)


cdef void work_call(void* raw) noexcept:
    cdef WorkCore work = block_object(<PyWork*> raw)
    if work is not None:
        try:
            work.function()
        except BaseException as error:
            work.owner()._report(error, work)


cdef class WorkCore:
    """Stand for a function and the state of its runs: what Work is built on."""

    def __cinit__(self, function: object, *args, **kwargs):
        if not callable(function):
            raise TypeError(f"a work needs a function, not {function!r}")
        self.function = function
        self.block = block_new(<void*> self, work_run)
        self.finaliser = finaliser_new(block_orphan, self.block, None)

    def __dealloc__(self):
        finaliser_run(self.finaliser)
        block_release(self.block)

    cdef WorkQueueCore owner(self):
        """The queue that it was given to last, or None."""
        with cython.critical_section(self):
            return self.queue

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
        cdef WorkQueueCore queue = self.owner()
        if queue is None:
            return False
        queue.refuse_inside(self, "flush")
        cdef uint64_t state = self.state()       # before it is made due: it may have run right after
        if state & (WORK_PENDING | WORK_RUNNING) == 0:
            return False
        with cython.critical_section(self):
            expedite_work(&self.block.pool.wq, &self.block.work)
        if not pool_await_flush(queue.pool, &self.block.work, work_flush_target(state), deadline_of(timeout)):
            raise TimeoutError(f"{self!r} did not finish within {timeout} seconds")
        return True

    def cancel(self) -> bool:
        """Drop the run that is owed; one in progress goes on. True if one was owed. Never waits."""
        with cython.critical_section(self):
            return self.queue is not None and cancel_work(&self.block.pool.wq, &self.block.work)

    def cancel_sync(self, timeout: object = None) -> bool:
        """Drop the run that is owed and wait for one in progress; kicks meanwhile are refused.

        True if one was owed. TimeoutError after `timeout` seconds; RuntimeError in its own function.
        """
        cdef WorkQueueCore queue = self.owner()
        if queue is None:
            return False
        queue.refuse_inside(self, "cancel_sync")
        if not work_disable(&self.block.work):
            raise RuntimeError(f"{self!r} is being cancelled 65,535 times already")
        try:
            cancelled = WorkCore.cancel(self)
            if not pool_await_clear(queue.pool, &self.block.work, WORK_RUNNING, deadline_of(timeout)):
                raise TimeoutError(f"{self!r} did not finish within {timeout} seconds")
            return cancelled
        finally:
            work_enable(&self.block.work)


cdef class WorkQueueCore:
    """Own the workers and run works on them: what WorkQueue is built on."""

    def __cinit__(self, *args, **kwargs):
        self.works = {}
        self.purge_at = 64

    def _start(self, workers: int, most: int, max_active: int, portable: bool) -> None:
        if self.pool != NULL:
            raise RuntimeError("a workqueue is initialised once")
        self.pool = pool_new(portable)
        if self.pool == NULL:
            raise MemoryError("no memory for a workqueue")
        self.finaliser = finaliser_new(pool_stop, self.pool, None)
        cdef WorkQueue* wq = &self.pool.wq
        wq.max_active = max_active
        bridge_install(wq)
        error = workqueue_start(wq, workers, most)
        if error:
            workqueue_stop(wq)
            raise OSError(error, "a worker could not be started")

    def __dealloc__(self):
        finaliser_run(self.finaliser)
        if self.pool != NULL:
            pool_release(self.pool)

    def _leave_to_parent(self) -> None:
        """Close it in a forked child, without a wait, and have its works idle; for the hook there."""
        self.ended = FORKED
        works, self.works = self.works, {}
        pool_leave_to_parent(self.pool, works)

    cdef bint put(self, WorkCore work, put_function function, uint64_t delay) except -1:
        """Have `function` queue a work, and keep it until it is idle."""
        cdef WorkQueueCore other
        cdef dict _before             # what goes with it may run Python: after the section
        cdef bint result
        if work is None:
            raise TypeError("a work must be a Work, not None")
        if self.pool == NULL:
            raise RuntimeError(NOT_STARTED)
        while True:
            with cython.critical_section(self, work):
                other = work.queue
                refusal = self.refusal()
                if refusal is None and (other is None or other is self):
                    self.keep(work)
                    result = function(&self.pool.wq, &work.block.work, delay)
                    if len(self.works) >= self.purge_at:
                        _before, self.works = self.works, busy_works(self.works)
                        self.purge_at = max(64, 2 * len(self.works))
                    return result
            if refusal is not None:
                raise (RuntimeError if self.ended is None else ClosedError)(f"{self!r} is {refusal}")
            other.part_with(work)

    cdef str refusal(self):
        """What hinders a work from being queued now, or None. In the section."""
        if self.ended is None and self.draining and workqueue_worker_here(&self.pool.wq) == NULL:
            return "being drained: only its own works may queue"
        return self.ended

    cdef void keep(self, WorkCore work):
        """Make a work this queue's own, and keep it. In the section of both."""
        if work.queue is None:
            pool_retain(self.pool)
            if work.block.pool != NULL:
                pool_release(work.block.pool)
            work.queue = self
            work.block.pool = self.pool
            a32_store_relaxed(&work.block.is_kept, 0)
        if a32_load_relaxed(&work.block.is_kept) == 0:
            self.works[<uintptr_t> work.block] = work
            a32_store_relaxed(&work.block.is_kept, 1)

    cdef int part_with(self, WorkCore work) except -1:
        """Let another queue have a work of ours; RuntimeError if it is not idle."""
        cdef bint is_busy = False
        with cython.critical_section(self, work):
            if work.queue is self:           # nobody else was quicker
                is_busy = work.state() & (WORK_PENDING | WORK_LINKED | WORK_RUNNING)
                if not is_busy:
                    self.works.pop(<uintptr_t> work.block, None)
                    work.queue = None
        if is_busy:
            raise RuntimeError(f"{work!r} is busy on {self!r}")

    def queue(self, work: WorkCore) -> bool:
        """Have a work run once after now; False if a run that has not begun was owed already. Any thread."""
        return self.put(work, queue_at_once, 0)

    def queue_delayed(self, work: WorkCore, seconds: object) -> bool:
        """Have a work run `seconds` from now; False if a run was owed already: that one stays."""
        cdef uint64_t delay = delay_of(seconds)
        return self.put(work, queue_delayed_work if delay else queue_at_once, delay)

    def modify_delayed(self, work: WorkCore, seconds: object) -> bool:
        """Have a work run `seconds` from now instead of when it would. True if a run was owed."""
        return self.put(work, modify_delayed_work, delay_of(seconds))

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
        self.flush_works(deadline_of(timeout), "flush", False)

    def drain(self, timeout: object = None) -> None:
        """Wait until nothing is owed; meanwhile only the queue's own functions may queue. As flush()."""
        self.drain_until(deadline_of(timeout), False)

    cdef int drain_until(self, int64_t deadline, bint to_close) except -1:
        with cython.critical_section(self):
            self.draining += 1
        try:
            while self.flush_works(deadline, "drain", to_close) > 0:
                continue
        finally:
            with cython.critical_section(self):
                self.draining -= 1

    def close(self, timeout: object = None) -> None:
        """Thaw, drain, end the workers; harmless to repeat. Delayed works are cancelled. As flush()."""
        if self.ended is not None or self.pool == NULL:      # an old look at it only repeats what does no harm
            return
        self.thaw()
        self.drain_until(deadline_of(timeout), True)
        pool_end(self.pool, deadline_of(timeout))

    cdef int flush_works(self, int64_t deadline, str what, bint to_close) except -1:
        """Flush all works that are owed a run: how many. to_close: closes, if there is none."""
        self.refuse_inside(None, what)
        if deadline < 0 and self.frozen:
            raise RuntimeError(f"{what} of the frozen {self!r} would wait for ever: thaw() first, or a timeout")
        with cython.critical_section(self):          # one look: a work that ends may queue another before
            if to_close:
                cancel_delayed_works(self.pool, self.works)
            owed = owed_works(self.works)
            self.ended = self.ended or ("closed" if to_close and not owed else None)
        return pool_flush_works(self.pool, owed, deadline)

    cdef int refuse_inside(self, WorkCore work, str what) except -1:
        """Raise if the caller would wait for itself, or has nothing to wait on."""
        if self.pool == NULL:
            raise RuntimeError(NOT_STARTED)
        if work is None and self.ended is FORKED:
            raise ClosedError(f"{self!r} is {FORKED}")
        cdef Worker* worker = workqueue_worker_here(&self.pool.wq)
        if worker != NULL and (work is None or worker.current == &work.block.work or self.pool.wq.max_active == 1):
            raise RuntimeError(f"{what} inside a function of {self!r} would wait for itself")
