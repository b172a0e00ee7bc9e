"""The books of a channel: what became of the events that it was offered, consistent at one instant.

`pending` is counted by walking the records, not by subtraction: so offered == delivered + dropped + conflated +
pending can fail, and does if an event was lost. The lock keeps readers out, and writers that take it. One that
doesn't counts what became of an event first and that it was offered last [event-offered]: who reads in the
other order finds what belongs together, or sums that differ, and looks again.
"""

from libc.stdint cimport uint64_t

from tocsin._core.atomic cimport a64_load_acquire, a64_load_relaxed, cpu_pause
from tocsin._core.channel cimport Channel
from tocsin._core.segment cimport Segment, segment_count
from tocsin._core.thread cimport lock_drop, lock_take


cdef enum:
    TALLY_TRIES = 1000


cdef struct Tally:
    uint64_t offered
    uint64_t delivered
    uint64_t dropped
    uint64_t conflated
    uint64_t pending
    uint64_t capacity
    uint64_t high_water
    uint64_t waits


cdef inline bint tally_try(Channel* channel, Tally* tally) noexcept nogil:
    """Take one copy. True if it balances. Under the lock."""
    cdef const Segment* segment = channel.reading
    tally.offered = a64_load_acquire(&channel.offered)                      # [event-offered]
    tally.dropped = a64_load_relaxed(&channel.dropped) + channel.n_pushed_out
    tally.conflated = a64_load_relaxed(&channel.conflated)
    tally.delivered = channel.n_taken - channel.n_pushed_out
    tally.pending = 0
    while segment != NULL:
        tally.pending += segment_count(segment, a64_load_acquire(&segment.ring.fifo.in_))    # [bytes-ready]
        segment = segment.following
    return tally.offered == tally.delivered + tally.dropped + tally.conflated + tally.pending


cdef inline bint channel_tally(Channel* channel, Tally* tally) noexcept nogil:
    """Fill in the books; walks what is queued, about 3 ns for each event. Any thread.

    False if they didn't balance in many tries: a writer was preempted between putting in and counting.
    """
    cdef int tries = 1
    cdef bint balances
    lock_take(&channel.lock)
    balances = tally_try(channel, tally)
    while not balances and tries < TALLY_TRIES:
        tries += 1
        cpu_pause()
        balances = tally_try(channel, tally)
    lock_drop(&channel.lock)
    tally.capacity = channel.capacity
    tally.high_water = a64_load_relaxed(&channel.high_water)
    tally.waits = a64_load_relaxed(&channel.waits)
    return balances
