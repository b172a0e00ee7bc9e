"""Books: what became of every event of a queue, consistent at one instant.

`pending` is counted by walking the records from where the last stage is to `in_`, not by subtracting counters:
so accepted == delivered + unclaimed + abandoned + pending can fail, and does if an event was lost.

The walk runs beside the stage and the writers. The ledger gives a position and the counts that belong to it;
the size of a record is glanced at, and valid only if `out` has not passed it afterwards [space-freed]: if it
has, the copy is thrown away and the next one starts further on. Since `in_` was read before the walk, it
ends. An event whose writer is just between counting and publishing makes the sum differ by one: then
the whole copy is taken again, a limited number of times.

A queue that was abandoned delivers nothing more: what the walk finds is then abandoned, except for the event
whose call is still running, and for those of a look that a freeze kept, which had their calls (ledger.pxd).
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from tocsin._core.atomic cimport (
    a32_load_acquire,
    a64_load_acquire,
    a64_load_relaxed,
    bytes_glance,
    cpu_pause,
)
from tocsin._core.equeue cimport EventsQueue
from tocsin._core.header cimport HEADER_BYTES, HEADER_PAD, MAX_SIZE, header_stride
from tocsin._core.ledger cimport LedgerCopy, ledger_read
from tocsin._core.ring cimport ring_records


cdef enum:
    BOOKS_TRIES = 1000


cdef struct Books:
    uint64_t accepted
    uint64_t refused
    uint64_t invalid
    uint64_t delivered
    uint64_t unclaimed
    uint64_t abandoned
    uint64_t pending
    uint64_t lost_markers
    uint64_t activations
    uint64_t empty_activations
    uint64_t wakeups
    uint64_t high_water
    uint64_t callback_errors


cdef inline int64_t equeue_count(EventsQueue* q, uint64_t position, uint64_t limit) noexcept nogil:
    """Count the events from a position to a limit; -1: the stage has freed some of them meanwhile. Any thread."""
    cdef int64_t n = 0
    cdef uint32_t size_flags
    while position != limit:
        size_flags = bytes_glance(q.ring.fifo.data, (position & q.ring.fifo.mask) + 8)
        if <int64_t> (a64_load_acquire(&q.ring.fifo.out) - position) > 0:   # [space-freed]
            return -1
        if size_flags >> 24 & HEADER_PAD:
            position += HEADER_BYTES + (size_flags & MAX_SIZE)
        else:
            position += header_stride(size_flags & MAX_SIZE)
            n += 1
    return n


cdef inline bint books_try(EventsQueue* q, Books* books) noexcept nogil:
    """Take one copy of what became of the events. True if it balances. Any thread."""
    cdef LedgerCopy native
    cdef LedgerCopy python
    cdef uint32_t python_owns = a32_load_acquire(&q.python_owns)            # [end-owned]
    cdef LedgerCopy* last = &python if python_owns else &native
    cdef uint64_t in_
    cdef int64_t pending
    ledger_read(&q.native.ledger, &native)
    ledger_read(&q.python.ledger, &python)
    if a32_load_acquire(&q.python_owns) != python_owns:                     # [end-owned]
        return False
    books.accepted = ring_records(&q.ring)
    in_ = a64_load_acquire(&q.ring.fifo.in_)                                # [bytes-ready]
    if <int64_t> (in_ - last.position) < 0:
        return False
    pending = equeue_count(q, last.position, in_)
    if pending < 0:
        return False
    books.delivered = native.delivered + python.delivered
    books.unclaimed = native.unclaimed + python.unclaimed
    books.abandoned = native.abandoned + python.abandoned
    books.pending = <uint64_t> pending
    if a32_load_acquire(&q.abandoned):                                      # [abandoned]
        books.delivered += last.kept_delivered
        books.unclaimed += last.kept_unclaimed
        books.pending -= last.kept_delivered + last.kept_unclaimed
        books.abandoned += books.pending - min(last.in_call, books.pending)
        books.pending = min(last.in_call, books.pending)
    return books.accepted == (
        books.delivered + books.unclaimed + books.abandoned + books.pending
    )


cdef inline bint equeue_books(EventsQueue* q, Books* books) noexcept nogil:
    """Fill in the books of a queue; walks it, about 3 ns for each pending event. Any thread.

    False if they didn't balance in many tries: a writer was preempted just between counting and publishing.
    """
    cdef int tries = 0
    cdef bint balances = books_try(q, books)
    while not balances and tries < BOOKS_TRIES:
        tries += 1
        cpu_pause()
        balances = books_try(q, books)
    books.refused = a64_load_relaxed(&q.refused)
    books.invalid = a64_load_relaxed(&q.invalid)
    books.lost_markers = a64_load_relaxed(&q.lost_markers)
    books.activations = a64_load_relaxed(&q.native.activations) + a64_load_relaxed(&q.python.activations)
    books.empty_activations = a64_load_relaxed(&q.native.empty_activations) + a64_load_relaxed(
        &q.python.empty_activations
    )
    books.wakeups = a64_load_relaxed(&q.wakeups)
    books.high_water = a64_load_relaxed(&q.high_water)
    books.callback_errors = a64_load_relaxed(&q.callback_errors)
    return balances
