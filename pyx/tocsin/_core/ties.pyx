# Annotations here are for __signature__ only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""The ties between Python and the core: who keeps what alive.

A pipeline owns a StageBridge per protocol and its subscriptions; the stage borrows the bridge (`stage.owner`)
and holds a reference from enter to leave, so the pipeline may go in the middle of a run. A chain borrows the
Member that it calls; the bridge keeps it until it is cancelled, which clears `active` with the GIL, and between
the look at `active` and the call the GIL is not released. A Member counts as a user of the core, whose memory
its subscriber lies in.
"""

from tocsin._core.chain cimport subscriber_release
from tocsin._core.core cimport core_release
from tocsin._core.subscribe cimport equeue_cancel
from tocsin._core.thread cimport lock_drop, lock_take


cdef class StageBridge:
    """Tie the Python stage of one protocol to its Python objects."""


cdef class Member:
    """Stand for a subscription in the chains of one protocol."""

    def __dealloc__(self):
        if self.subscriber != NULL:
            lock_take(&self.q.lock)
            subscriber_release(self.subscriber)
            lock_drop(&self.q.lock)
            core_release(self.core)


cdef class SubscriptionCore:
    """The core's half of a Subscription: what the stages need of it."""

    def _setup(self, callback: object, is_python: bool, is_batch: bool) -> None:
        self.callback = callback
        self.is_python = is_python
        self.is_batch = is_batch
        self.is_active = True
        self.members = []

    def _deactivate(self) -> None:
        """Begin no call any more, and leave the chains."""
        cdef Member member
        self.is_active = False
        for member in self.members:
            for id in member.ids:
                equeue_cancel(member.q, id, member.subscriber, self.is_python)
            member.ids = []
            member.bridge.members.discard(member)

    def _forget(self) -> None:
        """Let the callable go, after _deactivate(); a call that is running holds its own reference."""
        self.callback = None

    def _counts(self) -> tuple:
        return self.calls, self.errors, self.last_error, self.slowest
