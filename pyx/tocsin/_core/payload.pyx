"""Payload rules from declarations; what a rule is for stands in payload.pxd. Cold."""

from libc.stdint cimport uint32_t, uint64_t

from tocsin._core.header cimport HEADER_BYTES, MAX_SIZE
from tocsin._core.memory cimport memory_alloc, memory_free


cdef PayloadRule* rule_new(object declared, uint64_t queue_size) except NULL:
    """Copy a rule for the core; what the queue allows is the largest size where the rule has none."""
    cdef uint64_t most = min(queue_size // 2 - HEADER_BYTES, <uint64_t> MAX_SIZE)
    cdef PayloadRule* rule = <PayloadRule*> memory_alloc(sizeof(PayloadRule))
    cdef uint32_t i
    if rule == NULL:
        raise MemoryError("no memory for an event type")
    rule.min_size = declared.min_size
    rule.max_size = max(declared.sizes) if declared.sizes else declared.max_size or most
    rule.fixed_size = declared.fixed_size
    rule.item_size = declared.item_size
    rule.count_offset = declared.count_offset
    rule.count_width = declared.count_width
    rule.count_mask = declared.count_mask
    rule.source_offset = declared.source_offset
    rule.source_width = declared.source_width
    if declared.sizes:
        rule.sizes = <uint32_t*> memory_alloc(len(declared.sizes) * sizeof(uint32_t))
        if rule.sizes == NULL:
            memory_free(rule)
            raise MemoryError("no memory for an event type")
        rule.n_sizes = len(declared.sizes)
        for i in range(rule.n_sizes):
            rule.sizes[i] = declared.sizes[i]
    return rule
