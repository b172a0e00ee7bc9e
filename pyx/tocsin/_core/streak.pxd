"""Streaks: so many events in a row as a stage handles between two looks at the clock.

stage_walk() hands most events to loops that know them to be simple: one chain, no flag, nothing lost
(stage_call_streak), in which somebody is alone (stage_call_alone), a channel (pour.pxd), or a batch subscriber
(stage_collect), or nobody is here (stage_skim). The rest goes through stage_step(), one by
one. A streak ends with an entry in the books.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from tocsin cimport tocsin_event
from tocsin._core.ahead cimport stage_look_ahead
from tocsin._core.atomic cimport a32, a32_load_relaxed, a64_load_relaxed, bytes_view
from tocsin._core.budget cimport Budget, budget_spend
from tocsin._core.chain cimport (
    CHAIN_CALLED,
    CHAIN_COLLECTED,
    CHAIN_SKIPPED,
    SUBSCRIBER_BATCH,
    Chain,
    Subscriber,
    subscriber_is_active,
    subscriber_is_behind,
)
from tocsin._core.channel cimport listeners_kick
from tocsin._core.dispatch cimport (
    stage_call,
    stage_classify,
    stage_leaves,
    stage_may_call,
    stage_step,
)
from tocsin._core.equeue cimport EventsQueue, Stage
from tocsin._core.header cimport HEADER_BYTES, MAX_SIZE, EventHeader, header_stride
from tocsin._core.ledger cimport ledger_call, ledger_called, ledger_settle, ledger_streak, ledger_uncall
from tocsin._core.offer cimport listeners_park
from tocsin._core.payload cimport payload_source
from tocsin._core.pour cimport stage_pour
from tocsin._core.ring cimport Ring
from tocsin._core.routes cimport Route, route_has_sources, route_of_all, route_of_source


cdef inline uint32_t stage_collect(Stage* stage, uint64_t limit, uint32_t most) noexcept nogil:
    """Keep a streak of events for a batch subscriber that is alone: how many. The Python stage's worker."""
    cdef EventsQueue* q = stage.queue
    cdef const EventHeader* header = <const EventHeader*> bytes_view(
        q.ring.fifo.data, stage.position & q.ring.fifo.mask, HEADER_BYTES
    )
    cdef const Route* route = &stage.routes[header.event]
    cdef Chain* chain = route_of_all(route)
    if chain == NULL or chain.count != 1 or chain.subscribers[0].kind != SUBSCRIBER_BATCH:
        return 0
    if not subscriber_is_active(chain.subscribers[0]):     # without memory it stayed there (subscribe.pxd)
        return 0
    if route_has_sources(route) or not stage_may_call(stage):
        return 0
    return stage.collect(stage, chain.subscribers[0], limit, most)


cdef inline bint stage_has_one_chain(Stage* stage, tocsin_event* event, Chain** chain) noexcept nogil:
    """Find the chain that an event has (NULL: none). False if there are two, or it may have to wait. Its worker."""
    cdef const Route* route = &stage.routes[event.event]
    cdef Chain* of_source = route_of_source(route, event.source)
    chain[0] = route_of_all(route)
    if chain[0] == NULL:
        chain[0] = of_source
    elif of_source != NULL:
        return False
    return chain[0] == NULL or chain[0].may_pour or not chain[0].may_wait


cdef inline uint32_t stage_call_streak(Stage* stage, uint64_t limit, uint32_t most) noexcept nogil:
    """Call the subscribers of simple events before `limit`: of how many. The last stage's worker.

    Does what stage_step() would do, in a third fewer instructions: two chains, stops, and what an earlier stage
    noted in the header cannot come up here.
    """
    cdef EventsQueue* q = stage.queue
    cdef const EventHeader* header
    cdef Chain* chain
    cdef tocsin_event event
    cdef uint64_t offset
    cdef uint32_t n = 0
    cdef uint32_t poured
    cdef bint has_sources
    cdef int came
    event.protocol = q.protocol
    event.reserved = 0
    while n < most and stage.position != limit and not a32_load_relaxed(&stage.wq.halted):
        offset = stage.position & q.ring.fifo.mask
        header = <const EventHeader*> bytes_view(q.ring.fifo.data, offset, HEADER_BYTES)
        event.size = header.size_flags
        if event.size > MAX_SIZE or header.lost != 0:
            break
        event.timestamp = header.timestamp
        event.event = header.event
        event.payload = bytes_view(q.ring.fifo.data, offset + HEADER_BYTES, event.size)
        event.source = payload_source(q.rules[event.event], event.payload)
        if not stage_has_one_chain(stage, &event, &chain):
            break
        if chain != NULL and chain.may_pour:
            # Where single sources have routes the next event may have another chain.
            has_sources = route_has_sources(&stage.routes[event.event])
            poured = stage_pour(stage, chain.subscribers[0], limit, 1 if has_sources else most - n)
            if poured == 0:
                break
            n += poured
            continue
        came = 0
        if chain != NULL:
            came = stage_call(stage, chain, &event)
            if stage_leaves(stage, came):
                break
        stage.position += header_stride(event.size)
        stage_classify(stage, came & CHAIN_CALLED != 0, came & CHAIN_COLLECTED != 0)
        n += 1
        if stage.has_batches:
            break
    return n


cdef inline uint32_t stage_call_alone(
    Stage* stage, uint64_t limit, uint32_t most, bint is_python
) noexcept nogil:
    """Call those that are alone with their events, before `limit`: for how many. The last stage's worker.

    Does what stage_call_streak() does in 82 instructions a dispatch, not 137: what this worker alone changes isn't
    read again after each call. Nobody is stopped by who is alone. 0: the next wants a closer look.
    """
    cdef EventsQueue* q = stage.queue
    cdef const a32* halted = &stage.wq.halted
    cdef const Route* routes = stage.routes
    cdef const Route* route
    cdef uint64_t position = stage.position
    cdef uint64_t streak = ledger_streak(&stage.ledger, position, stage.n_called, stage.n_unclaimed)
    cdef uint64_t offset, length
    cdef const EventHeader* header
    cdef Chain* chain
    cdef Chain* of_source
    cdef Subscriber* subscriber
    cdef tocsin_event event
    cdef uint32_t n = 0
    cdef int came
    event.protocol = q.protocol
    event.reserved = 0
    event.lost = 0
    while n < most and position != limit and not a32_load_relaxed(halted):
        if not is_python and <int64_t> (position - stage.ahead) >= 0:
            stage.ahead = stage_look_ahead(stage, position, limit)
        offset = position & q.ring.fifo.mask
        header = <const EventHeader*> bytes_view(q.ring.fifo.data, offset, HEADER_BYTES)
        event.size = header.size_flags
        event.event = header.event
        if event.size > MAX_SIZE or header.lost != 0:
            break
        event.payload = bytes_view(q.ring.fifo.data, offset + HEADER_BYTES, event.size)
        event.source = payload_source(q.rules[event.event], event.payload)
        route = &routes[event.event]
        of_source = route_of_source(route, event.source)
        chain = route_of_all(route)
        if chain == NULL:
            chain = of_source
        elif of_source != NULL:
            break
        if chain == NULL or not chain.is_alone:
            break
        subscriber = chain.subscribers[0]
        if subscriber_is_behind(subscriber, stage.lost_total) or not subscriber_is_active(subscriber):
            break
        if is_python and not stage_may_call(stage):
            break
        event.timestamp = header.timestamp
        ledger_call(&stage.ledger, streak)
        came = subscriber.function(subscriber.context, &event)
        if is_python and came & CHAIN_SKIPPED:
            ledger_uncall(&stage.ledger, streak)
            break
        length = header_stride(event.size)
        position += length
        streak = ledger_called(&stage.ledger, streak, length)
        n += 1
    stage.position = position
    stage.n_called += n
    return n


cdef inline uint32_t stage_skim(Stage* stage, uint64_t limit, uint32_t most) noexcept nogil:
    """Go past events that only the Python stage has subscribers for: how many. The native stage's worker.

    What they have to tell the stage is how many events were lost. As long as none of their headers does they are
    passed without a look, which would fetch each of their cache lines twice: 1.
    """
    cdef const Ring* ring = &stage.queue.ring
    cdef const EventHeader* header
    cdef uint64_t position = stage.position
    cdef uint32_t n = 0
    # Relaxed: headers were counted before they were published, and we acquired that with `limit`.
    if a64_load_relaxed(&stage.queue.lost_markers) == stage.markers:
        stage.position = limit
        return 1
    while position != limit and n < most:
        header = <const EventHeader*> bytes_view(ring.fifo.data, position & ring.fifo.mask, HEADER_BYTES)
        position += header_stride(header.size_flags & MAX_SIZE)       # of a pad too: its length is a stride
        stage.lost_total += header.lost
        stage.markers += header.lost != 0
        n += 1
    stage.position = position
    return n


cdef inline void stage_settle(Stage* stage, uint64_t abandoned) noexcept nogil:
    """Enter the events handled so far in the books, all but the abandoned collected ones as such. Its worker."""
    ledger_settle(
        &stage.ledger, stage.position, stage.n_called + stage.n_collected - abandoned,
        stage.n_unclaimed, abandoned,
    )
    stage.n_called = 0
    stage.n_collected = 0
    stage.n_unclaimed = 0


cdef inline void stage_tell_channels(Stage* stage) noexcept nogil:
    """Call the readers of channels that got something, and wait for those that are full. Its worker.

    Before the stage passes a turn, with which the channels may go.
    """
    listeners_kick(&stage.touched)
    if stage.full != NULL:
        listeners_park(&stage.full, stage.wq, &stage.work)
        stage.is_parked = True


cdef inline bint stage_walk(Stage* stage, uint64_t limit, Budget* budget, bint is_last) noexcept nogil:
    """Handle a streak of events before `limit`. False if the run must end. Its worker."""
    cdef uint32_t n = 0
    cdef uint32_t most
    cdef uint32_t kept
    cdef bint may_call = True
    while stage.position != limit and n < min(budget.streak, budget.events):
        if a32_load_relaxed(&stage.wq.halted):
            may_call = False
            break
        if is_last:
            most = min(budget.streak, budget.events) - n
            if stage.has_batches:
                kept = stage_collect(stage, limit, most)
            elif stage.is_python:
                kept = stage_call_alone(stage, limit, most, True)
            else:
                kept = stage_call_alone(stage, limit, most, False)
            if kept == 0 and not stage.has_batches:
                kept = stage_call_streak(stage, limit, most)
            n += kept
            if kept != 0 or a32_load_relaxed(&stage.wq.halted):
                continue
        if not stage_step(stage, is_last):
            may_call = False
            break
        n += 1
    if is_last and not stage.has_batches:
        stage_settle(stage, 0)
    if stage.touched != NULL or stage.full != NULL:
        stage_tell_channels(stage)
    budget_spend(budget, n)
    return may_call and budget.events > 0
