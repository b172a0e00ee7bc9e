"""Looking ahead: with many chains, bring near what the next events need before the first of them is handled.

Each event of another key needs the line of the cache in which its route ends, and that of its chain unless many
keys share it. Those of 10,000 chains are more than a core keeps near, and fetched when they are needed, one after
the other, they cost most of the time of an event. Here the ends of some routes are asked for at once, and then
their chains: less than half of the time of an event.

It is advice: nothing read here decides anything, and what is fetched may be in nobody's use any more. Nodes stay
as long as the queue, and the turn of the stage, which is odd meanwhile, keeps chains (equeue.pxd).
"""

from libc.stdint cimport uint64_t

from tocsin._core.atomic cimport a32_load_relaxed, aptr, aptr_load_acquire, bytes_view, cache_expect
from tocsin._core.chain cimport Chain
from tocsin._core.equeue cimport EventsQueue, Stage
from tocsin._core.header cimport HEADER_BYTES, MAX_SIZE, EventHeader, header_stride
from tocsin._core.payload cimport payload_source
from tocsin._core.routes cimport route_slot


cdef enum:
    AHEAD_EVENTS = 8          # that are looked at together
    AHEAD_CHAINS = 1024       # fewer are near anyway


cdef inline uint64_t stage_look_ahead(const Stage* stage, uint64_t position, uint64_t limit) noexcept nogil:
    """Ask for the chains of the sources of the next events; where to do so again. Its worker."""
    cdef const EventsQueue* q = stage.queue
    cdef const aptr* slots[AHEAD_EVENTS]
    cdef const EventHeader* header
    cdef const void* payload
    cdef uint64_t offset
    cdef const Chain* chain
    cdef int n = 0
    cdef int i
    if a32_load_relaxed(&stage.n_chains) < AHEAD_CHAINS:
        return limit
    while n < AHEAD_EVENTS and position != limit:
        offset = position & q.ring.fifo.mask
        header = <const EventHeader*> bytes_view(q.ring.fifo.data, offset, HEADER_BYTES)
        if header.size_flags > MAX_SIZE:
            break
        payload = bytes_view(q.ring.fifo.data, offset + HEADER_BYTES, header.size_flags)
        slots[n] = route_slot(&stage.routes[header.event], payload_source(q.rules[header.event], payload))
        cache_expect(slots[n])
        position += header_stride(header.size_flags)
        n += 1
    for i in range(n):
        chain = NULL if slots[i] == NULL else <const Chain*> aptr_load_acquire(slots[i])   # [chain-swapped]
        if chain != NULL:
            cache_expect(&chain.count)
    return position
