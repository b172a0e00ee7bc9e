"""Dispatch: from a record in the ring to the calls of its subscribers, one event after the other.

For each event the chain of ALL is called first, then that of its source. A stop ends one chain for the rest
of the stage; a native stop is noted in the header, together with the fact that somebody was called, and
ends that chain in the Python stage too. The last stage classifies: delivered if a call was started in
either stage, else unclaimed. Events that only batches hold are classified when the batches were called, at
the end of the look, by whether one was. An event for which nobody was called because the stage was stopped
in between stays where it is: it is one of those that are abandoned.

Both chains of an event are read before its first call and after the counter that showed the event: one that was
accepted after subscribe() returned meets the new chain; of those queued before, a suffix does; and who is
subscribed by a call hears from the next event on. The Python stage takes the GIL
(enter) before its first call; events that no Python subscriber wants cost it no GIL.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from tocsin cimport tocsin_event
from tocsin._core.atomic cimport a32_load_relaxed, bytes_put, bytes_view
from tocsin._core.chain cimport (
    CHAIN_CALLED,
    CHAIN_COLLECTED,
    CHAIN_STOPPED,
    Chain,
    chain_admit,
    chain_call,
)
from tocsin._core.equeue cimport EventsQueue, Stage
from tocsin._core.header cimport (
    HEADER_BYTES,
    HEADER_CLAIMED,
    HEADER_PAD,
    HEADER_STOP_ALL,
    HEADER_STOP_SOURCE,
    MAX_SIZE,
    EventHeader,
    header_stride,
)
from tocsin._core.ledger cimport ledger_begin_call, ledger_note
from tocsin._core.payload cimport payload_source
from tocsin._core.routes cimport Route, route_has_sources, route_of_all, route_of_source
from tocsin._core.workqueue cimport HALT_STOPPED


cdef enum:
    DISPATCH_REFUSED = 0x80000    # the stage may not call now: the event is untouched


# -- one event -------------------------------------------------------------------------------------

cdef inline bint stage_is_stopped(const Stage* stage) noexcept nogil:
    """True if no call may begin any more. Any thread."""
    return a32_load_relaxed(&stage.wq.halted) & HALT_STOPPED != 0


cdef inline bint stage_may_call(Stage* stage) noexcept nogil:
    """Have whatever the stage needs for calling. False: it may not call now. Its worker."""
    if not stage.entered and stage.enter != NULL:
        if not stage.enter(stage):
            return False
        stage.entered = True
        return not a32_load_relaxed(&stage.wq.halted)    # frozen while we waited for the GIL
    return True


cdef inline int stage_call(Stage* stage, const Chain* chain, tocsin_event* event) noexcept nogil:
    """Call a chain for an event. CHAIN_*. Its worker."""
    if not stage_may_call(stage):
        return DISPATCH_REFUSED
    ledger_begin_call(&stage.ledger)
    return chain_call(chain, event, stage.lost_total, &stage.wq.halted, HALT_STOPPED)


cdef inline bint stage_admit(Stage* stage, const Chain* chain, tocsin_event* event) noexcept nogil:
    """Offer an event to the channels of a chain that may have it wait; False: it must. Its worker."""
    return chain == NULL or not chain.may_wait or chain_admit(chain, event, stage.lost_total)


cdef inline int stage_dispatch(
    Stage* stage, const EventHeader* header, uint64_t offset, uint32_t* size_flags
) noexcept nogil:
    """Call the subscribers of one event; CHAIN_*, and the stops in the flags. Its worker."""
    cdef EventsQueue* q = stage.queue
    cdef tocsin_event event
    cdef uint32_t flags = size_flags[0] >> 24
    cdef const Route* route = &stage.routes[header.event]
    cdef Chain* of_all = route_of_all(route)
    cdef Chain* of_source
    cdef int came = 0
    cdef int came_of_source
    cdef bint is_admitted
    if of_all == NULL and not route_has_sources(route):
        return 0
    event.size = size_flags[0] & MAX_SIZE
    event.timestamp = header.timestamp
    event.payload = bytes_view(q.ring.fifo.data, offset + HEADER_BYTES, event.size)
    event.source = payload_source(q.rules[header.event], event.payload)
    event.protocol = header.protocol
    event.event = header.event
    event.reserved = 0
    of_source = route_of_source(route, event.source)
    is_admitted = stage_admit(stage, of_all, &event)
    if not (stage_admit(stage, of_source, &event) and is_admitted):      # both: their times run side by side
        return DISPATCH_REFUSED
    if of_all != NULL and not flags & HEADER_STOP_ALL:
        came = stage_call(stage, of_all, &event)
        if came & DISPATCH_REFUSED:
            return came
        if came & CHAIN_STOPPED:
            flags |= HEADER_STOP_ALL
    if of_source != NULL and not flags & HEADER_STOP_SOURCE and not (came and stage_is_stopped(stage)):
        came_of_source = stage_call(stage, of_source, &event)
        if came_of_source & CHAIN_STOPPED:
            flags |= HEADER_STOP_SOURCE
        came |= came_of_source
    if came & CHAIN_CALLED:
        flags |= HEADER_CLAIMED
    size_flags[0] = event.size | flags << 24
    return came


cdef inline bint stage_leaves(const Stage* stage, int came) noexcept nogil:
    """True if nobody was called for an event, and nobody may be now: it stays. The last stage's worker."""
    if came & (CHAIN_CALLED | CHAIN_COLLECTED):
        return False
    return came & DISPATCH_REFUSED != 0 or stage_is_stopped(stage)


cdef inline void stage_classify(Stage* stage, bint is_claimed, bint is_collected) noexcept nogil:
    """Note what became of the event before the stage's position. The last stage's worker."""
    if is_claimed:
        stage.n_called += 1
    elif is_collected:
        stage.n_collected += 1
    else:
        stage.n_unclaimed += 1
    if is_collected:
        stage.has_batches = True
    if not stage.has_batches:
        ledger_note(&stage.ledger, stage.position, stage.n_called, stage.n_unclaimed)


cdef inline bint stage_step(Stage* stage, bint is_last) noexcept nogil:
    """Handle the event at the stage's position. False if the stage may not call now. Its worker."""
    cdef EventsQueue* q = stage.queue
    cdef uint64_t offset = stage.position & q.ring.fifo.mask
    cdef const EventHeader* header = <const EventHeader*> bytes_view(q.ring.fifo.data, offset, HEADER_BYTES)
    cdef uint32_t size_flags = header.size_flags
    cdef int came
    if size_flags >> 24 & HEADER_PAD:
        stage.position += HEADER_BYTES + (size_flags & MAX_SIZE)
        offset = 0                                                    # a pad never stands alone
        header = <const EventHeader*> bytes_view(q.ring.fifo.data, offset, HEADER_BYTES)
        size_flags = header.size_flags
    if header.lost != 0:
        stage.lost_total += header.lost
        stage.markers += 1
    came = stage_dispatch(stage, header, offset, &size_flags)
    # Without a look at `came` where an earlier stage has called somebody: such an event is delivered.
    if came & DISPATCH_REFUSED or (
        is_last and size_flags >> 24 & HEADER_CLAIMED == 0 and stage_leaves(stage, came)
    ):
        stage.lost_total -= header.lost
        stage.markers -= header.lost != 0
        return False
    stage.position += header_stride(size_flags & MAX_SIZE)
    if not is_last:
        if size_flags != header.size_flags:
            bytes_put(q.ring.fifo.data, offset + 8, &size_flags, 4)
        return True
    stage_classify(stage, size_flags >> 24 & HEADER_CLAIMED != 0, came & CHAIN_COLLECTED != 0)
    return True
