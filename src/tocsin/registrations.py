"""The half of a pipeline that protocols use: register() and unregister().

A registration lasts from one to the other and has a queue and sources of its own. register() binds the
subscriptions that waited before it lets the first event in, and switches their sources on after it, without
the lock, since that is user code. unregister() refuses, waits until all was delivered, switches the sources
off and lets the queue go: each step without the lock too, and harmless to repeat, by another thread as
well.
"""

from __future__ import annotations

import time
from functools import partial

from tocsin.bindings import Bindings, Registration
from tocsin.callables import is_asynchronous
from tocsin.enabling import SetEnabled, Sources, Turns, ask_support
from tocsin.errors import UnknownEventError
from tocsin.key import checked
from tocsin.protocol import EventType, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Registrations"]

HEADER_SIZE = 16


class Registrations(Bindings):
    """Keep the protocols of a pipeline."""

    _turns: Turns
    _frozen: bool

    def register(
        self,
        *protocols: Protocol,
        queue_size: int = 4 << 20,
        num_sources: int | None = None,
        set_enabled: SetEnabled | None = None,
        is_supported: Callable[[EventType[Any], int], object] | None = None,
    ) -> None:
        """Make a queue for the events of each protocol; subscriptions that waited for it come alive.

        queue_size: bytes, 1 KiB to 1 GiB, rounded up to a power of two; an event takes 16 + its payload,
        rounded up to 16. num_sources: how many sources each event has, 1 to 65535; None: any.
        set_enabled(event_type, source, on): called at the first and after the last subscriber of a source,
        one call at a time per protocol, on the thread that subscribes, registers, cancels or closes, with
        no lock held; it raises to refuse, and its result is ignored. With num_sources a subscriber of ALL
        counts for each source; without, source is ALL itself. is_supported(event_type, source): asked
        here, once for each source, or without num_sources once for each event with ALL; false: refused
        like a set_enabled that raised. All three hold for all protocols of the call.

        What a subscription that waited can't have, on_error hears: a SourceError, or an
        UnknownEventError if the protocol lacks its event; with a MemoryError it stays, perhaps without
        all of its sources. ValueError if a protocol is registered already
        or has an event that takes more than half of the queue: then none is registered.
        """
        size = checked("queue_size", queue_size, 1 << 30)
        if size < 1 << 10:
            raise ValueError(f"queue_size {size} is not in 1024..{1 << 30}")
        size = 1 << (size - 1).bit_length()
        if num_sources is not None and checked("num_sources", num_sources, 0xFFFF) == 0:
            raise ValueError("num_sources 0 is not in 1..65535; None: any source")
        functions: tuple[tuple[str, Any], ...] = (
            ("set_enabled", set_enabled),
            ("is_supported", is_supported),
        )
        for name, function in functions:
            if function is not None and (not callable(function) or is_asynchronous(function)):
                raise TypeError(f"{name} must be a plain function, not {function!r}")
        with self._lock:
            self._check_new(protocols, size)
        sources = [
            Sources(self._turns, num_sources, set_enabled, ask_support(protocol, num_sources, is_supported))
            for protocol in protocols
        ]
        made = [Registration(*both, size) for both in zip(protocols, sources, strict=True)]
        with self._lock:
            self._check_new(protocols, size)  # again: others ran meanwhile
            try:
                for registration in made:
                    number = registration.protocol.id
                    self._registrations[number] = registration
                    types = types_of(registration.protocol)
                    registration.queue = self._add_queue(number, size, self._queue_start, types)
                steps = iter([step for registration in made for step in self._bind_waiting(registration)])
                opening = iter(made)
            except BaseException:
                for registration in made:
                    self._forget(registration)
                raise
            # It has happened with the first event that is let in: from here on it doesn't fail any more.
            for registration in opening:
                self._open_queue(registration.queue)
        for subscription, step in steps:
            try:
                step()
            except MemoryError as error:
                self._tell(error, subscription)

    _queue_start = 0  # where the counters of a new queue begin; tests put them near a wrap

    def _check_new(self, protocols: tuple[Protocol, ...], size: int) -> None:
        self._refuse_closed()
        for protocol in protocols:
            if not isinstance(protocol, Protocol):
                raise TypeError(f"register takes instances of Protocol, not {protocol!r}")
        for protocol in protocols:
            known = self._registrations.get(protocol.id)
            if known is not None and known.is_leaving:
                raise ValueError(f"{known.protocol!r} is being unregistered; wait for that")
            if known is not None or sum(other.id == protocol.id for other in protocols) > 1:
                as_what = known.protocol if known is not None else protocol
                raise ValueError(f"protocol {protocol.id:#x} is registered already, as {as_what!r}")
            for event in protocol.events:
                record = HEADER_SIZE + ((event.max_size or event.min_size) + 15) // 16 * 16
                if record > size // 2:
                    raise ValueError(
                        f"{event!r}: a record takes up to {record} bytes, more than half of a queue of {size}"
                    )

    def unregister(self, protocol: Protocol, *, timeout: float | None = None) -> bool:
        """Refuse events of a protocol, deliver what was accepted, switch its sources off, let its queue go.

        Its subscriptions are pending again and come alive if it is registered once more, with new books;
        its producers are closed. True: all of that is done. False: the timeout (seconds) ran out; the
        protocol goes on refusing and delivering, and to call again takes it up where it was.
        UnknownEventError if it is not registered. RuntimeError inside a callback, inside set_enabled, and
        without timeout while frozen: it would wait for itself.
        """
        if not isinstance(protocol, Protocol):
            raise TypeError(f"unregister takes a registered Protocol, not {protocol!r}")
        self._refuse_inside("unregister")
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"timeout must be at least 0 seconds or None, not {timeout!r}")
        until = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            self._refuse_closed()
            registration = self._registrations.get(protocol.id)
            if registration is None or registration.protocol != protocol:
                raise UnknownEventError(f"{protocol!r} is not registered")
            if self._frozen and timeout is None:
                raise RuntimeError("unregister() while frozen would wait for ever: thaw() first")
            registration.is_leaving = True
            self._shut_queue(protocol.id)
            exclusive = self._exclusive.get(protocol.id)
            if exclusive is not None:
                exclusive._shut()

        def left() -> float | None:
            return None if until is None else max(0.0, until - time.monotonic())

        if exclusive is not None and not exclusive._await_left(left()):
            return False
        if not self._await_queue(registration.queue, left()):
            return False
        if not registration.sources.close(partial(self._grants_of, registration), self._tell, left()):
            return False
        with self._lock:
            if self._registrations.get(protocol.id) is registration:  # else another thread was faster
                self._forget(registration)
        return True

    def _forget_commands(self) -> None:
        """Have switched nothing on: what is on is the parent's, which switches it off. In a forked child."""
        for registration in self._registrations.values():
            registration.sources.begin_anew()
        for subscription in self._subscriptions:
            for part in subscription._parts.values():
                part.grants = []

    def _bind_anew(self) -> None:
        """Make the queues of what is registered, and bind to them what was bound. In a forked child."""
        for number, registration in tuple(self._registrations.items()):
            if registration.is_leaving:  # the thread that was at it is the parent's
                del self._registrations[number]
                continue
            types = types_of(registration.protocol)
            registration.queue = self._add_queue(number, registration.queue_size, self._queue_start, types)
        for subscription in self._subscriptions:
            subscription._abandon()
            if subscription.channel is not None:
                self._reset_channel(subscription.channel)
                subscription.channel._prepare(self, self._queue_start)
                if subscription.callback is not subscription.channel:
                    self._call_on_main(subscription, False)
            for number, part in subscription._parts.items():
                if part.registration is not None:
                    part.registration = self._registrations.get(number)
                if part.registration is not None:
                    self._bind(subscription, part, part.registration)
        for registration in self._registrations.values():
            self._open_queue(registration.queue)

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """The registered protocols, in the order of registration."""
        with self._lock:
            registrations = tuple(self._registrations.values())
        return tuple(one.protocol for one in registrations if not one.is_leaving)

    def _registered(self, number: int) -> Registration | None:
        """Return the registration that a part may bind to now. Under the lock."""
        registration = self._registrations.get(number)
        return None if registration is None or registration.is_leaving else registration


def types_of(protocol: Protocol) -> list[EventType[Any] | None]:
    """Return the event types of a protocol by id, 256 or None."""
    types: list[EventType[Any] | None] = [None] * 256
    for event in protocol.events:
        types[event.id] = event
    return types
