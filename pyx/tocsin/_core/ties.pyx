# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""The ties between Python and the core: who keeps what alive, and what a call needs of its subscription.

A pipeline owns a StageBridge per protocol and its subscriptions; the stage borrows the bridge (`stage.owner`)
and holds a reference from enter to leave, so the pipeline may go in the middle of a run. A chain borrows the
Member that it calls; the bridge keeps it until it is cancelled and the Python stage has passed the turn at which
that was [stage-turn], as with the chain itself; then it is cut off from the bridge, which holds the queue
and would otherwise stay as long as anybody has the cancelled subscription. A Member counts as a user of its
queue, for the lock, and of the core.

A Member belongs to one stage, which has one worker at a time: so what is counted per call is counted there,
by its worker alone, and a subscription to several protocols adds up what its members have. What the worker
shares with those who cancel and ask lies in the critical section of its object. That is the GIL where there
is one, and the lock of the object on free-threaded builds; nothing in one of these runs Python or waits, so
none is ever left in the middle. Whoever begins a call takes the callable and says that it is running in one
section, and whoever cancels takes the callable away in another: either the call is seen running, or it never
begins. The same goes for a halt, which is looked at in the section: whoever freezes or stops passes through the
sections of all members afterwards, and no call begins after that.
"""

cimport cython
from libc.stdint cimport uint64_t

from tocsin._core.atomic cimport a64_load_relaxed
from tocsin._core.chain cimport subscriber_release
from tocsin._core.core cimport core_release
from tocsin._core.event cimport TypeRef
from tocsin._core.equeue cimport stage_has_passed, stage_look_at_turn
from tocsin._core.lifetime cimport equeue_let_go, equeue_release
from tocsin._core.offer cimport listener_leave
from tocsin._core.subscribe cimport equeue_cancel
from tocsin._core.thread cimport lock_drop, lock_take


cdef class StageBridge:
    """Tie the Python stage of one protocol to its Python objects, and hold its queue."""

    def __dealloc__(self):
        if self.q != NULL:
            equeue_let_go(self.q)


cdef class Door:
    """Let who notifies in: an object of its own, which the stage never counts itself as a user of (TypeRef)."""


cdef Door door_new(StageBridge bridge):
    """Make a door to the queue of a bridge. With the GIL."""
    cdef Door door = Door.__new__(Door)
    door.bridge = bridge
    door.q = bridge.q
    door.types = [None if of is None else (<TypeRef> of).type for of in bridge.types]
    return door


cdef void bridge_pass(StageBridge bridge) noexcept:
    """See every call either running or never begun, after a halt. Under the face's lock."""
    cdef Member member
    for member in bridge.members:
        with cython.critical_section(member):
            pass             # whoever begins a call after this sees the halt


cdef void bridge_reclaim(StageBridge bridge) noexcept:
    """Let go of the members that no walk can be at any more. Any thread, with the GIL."""
    cdef Member member
    cdef list gone = []
    cdef list staying = []
    with cython.critical_section(bridge):
        if bridge.leaving:
            for member in bridge.leaving:
                (gone if stage_has_passed(&bridge.q.python, member.left_at) else staying).append(member)
            bridge.leaving = staying
    members_cut(gone)


cdef void bridge_reclaim_all(StageBridge bridge) noexcept:
    """Let go of all members that have left. The stage, done with walking."""
    cdef list gone = []
    with cython.critical_section(bridge):
        if bridge.leaving:
            gone = bridge.leaving
            bridge.leaving = []
    members_cut(gone)


cdef void member_reclaim(Member member) noexcept:
    """Reclaim where a member was, if it isn't cut off yet. Any thread, with the GIL."""
    cdef StageBridge bridge
    with cython.critical_section(member):
        bridge = member.bridge
    if bridge is not None:
        bridge_reclaim(bridge)


cdef void members_cut(list members) noexcept:
    """Cut members that no walk can be at off from their bridge."""
    cdef Member member
    cdef StageBridge _bridge = None
    for member in members:
        with cython.critical_section(member):
            _bridge, member.bridge = member.bridge, None     # freed out of here, if it is


cdef class Member:
    """Stand for a subscription in the chains of one protocol."""

    def __dealloc__(self):
        if self.subscriber != NULL:
            lock_take(&self.q.lock)
            subscriber_release(self.subscriber)
            lock_drop(&self.q.lock)
            equeue_release(self.q)
            core_release(self.core)


cdef bint member_is_running(Member member) noexcept:
    """True while a call is running. With the GIL."""
    cdef bint is_running
    with cython.critical_section(member):
        is_running = member.is_running
    return is_running


cdef void member_leave(Member member, bint is_python) noexcept:
    """Begin no call any more, and leave the chains; harmless to repeat. Under the face's lock."""
    cdef StageBridge bridge
    with cython.critical_section(member):
        bridge = member.bridge
        member.callback = None       # the subscription has it still: nothing is freed in here
    if bridge is None:
        return
    for id in member.ids:
        equeue_cancel(member.q, id, member.subscriber, is_python)
    member.ids.clear()
    if member.listener != NULL:
        listener_leave(member.listener)
    if member in bridge.members:
        member.left_at = stage_look_at_turn(&member.q.python)
        try:
            with cython.critical_section(bridge):
                bridge.leaving.append(member)
            bridge.members.discard(member)
        except MemoryError:
            pass                     # it stays with the bridge, inactive, until that goes
    bridge_reclaim(bridge)


cdef class SubscriptionCore:
    """The core's half of a Subscription: what the stages need of it."""

    def _setup(self, callback: object, is_python: bool, is_batch: bool) -> None:
        self.function = callback
        self.is_python = is_python
        self.is_batch = is_batch
        self.members = []

    def _setup_channel(self, channel: ChannelCore) -> None:
        """Have a channel hear of the events, on the native stage. Before it is attached."""
        self.channel = channel

    @property
    def callback(self) -> object:
        """What is called; None after _forget()."""
        with cython.critical_section(self):
            return self.function

    def _deactivate(self) -> None:
        """Begin no call any more, and leave the chains."""
        if self.main is not None:
            self.main._silence()
        for member in self.copy_members():
            member_leave(member, self.is_python)

    cdef list copy_members(self):
        with cython.critical_section(self):
            return list(self.members)

    cdef int add_member(self, Member member) except -1:
        with cython.critical_section(self):
            self.members.append(member)
        return 0

    def _leave(self, protocol: int) -> None:
        """Leave the chains of one protocol, for good or until it is registered again; what was counted stays.

        A member that may be in a call goes on being waited for. Under the face's lock.
        """
        cdef Member member
        for member in self.copy_members():
            if member.q.protocol != protocol:
                continue
            member_leave(member, self.is_python)
            if (stage_look_at_turn(&member.q.native) | stage_look_at_turn(&member.q.python)) & 1 == 0:
                with cython.critical_section(self):
                    self.members = [other for other in self.members if other is not member]
                    self.calls_before += a64_load_relaxed(&member.calls)
                    self.slowest_before = max(self.slowest_before, a64_load_relaxed(&member.slowest))

    def _abandon(self) -> None:
        """Leave all chains to the parent; what was counted stays. A forked child, in which nobody else is."""
        cdef Member member
        for member in self.copy_members():
            with cython.critical_section(self):
                self.calls_before += a64_load_relaxed(&member.calls)
                self.slowest_before = max(self.slowest_before, a64_load_relaxed(&member.slowest))
        self.members = []
        self.main = None

    def _silence(self) -> bool:
        """Begin no call any more, where there is no pipeline whose chains could be left.

        True if none is running.
        """
        cdef Member member
        cdef bint is_idle = True
        if self.main is not None:
            self.main._silence()
        for member in self.copy_members():
            with cython.critical_section(member):
                member.callback = None       # the subscription has it still
                is_idle = is_idle and not member.is_running
        return is_idle

    def _forget(self) -> None:
        """Let the callable go, after _deactivate(); a call that is running holds its own reference."""
        with cython.critical_section(self):
            function, self.function = self.function, None
        del function         # what it frees runs out here

    def _counts(self) -> tuple:
        """Return calls, errors, the last error, and the time of the slowest call in ns."""
        cdef Member member
        cdef uint64_t calls
        cdef uint64_t slowest
        with cython.critical_section(self):
            calls = self.calls_before
            slowest = self.slowest_before
            for member in self.members:
                calls += a64_load_relaxed(&member.calls)
                slowest = max(slowest, a64_load_relaxed(&member.slowest))
            return calls, self.errors, self.last_error, slowest
