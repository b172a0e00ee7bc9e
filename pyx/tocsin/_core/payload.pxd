"""What a payload may look like: the sizes that an event can have, and where its source stands.

The face turns a declaration into a rule once, at registration; from then on every payload is checked
against it at the door, by whoever brings it and before any space is taken. So what lies in a queue has
been found whole, and readers of it never look past its end. A rule is constant; any thread may use it.
Integers in payloads are little-endian.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef struct PayloadRule:
    uint32_t min_size
    uint32_t max_size
    uint32_t fixed_size       # bytes before the repeated part
    uint32_t item_size        # bytes of one repetition; 0: no repeated part
    uint32_t count_offset     # the field that says how often it repeats
    uint32_t count_width      # its bytes; 0: to the end of the payload
    uint64_t count_mask
    uint32_t source_offset    # the field that says where the event comes from
    uint32_t source_width     # its bytes; 0: source 0
    uint32_t n_sizes          # 0: any size from min_size to max_size
    uint32_t* sizes


cdef inline uint64_t payload_field(const void* payload, uint32_t offset, uint32_t width) noexcept nogil:
    """Any thread. The unsigned integer of 1, 2, 4 or 8 bytes at the offset."""
    cdef uint64_t value = 0
    cdef const uint8_t* at = <const uint8_t*> payload + offset
    if width == 4:
        return (<uint32_t> at[0]) | (<uint32_t> at[1] << 8) | (<uint32_t> at[2] << 16) | (<uint32_t> at[3] << 24)
    while width > 0:
        width -= 1
        value = value << 8 | at[width]
    return value


cdef inline bint payload_fits(const PayloadRule* rule, const void* payload, uint64_t size) noexcept nogil:
    """Any thread. True if the event can have this payload."""
    cdef uint32_t i
    if size < rule.min_size or size > rule.max_size:
        return False
    if rule.item_size != 0:
        if rule.count_width == 0:
            return (size - rule.fixed_size) % rule.item_size == 0
        return payload_count(rule, payload) <= (size - rule.fixed_size) // rule.item_size
    if rule.n_sizes == 0:
        return True
    for i in range(rule.n_sizes):
        if rule.sizes[i] == size:
            return True
    return False


cdef inline bint payload_is_plain(const PayloadRule* rule, uint64_t size) noexcept nogil:
    """Any thread. True if the event can have any payload of this size; False may only mean that one has to look."""
    if rule == NULL or size < rule.min_size or size > rule.max_size:
        return False
    return rule.item_size | rule.n_sizes == 0


cdef inline uint64_t payload_count(const PayloadRule* rule, const void* payload) noexcept nogil:
    """Any thread. How often the repeated part is said to repeat."""
    return payload_field(payload, rule.count_offset, rule.count_width) & rule.count_mask


cdef inline uint64_t payload_source(const PayloadRule* rule, const void* payload) noexcept nogil:
    """Any thread. Where the event comes from; above 65534 only subscribers to ALL hear of it."""
    if rule.source_width == 0:
        return 0
    return payload_field(payload, rule.source_offset, rule.source_width)


cdef PayloadRule* rule_new(object declared, uint64_t queue_size) except NULL
