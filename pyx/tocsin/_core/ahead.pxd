"""Looking ahead: with many keys, bring near what the next events need before the first of them is handled.

Each event of another key needs two lines of the cache, its place in the table of routes and its chain, and those of
10,000 keys are more than a core keeps near. Fetched when they are needed, one after the other, they cost most of
the time of an event. Here the places of some events are asked for at once, and then their chains: 38 -> 21 ns
an event. With 1,000 keys it costs 2 ns and gains nothing.

It is advice: nothing read here decides anything, and what is fetched may be another route's, or in nobody's use
any more. The turn of the stage, which is odd meanwhile, keeps it readable (equeue.pxd).
"""

from libc.stdint cimport uint32_t, uint64_t

from tocsin._core.atomic cimport aptr_load_acquire, bytes_view, cache_expect
from tocsin._core.chain cimport Chain
from tocsin._core.equeue cimport EventsQueue
from tocsin._core.header cimport HEADER_BYTES, MAX_SIZE, EventHeader, header_stride
from tocsin._core.payload cimport payload_source
from tocsin._core.routes cimport Route, RouteTable, route_hash


cdef enum:
    AHEAD_EVENTS = 8          # that are looked at together
    AHEAD_PLACES = 4096       # in a table; what a smaller one leads to is near anyway


cdef inline uint64_t equeue_look_ahead(const EventsQueue* q, uint64_t position, uint64_t limit) noexcept nogil:
    """Ask for the routes of the next events and their native chains; where to do so again. The native stage's."""
    cdef const RouteTable* table = <const RouteTable*> aptr_load_acquire(&q.routes.table)   # [table-grown]
    cdef const Route* routes[AHEAD_EVENTS]
    cdef const EventHeader* header
    cdef const void* payload
    cdef uint64_t offset
    cdef const Chain* chain
    cdef uint32_t id
    cdef int n = 0
    cdef int i
    if table == NULL or table.mask < AHEAD_PLACES - 1:
        return limit
    while n < AHEAD_EVENTS and position != limit:
        offset = position & q.ring.fifo.mask
        header = <const EventHeader*> bytes_view(q.ring.fifo.data, offset, HEADER_BYTES)
        if header.size_flags > MAX_SIZE:
            break
        payload = bytes_view(q.ring.fifo.data, offset + HEADER_BYTES, header.size_flags)
        id = <uint32_t> header.event << 16 | <uint32_t> (payload_source(q.rules[header.event], payload) & 0xFFFF)
        routes[n] = &table.places[route_hash(id) & table.mask]
        cache_expect(routes[n])
        position += header_stride(header.size_flags)
        n += 1
    for i in range(n):
        chain = <const Chain*> aptr_load_acquire(&routes[i].native)         # [chain-swapped]
        if chain != NULL:
            cache_expect(&chain.count)
    return position
