"""The header before every event in a ring, and the 32-bit key of an event.

Sixteen bytes: u64 timestamp, u32 size and flags, u8 protocol, u8 event, u16 lost; in a ring in the
machine's byte order, packed by Python little-endian. The payload follows, and the next header after
it at a multiple of 16, so headers are aligned and never split.

The writer of a record fills a header of its own and copies it into the ring; readers look at it
between publication and release, which give that its order (the two tags of kfifo.pxd). What stands
here is plain arithmetic on the caller's own memory: any thread, at any time.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t


cdef enum:
    MAX_SIZE = (1 << 24) - 1       # bytes of payload
    HEADER_BYTES = 16

cdef enum:
    KEY_ALL = 0xFFFF               # as a source: every one

cdef enum HeaderFlag:
    HEADER_PAD = 1                 # no event: a filler up to the end of the ring
    HEADER_CLAIMED = 2             # a native call was started
    HEADER_STOP_ALL = 4            # the chain for ALL was stopped
    HEADER_STOP_SOURCE = 8         # the chain for the event's own source was stopped


cdef struct EventHeader:
    uint64_t timestamp             # ns, of the pipeline's clock
    uint32_t size_flags            # size in the low 24 bits, flags in the high 8
    uint8_t protocol
    uint8_t event
    uint16_t lost                  # events refused since the previous one, at most 65535


cdef inline uint32_t header_size(const EventHeader* header) noexcept nogil:
    """Any thread. Bytes of the payload."""
    return header.size_flags & MAX_SIZE


cdef inline uint8_t header_flags(const EventHeader* header) noexcept nogil:
    """Any thread. Bits of HeaderFlag."""
    return <uint8_t> (header.size_flags >> 24)


cdef inline uint32_t header_size_flags(uint32_t size, uint8_t flags) noexcept nogil:
    """Any thread. The word of a size of at most MAX_SIZE and its flags."""
    return size | <uint32_t> flags << 24


cdef inline uint64_t header_stride(uint64_t size) noexcept nogil:
    """Any thread. Bytes of the ring that an event with `size` bytes of payload occupies."""
    return HEADER_BYTES + ((size + 15) & ~<uint64_t> 15)


cdef inline uint32_t key_pack(uint8_t protocol, uint8_t event, uint16_t source) noexcept nogil:
    """Any thread. Protocol in bits 31..24, event in 23..16, source (or KEY_ALL) in 15..0."""
    return <uint32_t> protocol << 24 | <uint32_t> event << 16 | source


cdef inline uint8_t key_protocol(uint32_t key) noexcept nogil:
    """Any thread."""
    return <uint8_t> (key >> 24)


cdef inline uint8_t key_event(uint32_t key) noexcept nogil:
    """Any thread."""
    return <uint8_t> (key >> 16)


cdef inline uint16_t key_source(uint32_t key) noexcept nogil:
    """Any thread."""
    return <uint16_t> key
