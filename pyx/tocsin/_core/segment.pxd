"""Segments: the rings of a channel, and what the records in them are.

A channel's records lie in a ring of its own (ring.pxd, the locked way), each with the same header as in the
queue that it came from. To read one back it takes what the registration of its protocol said: where the source
stands, and whose event types they are. So a ring and its *origins*, one for each protocol, belong together: a
segment. While nothing changes there is one. A protocol that is registered later and needs a larger ring, or
anew with events still queued from before, gets the channel a new segment: the old one is read to its end first
and then goes. Segments are opened and freed under the lock of the channel; `types` is for the bridge, which
keeps it.

With `latest` a record is overwritten in place, so each takes the room of the largest one that its event can
have, and `places` (latest.pxd) finds the record of a key.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from tocsin._core.atomic cimport bytes_get, bytes_view
from tocsin._core.header cimport HEADER_BYTES, HEADER_PAD, EventHeader, header_size, header_stride
from tocsin._core.kfifo cimport fifo_ready
from tocsin._core.memory cimport memory_alloc, memory_free, memory_map, memory_unmap
from tocsin._core.payload cimport payload_field
from tocsin._core.ring cimport Ring, ring_init


cdef struct Kind:
    # What a channel must know of an event. A stride of 0: it doesn't listen to it.
    uint32_t stride           # of the largest record
    uint32_t source_offset
    uint32_t source_width


cdef struct Origin:
    void* types               # the event types of the registration, by event id; for the bridge
    uint32_t count
    Kind* kinds               # `count` of them, by event id, in the same block


cdef struct Place:
    uint64_t record           # the position of a record, plus one; 0: a free place
    uint32_t hash             # of its key


cdef struct Segment:
    Ring ring
    Segment* following
    uint64_t at               # of the next record to read, which may be ahead of what `out` says
    bint in_place             # records are overwritten
    uint32_t mask             # of `places`
    Place* places             # NULL unless in_place
    Origin* origins[256]      # by protocol, or NULL


cdef inline Origin* origin_new(void* types, uint32_t count) noexcept nogil:
    """Make an origin that listens to no event yet; NULL: no memory. Any thread."""
    cdef Origin* origin = <Origin*> memory_alloc(sizeof(Origin) + count * sizeof(Kind))
    if origin != NULL:
        origin.types = types
        origin.count = count
        origin.kinds = <Kind*> (origin + 1)
    return origin


cdef inline Origin* origin_copy(const Origin* origin) noexcept nogil:
    """Any thread. NULL: no memory."""
    cdef Origin* copy = origin_new(origin.types, origin.count)
    cdef uint32_t event
    if copy != NULL:
        for event in range(origin.count):
            copy.kinds[event] = origin.kinds[event]
    return copy


cdef inline Segment* segment_new(uint64_t size, uint64_t start, uint32_t places) noexcept nogil:
    """Make an empty segment of `size` bytes, a power of two; NULL: no memory. Any thread.

    places: 0, or how many records can be found by their key, a power of two.
    """
    cdef Segment* segment = <Segment*> memory_alloc(sizeof(Segment))
    cdef void* data = memory_map(size)
    if segment == NULL or data == NULL:
        memory_free(segment)
        memory_unmap(data, size)
        return NULL
    ring_init(&segment.ring, data, size, start)
    segment.at = start
    if places != 0:
        segment.in_place = True
        segment.mask = places - 1
        segment.places = <Place*> memory_alloc(places * sizeof(Place))
        if segment.places == NULL:
            segment_free(segment)
            return NULL
    return segment


cdef inline void segment_free(Segment* segment) noexcept nogil:
    """Nobody writing or reading."""
    cdef int protocol
    for protocol in range(256):
        memory_free(segment.origins[protocol])
    memory_unmap(segment.ring.fifo.data, segment.ring.fifo.mask + 1)
    memory_free(segment.places)
    memory_free(segment)


cdef inline bint segment_copy_origins(Segment* segment, const Segment* old) noexcept nogil:
    """Let a new segment know what an old one does. False: no memory."""
    cdef int protocol
    for protocol in range(256):
        if old.origins[protocol] != NULL:
            segment.origins[protocol] = origin_copy(old.origins[protocol])
            if segment.origins[protocol] == NULL:
                return False
    return True


# -- records ---------------------------------------------------------------------------------------

cdef inline Kind* segment_kind(const Segment* segment, uint8_t protocol, uint8_t event) noexcept nogil:
    """What is known of an event of which the segment holds a record, or will. Writer or reader."""
    return &segment.origins[protocol].kinds[event]


cdef inline uint64_t segment_stride(const Segment* segment, const EventHeader* header) noexcept nogil:
    """Bytes of the ring that a record occupies. Writer or reader."""
    if segment.in_place:
        return segment_kind(segment, header.protocol, header.event).stride
    return header_stride(header_size(header))


cdef inline uint64_t kind_source(const Kind* kind, const void* payload) noexcept nogil:
    """Where an event comes from, as payload_source() of its rule. Any thread."""
    return payload_field(payload, kind.source_offset, kind.source_width)


cdef inline bint segment_front(Segment* segment, EventHeader* header, uint64_t* carry) noexcept nogil:
    """Look at the header of the next record; False: there is none. A reader.

    Pads are passed by; one that stands in the middle tells by its timestamp how many events were lost before
    the record behind it, which is added to `carry`.
    """
    if fifo_ready(&segment.ring.fifo, segment.at) == 0:
        return False
    bytes_get(segment.ring.fifo.data, segment.at & segment.ring.fifo.mask, header, HEADER_BYTES)
    while header.size_flags >> 24 & HEADER_PAD:      # never the last: it was published with a record behind it
        carry[0] += header.timestamp
        segment.at += HEADER_BYTES + header_size(header)
        bytes_get(segment.ring.fifo.data, segment.at & segment.ring.fifo.mask, header, HEADER_BYTES)
    return True


cdef inline const void* segment_payload(const Segment* segment, uint64_t at, uint32_t size) noexcept nogil:
    """The payload of the record at a position, in place. Writer or reader."""
    return bytes_view(segment.ring.fifo.data, (at & segment.ring.fifo.mask) + HEADER_BYTES, size)


cdef inline uint64_t segment_count(const Segment* segment, uint64_t limit) noexcept nogil:
    """Count the records before a position that the caller acquired. A reader."""
    cdef EventHeader header
    cdef uint64_t at = segment.at
    cdef uint64_t n = 0
    while at != limit:
        bytes_get(segment.ring.fifo.data, at & segment.ring.fifo.mask, &header, HEADER_BYTES)
        if header.size_flags >> 24 & HEADER_PAD:
            at += HEADER_BYTES + header_size(&header)
        else:
            at += segment_stride(segment, &header)
            n += 1
    return n
