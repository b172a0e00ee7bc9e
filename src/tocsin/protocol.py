"""Protocols as their users declare them: an id and a set of events.

Making a Protocol binds a copy of each of its event types to it and puts the copy into the
instance's __dict__, so that MOTOR.limit is one plain attribute lookup. Nothing changes afterwards;
all threads share it without a lock.

Protocols are matched by what the bytes on the wire mean: names, report classes and report functions
take no part. So one that went through pickle, or was declared again in another process, equals its
original.
"""

from __future__ import annotations

from tocsin.eventtype import EventType
from tocsin.key import checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self, overload

__all__ = ["EventType", "Protocol"]


class Bound:
    """Bind the events; not in Protocol, because mypy prefers a class's __init__ to its __new__."""

    id: int
    name: str
    events: tuple[EventType[Any], ...]

    def __init__(
        self, id: int, name: str | None = None, events: Mapping[str, EventType[Any]] | None = None
    ) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"the name of a protocol must be a str, not {name!r}")
        self.id = checked("protocol id", id, 0xFF)
        self.name = type(self).__name__.lower() if name is None else name
        self._given = dict(events or {})
        declared = templates(type(self))
        for event in self._given:
            if event not in declared and hasattr(type(self), str(event)):
                raise ValueError(
                    f"{self.name}: event {event!r} would hide an attribute of {type(self).__name__}"
                )
        declared |= self._given
        check_events(self.name, declared)
        bound = {event: template.bind(self, event) for event, template in declared.items()}
        vars(self).update(bound)
        self.events = tuple(bound.values())
        layouts = ((event.id, event.layout.signature) for event in self.events)
        self._identity = (self.id, tuple(sorted(layouts, key=lambda pair: pair[0])))


class Protocol(Bound):
    """Name a set of events under one id.

    Declare a subclass with EventTypes in its body and make an instance of it, ``Motor(0x80)``, or
    give a mapping: ``Protocol(0x80, "motor", {"limit": EventType(0)})``. id: 0..255; name: the
    class's name in lower case if not given. Every event is an attribute, bound to this protocol;
    `events` has them in the order of declaration.

    Plain data: hashable, picklable (the class must be importable, and the report functions too),
    any thread. Two protocols are equal if they have the same id and the same event ids, each with
    the same layout: the names, places and types of its fields, its sizes, its source and its count.
    Names of events and protocols, report classes and report functions do not matter. ValueError: an
    id out of range or used twice, or a name that is no identifier, starts with an underscore or is
    an attribute of Protocol; TypeError: an id that is no int, an event that is none.
    """

    if TYPE_CHECKING:  # checkers know a subclass's events; a generated one's may have any name

        @overload
        def __new__(cls, id: int, name: str | None = None, events: None = None) -> Self: ...
        @overload
        def __new__(cls, id: int, name: str | None, events: Mapping[str, EventType[Any]]) -> Generated: ...
        def __new__(cls, id: int, name: Any = None, events: Any = None) -> Any: ...  # noqa: D102

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_events(cls.__name__, templates(cls))

    def __eq__(self, other: object) -> bool:
        return self._identity == other._identity if isinstance(other, Protocol) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.id, self.name, self._given)

    def __repr__(self) -> str:
        names = ", ".join(str(event.name) for event in self.events)
        return f"<{type(self).__name__} {self.name} {self.id:#04x} events: {names or 'none'}>"


RESERVED = frozenset({*dir(Protocol), "id", "name", "events"})


def templates(cls: type[Any]) -> dict[str, Any]:
    """Return the EventTypes of a class and its bases, in order of declaration, bases first."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, EventType):
                found[name] = value
            else:
                found.pop(name, None)
    return found


def check_events(owner: str, events: Mapping[Any, Any]) -> None:
    """Raise TypeError or ValueError, naming the event, unless names and ids are valid."""
    names: dict[int, str] = {}
    for name, event in events.items():
        if not isinstance(name, str) or not isinstance(event, EventType):
            raise TypeError(f"{owner}: events map names to EventTypes, not {name!r} to {event!r}")
        if name in RESERVED or name.startswith("_") or not name.isidentifier():
            raise ValueError(
                f"{owner}: an event can't be called {name!r}, a name that is taken or not public"
            )
        if event.id in names:
            raise ValueError(f"{owner}: event id {event.id} is used twice, by {names[event.id]} and {name}")
        names[event.id] = name


if TYPE_CHECKING:

    class Generated(Protocol):
        """Any attribute is an event; exists for type checkers only."""

        def __getattr__(self, name: str) -> EventType[Any]: ...
