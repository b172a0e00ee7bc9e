"""The ring of a protocol's queue: event records, whole, in the order of reservation.

A fifo of bytes (kfifo.pxd: the counters, the looks and the two publications are its) into which records
go whole: 16 bytes of header, the payload, filled up to 16 bytes. A record that would cross the end of the
buffer starts over at its beginning, behind a pad record that fills the rest; so every payload is one piece
and may be read in place. Since nothing is longer than half the buffer, it fits into an empty one.

Writers come in one of two ways, and a ring is in one of the two at a time:

Locked. One writer at a time, for a reason outside: the GIL, or a producer that has the protocol for
itself. Claim, write, publish: three plain steps and one release store.

Shared. Writers reserve by compare-and-swap on one word, {position in units of 16 bytes: 48 bits | closed:
1 | writers in: 15}, write their bytes side by side, and leave by decrementing the count. *The last one out
publishes*: who finds itself alone inside knows that everything up to the reserved position was written -
by itself, or by others who have left, whose decrements it acquired [record-complete] - so it moves `in_`
there and then tries to leave. If somebody came in meanwhile the decrement fails and is tried again; whoever
leaves later publishes the rest. Only one who is alone stores `in_`, and while it is inside nobody else can be
alone: so that store has one author at a time, and `in_` never goes back. Nobody waits: a writer that is
preempted inside delays what the reader can see, no more, and a signal handler may write on top of the code
that it interrupted. Every writer kicks after it left.

Records are counted before they are published, and where there is one author by a plain store: by the locked
writer, and by a shared one that is alone. Who leaves others inside adds to a count of its own, by a locked
instruction, of which a lone one so executes two and not three.

The `closed` bit refuses reservations in the same exchange that would make them, so once it is set and the
count has come to zero no writer is inside and none will be.
"""

from libc.stdint cimport uint32_t, uint64_t

from tocsin._core.atomic cimport (
    a64,
    a64_cas_full,
    a64_fetch_add_relaxed,
    a64_fetch_or_full,
    a64_load_acquire,
    a64_load_relaxed,
    a64_load_seq_cst,
    a64_store_relaxed,
    a64_store_release,
    bytes_expect,
    bytes_put,
)
from tocsin._core.header cimport HEADER_BYTES, HEADER_PAD, EventHeader, header_size_flags
from tocsin._core.kfifo cimport Fifo, fifo_free_for, fifo_init, fifo_publish_in


cdef enum Claim:
    CLAIMED
    CLAIM_FULL
    CLAIM_CLOSED


cdef enum:
    RING_WRITERS = 0x7FFF
    RING_CLOSED = 0x8000
    # Bytes that a writer asks for ahead of its record. The reader has had their lines since the last round, and a
    # store waits for those before it: where lines travel slowly from core to core, half of the time of an event.
    RING_AHEAD = 1024


cdef struct Ring:
    Fifo fifo
    a64 reserved              # shared writers only: position | closed | writers in
    a64 records               # put in so far, by who was alone,
    a64 records_beside        # and by who left others inside
    bint shared               # how writers come in; changed only while none can be inside


cdef inline void ring_init(Ring* ring, void* data, uint64_t size, uint64_t start) noexcept nogil:
    """Make an empty ring of `size` bytes, a power of two, counters at `start`. Before anyone else sees it."""
    fifo_init(&ring.fifo, data, size, 1, start)
    ring.shared = False
    a64_store_relaxed(&ring.reserved, start >> 4 << 16)


cdef inline void ring_share(Ring* ring) noexcept nogil:
    """From now on writers reserve by compare-and-swap. The one locked writer: the GIL's, or an exclusive
    producer's when it gives the ring back, while the others find the door shut.
    """
    a64_store_release(&ring.reserved, a64_load_relaxed(&ring.fifo.in_) >> 4 << 16)   # [record-complete]
    if not ring.shared:
        ring.shared = True        # written once: the others may be reading it


cdef inline void ring_take_over(Ring* ring) noexcept nogil:
    """From now on one writer has the ring for itself, by the locked way. That writer, with nobody inside.

    The shared ones never refresh the locked writer's look at `out`; an old one could seem ahead of `in_`.
    """
    ring.fifo.out_seen = a64_load_acquire(&ring.fifo.out)                   # [space-freed]


cdef inline void ring_put_pad(Ring* ring, uint64_t offset, uint64_t length) noexcept nogil:
    """Fill `length` reserved bytes up to the end of the buffer with a record that readers skip. Writer."""
    cdef EventHeader pad
    pad.timestamp = 0
    pad.size_flags = header_size_flags(<uint32_t> (length - HEADER_BYTES), HEADER_PAD)
    pad.protocol = 0
    pad.event = 0
    pad.lost = 0
    bytes_put(ring.fifo.data, offset, &pad, HEADER_BYTES)


# -- one writer at a time --------------------------------------------------------------------------

cdef inline Claim ring_claim_locked(Ring* ring, uint64_t length, uint64_t* at) noexcept nogil:
    """Find room for `length` bytes in one piece, from counter `at` on. The one locked writer."""
    cdef uint64_t in_ = a64_load_relaxed(&ring.fifo.in_)       # our own word
    cdef uint64_t offset = in_ & ring.fifo.mask
    cdef uint64_t rest = ring.fifo.mask + 1 - offset
    if length <= rest:
        if not fifo_free_for(&ring.fifo, in_, length):
            return CLAIM_FULL
        bytes_expect(ring.fifo.data, (offset + RING_AHEAD) & ring.fifo.mask)
        at[0] = in_
        return CLAIMED
    if not fifo_free_for(&ring.fifo, in_, rest + length):
        return CLAIM_FULL
    ring_put_pad(ring, offset, rest)
    at[0] = in_ + rest
    return CLAIMED


cdef inline void ring_publish_locked(Ring* ring, uint64_t at, uint64_t length, uint64_t n) noexcept nogil:
    """Count and give the readers n records that were claimed and written. The one locked writer."""
    ring_count_alone(ring, n)
    fifo_publish_in(&ring.fifo, at + length)


cdef inline void ring_count_alone(Ring* ring, uint64_t n) noexcept nogil:
    """Count records. A writer that is alone."""
    a64_store_relaxed(&ring.records, a64_load_relaxed(&ring.records) + n)


# -- many writers ----------------------------------------------------------------------------------

cdef inline uint64_t ring_units_apart(uint64_t later, uint64_t earlier) noexcept nogil:
    """Bytes between two positions in units of 16 bytes, of which 48 bits count."""
    return ((later - earlier) << 16) >> 12


cdef inline Claim ring_claim_shared(Ring* ring, uint64_t length, uint64_t* at) noexcept nogil:
    """Reserve `length` bytes in one piece, from counter `at` on, and come in. Any thread.

    `at` is only good as a place: its low 48 bits. After CLAIMED the caller must ring_leave_shared().
    """
    cdef uint64_t size = ring.fifo.mask + 1
    cdef uint64_t word = a64_load_acquire(&ring.reserved)                   # [record-complete]
    cdef uint64_t seen, used, offset, rest, need
    while True:
        if word & RING_CLOSED:
            return CLAIM_CLOSED
        used = ring_units_apart(word >> 16, a64_load_acquire(&ring.fifo.out) >> 4)      # [space-freed]
        offset = (word >> 16 << 4) & ring.fifo.mask
        rest = size - offset
        need = length if length <= rest else rest + length
        if used > size or need > size - used or word & RING_WRITERS == RING_WRITERS:
            # Full, unless `word` is old: others may have come in and even been read since.
            seen = a64_load_acquire(&ring.reserved)                         # [record-complete]
            if seen == word:
                return CLAIM_FULL
            word = seen
        elif a64_cas_full(&ring.reserved, &word, word + (need >> 4 << 16) + 1):
            break
    # Here more than ever: a locked operation waits for all stores before it.
    bytes_expect(ring.fifo.data, (offset + RING_AHEAD) & ring.fifo.mask)
    at[0] = word >> 16 << 4
    if need != length:
        ring_put_pad(ring, offset, rest)
        at[0] += rest
    return CLAIMED


cdef inline void ring_leave_shared(Ring* ring, uint64_t n) noexcept nogil:
    """Count n records, publish everything reserved if nobody else is inside, and leave. After CLAIMED, once."""
    cdef uint64_t in_
    cdef bint is_counted = False
    cdef uint64_t word = a64_load_acquire(&ring.reserved)                   # [record-complete]
    while True:
        if word & RING_WRITERS == 1:
            if not is_counted:
                ring_count_alone(ring, n)
            in_ = a64_load_relaxed(&ring.fifo.in_)     # whoever stored it has left, and we acquired that
            fifo_publish_in(&ring.fifo, in_ + ring_units_apart(word >> 16, in_ >> 4))
        elif not is_counted:
            a64_fetch_add_relaxed(&ring.records_beside, n)
        is_counted = True
        if a64_cas_full(&ring.reserved, &word, word - 1):                   # [record-complete]
            return


cdef inline void ring_close(Ring* ring) noexcept nogil:
    """Refuse every reservation from now on. Any thread."""
    a64_fetch_or_full(&ring.reserved, RING_CLOSED)


cdef inline uint64_t ring_records(const Ring* ring) noexcept nogil:
    """How many records were put in so far, without those whose writers are inside. Any thread."""
    return a64_load_relaxed(&ring.records) + a64_load_relaxed(&ring.records_beside)


cdef inline bint ring_is_quiet(Ring* ring) noexcept nogil:
    """True if no shared writer is inside. Any thread."""
    return a64_load_seq_cst(&ring.reserved) & RING_WRITERS == 0


cdef inline uint64_t ring_reserved(Ring* ring) noexcept nogil:
    """The position up to which space has been given out: everything accepted so far lies before it. Any thread."""
    cdef uint64_t in_ = a64_load_acquire(&ring.fifo.in_)                    # [bytes-ready]
    cdef uint64_t word = a64_load_seq_cst(&ring.reserved)
    if ring.shared and word & (RING_CLOSED | RING_WRITERS) != RING_CLOSED:
        return in_ + ring_units_apart(word >> 16, in_ >> 4)
    # One writer, or none any more: what it published is all there is.
    return a64_load_acquire(&ring.fifo.in_)                                 # [bytes-ready]
