"""Routes: from the key of an event to the chains of its subscribers. Each stage of a protocol has its own.

An event has two routes: that of ALL sources and that of its own source. They are found by numbers alone: the
event id in an array, and the two bytes of the source in a tree of two levels, of which only the nodes in use are
there. At the end of a route stands a chain, which is swapped whole by one store [chain-swapped]; nodes are
only ever added [node-added]. So readers need no lock and compare nothing, and of 10,000 sources in a row only 80 kB
have to come through the cache.

Its stage reads; everything that changes routes is cold and under the lock of the queue.
"""

from libc.stdint cimport uint32_t, uint64_t

from tocsin._core.atomic cimport aptr, aptr_load_acquire, aptr_load_relaxed, aptr_store_release
from tocsin._core.chain cimport Chain, chain_free, chain_leave
from tocsin._core.memory cimport memory_alloc, memory_free


cdef struct RouteNode:
    aptr slots[256]               # RouteNode* by the high byte of the source; in those Chain* by the low byte


cdef struct Route:
    aptr all_sources              # Chain*, or NULL
    aptr sources                  # RouteNode*, or NULL while nobody has subscribed to a single source


cdef inline bint route_has_sources(const Route* route) noexcept nogil:
    """False as long as nobody has subscribed to a single source of the event. Its stage."""
    return aptr_load_acquire(&route.sources) != NULL                        # [node-added]


cdef inline Chain* route_of_all(const Route* route) noexcept nogil:
    """The chain of all sources of the event, or NULL. Its stage."""
    return <Chain*> aptr_load_acquire(&route.all_sources)                   # [chain-swapped]


cdef inline aptr* route_slot(const Route* route, uint64_t source) noexcept nogil:
    """Where the chain of one source of the event stands, or NULL if none ever did. Its stage, or under the lock."""
    cdef RouteNode* node = <RouteNode*> aptr_load_acquire(&route.sources)   # [node-added]
    if node == NULL or source >= 0xFFFF:
        return NULL
    node = <RouteNode*> aptr_load_acquire(&node.slots[source >> 8])         # [node-added]
    return NULL if node == NULL else &node.slots[source & 0xFF]


cdef inline Chain* route_of_source(const Route* route, uint64_t source) noexcept nogil:
    """The chain of one source of the event, or NULL. Its stage."""
    cdef const aptr* slot = route_slot(route, source)
    return NULL if slot == NULL else <Chain*> aptr_load_acquire(slot)       # [chain-swapped]


cdef inline aptr* route_get(Route* route, uint32_t source) noexcept nogil:
    """Where the chain of a source or of ALL stands, or NULL if none ever did. Cold, under the lock."""
    return &route.all_sources if source == 0xFFFF else route_slot(route, source)


cdef inline aptr* route_add(Route* route, uint32_t source) noexcept nogil:
    """As route_get(), but make what is missing; NULL: no memory. Cold, under the lock."""
    cdef RouteNode* node
    if source == 0xFFFF:
        return &route.all_sources
    node = node_add(&route.sources)
    if node != NULL:
        node = node_add(&node.slots[source >> 8])
    return NULL if node == NULL else &node.slots[source & 0xFF]


cdef inline RouteNode* node_add(aptr* slot) noexcept nogil:
    """Have a node in a slot; NULL: no memory. Cold, under the lock."""
    cdef RouteNode* node = <RouteNode*> aptr_load_relaxed(slot)
    if node == NULL:
        node = <RouteNode*> memory_alloc(sizeof(RouteNode))
        if node != NULL:
            aptr_store_release(slot, node)                                  # [node-added]
    return node


cdef inline void route_free(Route* route) noexcept nogil:
    """Leave all chains, free those that nobody else has, and the nodes. Nobody reading."""
    cdef RouteNode* node = <RouteNode*> aptr_load_relaxed(&route.sources)
    cdef RouteNode* low
    cdef int i, j
    slot_leave_chain(&route.all_sources)
    if node == NULL:
        return
    for i in range(256):
        low = <RouteNode*> aptr_load_relaxed(&node.slots[i])
        if low != NULL:
            for j in range(256):
                slot_leave_chain(&low.slots[j])
            memory_free(low)
    memory_free(node)


cdef inline void slot_leave_chain(const aptr* slot) noexcept nogil:
    """Leave the chain that stands there, if there is one. Nobody reading."""
    cdef Chain* chain = <Chain*> aptr_load_relaxed(slot)
    if chain != NULL and chain_leave(chain):
        chain_free(chain)
