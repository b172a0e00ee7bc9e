"""A fifo of numbers, little-endian: elements of one type in the fifo of kfifo.py.

Values are converted before the fifo is touched: an exception leaves it as it was.
"""

from collections.abc import Iterable
from operator import index
from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING, Any

from tocsin.pure.kfifo import FifoBase

if TYPE_CHECKING:
    from typing import Self

__all__ = ["TypedFifo"]

CODES = {"i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q"}
CODES |= {"f2": "e", "f4": "f", "f8": "d"}


class TypedFifo(FifoBase):
    """A fifo of numbers: `format` is "i" or "u" and 1, 2, 4, 8 bytes, or "f" and 2, 4, 8.

    Little-endian; "<i4" is "i4". `size` is in elements, rounded up to a power of two.
    """

    _format: str
    _codec: Struct

    def __new__(cls, size: int, format: str, *, start: int = 0) -> "Self":
        """Check, round up and allocate."""
        if not isinstance(format, str):
            raise TypeError(f"format must be a str, not {format!r}")
        self = super().__new__(cls)
        self._format = format[1:] if format[:1] in ("<", "|") else format
        if self._format not in CODES:
            raise ValueError(f"format must be one of {', '.join(CODES)}, not {format!r}")
        self._codec = Struct("<" + CODES[self._format])
        self._allocate(size, self._codec.size, start)
        return self

    @property
    def format(self) -> str:
        """The type of the elements."""
        return self._format

    def _pack(self, v: Any) -> bytes:
        try:
            return self._codec.pack(real(v) if self._format[0] == "f" else index(v))
        except (StructError, OverflowError):
            raise ValueError(f"{v} exceeds the {self._codec.size} bytes of {self._format}") from None

    def _values(self, data: bytes) -> list[Any]:
        return [v for (v,) in self._codec.iter_unpack(data)]

    def in_(self, data: Iterable[float]) -> int:
        """Put in the first of the values, as many as fit: how many. Writer only."""
        return self._put(b"".join([self._pack(v) for v in data]))

    def out(self, n: int) -> list[Any]:
        """Take at most `n` values. Reader only."""
        return self._values(self._get(n, True))

    def peek(self, n: int) -> list[Any]:
        """Copy at most `n` values and keep them. Reader only."""
        return self._values(self._get(n, False))

    def put(self, v: float) -> bool:
        """Put in one value; False if full. Writer only."""
        return self._put(self._pack(v)) == 1

    def get(self) -> Any:
        """Take one value. Reader only. Empty: IndexError."""
        for v in self._values(self._get(1, True)):
            return v
        raise IndexError("get from an empty fifo")


def real(v: Any) -> float:
    """Return a real number; float() alone would read strings."""
    if not hasattr(type(v), "__float__") and not hasattr(type(v), "__index__"):
        raise TypeError(f"must be real number, not {type(v).__name__}")
    return float(v)
