"""A subscription: a callable or a channel on the chains of one or more keys, until it is cancelled.

Made by Pipeline.subscribe(). The pipeline keeps it and its callable; so dropping a Subscription cancels
nothing. Any thread may cancel, callbacks too.

Its keys fall into parts, one for each protocol. A part is bound while its protocol is registered: then it
is in the chains, and has grants for the sources that were switched on for it. Otherwise it waits. Parts
bind and wait on their own; the subscription is active while any of them is bound.
"""

from __future__ import annotations

import weakref
from types import MappingProxyType, TracebackType

from tocsin.backend import SubscriptionCore
from tocsin.stats import SubscriptionStats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal, Self

    from tocsin.bindings import Registration
    from tocsin.channel import Channel
    from tocsin.enabling import Grant
    from tocsin.key import Key
    from tocsin.subscribers import Subscribers

__all__ = ["Part", "Subscription"]


class Part:
    """Keep what a subscription has in one protocol. Under the lock of the pipeline."""

    def __init__(self, keys: list[Key]) -> None:
        self.keys = keys
        self.registration: Registration | None = None  # None while it waits for one
        self.grants: list[Grant] = []
        self.failed: dict[int, Exception] = {}


class Subscription(SubscriptionCore):
    """Stand for a callable or a channel that hears of events; leaving its ``with`` block cancels it."""

    def __init__(
        self,
        pipeline: Subscribers,
        keys: tuple[Key, ...],
        callback: Any,
        priority: int,
        batch: bool,
        native: bool,
        channel: Channel[Any] | None = None,
    ) -> None:
        self._setup(callback, not native and channel is None, batch)
        if channel is not None:
            self._setup_channel(channel)
        self.native = native
        self.channel = channel
        self._pipeline = weakref.ref(pipeline)
        self._ended: Literal["cancelled", "purged"] | None = None
        self._parts: dict[int, Part] = {}  # by protocol id
        for key in keys:
            self._parts.setdefault(key.protocol, Part([])).keys.append(key)
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
    def state(self) -> Literal["pending", "active", "cancelled", "purged"]:
        """Where it is in its life.

        "pending": none of its protocols is registered; "active": at least one is; "cancelled"; "purged":
        nothing that it named can be had (the protocol turned out not to have the event, or refused every
        source), as on_error was told.
        """
        if self._ended is not None:
            return self._ended
        parts = tuple(self._parts.values())
        return "active" if any(part.registration is not None for part in parts) else "pending"

    @property
    def failed_sources(self) -> Mapping[int, Exception]:
        """The sources that could not be switched on for it, and why; empty if all could.

        A source that failed for several events is there with its first error. A snapshot; a protocol
        that is unregistered takes its failures with it.
        """
        failed: dict[int, Exception] = {}
        for part in tuple(self._parts.values()):
            failed = {**part.failed, **failed}
        return MappingProxyType(failed)

    def stats(self) -> SubscriptionStats:
        """Return what was counted so far of a callable: a channel has books of its own."""
        return SubscriptionStats(*self._counts())

    def cancel(self, *, wait: bool = True, timeout: float | None = None) -> bool:
        """Let no call start any more, not even inside a batch in progress; then wait for a running one.

        Sources that nobody else wants are switched off, on this thread unless another one is inside
        set_enabled of the protocol: that one does it then. Errors of that go to on_error. Waits without
        the GIL and answers signals; inside any callback of its pipeline, and inside set_enabled, it
        never waits. As with Thread.join: hold no lock that the callback takes. True if no call is
        running any more, False if the timeout (seconds) ran out or it did not wait. Harmless to repeat;
        any thread.
        """
        pipeline = self._pipeline()
        if pipeline is None:  # gone; a call that was running then may be running still
            self._ended = self._ended or "cancelled"
            return self._silence()
        pipeline._end(self, "cancelled")
        idle = self._await_idle_in(pipeline, wait, timeout)
        pipeline._let_go(self, idle)
        return idle

    def _await_idle_in(self, pipeline: Subscribers, wait: bool, timeout: float | None) -> bool:
        if not wait or pipeline._is_inside() or pipeline._is_commanding():
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
        if self.channel is not None and self.channel is not self.callback:
            kind = " main_thread"
        callback = getattr(self.callback, "__qualname__", None) or repr(self.callback)
        return f"<Subscription {what} {self.state}{kind} priority={self.priority} {callback}>"
