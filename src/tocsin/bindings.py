"""How subscriptions and registered protocols come together, and apart.

Under the lock of the pipeline a part of a subscription is bound to a registration (put in the chains) or
waits for one. Its sources are switched on outside of the lock, since that is user code: so a part may be
gone by then, and they are given back at once. A turn (enabling.py) is never waited for with the lock in
hand, while who has the turn may take the lock.

A part is in the chains before its sources are switched on: so the first events of a source are not missed.

Ends are harmless to repeat, up to the step that makes them final: what raises in between (no memory, an
interrupt) leaves something that can be ended once more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tocsin import backend
from tocsin.errors import ClosedError, SourceError, UnknownEventError
from tocsin.subscription import Part, Subscription

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from tocsin.enabling import Grant, Sources
    from tocsin.key import Key
    from tocsin.protocol import Protocol

__all__ = ["Bindings", "Registration"]

Late = tuple[Subscription, Callable[[], None]]  # what is to be done for a subscription without the lock


class Registration:
    """Keep what belongs to a protocol while it is registered."""

    def __init__(self, protocol: Protocol, sources: Sources, queue_size: int) -> None:
        self.protocol = protocol
        self.queue_size = queue_size
        self.sources = sources
        self.queue: Any = None  # before it is made
        self.types = {event.id: event for event in protocol.events}
        self.is_leaving = False  # under the lock of the pipeline


class Bindings(backend.PipelineCore):
    """Keep the subscriptions of a pipeline, and bind them to the protocols that are registered."""

    _lock: Any  # the guard of a threading.RLock
    _registrations: dict[int, Registration]
    _subscriptions: dict[Subscription, None]
    _by_key: dict[Key, list[Subscription]]
    _exclusive: dict[int, Any]
    _closed: bool

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ClosedError(f"{self!r} is closed")

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """The subscriptions that are pending or active, oldest first."""
        with self._lock:
            return tuple(self._subscriptions)

    # -- binding

    def _bind(self, subscription: Subscription, part: Part, registration: Registration) -> None:
        """Put a part in the chains. Under the lock."""
        if subscription.channel is not None:
            subscription.channel._listen(self, part, registration)
        part.registration = registration
        for key in part.keys:
            if key.event not in registration.types:
                continue  # about to be purged
            code = key.protocol << 24 | key.event << 16
            self._attach(subscription, code, int(key) & 0xFFFF, *subscription.target, subscription.priority)

    def _bind_waiting(self, registration: Registration) -> list[Late]:
        """Bind what waited for a protocol, oldest first; return what is to be done once it is open.

        Under the lock. That is: to purge what can't be had, then to switch on the sources of the rest.
        """
        bound: list[Late] = []
        lacking: list[Late] = []
        for subscription in self._subscriptions:
            part = subscription._parts.get(registration.protocol.id)
            if part is None:
                continue
            unknown = [key for key in part.keys if key.event not in registration.types]
            for key in unknown:
                error = UnknownEventError(f"{registration.protocol!r} has no event {key.event}: {key!r}")
                lacking.append((subscription, partial(self._purge, subscription, [key], error)))
            if len(unknown) == len(part.keys):
                continue
            try:
                self._bind(subscription, part, registration)
                bound.append((subscription, partial(self._enable_late, subscription, registration)))
            except ValueError as too_large:  # a channel that would need more memory than one may have
                keys = [key for key in part.keys if key not in unknown]
                lacking.append((subscription, partial(self._purge, subscription, keys, too_large)))
        return lacking + bound

    def _forget(self, registration: Registration) -> None:
        """Let a queue go that nobody works at; what was bound to it waits again. Under the lock."""
        number = registration.protocol.id
        for subscription in self._subscriptions:
            part = subscription._parts.get(number)
            if part is not None and part.registration is registration:
                subscription._leave(number)
                part.failed = {}
                part.grants = []
                part.registration = None
        self._exclusive.pop(number, None)
        if registration.queue is not None:
            self._drop_queue(registration.queue)
        self._registrations.pop(number, None)

    # -- sources

    def _enable(self, subscription: Subscription, registration: Registration) -> None:
        """Switch on the sources of a part. SourceError, with the first reason, if not one could be."""
        part = subscription._parts.get(registration.protocol.id)
        refused: list[Exception] = []
        granted = False

        def keep(grant: Grant, failed: dict[int, Exception]) -> bool:
            nonlocal granted
            with self._lock:
                granted = granted or bool(grant.sources)
                refused.extend(failed.values())
                if subscription._ended or part is None or part.registration is not registration:
                    return False
                part.failed = {**failed, **part.failed}
                part.grants.append(grant)
                return True

        for key in tuple(part.keys) if part is not None else ():
            event = registration.types.get(key.event)  # None: about to be purged
            if event is not None:
                registration.sources.enable(event, key.source, keep, subscription, self._tell)
        if refused and not granted:
            if len(refused) == 1 and isinstance(refused[0], SourceError):
                raise refused[0]
            raise SourceError(
                f"{subscription!r}: all {len(refused)} sources were refused, first with {refused[0]!r}"
            ) from refused[0]

    def _enable_late(self, subscription: Subscription, registration: Registration) -> None:
        """Switch on the sources of a part that waited; what could not be, on_error hears."""
        part = subscription._parts.get(registration.protocol.id)
        if part is None:
            return
        try:
            self._enable(subscription, registration)
        except RuntimeError as error:  # a SourceError, or the turn would never come
            self._purge(subscription, part.keys, error)
            return
        if part.failed:
            source, reason = next(iter(part.failed.items()))
            told = SourceError(
                f"{subscription!r}: {len(part.failed)} sources were refused, {source} with {reason!r}"
            )
            told.__cause__ = reason
            self._tell(told, subscription)

    def _grants_of(self, registration: Registration) -> list[tuple[Grant, Subscription]]:
        """Return all that the sources of a protocol were switched on for."""
        with self._lock:
            return [
                (grant, subscription)
                for subscription in self._subscriptions
                for part in subscription._parts.values()
                if part.registration is registration
                for grant in part.grants
            ]

    def _is_commanding(self) -> bool:
        """Return whether the caller is inside set_enabled of a protocol of this pipeline."""
        with self._lock:
            registrations = tuple(self._registrations.values())
        return any(registration.sources.is_mine() for registration in registrations)

    def _refuse_inside(self, what: str) -> None:
        if self._is_inside():
            raise RuntimeError(f"{what}() inside a callback of its own pipeline would wait for itself")
        if self._is_commanding():
            raise RuntimeError(f"{what}() inside set_enabled of its own pipeline would wait for itself")

    def _close_sources(self, timeout: float | None) -> None:
        """Switch all sources off for good, each protocol's within the timeout (seconds).

        What is left then is done at the end of the command that another thread is inside.
        """
        with self._lock:
            registrations = tuple(self._registrations.values())
        for registration in registrations:
            registration.sources.close(
                partial(self._grants_of, registration), self._tell, timeout, or_leave=True
            )

    # -- the end of subscriptions

    def _end(self, subscription: Subscription, how: Literal["cancelled", "purged"]) -> None:
        """Take a subscription out of the chains and off the books; its sources are given back."""
        with self._lock:
            parts = tuple(subscription._parts.values())
            if subscription._ended is None:
                subscription._deactivate()
                if subscription.channel is not None:
                    self._shut_channel(subscription.channel)
                for part in parts:
                    self._take_off_books(subscription, part.keys)
                if subscription.native and subscription not in self.lingering:
                    self.lingering.append(subscription)
                self._subscriptions.pop(subscription, None)
                subscription._ended = how
        for part in parts:
            registration = part.registration
            if registration is not None:
                registration.sources.give_back(part.grants, subscription, self._tell)
                part.registration = None

    def _purge(self, subscription: Subscription, keys: list[Key], error: Exception) -> None:
        """Give up keys of one protocol, and the subscription with its last one; on_error hears."""
        number = keys[0].protocol
        with self._lock:
            part = subscription._parts.get(number)
            if subscription._ended is not None or part is None:
                return
            left = [key for key in part.keys if key not in keys]
            is_last = not left and len(subscription._parts) == 1
            self._take_off_books(subscription, keys)
            if not left and not is_last:
                subscription._leave(number)
                del subscription._parts[number]
            part.keys = left
        if is_last:
            self._end(subscription, "purged")
        elif not left and part.registration is not None:
            part.registration.sources.give_back(part.grants, subscription, self._tell)
        self._tell(error, subscription)
        if is_last:
            self._let_go(subscription, False)

    def _take_off_books(self, subscription: Subscription, keys: list[Key]) -> None:
        for key in keys:
            others = [other for other in self._by_key.get(key, ()) if other is not subscription]
            if others:
                self._by_key[key] = others
            else:
                self._by_key.pop(key, None)

    def _let_go(self, subscription: Subscription, idle: bool) -> None:
        """Drop the callable of an ended subscription, a native one only when it can't be running."""
        with self._lock:
            free = [
                other
                for other in self.lingering
                if (idle and other is subscription) or self._await_idle(other, 0)
            ]
            self.lingering[:] = [other for other in self.lingering if other not in free]
        if not subscription.native:
            subscription._forget()
        for other in free:  # destructors run here, without the lock
            other._forget()
