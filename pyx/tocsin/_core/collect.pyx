# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""Collecting for batches: what a look of the Python stage brings, kept for the calls at its end.

Each batch subscriber has a batch per event type. An event that only batches hold is delivered if one of them
is called in the end: so while there is more than one batch, it is marked for each event which ones hold it.
Most protocols have one batch subscriber and come in streaks of one event: those are taken from the ring in
a loop of their own, with one look at their chain.

The stage, with the GIL, between enter and leave. Nothing lets an exception out.
"""

from libc.stdint cimport uint32_t, uint64_t

from tocsin cimport tocsin_event
from tocsin._core.atomic cimport a32_load_relaxed, bytes_view
from tocsin._core.batch cimport (
    Batch,
    BatchEnd,
    batch_add,
    batch_append,
    batch_clear,
    batch_close,
    batch_has_room,
    batch_is_ours,
    batch_make_room,
    batch_new,
    batch_open,
)
from tocsin._core.calls cimport member_call, report
from tocsin._core.chain cimport (
    CHAIN_CALLED,
    CHAIN_COLLECTED,
    CHAIN_SKIPPED,
    Subscriber,
    subscriber_take_lost,
)
from tocsin._core.equeue cimport EventsQueue, Stage
from tocsin._core.header cimport HEADER_BYTES, MAX_SIZE, EventHeader, header_stride
from tocsin._core.kfifo cimport fifo_publish_out
from tocsin._core.ledger cimport ledger_position
from tocsin._core.payload cimport PayloadRule, payload_source
from tocsin._core.ties cimport Member, StageBridge


ctypedef uint64_t (*batches_function)(void* bridge) noexcept nogil
ctypedef uint32_t (*streak_function)(
    Stage* stage, Subscriber* subscriber, uint64_t limit, uint32_t most
) noexcept nogil


cdef int call_with_batch_later(Member member, const tocsin_event* record) noexcept:
    """Keep a record for a batch callable: the function of its Subscriber. The stage, with the GIL."""
    if member.filling is None or member.filling_event != record.event:
        if not turn_to_batch(member, record.event):
            return CHAIN_CALLED
    if not batch_add(member.filling, record):
        report(member.bridge, member, MemoryError("no memory for a batch"), None)
        return CHAIN_CALLED
    mark(member.bridge, member.filling.slot)
    return CHAIN_COLLECTED


cdef bint turn_to_batch(Member member, int event) noexcept:
    """Have the events of one type go to their batch of this look. False: reported. The stage, with the GIL."""
    cdef Batch batch
    try:
        batch = member.batches.get(event)
        if batch is None:
            batch = batch_new(member.bridge.types[event])
            member.batches[event] = batch
        if batch.count == 0:
            member.batches[event] = member.batches.pop(event)    # the first of a look is called first
            member.bridge.filled.append(member)
            if member.bridge.slots == 0:
                # From here on space is freed at the end of the look. Not past the books, who don't know a pad yet.
                fifo_publish_out(&member.q.ring.fifo, ledger_position(&member.q.python.ledger))
            batch.slot = min(member.bridge.slots, 63)
            member.bridge.slots += 1
            if member.bridge.slots == 2:
                mark_first(member.bridge)
    except BaseException as error:
        report(member.bridge, member, error, None)
        return False
    member.filling = batch
    member.filling_event = event
    return True


cdef inline void mark(StageBridge bridge, int slot) noexcept:
    """Note which batches hold the event that the stage is at, in case that nothing else does.

    As long as there is one batch in the look, nothing need be noted but the last event that it holds.
    """
    cdef Stage* stage = &bridge.q.python
    cdef uint64_t* marks
    if bridge.slots > 1:
        marks = &bridge.marks[stage.n_collected & 4095]
        if bridge.marked != stage.position:
            marks[0] = 0
        marks[0] |= <uint64_t> 1 << slot
    bridge.marked = stage.position


cdef void mark_first(StageBridge bridge) noexcept:
    """Note what the first batch of the look holds, when a second one comes."""
    cdef Stage* stage = &bridge.q.python
    cdef uint64_t i
    for i in range(stage.n_collected + (bridge.marked == stage.position)):
        bridge.marks[i & 4095] = 1


cdef uint64_t call_filled(void* context) noexcept:
    """Call the batch callables with what the look collected. The stage.

    Gives how many of the events that only batches hold were in one that was called.
    """
    cdef StageBridge bridge = <StageBridge> context
    cdef Member member
    cdef Batch batch
    cdef uint64_t called = 0
    cdef uint64_t delivered = 0
    cdef uint64_t i
    cdef bint has_marks = bridge.slots > 1
    bridge.slots = 0
    bridge.marked = ~<uint64_t> 0
    # None of this needs memory, for want of which batches would stay filled that nobody calls any more.
    for member in bridge.filled:
        member.filling = None
        for event, batch in member.batches.items():
            if batch is None or batch.count == 0:
                continue
            member.batches[event] = None         # ours alone, unless the callable keeps it
            if member_call(bridge, member, batch) != CHAIN_SKIPPED:
                called |= <uint64_t> 1 << batch.slot
            if batch_is_ours(batch):
                batch_clear(batch)
                member.batches[event] = batch
    bridge.filled.clear()
    if not has_marks:
        return bridge.q.python.n_collected if called else 0
    for i in range(bridge.q.python.n_collected):
        delivered += bridge.marks[i & 4095] & called != 0
    return delivered


cdef uint64_t call_batches(Stage* stage) noexcept nogil:
    """The hook of the stage for the end of a look."""
    return (<batches_function> <void*> call_filled)(stage.held)


# -- streaks ---------------------------------------------------------------------------------------

cdef uint32_t collect_streak(Stage* stage, Subscriber* subscriber, uint64_t limit, uint32_t most) noexcept:
    """Keep events of one type for the one subscriber that they have; how many.

    Does what call_with_batch_later() would do, but looks once for all at the columns, at what was lost and at the
    marks: the last two alone took two fifths off the time of a native event that NumPy sums.
    """
    cdef Member member = <Member> subscriber.context
    cdef Batch batch = member.filling
    cdef StageBridge bridge = member.bridge
    cdef EventsQueue* q = stage.queue
    cdef const PayloadRule* rule
    cdef const EventHeader* header
    cdef const void* payload
    cdef BatchEnd end
    cdef uint64_t position = stage.position
    cdef uint64_t last = position
    cdef uint64_t offset
    cdef uint64_t lost = 0
    cdef uint32_t size
    cdef uint32_t n = 0
    cdef uint32_t i
    if batch is None:
        return 0
    rule = q.rules[member.filling_event]
    batch_open(batch, &end)
    # Relaxed: it only spares the copying. Whether a cancelled subscriber is called member_call() decides.
    while n < most and position != limit and a32_load_relaxed(&subscriber.active):
        offset = position & q.ring.fifo.mask
        header = <const EventHeader*> bytes_view(q.ring.fifo.data, offset, HEADER_BYTES)
        size = header.size_flags
        if size > MAX_SIZE or header.event != member.filling_event:     # a pad, or stopped by a native subscriber
            break
        if n != 0 and header.lost != 0:
            break                            # only the first one of a streak tells of lost ones
        if not batch_has_room(&end, size):
            if n != 0 or not batch_make_room(batch, size):
                break
            batch_open(batch, &end)
        if n == 0:
            stage.lost_total += header.lost
            lost = subscriber_take_lost(subscriber, stage.lost_total)
        payload = bytes_view(q.ring.fifo.data, offset + HEADER_BYTES, size)
        batch_append(&end, payload, size, header.timestamp, payload_source(rule, payload), lost)
        lost = 0
        last = position
        position += header_stride(size)
        n += 1
    batch_close(batch, &end)
    if n == 0:
        return 0
    if bridge.slots > 1:
        for i in range(n):
            bridge.marks[(stage.n_collected + i) & 4095] = <uint64_t> 1 << batch.slot
    bridge.marked = last
    stage.position = position
    stage.n_collected += n
    return n


cdef uint32_t collect(Stage* stage, Subscriber* subscriber, uint64_t limit, uint32_t most) noexcept nogil:
    """The hook of the stage for a streak."""
    return (<streak_function> <void*> collect_streak)(stage, subscriber, limit, most)
