"""A fifo of bytes, after the kernel's kfifo, and what it shares with those of elements and records.

Two counters that only grow: `in` counts what was put in, `out` what was taken. Their difference is what is
inside, and the place of an element is its count modulo the size, a power of two; a copy over the end of the
memory goes in two pieces.

One thread that puts in and one that takes out would need no lock between them: the writer writes the bytes
first and then its counter, which nobody else writes; the reader looks at that counter first and then at the
bytes. The lock is for more threads than these two, each of which finds the fifo whole. It is reentrant, for
a signal handler that uses the fifo in the middle of another use: who finds its counter moved begins again.
`reset` needs both sides stopped; anybody may ask the properties.

What the kernel leaves undefined (skipping what is not there, a record too long for its length, the length
of no record) raises.
"""

import threading
from operator import index
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Buffer

__all__ = ["MAX_BYTES", "FifoBase", "Kfifo", "bytes_of", "checked"]

MAX_BYTES = 1 << 30
COUNTER = 1 << 32  # what users see of the counters


def checked(v: Any, name: str, low: int, high: int) -> int:
    """Return an int within its limits."""
    number = index(v)
    if not low <= number <= high:
        raise ValueError(f"{name} must be {low} to {high}, not {number}")
    return number


def bytes_of(data: "Buffer") -> bytes:
    """Return a copy of a contiguous buffer."""
    with memoryview(data) as view:
        if not view.c_contiguous:
            raise BufferError("the data of a fifo must be contiguous")
        return bytes(view)


class FifoBase:
    """Own a fifo's memory, 2 bytes to 1 GiB: what the kinds have in common; has none by itself."""

    _data: bytearray
    _esize: int
    _lock: Any  # a threading.RLock
    _in: int  # written by the writer
    _out: int  # written by the reader

    def _allocate(self, size: Any, esize: int, start: Any) -> None:
        wanted = checked(size, "size", 2, MAX_BYTES // esize)
        begin = checked(start, "start", 0, (1 << 64) - 1)
        self._lock = threading.RLock()
        self._esize = esize
        self._data = bytearray((1 << (wanted - 1).bit_length()) * esize)
        self._in = self._out = begin

    def _room(self) -> int:
        return self.size - len(self)

    def _copy_in(self, at: int, data: bytes) -> None:
        """Copy bytes to the place of a counter, in two pieces at the end of the memory."""
        offset = at * self._esize % len(self._data)
        first = data[: len(self._data) - offset]
        self._data[offset : offset + len(first)] = first
        self._data[: len(data) - len(first)] = data[len(first) :]

    def _copy_out(self, at: int, n: int) -> bytes:
        offset = at * self._esize % len(self._data)
        first = bytes(self._data[offset : offset + n * self._esize])
        return first + bytes(self._data[: n * self._esize - len(first)])

    def _put(self, data: bytes) -> int:
        """Put in as many whole elements as fit; how many."""
        with self._lock:
            while True:
                at = self._in
                n = min(len(data) // self._esize, self._room())
                self._copy_in(at, data[: n * self._esize])
                if self._in == at:
                    self._in = at + n
                    return n

    def _get(self, n: Any, take: bool) -> bytes:
        """Return at most n elements, as bytes."""
        most = checked(n, "n", 0, (1 << 64) - 1)
        with self._lock:
            while True:
                at = self._out
                ready = min(most, len(self))
                data = self._copy_out(at, ready)
                if self._out == at:
                    self._out = at + (ready if take else 0)
                    return data

    def __len__(self) -> int:
        out = self._out  # first: an `in` read after it is at least as new, so nothing is negative
        return max(0, min(self._in - out, self.size))  # 0 if it was reset in between

    def __repr__(self) -> str:
        in_, out = self.counters
        return f"<{type(self).__name__} {len(self)} of {self.size} used, in={in_} out={out}>"

    @property
    def size(self) -> int:
        """Elements that fit, a power of two; bytes in a record fifo."""
        return len(self._data) // self._esize

    @property
    def avail(self) -> int:
        """Elements that can still be put in. Any thread; exact for the writer or a lower bound."""
        return self._room()

    @property
    def is_empty(self) -> bool:
        """True if nothing is inside. Any thread."""
        return len(self) == 0

    @property
    def is_full(self) -> bool:
        """True if no element more fits. Any thread."""
        return self._room() == 0

    @property
    def counters(self) -> tuple[int, int]:
        """What went in and out, counted from `start`, modulo 2**32: two looks. Any thread."""
        out = self._out % COUNTER
        return self._in % COUNTER, out

    def reset(self) -> None:
        """Empty it and set both counters to 0. Only while writer and reader are stopped."""
        with self._lock:
            self._in = self._out = 0

    def reset_out(self) -> None:
        """Drop everything that is there now. Reader only; the writer may run."""
        with self._lock:
            self._out = self._in

    def skip(self, n: int = 1) -> None:
        """Drop `n` elements. Reader only. Empty: IndexError; fewer there: ValueError, none goes."""
        n = checked(n, "n", 0, (1 << 64) - 1)
        with self._lock:
            ready = len(self)
            if n <= ready:
                self._out += n
                return
        message = f"skip of {n} from a fifo that holds {ready}"
        raise ValueError(message) if ready else IndexError(message)

    def peek_len(self) -> int:
        """Bytes inside. Reader only."""
        return len(self) * self._esize


class Kfifo(FifoBase):
    """A fifo of bytes. `size` is rounded up to a power of two; `start` places both counters."""

    def __new__(cls, size: int, *, start: int = 0) -> "Self":
        """Check, round up and allocate."""
        self = super().__new__(cls)
        self._allocate(size, 1, start)
        return self

    def in_(self, data: "Buffer") -> int:
        """Put in the first bytes of `data`, as many as fit: how many. Writer only."""
        return self._put(bytes_of(data))

    def out(self, n: int) -> bytes:
        """Take at most `n` bytes. Reader only."""
        return self._get(n, True)

    def peek(self, n: int) -> bytes:
        """Copy at most `n` bytes and keep them. Reader only."""
        return self._get(n, False)

    def put(self, v: int) -> bool:
        """Put in one byte, 0 to 255; False if full. Writer only."""
        return self._put(bytes([checked(v, "a byte", 0, 255)])) == 1

    def get(self) -> int:
        """Take one byte. Reader only. Empty: IndexError."""
        for byte in self._get(1, True):
            return byte
        raise IndexError("get from an empty fifo")
