"""An event as its user declares it: an id, the layout of its payload, the report made of it.

An EventType in a class body or a mapping is a template, bound to nothing. A Protocol binds copies:
a bound one knows its protocol and its name, and its code, which the core reads, sits in the C base
of the class. Nothing changes after that, so all threads share it without a lock.

Two event types are equal if they have the same protocol id (or none), the same id and the same
layout: what matters is what the bytes mean, not which class shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tocsin.backend import EventCode
from tocsin.errors import PayloadError
from tocsin.key import ALL, Key, checked
from tocsin.layout import Layout, PayloadRule, RawLayout, make_layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias, TypeVar, overload

    import numpy

    from tocsin.protocol import Protocol

    R = TypeVar("R")
    S = TypeVar("S")
    R_co = TypeVar("R_co", covariant=True)

__all__ = ["EventType"]

Count: TypeAlias = "str | tuple[str, int] | None"


class EventType(EventCode["R_co"]):
    """Declare an event of a protocol: its id, the layout of its payload, and the report made of it.

    id: 0..255. fields: a mapping of names to NumPy type strings (``{"motor": "u4"}``), a NamedTuple
    class annotated with tocsin.types, a ctypes.Structure class, a structured NumPy dtype, or None
    for raw bytes. Mapping and NamedTuple are little-endian without padding; ``("u4", 0)`` or a
    NamedTuple default lets a trailing field be absent; a last field ``["u8"]``, ``[{...}]`` or
    ``tuple[Reading, ...]`` repeats to the end of the payload, or as often as count says: a field,
    or a pair of a field and a mask of its low bits. source: the integer field that says where the
    event came from. max_size: bytes, for raw and repeating payloads; None is what the queue allows.
    report: a function from the plain report to the one that users see.

    Any thread. TypeError and ValueError name what is wrong with the declaration.
    """

    id: int
    name: str | None
    protocol: Protocol | None
    layout: Layout

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: EventType[bytes], id: int, fields: None = None, *, max_size: int | None = None
        ) -> None: ...
        @overload
        def __init__(
            self: EventType[R],
            id: int,
            fields: type[R],
            *,
            source: str | None = None,
            count: Count = None,
            max_size: int | None = None,
            report: None = None,
        ) -> None: ...
        @overload
        def __init__(
            self: EventType[Any],
            id: int,
            fields: Mapping[str, Any] | numpy.dtype[Any],
            *,
            source: str | None = None,
            count: Count = None,
            max_size: int | None = None,
            report: None = None,
        ) -> None: ...
        @overload
        def __init__(
            self: EventType[S],
            id: int,
            fields: type[R],
            *,
            source: str | None = None,
            count: Count = None,
            max_size: int | None = None,
            report: Callable[[R], S],
        ) -> None: ...
        @overload
        def __init__(
            self: EventType[S],
            id: int,
            fields: None = None,
            *,
            max_size: int | None = None,
            report: Callable[[bytes], S],
        ) -> None: ...
        @overload
        def __init__(
            self: EventType[S],
            id: int,
            fields: Mapping[str, Any] | numpy.dtype[Any],
            *,
            source: str | None = None,
            count: Count = None,
            max_size: int | None = None,
            report: Callable[[Any], S],
        ) -> None: ...

    def __init__(
        self,
        id: int,
        fields: Any = None,
        *,
        source: str | None = None,
        count: Count = None,
        max_size: int | None = None,
        report: Callable[[Any], Any] | None = None,
    ) -> None:
        if report is not None and not callable(report):
            raise TypeError(f"report must be a function of the fields, not {report!r}")
        self.id = checked("event id", id, 0xFF)
        self.name = None
        self.protocol = None
        self.source, self.count = source, count
        self.layout = make_layout(fields, source, count, max_size)
        self._declared = self.layout.fields if isinstance(fields, Mapping) else fields
        self._report = report

    def __set_name__(self, owner: type, name: str) -> None:
        if self.name is None:
            self.name = name

    @property
    def rule(self) -> PayloadRule:
        """Which payload sizes are valid, and where source and count stand; see PayloadRule."""
        return self.layout.rule

    @property
    def fields(self) -> dict[str, Any]:
        """The fields as a mapping would declare them, a new dict; empty for raw bytes."""
        return self.layout.fields

    @property
    def min_size(self) -> int:
        """The size of the smallest valid payload, in bytes."""
        return self.layout.rule.min_size

    @property
    def max_size(self) -> int | None:
        """The size of the largest valid payload, in bytes; None: whatever the queue allows."""
        rule = self.layout.rule
        return rule.max_size or (0 if rule.sizes else None)

    @property
    def dtype(self) -> numpy.dtype[Any]:
        """The NumPy dtype of the fixed fields, in the payload's own layout.

        Imports NumPy at first use: ImportError without it; TypeError for raw bytes.
        """
        return self.layout.dtype

    @property
    def item_dtype(self) -> numpy.dtype[Any] | None:
        """The NumPy dtype of one item of the repeated field; None if nothing repeats."""
        return self.layout.item_dtype

    def key(self, source: int = ALL) -> Key:
        """Return the key of this event from one source, 0..65534, or ALL; TypeError if unbound."""
        if self.protocol is None:
            raise TypeError(f"{self!r} is not bound; take it from an instance of a Protocol, as MOTOR.limit")
        return Key(self.protocol.id, self.id, source)

    def pack(self, *args: Any, **kwargs: Any) -> bytes:
        """Return the payload of a plain report, a tuple, a mapping, or the fields as arguments.

        Trailing fields that may be absent and are not given stay out. A count is filled in. Raw
        bytes: one bytes-like object. A single tuple is always the whole report. PayloadError names
        the field, the value and the limit.
        """
        try:
            return self.layout.pack(args, kwargs)
        except PayloadError as error:
            raise PayloadError(f"{self._label}: {error}") from None

    def unpack(self, payload: bytes) -> R_co:
        """Return the report of a payload (any bytes-like object).

        PayloadError names the size and its limit; whatever the report function raises passes
        through.
        """
        if type(payload) is not bytes:
            payload = bytes(memoryview(payload))
        try:
            fields = self.layout.unpack(payload)
        except PayloadError as error:
            raise PayloadError(f"{self._label}: {error}") from None
        report: R_co = fields if self._report is None else self._report(fields)
        return report

    def check_size(self, payload: bytes) -> None:
        """Raise PayloadError, naming size and limit, if no payload can have this size."""
        try:
            self.layout.check_size(bytes(memoryview(payload)))
        except PayloadError as error:
            raise PayloadError(f"{self._label}: {error}") from None

    def source_of(self, payload: bytes) -> int:
        """Return the source that a payload (any bytes-like object) names, 0 without source field.

        The unsigned number in the field: above 65534 the event reaches ALL only. PayloadError as in
        check_size.
        """
        self.check_size(payload)
        return self.layout.source_of(bytes(memoryview(payload)))

    def bind(self, protocol: Protocol, name: str) -> EventType[R_co]:
        """Return a copy that belongs to a protocol under a name; Protocol calls it."""
        bound = type(self).__new__(type(self))
        vars(bound).update(vars(self), name=name, protocol=protocol)
        bound.layout = self.layout.renamed("".join(part.capitalize() for part in name.split("_")))
        bound.code = protocol.id << 24 | self.id << 16
        return bound

    @property
    def _label(self) -> str:
        name = f"event {self.id}" if self.name is None else self.name
        return name if self.protocol is None else f"{self.protocol.name}.{name}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EventType):
            return NotImplemented
        return (
            self.code == other.code
            and self.id == other.id
            and self.layout.signature == other.layout.signature
        )

    def __hash__(self) -> int:
        return hash((self.code, self.id))

    def __reduce__(self) -> tuple[Any, ...]:
        if self.protocol is not None:
            return getattr, (self.protocol, self.name)
        rule = self.layout.rule
        max_size = self.max_size if rule.item_size or isinstance(self.layout, RawLayout) else None
        return _event_type, (
            type(self),
            self.id,
            self._declared,
            self.source,
            self.count,
            max_size,
            self._report,
            self.name,
        )

    def __repr__(self) -> str:
        ids = f"{self.protocol.id:#04x}/{self.id}" if self.protocol is not None else str(self.id)
        return f"<EventType {self._label} {ids} {self.layout.describe()}>"


def _event_type(
    cls: Any,
    id: int,
    fields: Any,
    source: Any,
    count: Any,
    max_size: Any,
    report: Any,
    name: str | None,
) -> Any:
    """Make an unbound event type again; for pickle and copy."""
    event = cls(id, fields, source=source, count=count, max_size=max_size, report=report)
    event.name = name
    return event
