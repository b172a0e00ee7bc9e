# Annotations here are for __signature__ only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""The compiled half of a Pipeline beside notify(): queues, subscriptions, waiting and the end.

All of it is cold. The face (tocsin/pipeline.py) serialises what changes the set of queues and of
subscriptions; the rest may be called from any thread. Waiting always happens without the GIL, in slices after
each of which signals are answered; deadlines are times of the monotonic clock in ns, -1 for none.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from tocsin._core.atomic cimport a32_load_acquire, a64_load_relaxed, aptr_store_release
from tocsin._core.books cimport Books, equeue_books
from tocsin._core.bridge cimport bridge_install
from tocsin._core.control cimport workqueue_freeze, workqueue_thaw
from tocsin._core.core cimport core_add_queue, core_new, core_release, equeue_await_position
from tocsin._core.core cimport equeue_free, equeue_has_passed, equeue_is_quiet, equeue_new
from tocsin._core.core cimport equeue_target, equeue_wait_begin, equeue_wait_end, equeue_wait_look
from tocsin._core.ending cimport bridges_pass, core_shut, core_stop, pipeline_end
from tocsin._core.equeue cimport EventsQueue, stage_has_passed, stage_look_at_turn
from tocsin._core.finaliser cimport Finaliser, finaliser_new, finaliser_run
from tocsin._core.notify cimport NotifyCore
from tocsin._core.payload cimport rule_new
from tocsin._core.subscribe cimport equeue_subscribe
from tocsin._core.subscription cimport bridge_new, bridge_subscribe
from tocsin._core.thread cimport bell_park, lock_drop, lock_take
from tocsin._core.ties cimport Member, StageBridge, SubscriptionCore, bridge_reclaim, member_is_running
from tocsin._core.times cimport deadline_of, slice_until
from tocsin._core.worker cimport workqueue_await_end, workqueue_start
from tocsin._core.workqueue cimport WorkQueue, workqueue_run_here

from os import cpu_count


cdef class PipelineCore(NotifyCore):
    """Own a core: what Pipeline is built on; its underscored methods are for the face alone."""

    cdef bint threaded
    cdef readonly list lingering      # native subscriptions, cancelled while they may have been running
    cdef object on_error
    cdef Finaliser finaliser

    def __dealloc__(self):
        finaliser_run(self.finaliser)
        if self.core != NULL:
            core_release(self.core)

    def _start(
        self, native: int, python: int, most: int, clock: int, portable: bool, shared: bool, on_error: object
    ) -> None:
        cdef int error = 0
        if self.core != NULL:
            raise RuntimeError("a pipeline is initialised once")
        self.on_error = on_error
        self.lingering = []
        self.core = core_new(portable, shared, clock)
        if self.core == NULL:
            raise MemoryError("no memory for a pipeline")
        self.finaliser = finaliser_new(pipeline_end, self.core, (self.bridges, self.lingering))
        bridge_install(&self.core.python)
        self.threaded = native > 0
        self.core.native.may_spin = cpu_count() > 1
        if self.threaded:
            error = workqueue_start(&self.core.native, native, most)
            if error == 0:
                error = workqueue_start(&self.core.python, python, most)
        if error != 0:
            core_stop(self.core, self.bridges)
            raise OSError(error, "a worker could not be started")

    # -- queues -------------------------------------------------------------------------------------

    def _add_queue(self, protocol: int, size: int, start: int, types: list) -> None:
        """Make the queue of a protocol. `types`: 256 event types or None, by event id."""
        cdef EventsQueue* q = equeue_new(self.core, protocol, size, start)
        if q == NULL:
            raise MemoryError(f"no memory for a queue of {size} bytes")
        try:
            for event, event_type in enumerate(types):
                if event_type is not None:
                    q.rules[<int> event] = rule_new(event_type.rule, size)
            self.bridges[protocol] = bridge_new(self.core, q, types, self.on_error)
        except BaseException:
            equeue_free(q)
            raise
        core_add_queue(self.core, q)
        aptr_store_release(&self.queues[<int> protocol], q)                 # [queue-known]

    # -- subscriptions ------------------------------------------------------------------------------

    def _attach(
        self, subscription: SubscriptionCore, code: int, source: int, function: int, context: int,
        priority: int
    ) -> None:
        """Put a subscription in the chain of a key; `function`: native, or 0 for its callable."""
        cdef EventsQueue* q = self.queue_of(code)
        cdef uint32_t id = ((code >> 16) & 0xFF) << 16 | source
        cdef StageBridge bridge = self.bridges[code >> 24]
        cdef SubscriptionCore core = subscription
        cdef Member member
        for member in core.members:
            if member.bridge is bridge:
                break
        else:
            member = bridge_subscribe(bridge, core, function, context, priority)
            core.members.append(member)
        if not equeue_subscribe(q, id, member.subscriber, core.is_python):
            raise MemoryError("no memory for a subscription")
        member.ids.append(id)

    def _is_inside(self) -> bool:
        return self.is_inside()

    # -- waiting ------------------------------------------------------------------------------------

    def _flush(self, timeout: object) -> bool:
        """Wait until every event accepted so far has passed its last stage; False: not in time."""
        cdef int64_t deadline = deadline_of(timeout)
        cdef uint64_t[256] targets
        cdef int protocol
        present = [protocol for protocol in range(256) if self.queue(protocol) != NULL]
        for protocol in present:
            targets[protocol] = equeue_target(self.queue(protocol))
        for protocol in present:     # not those that were registered since
            if not self.await_position(self.queue(protocol), targets[protocol], deadline):
                return False
        return True

    cdef bint await_position(self, EventsQueue* q, uint64_t position, int64_t deadline) except -1:
        cdef int64_t slice = 0
        cdef bint ran = False
        cdef bint passed = equeue_has_passed(q, position)
        if passed:
            return True
        equeue_wait_begin(q)
        try:
            while not passed:
                slice = slice_until(deadline)
                with nogil:
                    if not self.threaded:
                        ran = workqueue_run_here(&self.core.native) | workqueue_run_here(&self.core.python)
                        passed = equeue_has_passed(q, position)
                    if not passed and not ran and slice > 0:
                        passed = equeue_await_position(q, position, slice)
                PyErr_CheckSignals()
                if slice == 0 or a32_load_acquire(&q.abandoned):            # [abandoned]
                    break
            return equeue_has_passed(q, position)
        finally:
            equeue_wait_end(q)

    def _await_idle(self, subscription: SubscriptionCore, timeout: object) -> bool:
        """Wait until no call of a cancelled subscription is running; False: not in time."""
        cdef int64_t deadline = deadline_of(timeout)
        cdef Member member
        for member in (<SubscriptionCore?> subscription).members:
            if not self.await_member(member, deadline):
                return False
            bridge_reclaim(member.bridge)
        return True

    cdef bint await_member(self, Member member, int64_t deadline) except -1:
        cdef EventsQueue* q = member.bridge.q
        cdef bint is_python = member.subscription.is_python
        cdef uint32_t turn = stage_look_at_turn(&q.native)
        cdef uint32_t seen
        cdef int64_t slice
        equeue_wait_begin(q)
        try:
            while True:
                seen = equeue_wait_look(q)
                if is_python and not member_is_running(member):
                    return True
                if not is_python and stage_has_passed(&q.native, turn):
                    return True
                slice = slice_until(deadline)
                if slice == 0:
                    return False
                with nogil:
                    bell_park(&q.progress, seen, slice)
                PyErr_CheckSignals()
        finally:
            equeue_wait_end(q)

    def _freeze(self) -> None:
        """Begin no call any more until _thaw(). Under the face's lock."""
        workqueue_freeze(&self.core.native)
        workqueue_freeze(&self.core.python)
        bridges_pass(self.bridges)

    def _thaw(self) -> None:
        workqueue_thaw(&self.core.python)
        workqueue_thaw(&self.core.native)

    # -- the end ------------------------------------------------------------------------------------

    def _shut(self) -> None:
        """Accept no event any more."""
        core_shut(self.core)

    def _await_writers(self, timeout: object) -> bool:
        """Wait until no shared writer is inside; False: not in time. They are quick, and don't ring."""
        cdef int64_t deadline = deadline_of(timeout)
        cdef int protocol
        cdef WorkQueue* wq = &self.core.native
        for protocol in range(256):
            while self.queue(protocol) != NULL and not equeue_is_quiet(self.queue(protocol)):
                if slice_until(deadline) == 0:
                    return False
                with nogil:
                    workqueue_await_end(wq, 100_000)
                PyErr_CheckSignals()
        return True

    def _stop(self) -> None:
        """Begin no call any more, and have the workers end; what is queued is counted as abandoned.

        Under the face's lock.
        """
        core_stop(self.core, self.bridges)

    def _await_workers(self, timeout: object) -> bool:
        """Wait until all threads have ended, after _stop(); False: not in time."""
        cdef int64_t deadline = deadline_of(timeout)
        cdef bint ended = False
        cdef int64_t slice
        while True:
            slice = slice_until(deadline)
            with nogil:
                ended = workqueue_await_end(&self.core.native, slice) and workqueue_await_end(
                    &self.core.python, slice
                )
            PyErr_CheckSignals()
            if ended or slice == 0:
                return ended

    # -- the books ----------------------------------------------------------------------------------

    def _books(self, protocol: int) -> dict:
        """The books of a registered protocol: names as in ProtocolStats."""
        cdef Books books
        cdef EventsQueue* q = self.queue(protocol)
        cdef int patience = 1000
        memset(&books, 0, sizeof(books))
        cdef bint balances = equeue_books(q, &books)
        with nogil:
            while not balances and patience > 0:
                patience -= 1
                workqueue_await_end(&self.core.native, 100_000)     # let the writer in between go on
                balances = equeue_books(q, &books)
        return books

    def _totals(self) -> tuple:
        """Events that named nothing registered, events that came too late, and worker threads now."""
        if self.core == NULL:
            raise RuntimeError("the pipeline was not initialised: a subclass must call super().__init__()")
        return (
            a64_load_relaxed(&self.core.unknown),
            a64_load_relaxed(&self.core.closed),
            threads_of(&self.core.native) + threads_of(&self.core.python),
        )


cdef uint32_t threads_of(WorkQueue* wq) noexcept:
    lock_take(&wq.lock)
    cdef uint32_t threads = wq.threads
    lock_drop(&wq.lock)
    return threads
