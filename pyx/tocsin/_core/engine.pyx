# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""The compiled half of a Pipeline beside notify(): queues, subscriptions, waiting and the end.

All of it is cold. The face (tocsin/pipeline.py) serialises what changes the set of queues and of
subscriptions; the rest may be called from any thread. A queue is there as long as its bridge is in somebody's
hands, so all of this takes bridges, not queues, out of the list. How to wait stands in waits.pyx.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from tocsin._core.atomic cimport a64_load_relaxed
from tocsin._core.books cimport Books, equeue_books
from tocsin._core.bridge cimport bridge_install
from tocsin._core.calls cimport tell
from tocsin._core.control cimport workqueue_freeze, workqueue_thaw
from tocsin._core.core cimport Core, core_add_queue, core_new, core_release, core_remove_queue, core_use_fast_kicks
from tocsin._core.core cimport equeue_new, equeue_shut, equeue_target
from tocsin._core.ending cimport bridges_pass, channels_end, core_shut, core_stop, pipeline_end
from tocsin._core.equeue cimport EventsQueue
from tocsin._core.finaliser cimport Finaliser, finaliser_new, finaliser_run
from tocsin._core.forks cimport core_enlist, core_start_late
from tocsin._core.kick cimport kick_is_fast
from tocsin._core.lifetime cimport equeue_disable, equeue_let_go
from tocsin._core.listen cimport ListenCore
from tocsin._core.mainthread cimport MainReader, main_await
from tocsin._core.payload cimport rule_new
from tocsin._core.subscribe cimport equeue_subscribe
from tocsin._core.subscription cimport bridge_detach, bridge_new, bridge_subscribe
from tocsin._core.thread cimport lock_drop, lock_take
from tocsin._core.ties cimport Door, Member, StageBridge, SubscriptionCore
from tocsin._core.ties cimport bridge_reclaim, door_new, member_reclaim
from tocsin._core.times cimport deadline_of
from tocsin._core.waits cimport await_idle, await_member, await_position, await_quiet, await_workers
from tocsin._core.worker cimport workqueue_await_end, workqueue_start
from tocsin._core.workqueue cimport WorkQueue

from os import cpu_count


cdef class PipelineCore(ListenCore):
    """Own a core: what Pipeline is built on; its underscored methods are for the face alone."""

    cdef bint threaded
    cdef readonly list lingering      # native subscriptions, cancelled while they may have been running
    cdef Finaliser finaliser

    def __dealloc__(self):
        if self.core != NULL:           # else a base may have failed before our members were None
            finaliser_run(self.finaliser)
            core_release(self.core)

    def _start(
        self, native: int, python: int, most: int, clock: int, kick: str, portable: bool, shared: bool,
        on_error: object, late: bool = False,
    ) -> None:
        """Make the core and start its workers; `late`: with the first event, and in place of one before."""
        cdef int error = 0
        if self.core != NULL and not late:
            raise RuntimeError("a pipeline is initialised once")
        cdef Core* core = core_new(portable, shared, clock)
        if core == NULL:
            raise MemoryError("no memory for a pipeline")
        if self.core != NULL:
            self.leave_core()
        self.core = core
        self.on_error = on_error
        self.lingering = []
        core_enlist(self.core)
        self.finaliser = finaliser_new(pipeline_end, self.core, self.kept())
        bridge_install(&self.core.python)
        self.threaded = native > 0
        if self.threaded and kick != "atomic":     # without threads there is nobody to pay for barriers
            if not core_use_fast_kicks(self.core) and kick == "membarrier":
                raise RuntimeError('kick="membarrier" is not to be had here: kick="auto" takes it where it is')
        self.core.native.may_spin = self.threaded and cpu_count() > 1
        if self.threaded and late:
            core_start_late(self.core, native, python, most)
        elif self.threaded:
            error = workqueue_start(&self.core.native, native, most)
            if error == 0:
                error = workqueue_start(&self.core.python, python, most)
        if error != 0:
            core_stop(self.core, self.bridges)
            raise OSError(error, "a worker could not be started")

    def _kick(self) -> str:
        """Return the form of kicks in force."""
        cdef bint is_fast = kick_is_fast(&self.core.native.form) and kick_is_fast(&self.core.python.form)
        return "membarrier" if is_fast else "atomic"

    cdef void leave_core(self) noexcept:
        """Leave the core to the parent. A forked child, in which nobody else is."""
        self.finaliser.function = NULL
        self.leave_mains()
        self.bridges = [None] * 256
        self.doors = [None] * 256
        self.channels = []
        core_release(self.core)       # never the last one (forks.pyx)

    cdef tuple kept(self):
        """What the finaliser needs."""
        return self.bridges, self.lingering, self.channels, self.mains

    # -- queues -------------------------------------------------------------------------------------

    def _add_queue(self, protocol: int, size: int, start: int, types: list) -> object:
        """Make the queue of a protocol; its events are let in after _open_queue().

        types: 256 event types or None, by event id. Gives an object that stands for the queue: its door.
        """
        cdef StageBridge bridge
        cdef Door door
        cdef EventsQueue* q = equeue_new(self.core, protocol, size, start)
        if q == NULL:
            raise MemoryError(f"no memory for a queue of {size} bytes")
        try:
            for event, event_type in enumerate(types):
                if event_type is not None:
                    q.rules[<int> event] = rule_new(event_type.rule, size)
            bridge = bridge_new(self.core, q, types, self.on_error)
            door = door_new(bridge)
        except BaseException:
            equeue_let_go(q)
            raise
        self.bridges[protocol] = bridge
        core_add_queue(self.core, q)
        return door

    def _open_queue(self, queue: Door) -> None:
        """Let the events of a protocol in; needs no memory."""
        self.doors[(<Door?> queue).q.protocol] = queue

    def _shut_queue(self, protocol: int) -> None:
        """Let no event of a protocol in any more: it names nothing registered, and producers get -ESHUTDOWN.

        What was accepted goes on being delivered; to repeat this is harmless.
        """
        cdef StageBridge bridge = self.bridges[protocol]
        self.doors[protocol] = None
        equeue_shut(bridge.q)

    def _await_queue(self, queue: Door, timeout: object) -> bool:
        """Wait until all that a shut queue accepted was delivered and no stage is at it; False: not in time."""
        cdef int64_t deadline = deadline_of(timeout)
        cdef EventsQueue* q = (<Door?> queue).q
        if not await_quiet(self.core, q, deadline):
            return False
        if not await_position(self.core, q, equeue_target(q), deadline):
            return False
        equeue_disable(q)
        return await_idle(self.core, q, deadline)

    def _drop_queue(self, queue: Door) -> None:
        """Let a queue go, after _await_queue() or before _open_queue(), when no subscription is attached to it.

        Then its protocol may be registered again. Its memory is freed as soon as nobody who came
        before looks at it. Under the face's lock.
        """
        cdef StageBridge bridge = (<Door?> queue).bridge
        bridge_detach(bridge)
        bridge_reclaim(bridge)
        self.bridges[bridge.q.protocol] = None
        core_remove_queue(self.core, bridge.q)

    # -- subscriptions ------------------------------------------------------------------------------

    def _attach(
        self, subscription: SubscriptionCore, code: int, source: int, function: int, context: int,
        priority: int
    ) -> None:
        """Put a subscription in the chain of a key; `function`: native, or 0 for its callable."""
        cdef uint32_t id = ((code >> 16) & 0xFF) << 16 | source
        cdef StageBridge bridge = self.bridges[code >> 24]
        cdef SubscriptionCore core = subscription
        cdef Member member
        for member in core.copy_members():
            if member.bridge is bridge:
                break
        else:
            member = bridge_subscribe(bridge, core, function, context, priority)
        member.ids.append(id)      # first: who leaves finds the chain by it, and may find itself not there
        if not equeue_subscribe(bridge.q, id, member.subscriber, core.is_python):
            raise MemoryError("no memory for a subscription")

    def _is_inside(self) -> bool:
        return self.is_inside()

    def _tell(self, error: BaseException, subscription: SubscriptionCore) -> None:
        """Tell on_error of what no callable raised; what it raises itself goes to sys.unraisablehook."""
        tell(self.on_error, error, subscription, None)

    # -- waiting ------------------------------------------------------------------------------------

    def _flush(self, timeout: object) -> bool:
        """Wait until every event accepted so far has passed its last stage; False: not in time."""
        cdef int64_t deadline = deadline_of(timeout)
        cdef uint64_t[256] targets
        cdef StageBridge bridge
        cdef list present = self.present()       # not those that are registered from now on
        for bridge in present:
            targets[bridge.q.protocol] = equeue_target(bridge.q)
        for bridge in present:
            if not await_position(self.core, bridge.q, targets[bridge.q.protocol], deadline):
                return False
        return True

    cdef list present(self):
        """The bridges of all queues, those that are shut too."""
        return [bridge for bridge in self.bridges if bridge is not None]

    def _await_idle(self, subscription: SubscriptionCore, timeout: object) -> bool:
        """Wait until no call of a cancelled subscription is running; False: not in time."""
        cdef int64_t deadline = deadline_of(timeout)
        cdef MainReader main = (<SubscriptionCore?> subscription).main
        if (<SubscriptionCore> subscription).channel is not None:
            return main is None or main_await(main, deadline)
        cdef Member member
        for member in (<SubscriptionCore?> subscription).copy_members():
            if not await_member(member, deadline):
                return False
            member_reclaim(member)
        return True

    def _freeze(self) -> None:
        """Begin no call any more until _thaw(). Under the face's lock."""
        workqueue_freeze(&self.core.native)
        workqueue_freeze(&self.core.python)
        bridges_pass(self.bridges)
        self.mains_pass()

    def _thaw(self) -> None:
        workqueue_thaw(&self.core.python)
        workqueue_thaw(&self.core.native)
        self.mains_go_on()

    # -- the end ------------------------------------------------------------------------------------

    def _shut(self) -> None:
        """Accept no event any more."""
        core_shut(self.core)

    def _await_writers(self, timeout: object) -> bool:
        """Wait until no shared writer is inside; False: not in time."""
        cdef int64_t deadline = deadline_of(timeout)
        cdef StageBridge bridge
        for bridge in self.present():
            if not await_quiet(self.core, bridge.q, deadline):
                return False
        return True

    def _stop(self) -> None:
        """Begin no call any more, and have the workers end; what is queued is counted as abandoned.

        Under the face's lock.
        """
        core_stop(self.core, self.bridges)
        channels_end(self.channels)

    def _await_workers(self, timeout: object) -> bool:
        """Wait until all threads have ended, after _stop(); False: not in time."""
        return await_workers(self.core, deadline_of(timeout))

    # -- the books ----------------------------------------------------------------------------------

    def _books(self, protocol: int) -> dict:
        """The books of a protocol whose queue was not dropped: names as in ProtocolStats; empty if it was."""
        cdef Books books
        cdef StageBridge bridge = self.bridges[protocol]
        if bridge is None:
            return {}
        cdef EventsQueue* q = bridge.q
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
