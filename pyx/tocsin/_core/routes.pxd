"""Routes: from the key of an event to the chains of its subscribers, one table per protocol.

An event has two routes: that of ALL sources, found by its event id in an array, and that of its own source, a
place in a hash table with open addressing. Routes are only ever added; what changes is the two chains that one
points to (native and Python), each swapped whole by one store [chain-swapped]. So readers need no lock: a place
is empty or has its key [route-added], and a table that has become too small is replaced by a bigger copy
[table-grown] and retired like a chain. Who still reads the old one finds the chains that were there: no chain of
the copy is swapped before the copy is in its place.

A route lies in the table itself, and not behind a pointer: with 10,000 keys that is a line of the cache less for
each event.

Readers are the stages of the protocol; everything that changes a table is cold and under the lock of
the queue.
"""

from libc.stdint cimport uint32_t, uint64_t

from tocsin._core.atomic cimport (
    a32,
    a32_load_acquire,
    a32_load_relaxed,
    a32_store_relaxed,
    a32_store_release,
    aptr,
    aptr_load_acquire,
    aptr_load_relaxed,
    aptr_store_relaxed,
    aptr_store_release,
)
from tocsin._core.chain cimport Chain, Retired, chain_free
from tocsin._core.memory cimport memory_alloc, memory_alloc_small, memory_free


cdef struct Route:
    aptr native                   # Chain*, or NULL
    aptr python                   # Chain*, or NULL
    a32 key                       # event << 16 | source, plus one; 0: an empty place of a table


cdef struct RouteTable:
    Retired retired               # first, so that a Retired* of a table is the table
    uint32_t mask                 # places minus one
    uint32_t count
    Route* places                 # in the same block


cdef struct Routes:
    aptr all_sources[256]         # Route* by event id
    aptr table                    # RouteTable* of single sources, or NULL while there is none


cdef inline uint32_t route_hash(uint32_t id) noexcept nogil:
    """Any thread. Neighbouring sources lie in neighbouring places; events are spread."""
    return (id & 0xFFFF) + (id >> 16) * <uint32_t> 0x9E3779B1


cdef inline Route* route_of_all(const Routes* routes, uint32_t event) noexcept nogil:
    """Its stages. The route of ALL sources of an event, or NULL."""
    return <Route*> aptr_load_acquire(&routes.all_sources[event])           # [route-added]


cdef inline Route* route_of_source(const Routes* routes, uint32_t event, uint64_t source) noexcept nogil:
    """Its stages. The route of one source of an event, or NULL."""
    cdef RouteTable* table = <RouteTable*> aptr_load_acquire(&routes.table)  # [table-grown]
    if table == NULL or source >= 0xFFFF:
        return NULL
    return route_find(table, event << 16 | <uint32_t> source)


cdef inline Route* route_find(const RouteTable* table, uint32_t id) noexcept nogil:
    """Any thread that may read the table."""
    cdef uint32_t place = route_hash(id) & table.mask
    cdef uint32_t key
    while True:
        key = a32_load_acquire(&table.places[place].key)                    # [route-added]
        if key == id + 1:
            return &table.places[place]
        if key == 0:
            return NULL
        place = (place + 1) & table.mask


cdef inline Route* route_get(Routes* routes, uint32_t id) noexcept nogil:
    """The route of an id if there is one, else NULL. Cold, under the lock."""
    cdef RouteTable* table
    if id & 0xFFFF == 0xFFFF:
        return <Route*> aptr_load_relaxed(&routes.all_sources[id >> 16])
    table = <RouteTable*> aptr_load_relaxed(&routes.table)
    return NULL if table == NULL else route_find(table, id)


cdef inline Route* route_add(Routes* routes, uint32_t id, Retired** outgrown) noexcept nogil:
    """Make the route of an id that has none; NULL: no memory, nothing changed. Cold, under the lock.

    A table that this replaced is put in `outgrown`, for the caller to retire.
    """
    cdef RouteTable* table
    cdef RouteTable* bigger
    cdef Route* route
    outgrown[0] = NULL
    if id & 0xFFFF == 0xFFFF:
        route = <Route*> memory_alloc_small(sizeof(Route))
        if route != NULL:
            aptr_store_release(&routes.all_sources[id >> 16], route)        # [route-added]
        return route
    table = <RouteTable*> aptr_load_relaxed(&routes.table)
    if table == NULL or 2 * (table.count + 1) > table.mask + 1:
        bigger = table_grow(table)
        if bigger == NULL:
            return NULL
        route = table_put(bigger, id)
        aptr_store_release(&routes.table, bigger)                           # [table-grown]
        outgrown[0] = <Retired*> table
        return route
    return table_put(table, id)


cdef inline RouteTable* table_grow(const RouteTable* old) noexcept nogil:
    """A table of twice the size with the same routes; NULL: no memory. Cold, under the lock."""
    cdef uint32_t size = 16 if old == NULL else 2 * (old.mask + 1)
    cdef uint32_t key
    cdef uint32_t i
    cdef Route* route
    cdef RouteTable* table = <RouteTable*> memory_alloc(sizeof(RouteTable) + size * sizeof(Route))
    if table == NULL:
        return NULL
    table.mask = size - 1
    table.places = <Route*> (table + 1)
    if old != NULL:
        for i in range(old.mask + 1):
            key = a32_load_relaxed(&old.places[i].key)
            if key != 0:
                route = table_put(table, key - 1)
                aptr_store_relaxed(&route.native, aptr_load_relaxed(&old.places[i].native))
                aptr_store_relaxed(&route.python, aptr_load_relaxed(&old.places[i].python))
    return table


cdef inline Route* table_put(RouteTable* table, uint32_t id) noexcept nogil:
    """Make a route in the first free place of its row. Cold, under the lock; there is room."""
    cdef uint32_t place = route_hash(id) & table.mask
    while a32_load_relaxed(&table.places[place].key) != 0:
        place = (place + 1) & table.mask
    table.count += 1
    a32_store_release(&table.places[place].key, id + 1)                     # [route-added]
    return &table.places[place]


cdef inline void routes_free(Routes* routes) noexcept nogil:
    """Free all routes and their chains. Nobody reading."""
    cdef RouteTable* table = <RouteTable*> aptr_load_relaxed(&routes.table)
    cdef Route* route
    cdef uint32_t i
    for i in range(256):
        route = <Route*> aptr_load_relaxed(&routes.all_sources[i])
        if route != NULL:
            route_free_chains(route)
            memory_free(route)
    if table != NULL:
        for i in range(table.mask + 1):
            route_free_chains(&table.places[i])
        memory_free(table)


cdef inline void route_free_chains(const Route* route) noexcept nogil:
    """Free the chains of a route, if it has any. Nobody reading."""
    chain_free(<Chain*> aptr_load_relaxed(&route.native))
    chain_free(<Chain*> aptr_load_relaxed(&route.python))
