"""The name of an event: protocol, event, source.

A key is a value. It is made once, by a subscriber or from the 32 bits that the core works with,
checked in full at that moment and never again; it is immutable, so any thread may share it. Source
0xFFFF is no source: it is ALL, and only the object ALL (or from_int) says it, so that a source
number computed wrongly is refused instead of meaning all.
"""

from __future__ import annotations

from functools import total_ordering
from operator import index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Final, NoReturn

__all__ = ["ALL", "Key", "checked"]


class All(int):
    """Be the int 0xFFFF, printed as ALL; there is one instance, also after copy and pickle."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ALL"

    __str__ = __repr__

    def __reduce__(self) -> str:
        return "ALL"  # the global of this module: pickle and copy hand out the same object


ALL: Final = All(0xFFFF)


def checked(name: str, value: Any, limit: int) -> int:
    """Return value as an int in 0..limit.

    TypeError if it is no integer (a bool is none), ValueError if it is out of range; both name it.
    """
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an int in 0..{limit}, not {value!r}")
    try:
        number = index(value)
    except TypeError:
        raise TypeError(f"{name} must be an int in 0..{limit}, not {value!r}") from None
    if not 0 <= number <= limit:
        hint = "; every source is tocsin.ALL" if (name, number) == ("source", ALL) else ""
        shown = f"{number:#x} ({number})" if number.bit_length() <= 64 else "of more than 64 bits"
        raise ValueError(f"{name} {shown} is not in 0..{limit}{hint}")
    return number


@total_ordering
class Key:
    """Name an event of a protocol, from one source or from ALL.

    protocol and event are 0..255, source is 0..65534 or ALL. ``int(key)`` is 32 bits: protocol
    31..24, event 23..16, source 15..0 with ALL = 0xFFFF. ``protocol, event, source = key`` unpacks
    it. Frozen, hashable, ordered, picklable; any thread. Out of range: ValueError; not an integer:
    TypeError.
    """

    __slots__ = ("event", "protocol", "source")
    protocol: int
    event: int
    source: int

    def __init__(self, protocol: int, event: int, source: int = ALL) -> None:
        put = object.__setattr__
        put(self, "protocol", checked("protocol", protocol, 0xFF))
        put(self, "event", checked("event", event, 0xFF))
        put(self, "source", ALL if source is ALL else checked("source", source, ALL - 1))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Key is frozen: make another one, with {name}={value!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Key is frozen: {name} can't be deleted")

    @classmethod
    def from_int(cls, n: int) -> Key:
        """Return the key whose 32 bits are n; ValueError out of range, TypeError if no int."""
        n = checked("key", n, 0xFFFF_FFFF)
        source = n & ALL
        return cls(n >> 24, n >> 16 & 0xFF, ALL if source == ALL else source)

    def __int__(self) -> int:
        return self.protocol << 24 | self.event << 16 | self.source

    def __eq__(self, other: object) -> bool:
        return int(self) == int(other) if isinstance(other, Key) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return int(self) < int(other) if isinstance(other, Key) else NotImplemented

    def __hash__(self) -> int:
        return hash((Key, int(self)))

    def __iter__(self) -> Iterator[int]:
        return iter((self.protocol, self.event, self.source))

    def __reduce__(self) -> tuple[Any, ...]:
        return Key, (self.protocol, self.event, self.source)

    def __repr__(self) -> str:
        return f"Key(protocol={self.protocol:#04x}, event={self.event}, source={self.source})"
