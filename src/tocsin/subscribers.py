"""The half of a pipeline that subscribers use: subscribe() and what stands behind it.

A subscription is made and put in the chains under the lock; what it calls is user code and runs on the
workers, never here. The checks for doubles walk the subscriptions: subscribing is cold.
"""

import inspect
from collections.abc import Callable
from types import BuiltinMethodType, MethodType, MethodWrapperType
from typing import Any, Literal, TypeVar, overload

from tocsin import backend
from tocsin.errors import ClosedError, UnknownEventError
from tocsin.event import Batch, Event
from tocsin.key import ALL, Key, checked
from tocsin.naming import Named, Several, keys_of
from tocsin.protocol import EventType, Protocol
from tocsin.subscription import Subscription

__all__ = ["Subscribers"]

BOUND = (MethodType, BuiltinMethodType, MethodWrapperType)

C = TypeVar("C", bound=Callable[..., object])
R = TypeVar("R")
T = TypeVar("T")


class Subscribers(backend.PipelineCore):
    """Keep the protocols and the subscriptions of a pipeline."""

    _lock: Any  # a threading.RLock
    _protocols: dict[int, Protocol]
    _subscriptions: dict[Subscription, None]
    _by_key: dict[Key, list[Subscription]]

    _closed: bool

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ClosedError(f"{self!r} is closed")

    @overload
    def subscribe(
        self,
        event: EventType[R],
        callback: Callable[[Event[R]], object],
        *,
        source: int = ALL,
        priority: int = 0,
        batch: Literal[False] = False,
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
    ) -> Callable[[C], C]: ...
    def subscribe(
        self,
        event: Any,
        callback: Any = None,
        *,
        source: int = ALL,
        priority: int = 0,
        batch: bool = False,
    ) -> Any:
        """Have a callable called with each event, on a Python worker; returns the Subscription.

        event: a bound EventType, a Key, (protocol, event), a Protocol for all its events, or a list of
        these. Without callback: a decorator that returns the function. source: one, or ALL. Higher
        priorities are called first; those of ALL come before those of a source. A callback that
        returns tocsin.STOP ends the chain for this event. batch: the callable gets a Batch of many
        events, after the per-event ones. Callables are kept until cancelled. Every event accepted after
        this returned is offered; of those queued before, a suffix; from inside a callback, from the
        next event on. ValueError for the same callable twice on one key; UnknownEventError.
        """
        if callback is None:

            def decorate(function: Any) -> Any:
                self.subscribe(event, function, source=source, priority=priority, batch=batch)
                return function

            return decorate
        if not callable(callback):
            raise TypeError(f"a callback must be callable, not {callback!r}")
        if is_asynchronous(callback) or is_asynchronous(type(callback).__call__):
            raise TypeError(
                f"{callback!r} is a coroutine function: a worker can't await it; pass a plain function"
            )
        return self._subscribe(event, callback, source, priority, batch, 0, 0)

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
        return self._subscribe(event, function, source, priority, False, address, context)

    def _subscribe(
        self,
        event: Any,
        callback: Any,
        source: int,
        priority: int,
        batch: bool,
        address: int,
        context: int,
    ) -> Subscription:
        keys = keys_of(event, source)
        if not keys:
            raise ValueError(f"{event!r} names no event to subscribe to")
        if isinstance(priority, bool) or not isinstance(priority, int):
            raise TypeError(f"priority must be an int, not {priority!r}")
        if not -(1 << 31) <= priority < 1 << 31:
            raise ValueError(f"priority {priority} is not in {-(1 << 31)}..{(1 << 31) - 1}")
        with self._lock:
            self._refuse_closed()
            for key in keys:
                self._check_known(key)
                self._check_once(key, callback, address, context)
            subscription = Subscription(self, keys, callback, priority, batch, address != 0)
            subscription.target = (address, context)
            try:
                for key in keys:
                    code = key.protocol << 24 | key.event << 16
                    self._attach(subscription, code, int(key) & 0xFFFF, address, context, priority)
            except BaseException:
                subscription._deactivate()
                raise
            self._subscriptions[subscription] = None
            for key in keys:
                self._by_key[key] = [*self._by_key.get(key, ()), subscription]
        return subscription

    def _remove(self, subscription: Subscription) -> None:
        """Take a subscription that is cancelled off the books. Under the lock."""
        self._subscriptions.pop(subscription, None)
        for key in subscription.keys:
            # An interrupted subscribe() may not have come as far as this key.
            others = [other for other in self._by_key.get(key, ()) if other is not subscription]
            if others:
                self._by_key[key] = others
            else:
                self._by_key.pop(key, None)

    def _check_known(self, key: Key) -> None:
        protocol = self._protocols.get(key.protocol)
        if protocol is None:
            raise UnknownEventError(f"protocol {key.protocol:#x} is not registered")
        if not any(event.id == key.event for event in protocol.events):
            raise UnknownEventError(f"{protocol!r} has no event {key.event}")

    def _check_once(self, key: Key, callback: Any, address: int, context: int) -> None:
        for other in tuple(self._by_key.get(key, ())):
            same = other.target == (address, context) if address else is_same(other.callback, callback)
            if same:
                raise ValueError(f"{callback!r} is subscribed to {key!r} already, as {other!r}")

    def _let_go(self, subscription: Subscription, idle: bool) -> None:
        """Drop the callable of a cancelled subscription, a native one only when it can't be running."""
        with self._lock:
            cancelled = [*self.lingering, subscription]
            free = [
                other
                for other in cancelled
                if not other.native or (idle and other is subscription) or self._await_idle(other, 0)
            ]
            self.lingering[:] = [other for other in cancelled if other not in free]
        for other in free:  # destructors run here, without the lock
            other._forget()

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """The subscriptions that are not cancelled, oldest first."""
        with self._lock:
            return tuple(self._subscriptions)


def is_asynchronous(function: Any) -> bool:
    """Return whether calling the function gives something to await."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def is_same(one: Any, other: Any) -> bool:
    """Return whether two callables are the same function, or the same function of the same object."""
    # Bound methods are made anew at each access; their == compares the function and the object's identity.
    return one is other or (isinstance(one, BOUND) and isinstance(other, BOUND) and bool(one == other))
