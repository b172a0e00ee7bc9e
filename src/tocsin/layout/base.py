"""What every layout has: a size rule, the place of the source, and pack and unpack.

A layout is made once, when an EventType is declared, and is immutable afterwards (its NumPy dtype
is made at first use; two threads that race there make two equal ones). The core copies `rule` at
registration and checks every payload in C before it is accepted; `check_size` is the same rule in
Python, for payloads that never were in a queue. Whatever passes it can be unpacked: no layout reads
beyond what the rule has promised.

Layouts differ in who knows the bytes: nobody (RawLayout, here), struct (records), ctypes or
NumPy (foreign).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property

from tocsin.errors import PayloadError
from tocsin.key import checked
from tocsin.layout.formats import INTEGERS, show
from tocsin.namedtuples import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    import numpy

__all__ = [
    "MAX_PAYLOAD",
    "Field",
    "Layout",
    "PayloadRule",
    "RawLayout",
    "arrange",
    "import_numpy",
    "locate",
]

MAX_PAYLOAD: Final = (1 << 24) - 1  # the event header has 24 bits for the size


class PayloadRule(NamedTuple):
    """Say which payload sizes are valid, in plain integers for the core.

    Without items (item_size 0): the size is one of `sizes`, or with `sizes` empty in
    min_size..max_size. Items and a count: fixed_size + item_size * (count & count_mask) <= size <=
    max_size; a surplus is ignored. Items, no count: (size - fixed_size) is a multiple of item_size,
    and min_size <= size <= max_size. max_size 0: whatever the queue allows. count and source are
    unsigned little-endian of 1, 2, 4 or 8 bytes at their offset, which lies within min_size; width
    0: there is none.
    """

    min_size: int
    max_size: int
    fixed_size: int = 0
    item_size: int = 0
    count_offset: int = 0
    count_width: int = 0
    count_mask: int = 0
    source_offset: int = 0
    source_width: int = 0
    sizes: tuple[int, ...] = ()


class Field(NamedTuple):
    """Place one field: text is its NumPy type string, or whatever else names its type."""

    name: str
    text: str
    offset: int


class Layout(ABC):
    """Turn payloads into reports and back; the base of all layouts. Any thread."""

    rule: PayloadRule
    typename: str = "Report"

    @property
    @abstractmethod
    def fields(self) -> dict[str, Any]:
        """The fields in the form of a mapping declaration."""

    @abstractmethod
    def pack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        """Return the payload; PayloadError names the field, the value and the limit."""

    @abstractmethod
    def unpack(self, payload: bytes) -> Any:
        """Return the report of a payload; PayloadError if its size breaks the rule."""

    @abstractmethod
    def describe(self) -> str:
        """Return the report's type and fields for a repr."""

    @cached_property
    @abstractmethod
    def dtype(self) -> numpy.dtype[Any]:
        """The NumPy dtype of the fixed fields."""

    @cached_property
    def item_dtype(self) -> numpy.dtype[Any] | None:
        """The NumPy dtype of one item of the repeated part, None if there is none."""
        return None

    @property
    @abstractmethod
    def signature(self) -> tuple[Any, ...]:
        """What two layouts share if and only if they read the same bytes the same way; hashable."""

    def renamed(self, typename: str) -> Layout:
        """Return this layout with the name for its generated report class, where it has one."""
        return self

    def check_size(self, payload: bytes) -> None:
        """Raise the PayloadError that names size and limit, unless the size follows the rule."""
        rule, size = self.rule, len(payload)
        if rule.item_size:
            if size < rule.min_size:
                raise PayloadError(f"{size} bytes; at least {rule.min_size} are needed")
            if rule.max_size and size > rule.max_size:
                raise PayloadError(f"{size} bytes; at most {rule.max_size} are allowed")
            if rule.count_width:
                end = rule.count_offset + rule.count_width
                count = int.from_bytes(payload[rule.count_offset : end], "little") & rule.count_mask
                need = rule.fixed_size + rule.item_size * count
                if size < need:
                    raise PayloadError(f"{size} bytes; its count of {count} needs {need}")
            elif (size - rule.fixed_size) % rule.item_size:
                raise PayloadError(f"{size} bytes; it must have {rule.fixed_size} + n * {rule.item_size}")
        elif rule.sizes:
            if size not in rule.sizes:
                raise PayloadError(f"{size} bytes; it must have {' or '.join(map(str, rule.sizes))}")
        elif size < rule.min_size or (rule.max_size and size > rule.max_size):
            limit = (
                str(rule.min_size) if rule.min_size == rule.max_size else f"{rule.min_size}..{rule.max_size}"
            )
            raise PayloadError(f"{size} bytes; it must have {limit}")

    def source_of(self, payload: bytes) -> int:
        """Return the source in a checked payload; 0 without source field. Above 65534 only ALL hears."""
        offset, width = self.rule.source_offset, self.rule.source_width
        return int.from_bytes(payload[offset : offset + width], "little")


class RawLayout(Layout):
    """Take any bytes up to max_size; the report is the bytes."""

    typename = "bytes"

    def __init__(self, max_size: int | None) -> None:
        if max_size is not None:
            max_size = checked("max_size", max_size, MAX_PAYLOAD)
        self.rule = PayloadRule(0, max_size or 0, sizes=(0,) if max_size == 0 else ())

    @property
    def fields(self) -> dict[str, Any]:
        """The fields in the form of a mapping declaration."""
        return {}

    def pack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        """Return the payload; see Layout."""
        if len(args) != 1 or kwargs:
            raise PayloadError(
                f"raw bytes are packed from one bytes-like object, not {len(args) + len(kwargs)}"
            )
        try:
            payload = bytes(memoryview(args[0]))
        except TypeError:
            raise PayloadError(f"{show(args[0])} is not bytes-like, and the event has no fields") from None
        self.check_size(payload)
        return payload

    def unpack(self, payload: bytes) -> bytes:
        """Return the report; see Layout."""
        self.check_size(payload)
        return payload

    def describe(self) -> str:
        """Return the report's type and fields for a repr."""
        limit = self.rule.max_size or (0 if self.rule.sizes else "")
        return f"bytes[..{limit}]"

    @cached_property
    def dtype(self) -> numpy.dtype[Any]:
        """The NumPy dtype of the fixed fields."""
        raise TypeError("raw bytes have no fields, so there is no dtype")

    @property
    def signature(self) -> tuple[Any, ...]:
        """What layouts share that read the same bytes the same way."""
        return (self.rule,)


def arrange(
    names: Sequence[str], defaults: Mapping[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, ...]:
    """Return the values in the order of names, from a tuple, a mapping, or arguments.

    Names in defaults may be left out: at the end they stay out (the result is shorter), before a
    given one the default stands in. PayloadError names what is missing, unknown, given twice or too
    much.
    """
    values: tuple[Any, ...] = args
    if len(args) == 1 and not kwargs:
        if isinstance(args[0], tuple):
            values = args[0]
            theirs = getattr(values, "_fields", None)
            if theirs is not None and tuple(theirs) != tuple(names):
                raise PayloadError(
                    f"{show(values)} is a report of other fields; these are {', '.join(names)}"
                )
        elif isinstance(args[0], Mapping):
            values, kwargs = (), dict(args[0])
    if len(values) > len(names):
        raise PayloadError(f"{len(values)} values; there are {len(names)} fields: {', '.join(names)}")
    if not kwargs and len(values) == len(names):
        return values
    given = dict(zip(names, values, strict=False))
    for name, value in kwargs.items():
        if name not in names:
            raise PayloadError(f"there is no field {show(name)}; the fields are {', '.join(names)}")
        if name in given:
            raise PayloadError(f"field {name} is given twice: {show(given[name])} and {show(value)}")
        given[name] = value
    end = max((n for n, name in enumerate(names, 1) if name in given or name not in defaults), default=0)
    for name in names[:end]:
        if name not in given:
            if name not in defaults:
                raise PayloadError(f"field {name} is missing; the fields are {', '.join(names)}")
            given[name] = defaults[name]
    return tuple(given[name] for name in names[:end])


def locate(role: str, name: Any, fields: Sequence[Field]) -> tuple[int, int]:
    """Return offset and width of the integer field that is to be the source or the count.

    TypeError if name is no string, ValueError if it is no little-endian integer field that every
    payload has.
    """
    if not isinstance(name, str):
        raise TypeError(f"{role} must be the name of a field, not {name!r}")
    for field in fields:
        if field.name == name:
            if field.text not in INTEGERS:
                raise ValueError(f"{role} field {name} is {field.text}; it must be u1..u8 or i1..i8")
            return field.offset, int(field.text[1])
    names = ", ".join(field.name for field in fields) or "none"
    raise ValueError(f"{role} field {name!r} is not among the fields that every payload has: {names}")


def import_numpy() -> Any:
    """Return the numpy module; ImportError that says what needs it."""
    try:
        import numpy
    except ImportError as error:
        raise ImportError("an event's dtype needs NumPy: pip install 'tocsin[numpy]'") from error
    return numpy
