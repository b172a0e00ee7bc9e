"""The half of a pipeline that subscribers use: subscribe() and subscribe_native().

A subscription is made and put in the chains under the lock, then its sources are switched on without it; what
it calls is user code and runs on the workers, never here. The checks for doubles walk the subscriptions:
subscribing is cold.
"""

from __future__ import annotations

from tocsin import backend
from tocsin.callables import is_asynchronous, is_main, is_same
from tocsin.channel import Channel
from tocsin.errors import UnknownEventError
from tocsin.key import ALL, Key, checked
from tocsin.naming import Named, Several, keys_of
from tocsin.registrations import Registrations
from tocsin.subscription import Subscription

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, TypeVar, overload

    from tocsin.bindings import Registration
    from tocsin.event import Batch, Event
    from tocsin.protocol import EventType

    C = TypeVar("C", bound=Callable[..., object])
    R = TypeVar("R")
    T = TypeVar("T")

__all__ = ["Subscribers"]


MAIN_CAPACITY = 1024  # events that wait for the main thread


class Subscribers(Registrations):
    """Take the subscriptions of a pipeline."""

    if TYPE_CHECKING:

        @overload
        def subscribe(
            self,
            event: EventType[R],
            callback: Callable[[Event[R]], object],
            *,
            source: int = ALL,
            priority: int = 0,
            batch: Literal[False] = False,
            main_thread: bool = False,
        ) -> Subscription: ...
        @overload
        def subscribe(
            self,
            event: EventType[R],
            callback: Callable[[Batch[R]], object],
            *,
            source: int = ALL,
            priority: int = 0,
            batch: Literal[True],
        ) -> Subscription: ...
        @overload
        def subscribe(
            self,
            event: EventType[R],
            callback: None = None,
            *,
            source: int = ALL,
            priority: int = 0,
            batch: Literal[False] = False,
            main_thread: bool = False,
        ) -> Callable[[Callable[[Event[R]], T]], Callable[[Event[R]], T]]: ...
        @overload
        def subscribe(
            self,
            event: EventType[R],
            callback: None = None,
            *,
            source: int = ALL,
            priority: int = 0,
            batch: Literal[True],
        ) -> Callable[[Callable[[Batch[R]], T]], Callable[[Batch[R]], T]]: ...
        @overload
        def subscribe(
            self,
            event: Several,
            callback: Callable[[Any], object],
            *,
            source: int = ALL,
            priority: int = 0,
            batch: bool = False,
            main_thread: bool = False,
        ) -> Subscription: ...
        @overload
        def subscribe(
            self,
            event: Several,
            callback: None = None,
            *,
            source: int = ALL,
            priority: int = 0,
            batch: bool = False,
            main_thread: bool = False,
        ) -> Callable[[C], C]: ...

    def subscribe(
        self,
        event: Any,
        callback: Any = None,
        *,
        source: int = ALL,
        priority: int = 0,
        batch: bool = False,
        main_thread: bool = False,
    ) -> Any:
        """Have a callable called with each event, on a Python worker; returns the Subscription.

        event: a bound EventType, a Key, (protocol, event), a Protocol for all its events, or a list of
        these. Without callback: a decorator that returns the function. source: one, or ALL. Higher
        priorities are called first; those of ALL come before those of a source. A callback that returns
        tocsin.STOP ends the chain for this event. batch: the callable gets a Batch of many events, after
        the per-event ones. main_thread: it is called on the main thread instead, at its next bytecode
        boundary, in the middle of whatever that does, as a signal handler is: up to 1,024 events wait for
        that, more are dropped and told by `lost`. Callables are kept until cancelled. Every event accepted
        after this returned is offered; of those queued before, a suffix; from inside a callback, from the
        next event on.

        A protocol that is not registered yet is waited for: the subscription is pending. If the protocol
        switches its sources (see register()) they are on when this returns; those that could not be are
        in failed_sources, and if a protocol refused every one it is a SourceError. ValueError for the same
        callable twice on one key; UnknownEventError for an event that a registered protocol lacks;
        RuntimeError inside set_enabled of the same protocol.
        """
        if callback is None:

            def decorate(function: Any) -> Any:
                self.subscribe(
                    event, function, source=source, priority=priority, batch=batch, main_thread=main_thread
                )
                return function

            return decorate
        if not callable(callback):
            raise TypeError(f"a callback must be callable, not {callback!r}")
        if is_asynchronous(callback):
            raise TypeError(
                f"{callback!r} is a coroutine function: a worker can't await it; pass a plain function"
            )
        if batch and main_thread:
            raise ValueError(
                "a batch can't be handed to the main thread: take batch=True or main_thread=True"
            )
        keys = self._keys(event, source)
        if not main_thread:
            return self._subscribe(keys, callback, priority, batch)
        # There is no order to have a priority in, but what is wrong with one is told all the same.
        channel: Channel[Any] = Channel(keys, MAIN_CAPACITY, "drop_newest", None)
        return self._subscribe(keys, callback, priority, channel=channel)

    def subscribe_native(
        self, event: Named, function: Any, context: int = 0, *, source: int = ALL, priority: int = 0
    ) -> Subscription:
        """Have a C function called with each event, on a native worker without the GIL.

        function: ``int f(void *context, const tocsin_event *event)`` of tocsin.h, by address, capsule or
        ctypes function (kept until cancelled). context: an address. Otherwise as subscribe(); native
        subscribers come before Python ones.
        """
        address = backend.function_address(function)
        context = checked("context", context, (1 << 64) - 1)
        return self._subscribe(self._keys(event, source), function, priority, False, (address, context))

    def _keys(self, event: Any, source: int) -> tuple[Key, ...]:
        keys = keys_of(event, source)
        if not keys:
            raise ValueError(f"{event!r} names no event to subscribe to")
        return keys

    def _subscribe(
        self,
        keys: tuple[Key, ...],
        callback: Any,
        priority: int = 0,
        batch: bool = False,
        target: tuple[int, int] = (0, 0),
        channel: Channel[Any] | None = None,
    ) -> Subscription:
        if isinstance(priority, bool) or not isinstance(priority, int):
            raise TypeError(f"priority must be an int, not {priority!r}")
        if not -(1 << 31) <= priority < 1 << 31:
            raise ValueError(f"priority {priority} is not in {-(1 << 31)}..{(1 << 31) - 1}")
        subscription = Subscription(self, keys, callback, priority, batch, target != (0, 0), channel)
        subscription.target = target
        try:
            for registration in self._enter(subscription):
                self._enable(subscription, registration)
        except BaseException:
            self._end(subscription, "cancelled")
            self._let_go(subscription, False)
            raise
        return subscription

    def _enter(self, subscription: Subscription) -> list[Registration]:
        """Put a subscription in the chains and on the books; the registrations whose sources it wants now."""
        channel = subscription.channel
        bound = []
        with self._lock:
            self._refuse_closed()
            for key in subscription.keys:
                self._check_known(key)
                self._check_once(key, subscription.callback, subscription.target)
            if channel is not None:
                channel.subscription = subscription
                channel._prepare(self, self._queue_start)
                if subscription.callback is not channel:
                    self._call_on_main(subscription, is_main())
            for number, part in subscription._parts.items():
                registration = self._registered(number)
                if registration is not None:
                    bound.append(registration)
                    self._bind(subscription, part, registration)
            self._subscriptions[subscription] = None
            for key in subscription.keys:
                self._by_key[key] = [*self._by_key.get(key, ()), subscription]
        return bound

    def _check_known(self, key: Key) -> None:
        registration = self._registered(key.protocol)
        if registration is not None and key.event not in registration.types:
            raise UnknownEventError(f"{registration.protocol!r} has no event {key.event}")

    def _check_once(self, key: Key, callback: Any, target: tuple[int, int]) -> None:
        for other in tuple(self._by_key.get(key, ())):
            same = other.target == target if target[0] else is_same(other.callback, callback)
            if same:
                raise ValueError(f"{callback!r} is subscribed to {key!r} already, as {other!r}")
