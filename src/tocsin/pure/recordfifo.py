"""A fifo of records: a length of 1 or 2 bytes, little-endian, and the data, in the fifo of kfifo.py.

Between the counters lie whole records only: length and data are put in together.
"""

from typing import TYPE_CHECKING, Any

from tocsin.pure.kfifo import MAX_BYTES, FifoBase, bytes_of, checked

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Buffer

__all__ = ["RecordFifo"]


class RecordFifo(FifoBase):
    """A fifo of records behind 1 or 2 (`recsize`) bytes of length; `size` in bytes, rounded up."""

    _recsize: int

    def __new__(cls, size: int, recsize: int, *, start: int = 0) -> "Self":
        """Check, round up and allocate."""
        self = super().__new__(cls)
        self._recsize = checked(recsize, "recsize", 1, 2)
        self._allocate(size, 1, start)
        return self

    @property
    def recsize(self) -> int:
        """Bytes of the length before each record."""
        return self._recsize

    @property
    def _limit(self) -> int:
        return (1 << 8 * self._recsize) - 1

    @property
    def avail(self) -> int:
        """Length of the longest record that fits now, its length bytes not counted. Any thread."""
        return max(0, min(self._room() - self._recsize, self._limit))

    def _put_record(self, record: bytes) -> bool:
        """Put in one record whole, or nothing and False. Its bytes and its length become visible together."""
        if len(record) > self._limit:
            raise ValueError(f"recsize {self._recsize} limits a record to {self._limit}, not {len(record)}")
        data = len(record).to_bytes(self._recsize, "little") + record
        with self._lock:
            while True:
                at = self._in
                if len(data) > self._room():
                    return False
                self._copy_in(at, data)
                if self._in == at:
                    self._in = at + len(data)
                    return True

    def _length(self) -> int | None:
        """Return the length of the next record; None if there is none."""
        if self.is_empty:
            return None
        return int.from_bytes(self._copy_out(self._out, self._recsize), "little")

    def _get_record(self, n: Any, take: bool) -> bytes | None:
        most = checked(n, "n", 0, (1 << 64) - 1)
        with self._lock:
            while True:
                at = self._out
                length = self._length()
                if length is None:
                    return None
                record = self._copy_out(at + self._recsize, min(most, length))
                if self._out == at:
                    self._out = at + (self._recsize + length if take else 0)
                    return record

    def in_(self, data: "Buffer") -> int:
        """Put in one record whole: its length, or 0 if there is no room. Writer only.

        An empty record is legal and gives 0 as well: put() tells. Above 255 or 65535: ValueError.
        """
        record = bytes_of(data)
        return len(record) if self._put_record(record) else 0

    def out(self, n: int) -> bytes:
        """Take the next record and give at most `n` bytes of it, the rest is lost. Reader only."""
        return self._get_record(n, True) or b""

    def peek(self, n: int) -> bytes:
        """Copy at most `n` bytes of the next record and keep it. Reader only."""
        return self._get_record(n, False) or b""

    def put(self, v: "Buffer | int") -> bool:
        """Put in one record, the bytes of `v` or one byte; False if no room. Writer only."""
        try:
            record = bytes_of(v)  # type: ignore[arg-type]
        except TypeError:
            record = bytes([checked(v, "a byte", 0, 255)])
        return self._put_record(record)

    def get(self) -> bytes:
        """Take the next record whole. Reader only. None there: IndexError."""
        record = self._get_record(MAX_BYTES, True)
        if record is None:
            raise IndexError("get from an empty fifo")
        return record

    def skip(self, n: int = 1) -> None:
        """Drop one record: one whatever `n` is, as the kernel. Reader only. Empty: IndexError."""
        if self._get_record(n, True) is None:
            raise IndexError(f"skip of {n} from a fifo that holds 0")

    def peek_len(self) -> int:
        """Length of the next record. Reader only. None there: IndexError."""
        with self._lock:
            length = self._length()
        if length is None:
            raise IndexError("peek_len of an empty fifo")
        return length
