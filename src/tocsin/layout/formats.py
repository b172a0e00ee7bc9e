"""One field's type: a NumPy type string, read once, and the struct code that packs it.

Only what means the same bytes on every machine is understood: u1 u2 u4 u8, i1 .. i8, f2 f4 f8, b1
(or ?), S<n>, and one-dimensional sub-arrays of these (3f4 or (3,)f4). A Format is an immutable
value; any thread.

Packing does not call into this module: struct checks ranges in C. ``check`` runs after struct has
refused, to say which value does not fit and why. Two cases that struct would let through are caught
in ``flat``, before it: byte strings that are too long, and sub-arrays of the wrong length.
"""

from __future__ import annotations

import reprlib
import struct
from operator import index

from tocsin.errors import PayloadError
from tocsin.namedtuples import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["INTEGERS", "Format", "parse", "show"]

CODES = {"u1": "B", "u2": "H", "u4": "I", "u8": "Q", "i1": "b", "i2": "h", "i4": "i", "i8": "q"}
INTEGERS = frozenset(CODES)
CODES |= {"f2": "e", "f4": "f", "f8": "d", "b1": "?"}
FLOAT_MAX = {"f2": "65504", "f4": "3.4028235e+38", "f8": "1.7976931348623157e+308"}
WORDS = {
    "?": "b1",
    "bool": "b1",
    **{f"uint{8 * n}": f"u{n}" for n in (1, 2, 4, 8)},
    **{f"int{8 * n}": f"i{n}" for n in (1, 2, 4, 8)},
    **{f"float{8 * n}": f"f{n}" for n in (2, 4, 8)},
}
PATTERN = (
    r"(?P<order>[<|>=]?)(?:(?P<count>\d{1,8})|\((?P<shape>\d{1,8}),?\))?(?P<order2>[<|>=]?)"
    r"(?:S(?P<chars>\d{1,8})|(?P<word>[a-z?]+\d*))"
)


class Format(NamedTuple):
    """Describe a field: base (u4, S8), its width in bytes, the sub-array's length (0: scalar)."""

    base: str
    width: int
    length: int

    @property
    def text(self) -> str:
        """The canonical NumPy type string."""
        return f"{self.length}{self.base}" if self.length else self.base

    @property
    def size(self) -> int:
        """The field's bytes."""
        return self.width * (self.length or 1)

    @property
    def simple(self) -> bool:
        """Tell whether struct's one value is the field's value."""
        return not self.length and self.base in CODES

    @property
    def code(self) -> str:
        """The struct code."""
        if self.base in CODES:
            return f"{self.length or ''}{CODES[self.base]}"
        return f"{self.width}s" * (self.length or 1)

    def load(self, values: tuple[Any, ...]) -> Any:
        """Return the field's value from struct's values; as in NumPy, S<n> loses trailing NULs."""
        if self.base not in CODES:
            values = tuple(value.rstrip(b"\0") for value in values)
        return values if self.length else values[0]

    def flat(self, name: str, value: Any) -> tuple[Any, ...]:
        """Return struct's values; PayloadError where struct would cut in silence."""
        if self.length:
            if isinstance(value, (str, bytes)) or not hasattr(value, "__len__"):
                raise PayloadError(f"{name}={show(value)} is not a sequence of {self.length} ({self.text})")
            if len(value) != self.length:
                raise PayloadError(f"{name} has {len(value)} values; {self.text} has {self.length}")
            values = tuple(value)
        else:
            values = (value,)
        if self.base not in CODES:
            for each in values:
                self.check(name, each)
        return values

    def check(self, name: str, value: Any) -> None:
        """Raise the PayloadError that names field, value and limit, unless the element fits."""
        if self.base in INTEGERS:
            bits = 8 * self.width
            low, high = (0, (1 << bits) - 1) if self.base[0] == "u" else (-1 << bits - 1, (1 << bits - 1) - 1)
            try:
                fits = low <= index(value) <= high
            except TypeError:
                raise PayloadError(
                    f"{name}={show(value)} is not an integer ({self.base}: {low}..{high})"
                ) from None
            if not fits:
                raise PayloadError(f"{name}={show(value)} does not fit {self.base} ({low}..{high})")
        elif self.base in FLOAT_MAX:
            limit = f"{self.base}: -{FLOAT_MAX[self.base]}..{FLOAT_MAX[self.base]}"
            try:
                struct.pack(f"<{CODES[self.base]}", value)
            except (struct.error, OverflowError):
                number = hasattr(value, "__float__") or hasattr(value, "__index__")
                words = f"does not fit {limit}" if number else f"is not a number ({limit})"
                raise PayloadError(f"{name}={show(value)} {words}") from None
        elif self.base not in CODES:
            if not isinstance(value, (bytes, bytearray)):
                raise PayloadError(
                    f"{name}={show(value)} is not bytes ({self.base}: at most {self.width} bytes)"
                )
            if len(value) > self.width:
                raise PayloadError(
                    f"{name}={show(value)} has {len(value)} bytes; {self.base} holds {self.width}"
                )


def parse(name: str, text: Any) -> Format:
    """Return the Format of a NumPy type string; TypeError or ValueError that names both."""
    if not isinstance(text, str):
        raise TypeError(f"field {name}: {text!r} is not a NumPy type string such as 'u4'")
    if text in CODES:  # most are, and need no import of re
        return Format(text, int(text[1]), 0)
    import re

    match = re.fullmatch(PATTERN, text)
    if match is None:
        raise ValueError(f"field {name}: {text!r} is not one of {', '.join(CODES)}, S<n>, or '3f4'")
    if {match["order"], match["order2"]} & {">", "="}:
        raise ValueError(f"field {name}: {text!r}: payloads are little-endian; leave the byte order out")
    count = match["count"] or match["shape"]
    if count is not None and int(count) == 0:
        raise ValueError(f"field {name}: {text!r} has no element")
    if match["chars"] is not None:
        base, width = f"S{int(match['chars'])}", int(match["chars"])
        if not width:
            raise ValueError(f"field {name}: {text!r} has no length; write 'S8' for 8 bytes")
    else:
        base = WORDS.get(match["word"], match["word"])
        if base not in CODES:
            raise ValueError(f"field {name}: {text!r} is not one of {', '.join(CODES)}, S<n>, or '3f4'")
        width = int(base[1])
    return Format(base, width, int(count or 0))


def show(value: Any) -> str:
    """Return a short repr of a value that somebody else made; it never raises."""
    try:
        return reprlib.repr(value)
    except Exception:  # the repr of a foreign object, or of an int with too many digits, may raise anything
        return f"<{type(value).__name__}>"
