"""Dispatch: the two stages of a queue, from a record in the ring to the calls of its subscribers.

A run looks (what may I read by now?), walks (header, routes, chains, one event after the other), publishes
how far it came, and looks again, until nothing is there, or it handled 4,096 events, or 1 ms is over: then
it requeues itself at the tail, so that a flood in one protocol leaves the others their turn. The clock is read
after 1, 2, 4 ... 64 events, as long as that takes little time.

A look reads the counter first and every chain after it. So an event that was accepted after subscribe()
returned meets the new chain; of those queued before, a suffix does.

For each event the chain of ALL is called first, then that of its source. A stop ends one chain for the rest
of the stage; a native stop is noted in the header, together with the fact that somebody was called, and
ends that chain in the Python stage too. The last stage classifies: delivered if a call was started in
either stage, else unclaimed. Events that only batches hold are classified when the batches were called, at
the end of the look, as delivered; the space of a look with batches is freed then.

The native stage runs without the GIL. The Python stage takes it (enter) before its first call in a run and
keeps it until the end of the run; events that no Python subscriber wants cost it no GIL.

Frozen, a stage begins no event any more and requeues itself; stopped, it leaves the rest where it is.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t, uint8_t

from tocsin cimport tocsin_event
from tocsin._core.atomic cimport (
    a32_load_acquire,
    a32_load_relaxed,
    a32_store_release,
    a64_load_acquire,
    a64_load_relaxed,
    a64_store_relaxed,
    a64_store_release,
    aptr_load_acquire,
    bytes_get,
    bytes_put,
    bytes_view,
    cpu_pause,
)
from tocsin._core.chain cimport CHAIN_CALLED, CHAIN_COLLECTED, CHAIN_STOPPED, Chain, chain_call
from tocsin._core.clock cimport clock_monotonic
from tocsin._core.equeue cimport EventsQueue, Stage, stage_turn
from tocsin._core.header cimport (
    HEADER_BYTES,
    HEADER_CLAIMED,
    HEADER_PAD,
    HEADER_STOP_ALL,
    HEADER_STOP_SOURCE,
    EventHeader,
    header_flags,
    header_size,
    header_size_flags,
    header_stride,
)
from tocsin._core.kfifo cimport fifo_publish_out
from tocsin._core.ledger cimport ledger_begin_call, ledger_settle
from tocsin._core.payload cimport payload_source
from tocsin._core.routes cimport Route, route_of_all, route_of_source
from tocsin._core.work cimport Work, work_claim
from tocsin._core.workqueue cimport HALT_STOPPED, queue_work, workqueue_finish


cdef enum:
    RUN_EVENTS = 4096
    RUN_NS = 1_000_000
    STREAK_MAX = 64           # events between two looks at the clock
    STREAK_NS = 20_000        # a streak that took less may be longer next time
    BUSY_BYTES = 8 * 48       # a look that found more is worth a rest before the next one
    PAUSES = 64               # of a rest, about a microsecond

    DISPATCH_REFUSED = 0x80000    # the stage may not call now: the event is untouched


cdef struct Budget:
    uint32_t events
    uint32_t streak
    uint64_t began
    uint64_t mark


cdef inline void budget_begin(Budget* budget) noexcept nogil:
    budget.events = RUN_EVENTS
    budget.streak = 1
    budget.began = clock_monotonic()
    budget.mark = budget.began


cdef inline void budget_spend(Budget* budget, uint32_t events) noexcept nogil:
    """Account for a streak and choose the length of the next one. The stage's worker."""
    cdef uint64_t now = clock_monotonic()
    budget.events -= min(events, budget.events)
    if now - budget.began >= RUN_NS:
        budget.events = 0
    if now - budget.mark < STREAK_NS:
        budget.streak = min(2 * budget.streak, <uint32_t> STREAK_MAX)
    else:
        budget.streak = max(budget.streak // 4, <uint32_t> 1)
    budget.mark = now


# -- one event -------------------------------------------------------------------------------------

cdef inline Chain* stage_chain(const Stage* stage, const Route* route) noexcept nogil:
    """The stage's chain of a route (NULL: none). Its worker."""
    if route == NULL:
        return NULL
    if stage.is_python:
        return <Chain*> aptr_load_acquire(&route.python)                    # [chain-swapped]
    return <Chain*> aptr_load_acquire(&route.native)                        # [chain-swapped]


cdef inline int stage_call(Stage* stage, const Chain* chain, tocsin_event* event) noexcept nogil:
    """Call a chain for an event, with whatever the stage needs for calling. CHAIN_*. Its worker."""
    if not stage.entered and stage.enter != NULL:
        if not stage.enter(stage):
            return DISPATCH_REFUSED
        stage.entered = True
        if a32_load_relaxed(&stage.wq.halted):      # frozen while we waited for the GIL
            return DISPATCH_REFUSED
    ledger_begin_call(&stage.ledger)
    return chain_call(chain, event, stage.lost_total)


cdef inline int stage_dispatch(Stage* stage, EventHeader* header, uint64_t offset) noexcept nogil:
    """Call the subscribers of one event; CHAIN_*, and the stops in the header's flags. Its worker."""
    cdef EventsQueue* q = stage.queue
    cdef tocsin_event event
    cdef uint8_t flags = header_flags(header)
    cdef Chain* chain = stage_chain(stage, route_of_all(&q.routes, header.event))
    cdef int came = 0
    cdef int came_of_source
    if chain == NULL and aptr_load_acquire(&q.routes.table) == NULL:
        return 0
    event.timestamp = header.timestamp
    event.payload = bytes_view(q.ring.fifo.data, offset + HEADER_BYTES, header_size(header))
    event.size = header_size(header)
    event.source = payload_source(q.rules[header.event], event.payload)
    event.protocol = header.protocol
    event.event = header.event
    event.reserved = 0
    if chain != NULL and not flags & HEADER_STOP_ALL:
        came = stage_call(stage, chain, &event)
        if came & DISPATCH_REFUSED:
            return came
        if came & CHAIN_STOPPED:
            flags |= HEADER_STOP_ALL
    chain = stage_chain(stage, route_of_source(&q.routes, header.event, event.source))
    if chain != NULL and not flags & HEADER_STOP_SOURCE:
        came_of_source = stage_call(stage, chain, &event)
        if came_of_source & CHAIN_STOPPED:
            flags |= HEADER_STOP_SOURCE
        came |= came_of_source
    if came & CHAIN_CALLED:
        flags |= HEADER_CLAIMED
    header.size_flags = header_size_flags(header_size(header), flags)
    return came


cdef inline bint stage_step(Stage* stage, bint is_last) noexcept nogil:
    """Handle the event at the stage's position. False if the stage may not call now. Its worker."""
    cdef EventsQueue* q = stage.queue
    cdef EventHeader header
    cdef uint64_t offset = stage.position & q.ring.fifo.mask
    cdef uint32_t size_flags
    cdef int came
    bytes_get(q.ring.fifo.data, offset, &header, HEADER_BYTES)
    if header.size_flags >> 24 & HEADER_PAD:
        stage.position += HEADER_BYTES + header_size(&header)
        offset = 0
        bytes_get(q.ring.fifo.data, offset, &header, HEADER_BYTES)    # a pad never stands alone
    size_flags = header.size_flags
    stage.lost_total += header.lost
    came = stage_dispatch(stage, &header, offset)
    if came & DISPATCH_REFUSED:
        stage.lost_total -= header.lost
        return False
    stage.position += header_stride(header_size(&header))
    if not is_last:
        if header.size_flags != size_flags:
            bytes_put(q.ring.fifo.data, offset + 8, &header.size_flags, 4)
        return True
    if header_flags(&header) & HEADER_CLAIMED:
        stage.n_called += 1
    elif came & CHAIN_COLLECTED:
        stage.n_collected += 1
    else:
        stage.n_unclaimed += 1
    if came & CHAIN_COLLECTED:
        stage.has_batches = True
    if not stage.has_batches:
        stage_settle(stage, 0)
    return True


cdef inline void stage_settle(Stage* stage, uint64_t abandoned) noexcept nogil:
    """Enter the events handled so far in the books, all but the abandoned collected ones as such. Its worker."""
    ledger_settle(
        &stage.ledger, stage.position, stage.n_called + stage.n_collected - abandoned,
        stage.n_unclaimed, abandoned,
    )
    stage.n_called = 0
    stage.n_collected = 0
    stage.n_unclaimed = 0


cdef inline bint stage_walk(Stage* stage, uint64_t limit, Budget* budget, bint is_last) noexcept nogil:
    """Handle a streak of events before `limit`. False if the run must end. Its worker."""
    cdef uint32_t n = 0
    cdef bint may_call = True
    while stage.position != limit and n < budget.streak:
        if a32_load_relaxed(&stage.wq.halted) or not stage_step(stage, is_last):
            may_call = False
            break
        n += 1
    budget_spend(budget, n)
    return may_call and budget.events > 0


# -- the native stage ------------------------------------------------------------------------------

cdef inline uint64_t native_look(Stage* stage) noexcept nogil:
    """How far the native stage may read; settles who owns the end of the queue. Its worker."""
    cdef EventsQueue* q = stage.queue
    cdef uint64_t in_ = a64_load_acquire(&q.ring.fifo.in_)                  # [bytes-ready]
    cdef uint64_t out = a64_load_acquire(&q.ring.fifo.out)                  # [space-freed]
    if in_ - out > a64_load_relaxed(&q.high_water):
        a64_store_relaxed(&q.high_water, in_ - out)
    if a32_load_relaxed(&q.python_owns):
        if out == stage.position and not a32_load_acquire(&q.python_present):   # [python-present]
            ledger_settle(&stage.ledger, stage.position, 0, 0, 0)
            a32_store_release(&q.python_owns, 0)                            # [end-owned]
    elif a32_load_acquire(&q.python_present):                               # [python-present]
        # The Python stage has nothing before it: all that is its own may be set here.
        q.python.lost_total = stage.lost_total
        ledger_settle(&q.python.ledger, stage.position, 0, 0, 0)
        a32_store_release(&q.python_owns, 1)                                # [end-owned]
        a64_store_release(&q.passed, stage.position)                        # [native-passed]
    return in_


cdef inline bint native_run(Stage* stage) noexcept nogil:
    """Pass events until there are none. False if some are left for another run. Its worker."""
    cdef EventsQueue* q = stage.queue
    cdef Budget budget
    cdef uint64_t limit
    cdef uint64_t started = stage.position
    cdef bint may_go_on = True
    cdef bint rested = False
    cdef bint is_last
    budget_begin(&budget)
    stage_turn(stage, 1)
    while may_go_on:
        limit = native_look(stage)
        if limit == stage.position:
            # A look right after a full one mostly steals the writer's cache line: give it a moment.
            if rested or stage.is_inline or stage.position - started < BUSY_BYTES:
                break
            rested = True
            native_rest()
            continue
        rested = False
        started = stage.position
        while may_go_on and stage.position != limit:
            is_last = not a32_load_relaxed(&q.python_owns)
            may_go_on = stage_walk(stage, limit, &budget, is_last)
            if is_last:
                fifo_publish_out(&q.ring.fifo, stage.position)
            else:
                a64_store_release(&q.passed, stage.position)                # [native-passed]
                if not stage.is_inline:
                    queue_work(q.python.wq, &q.python.work)
            stage_turn(stage, 2)
    stage_turn(stage, 1)
    return may_go_on or native_look(stage) == stage.position


cdef inline void native_rest() noexcept nogil:
    """Wait about a microsecond. Any thread."""
    cdef int i
    for i in range(PAUSES):
        cpu_pause()


cdef inline void native_stage(Work* work) noexcept nogil:
    """The work function of the native stage. Native workers."""
    cdef Stage* stage = <Stage*> work
    cdef uint64_t before = stage.position
    cdef bint is_done = native_run(stage)
    stage_count_activation(stage, stage.position == before)
    if not is_done:
        queue_work(stage.wq, &stage.work)


cdef inline void stage_count_activation(Stage* stage, bint empty) noexcept nogil:
    """Count a run; one that found nothing is the harmless price of never losing a kick. Its worker."""
    a64_store_relaxed(&stage.activations, a64_load_relaxed(&stage.activations) + 1)
    if empty:
        a64_store_relaxed(&stage.empty_activations, a64_load_relaxed(&stage.empty_activations) + 1)


# -- the Python stage ------------------------------------------------------------------------------

cdef inline uint64_t python_look(Stage* stage) noexcept nogil:
    """How far the Python stage may read; its position is set if it may go on. Its worker."""
    cdef EventsQueue* q = stage.queue
    cdef Stage* native = &q.native
    cdef uint64_t passed
    if aptr_load_acquire(&q.first) == stage:                                # [first-stage]
        if work_claim(&native.work):
            native.is_inline = True
            if not native_run(native) and a32_load_relaxed(&native.wq.halted):
                queue_work(native.wq, &native.work)  # otherwise our next look passes the rest
            native.is_inline = False
            workqueue_finish(native.wq, &native.work)
        else:
            queue_work(native.wq, &native.work)      # who has it may have looked before our event came
    elif a64_load_acquire(&q.ring.fifo.in_) != a64_load_relaxed(&q.passed):  # [bytes-ready]
        queue_work(native.wq, &native.work)          # a writer who read an old `first` kicked only us
    passed = a64_load_acquire(&q.passed)                                    # [native-passed]
    if not stage.has_batches:
        stage.position = a64_load_relaxed(&q.ring.fifo.out)
    return passed if <int64_t> (passed - stage.position) > 0 else stage.position


cdef inline bint python_end_look(Stage* stage) noexcept nogil:
    """Call the batches of the look, settle, and free its space. False if they may not be called now."""
    if stage.has_batches:
        if a32_load_relaxed(&stage.wq.halted) & HALT_STOPPED:
            stage_settle(stage, stage.n_collected)
        elif a32_load_relaxed(&stage.wq.halted):
            return False
        else:
            if not stage.entered:
                if not stage.enter(stage):
                    return False
                stage.entered = True
            stage.call_batches(stage)
            stage_settle(stage, 0)
        stage.has_batches = False
    fifo_publish_out(&stage.queue.ring.fifo, stage.position)
    stage_turn(stage, 2)
    return True


cdef inline void python_stage(Work* work) noexcept nogil:
    """The work function of the Python stage. Python workers."""
    cdef Stage* stage = <Stage*> work
    cdef Budget budget
    cdef uint64_t limit
    cdef bint is_empty = True
    cdef bint may_go_on = True
    budget_begin(&budget)
    stage_turn(stage, 1)
    if stage.has_batches:                            # kept from a run that was frozen
        may_go_on = python_end_look(stage)
    while may_go_on:
        limit = python_look(stage)
        if limit == stage.position:
            break
        is_empty = False
        while may_go_on and stage.position != limit:
            may_go_on = stage_walk(stage, limit, &budget, True)
            if stage.has_batches:
                stage_turn(stage, 2)
            else:
                fifo_publish_out(&stage.queue.ring.fifo, stage.position)
                stage_turn(stage, 2)
        if stage.has_batches and not python_end_look(stage):
            may_go_on = False
    if stage.entered:
        stage.entered = False
        stage.leave(stage)
    stage_turn(stage, 1)
    stage_count_activation(stage, is_empty)
    if not may_go_on and not a32_load_relaxed(&stage.queue.abandoned):
        queue_work(stage.wq, &stage.work)
