"""Subscriptions: who is called for a key, in which order, until when.

A *member* is a subscription in the chains of one protocol. A chain is a tuple of members, never changed and
swapped whole, so a member may cancel itself or others, and subscribe new ones, while the chain is being
walked: channels first, then per-event members, then batch ones; higher priority first; equal ones by age.

Cancelling takes the callable away from the member, under the lock of the queue; a call begins under the
same lock, by taking the callable and saying that it is running. So either the call is seen running, or it
never begins. What is counted per call is counted by the stage alone, and a subscription to several
protocols adds up its members. A member that has left the chains of its protocol, and is not in a call, is
let go with its queue; what it counted stays. The list of members is never changed, and swapped whole under
the lock of the pipeline.
"""

import threading
from typing import TYPE_CHECKING, Any

from tocsin.pure.listener import Listener

if TYPE_CHECKING:
    from tocsin.pure.channel import ChannelCore
    from tocsin.pure.stage import Stage

__all__ = ["Chain", "Member", "SubscriptionCore", "inserted"]


class Member:
    """Stand for a subscription in the chains of one protocol."""

    def __init__(self, subscription: "SubscriptionCore", stage: "Stage", priority: int) -> None:
        self.subscription = subscription
        self.stage = stage
        self.callback = subscription._callback  # None: cancelled
        self.is_batch = subscription._is_batch
        self.is_running = False
        self.listener: Listener | None = None
        if subscription._channel is not None:
            self.listener = Listener(subscription._channel._made)
        self.order = (self.listener is None, self.is_batch, -priority)
        self.ids: list[int] = []
        self.lost_seen = stage.queue.refused  # the stage's count of lost events at the last call
        self.calls = 0
        self.slowest = 0

    def begin_call(self) -> Any:
        """Return the callable, which is running from now on; None: it was cancelled.

        The stage, under the lock of the queue.
        """
        self.is_running = self.callback is not None
        self.calls += self.is_running
        return self.callback

    def end_call(self, nanoseconds: int) -> None:
        """Note that the call has ended. The stage."""
        with self.stage.queue.lock:
            self.slowest = max(self.slowest, nanoseconds)
            self.is_running = False
            if self.callback is None:
                self.stage.queue.changed.notify_all()  # somebody may wait in cancel()

    def count_lost(self, lost_total: int) -> int:
        """Return how many events were lost since the last one that it saw. The stage."""
        lost, self.lost_seen = lost_total - self.lost_seen, max(lost_total, self.lost_seen)
        return max(0, lost)

    def silence(self) -> bool:
        """Begin no call any more; True if none is running."""
        with self.stage.queue.lock:
            self.callback = None
            return not self.is_running

    def leave(self) -> bool:
        """Begin no call any more, and leave the chains; True if no call is running. Harmless to repeat."""
        with self.stage.queue.lock:
            for key in self.ids:
                self.stage.remove(key, self)
            self.ids = []
            is_idle = self.silence()
        if self.listener is not None:
            self.listener.leave()
        return is_idle


Chain = tuple[Member, ...]


def inserted(chain: Chain, member: Member) -> Chain:
    """Return the chain with one more member in its place."""
    return tuple(sorted((*chain, member), key=lambda known: known.order))  # stable: equal ones by age


class SubscriptionCore:
    """The core's half of a Subscription: what the stages need of it."""

    _callback: Any
    _channel: "ChannelCore[Any] | None"
    _is_batch: bool
    _members: list[Member]
    _counting: Any
    _errors: int
    _last_error: BaseException | None
    _calls_before: int  # of members that were let go
    _slowest_before: int

    def _setup(self, callback: object, is_python: bool, is_batch: bool) -> None:
        self._callback = callback
        self._channel = None
        self._is_batch = is_batch
        self._members = []
        self._counting = threading.RLock()
        self._errors = 0
        self._last_error = None
        self._calls_before = self._slowest_before = 0

    def _setup_channel(self, channel: "ChannelCore[Any]") -> None:
        """Have a channel hear of the events. Before it is attached."""
        self._channel = channel

    @property
    def callback(self) -> Any:
        """What is called; None after _forget()."""
        return self._callback

    def _deactivate(self) -> None:
        """Begin no call any more, and leave the chains."""
        for member in self._members:
            member.leave()

    def _leave(self, protocol: int) -> None:
        """Leave the chains of one protocol, for good or until it is registered again; what was counted stays.

        A member that is in a call goes on being waited for. Under the face's lock.
        """
        for member in self._members:
            if member.stage.protocol == protocol and member.leave():
                with self._counting:
                    self._members = [other for other in self._members if other is not member]
                    self._calls_before += member.calls
                    self._slowest_before = max(self._slowest_before, member.slowest)

    def _abandon(self) -> None:
        """Leave all chains to the parent; what was counted stays. A forked child, in which nobody else is."""
        self._counting = threading.RLock()
        calls, _, _, slowest = self._counts()
        self._members, self._calls_before, self._slowest_before = [], calls, slowest

    def _silence(self) -> bool:
        """Begin no call any more, where there is no pipeline whose chains could be left.

        True if none is running.
        """
        running = [member for member in self._members if not member.silence()]
        return not running

    def _forget(self) -> None:
        """Let the callable go, after _deactivate(); a call that is running holds its own reference."""
        self._callback = None

    def _count_error(self, error: BaseException) -> None:
        """Count an exception of the callable. A stage, and of several protocols several at once."""
        with self._counting:
            self._errors += 1
            self._last_error = error

    def _counts(self) -> tuple[int, int, BaseException | None, int]:
        """Return calls, errors, the last error, and the time of the slowest call in ns."""
        with self._counting:
            calls = self._calls_before + sum(member.calls for member in self._members)
            slowest = max(self._slowest_before, *(member.slowest for member in self._members), 0)
            return calls, self._errors, self._last_error, slowest
