"""Help for testing code that handles events."""

from typing import Any, TypeVar

from tocsin import backend
from tocsin.event import Event
from tocsin.protocol import EventType

__all__ = ["make_event"]

R = TypeVar("R")


def make_event(event_type: EventType[R], payload: Any, *, timestamp: int = 0, lost: int = 0) -> Event[R]:
    """Make an event as a pipeline would hand it to a callable.

    event_type: a bound one. payload: bytes-like, or a report or tuple, which is packed. timestamp: ns.
    PayloadError if the event can't have this payload.
    """
    if event_type.protocol is None:
        raise TypeError(f"{event_type!r} is not bound; take it from an instance of a Protocol")
    try:
        data = bytes(memoryview(payload))
    except TypeError:
        data = event_type.pack(payload)
    event: Event[R] = backend.make_event(event_type, data, timestamp, lost)
    return event
