# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""Python view of the event header in header.pxd.

An object is filled when it is made and constant afterwards: any thread may use it, no lock. It
holds the struct itself, so that what Python packs is what the ring holds; only pack() and unpack()
know that outside the ring the bytes are little-endian.
"""

from struct import Struct

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.number cimport PyNumber_Index

from tocsin._core.header cimport (
    HEADER_BYTES,
    MAX_SIZE,
    EventHeader,
    header_flags,
    header_size,
    header_size_flags,
)

LAYOUT = Struct("<QIBBH")


cdef object field_from(object v, str name, object limit):
    """Any thread. An int from 0 to the limit of its field."""
    v = PyNumber_Index(v)
    if not 0 <= v <= limit:
        raise ValueError(f"{name} must be 0 to {limit}, not {v}")
    return v


cdef class _EventHeader:
    """The 16 bytes before an event: u64 timestamp (ns), u24 size, u8 flags, u8 protocol, u8 event,
    u16 lost. Constant and hashable. A number that does not fit its field: ValueError.
    """

    cdef EventHeader header

    def __cinit__(
        self,
        timestamp: int,
        size: int,
        event: int,
        protocol: int = 0,
        flags: int = 0,
        lost: int = 0,
    ):
        self.header.timestamp = field_from(timestamp, "timestamp", (1 << 64) - 1)
        self.header.size_flags = header_size_flags(
            field_from(size, "size", MAX_SIZE), field_from(flags, "flags", 0xFF)
        )
        self.header.event = field_from(event, "event", 0xFF)
        self.header.protocol = field_from(protocol, "protocol", 0xFF)
        self.header.lost = field_from(lost, "lost", 0xFFFF)

    @property
    def timestamp(self) -> int:
        """Nanoseconds of the pipeline's clock."""
        return self.header.timestamp

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return header_size(&self.header)

    @property
    def flags(self) -> int:
        """Bits: 1 filler at the ring's end, 2 claimed, 4 and 8 stopped (ALL, its source)."""
        return header_flags(&self.header)

    @property
    def protocol(self) -> int:
        """Id of the protocol."""
        return self.header.protocol

    @property
    def event(self) -> int:
        """Id of the event in its protocol."""
        return self.header.event

    @property
    def lost(self) -> int:
        """Events refused since the previous one, at most 65535."""
        return self.header.lost

    def pack(self) -> bytes:
        """Give the 16 bytes, little-endian."""
        return LAYOUT.pack(
            self.header.timestamp,
            self.header.size_flags,
            self.header.protocol,
            self.header.event,
            self.header.lost,
        )

    @classmethod
    def unpack(cls, buffer: Buffer) -> Self:
        """Make a header from the first 16 bytes of `buffer`. Fewer: ValueError."""
        cdef Py_buffer view
        PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE)
        cdef Py_ssize_t n = view.len
        cdef bytes head = PyBytes_FromStringAndSize(<char*> view.buf, min(n, HEADER_BYTES))
        PyBuffer_Release(&view)
        if n < HEADER_BYTES:
            raise ValueError(f"a header has {HEADER_BYTES} bytes, not {n}")
        timestamp, size_flags, protocol, event, lost = LAYOUT.unpack(head)
        return cls(timestamp, size_flags & MAX_SIZE, event, protocol, size_flags >> 24, lost)

    def __eq__(self, other: object) -> bool:
        """Compare all fields."""
        if not isinstance(other, _EventHeader):
            return NotImplemented
        return self.pack() == (<_EventHeader> other).pack()

    def __hash__(self) -> int:
        """Hash all fields."""
        return hash(self.pack())

    def __reduce__(self) -> tuple[type, tuple[int, ...]]:
        """Pickle by the constructor's arguments."""
        return type(self), (
            self.timestamp, self.size, self.event, self.protocol, self.flags, self.lost
        )

    def __repr__(self) -> str:
        """Show the constructor call."""
        return (
            f"{type(self).__name__.lstrip('_')}(timestamp={self.timestamp}, size={self.size}, "
            f"event={self.event}, protocol={self.protocol}, flags={self.flags}, lost={self.lost})"
        )


# In the C text of this module both plain names are those of header.pxd.
globals().update(EventHeader=_EventHeader, MAX_SIZE=MAX_SIZE)
