"""A subscription: a callable on the chains of one or more keys, until it is cancelled.

Made by Pipeline.subscribe(). The pipeline keeps it and its callable; so dropping a Subscription cancels
nothing. Any thread may cancel, callbacks too.
"""

import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from tocsin.backend import SubscriptionCore
from tocsin.key import Key
from tocsin.stats import SubscriptionStats

if TYPE_CHECKING:
    from tocsin.subscribers import Subscribers

__all__ = ["Subscription"]


class Subscription(SubscriptionCore):
    """Stand for a callable that hears of events; leaving its ``with`` block cancels it."""

    def __init__(
        self,
        pipeline: "Subscribers",
        keys: tuple[Key, ...],
        callback: Any,
        priority: int,
        batch: bool,
        native: bool,
    ) -> None:
        self._setup(callback, not native, batch)
        self.native = native
        self._pipeline = weakref.ref(pipeline)
        self._state: Literal["active", "cancelled"] = "active"
        self.keys = keys
        self.priority = priority
        self.batch = batch
        self.target = (0, 0)  # address and context of a native function

    @property
    def event(self) -> Key:
        """The key of what it listens to; the first one if there are several (see keys)."""
        return self.keys[0]

    @property
    def source(self) -> int:
        """The source that it listens to, or ALL."""
        return self.keys[0].source

    @property
    def state(self) -> Literal["active", "cancelled"]:
        """Where it is in its life: "active" or "cancelled"."""
        return self._state

    def stats(self) -> SubscriptionStats:
        """Return what was counted so far; of native subscriptions nothing is."""
        return SubscriptionStats(*self._counts())

    def cancel(self, *, wait: bool = True, timeout: float | None = None) -> bool:
        """Let no call start any more, not even inside a batch in progress; then wait for a running one.

        Waits without the GIL and answers signals; inside any callback of its pipeline it never waits.
        As with Thread.join: hold no lock that the callback takes. True if no call is running any
        more, False if the timeout (seconds) ran out or it did not wait. Harmless to repeat; any
        thread.
        """
        pipeline = self._pipeline()
        if pipeline is None:  # gone; a call that was running then may be running still
            self._state = "cancelled"
            return self._silence()
        with pipeline._lock:
            if self._state == "active":
                self._state = "cancelled"
                self._deactivate()
                pipeline._remove(self)
        idle = self._await_idle_in(pipeline, wait, timeout)
        pipeline._let_go(self, idle)
        return idle

    def _await_idle_in(self, pipeline: "Subscribers", wait: bool, timeout: float | None) -> bool:
        if not wait or pipeline._is_inside():
            return False
        return pipeline._await_idle(self, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cancel()

    def __repr__(self) -> str:
        what = ", ".join(f"{key.protocol:#x}/{key.event} source={key.source!r}" for key in self.keys)
        kind = " batch" if self.batch else ""
        callback = getattr(self.callback, "__qualname__", None) or repr(self.callback)
        return f"<Subscription {what} {self._state}{kind} priority={self.priority} {callback}>"
