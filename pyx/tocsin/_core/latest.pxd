"""The records of a `latest` channel by their keys: where is the one of this source?

A hash table with open addressing, of at least twice as many places as the channel has room for events. An entry
is the position of a record and the hash of its key; the key itself stands in the record. An event that is taken
takes its entry along, and those behind it in the row move up, so there are no leftovers to walk over. All under
the lock of the channel.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from tocsin._core.atomic cimport bytes_get
from tocsin._core.header cimport HEADER_BYTES, EventHeader, header_size
from tocsin._core.segment cimport Place, Segment, kind_source, segment_kind, segment_payload


cdef inline uint32_t latest_hash(uint8_t protocol, uint8_t event, uint64_t source) noexcept nogil:
    """Any thread. Both factors are odd and large: neighbouring sources come to lie far from each other."""
    cdef uint64_t code = <uint64_t> protocol << 8 | event
    cdef uint64_t mixed = (source + 1) * <uint64_t> 0x9E3779B97F4A7C15 ^ code * <uint64_t> 0xC2B2AE3D27D4EB4F
    return <uint32_t> (mixed >> 32)


cdef inline bint latest_is(
    const Segment* segment, uint64_t at, uint8_t protocol, uint8_t event, uint64_t source
) noexcept nogil:
    """True if the record at a position has this key. Under the lock."""
    cdef EventHeader header
    bytes_get(segment.ring.fifo.data, at & segment.ring.fifo.mask, &header, HEADER_BYTES)
    if header.protocol != protocol or header.event != event:
        return False
    return source == kind_source(
        segment_kind(segment, protocol, event), segment_payload(segment, at, header_size(&header))
    )


cdef inline bint latest_find(
    const Segment* segment, uint8_t protocol, uint8_t event, uint64_t source, uint64_t* at
) noexcept nogil:
    """Find the record of a key: its position in `at`. False: there is none. Under the lock."""
    cdef uint32_t hash = latest_hash(protocol, event, source)
    cdef uint32_t i = hash & segment.mask
    cdef Place* place = &segment.places[i]
    while place.record != 0:
        if place.hash == hash and latest_is(segment, place.record - 1, protocol, event, source):
            at[0] = place.record - 1
            return True
        i = (i + 1) & segment.mask
        place = &segment.places[i]
    return False


cdef inline void latest_note(
    Segment* segment, uint8_t protocol, uint8_t event, uint64_t source, uint64_t at
) noexcept nogil:
    """Note where the record of a key lies that has none yet. Under the lock; there is a place."""
    cdef uint32_t hash = latest_hash(protocol, event, source)
    cdef uint32_t i = hash & segment.mask
    while segment.places[i].record != 0:
        i = (i + 1) & segment.mask
    segment.places[i].record = at + 1
    segment.places[i].hash = hash


cdef inline void latest_forget(
    Segment* segment, uint8_t protocol, uint8_t event, uint64_t source, uint64_t at
) noexcept nogil:
    """Take out the entry of a record that is about to be taken. Under the lock; it has one."""
    cdef uint32_t mask = segment.mask
    cdef uint32_t free = latest_hash(protocol, event, source) & mask
    cdef uint32_t i
    while segment.places[free].record != at + 1:
        free = (free + 1) & mask
    i = (free + 1) & mask
    while segment.places[i].record != 0:
        # An entry may move up to the free place unless that lies before the one where its row begins.
        if ((i - (segment.places[i].hash & mask)) & mask) >= ((i - free) & mask):
            segment.places[free] = segment.places[i]
            free = i
        i = (i + 1) & mask
    segment.places[free].record = 0
