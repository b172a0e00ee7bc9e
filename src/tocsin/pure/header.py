"""The header before every event: 16 bytes, made once and constant afterwards. Any thread.

u64 timestamp, u32 with the size in its low 24 bits and flags above, u8 protocol, u8 event, u16 lost, all
little-endian.
"""

from operator import index
from struct import Struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Buffer

__all__ = ["HEADER_BYTES", "MAX_SIZE", "EventHeader"]

HEADER_BYTES = 16
MAX_SIZE = (1 << 24) - 1  # bytes of payload
LAYOUT = Struct("<QIBBH")
FIELDS = ("timestamp", "size", "event", "protocol", "flags", "lost")  # as they are given
LIMITS = {  # and as they are checked
    "timestamp": (1 << 64) - 1,
    "size": MAX_SIZE,
    "flags": 0xFF,
    "event": 0xFF,
    "protocol": 0xFF,
    "lost": 0xFFFF,
}


class EventHeader:
    """The 16 bytes before an event: u64 timestamp (ns), u24 size, u8 flags, u8 protocol, u8 event,
    u16 lost. Constant and hashable. A number that does not fit its field: ValueError.
    """  # noqa: D205

    __slots__ = ("_fields",)

    _fields: dict[str, int]

    def __new__(
        cls, timestamp: int, size: int, event: int, protocol: int = 0, flags: int = 0, lost: int = 0
    ) -> "Self":
        """Check each number against its field."""
        self = super().__new__(cls)
        fields = dict(zip(FIELDS, (timestamp, size, event, protocol, flags, lost), strict=True))
        for name, limit in LIMITS.items():
            fields[name] = value = index(fields[name])
            if not 0 <= value <= limit:
                raise ValueError(f"{name} must be 0 to {limit}, not {value}")
        self._fields = fields
        return self

    @property
    def timestamp(self) -> int:
        """Nanoseconds of the pipeline's clock."""
        return self._fields["timestamp"]

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return self._fields["size"]

    @property
    def flags(self) -> int:
        """Bits: 1 filler at the ring's end, 2 claimed, 4 and 8 stopped (ALL, its source)."""
        return self._fields["flags"]

    @property
    def protocol(self) -> int:
        """Id of the protocol."""
        return self._fields["protocol"]

    @property
    def event(self) -> int:
        """Id of the event in its protocol."""
        return self._fields["event"]

    @property
    def lost(self) -> int:
        """Events refused since the previous one, at most 65535."""
        return self._fields["lost"]

    def pack(self) -> bytes:
        """Give the 16 bytes, little-endian."""
        size_flags = self.size | self.flags << 24
        return LAYOUT.pack(self.timestamp, size_flags, self.protocol, self.event, self.lost)

    @classmethod
    def unpack(cls, buffer: "Buffer") -> "Self":
        """Make a header from the first 16 bytes of `buffer`. Fewer: ValueError."""
        with memoryview(buffer) as view:
            if not view.c_contiguous:
                raise BufferError("a header's buffer must be contiguous")
            head, size = bytes(view)[:HEADER_BYTES], view.nbytes
        if size < HEADER_BYTES:
            raise ValueError(f"a header has {HEADER_BYTES} bytes, not {size}")
        timestamp, size_flags, protocol, event, lost = LAYOUT.unpack(head)
        return cls(timestamp, size_flags & MAX_SIZE, event, protocol, size_flags >> 24, lost)

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(self, "_fields"):
            raise AttributeError(f"attribute {name!r} of an EventHeader can't be changed")
        super().__setattr__(name, value)

    def __eq__(self, other: object) -> bool:
        return self._fields == other._fields if isinstance(other, EventHeader) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.pack())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(self._fields.values())

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value}" for name, value in self._fields.items())
        return f"{type(self).__name__}({fields})"
