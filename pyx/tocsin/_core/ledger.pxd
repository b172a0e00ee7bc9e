"""Ledgers: what became of the events that a stage was the last one to see.

One stage writes, event by event; anybody may take a consistent copy at any time. Entries are made for a
whole streak of events: the writer makes `sequence` odd, changes, makes it even; a reader copies and starts
again unless it saw the same even number before and after [ledger-entry]. Each store of the writer is a release
and each load of the reader an acquire, which keeps them in that order without fences.

What became of the events since the last entry stands in one word, `streak`, so that it costs one store per event:
bit 0 says that a call is running, then come 12 bits of delivered and 13 of unclaimed events, and how far the
position has moved, in units of 16 bytes. An entry clears it.

A look with batches is entered when these were called. If a freeze puts that off, what became of its other
events is kept beside the entries: no run may come any more to enter it, if the end does.
"""

from libc.stdint cimport uint64_t

from tocsin._core.atomic cimport (
    a64,
    a64_load_acquire,
    a64_load_relaxed,
    a64_store_relaxed,
    a64_store_release,
    cpu_pause,
)


cdef struct Ledger:
    a64 sequence
    a64 position              # everything before it has been classified
    a64 delivered
    a64 unclaimed
    a64 abandoned
    a64 streak                # since the entry
    a64 kept_delivered        # of the events behind `position`, whose batches a freeze keeps
    a64 kept_unclaimed


cdef struct LedgerCopy:
    uint64_t position
    uint64_t delivered
    uint64_t unclaimed
    uint64_t abandoned
    uint64_t kept_delivered
    uint64_t kept_unclaimed
    uint64_t in_call          # 1 while a call is running for the event at `position`


cdef inline void ledger_add(a64* entry, uint64_t n) noexcept nogil:
    if n != 0:
        a64_store_release(entry, a64_load_relaxed(entry) + n)               # [ledger-entry]


cdef inline void ledger_settle(
    Ledger* ledger, uint64_t position, uint64_t delivered, uint64_t unclaimed, uint64_t abandoned
) noexcept nogil:
    """Enter what became of the events up to `position`. The stage."""
    cdef uint64_t sequence = a64_load_relaxed(&ledger.sequence)
    a64_store_relaxed(&ledger.sequence, sequence + 1)
    ledger_add(&ledger.delivered, delivered)
    ledger_add(&ledger.unclaimed, unclaimed)
    ledger_add(&ledger.abandoned, abandoned)
    a64_store_release(&ledger.kept_delivered, 0)                            # [ledger-entry]
    a64_store_release(&ledger.kept_unclaimed, 0)                            # [ledger-entry]
    a64_store_release(&ledger.streak, 0)                                    # [ledger-entry]
    a64_store_release(&ledger.position, position)                           # [ledger-entry]
    a64_store_release(&ledger.sequence, sequence + 2)                       # [ledger-entry]


cdef inline void ledger_keep(Ledger* ledger, uint64_t delivered, uint64_t unclaimed) noexcept nogil:
    """Note what became of events since the last entry that can't be entered yet; no call is running. The stage."""
    cdef uint64_t sequence = a64_load_relaxed(&ledger.sequence)
    cdef uint64_t streak = a64_load_relaxed(&ledger.streak)
    a64_store_relaxed(&ledger.sequence, sequence + 1)
    a64_store_release(&ledger.kept_delivered, delivered - (streak >> 1 & 0xFFF))     # [ledger-entry]
    a64_store_release(&ledger.kept_unclaimed, unclaimed - (streak >> 13 & 0x1FFF))   # [ledger-entry]
    a64_store_release(&ledger.streak, streak & ~<uint64_t> 1)               # [ledger-entry]
    a64_store_release(&ledger.sequence, sequence + 2)                       # [ledger-entry]


cdef inline void ledger_begin_call(Ledger* ledger) noexcept nogil:
    """Note that the event at `position` is being delivered. The stage."""
    a64_store_release(&ledger.streak, a64_load_relaxed(&ledger.streak) | 1)  # [ledger-entry]


cdef inline uint64_t ledger_streak(
    const Ledger* ledger, uint64_t position, uint64_t delivered, uint64_t unclaimed
) noexcept nogil:
    """The word that tells what became of the events since the last entry, up to `position`. The stage."""
    return (position - a64_load_relaxed(&ledger.position)) << 22 | unclaimed << 13 | delivered << 1


cdef inline uint64_t ledger_position(const Ledger* ledger) noexcept nogil:
    """How far the books have been told. The stage."""
    return a64_load_relaxed(&ledger.position) + (a64_load_relaxed(&ledger.streak) >> 26 << 4)


cdef inline void ledger_note(
    Ledger* ledger, uint64_t position, uint64_t delivered, uint64_t unclaimed
) noexcept nogil:
    """Note what became of the events since the last entry, up to `position`; no call is running. The stage."""
    a64_store_release(&ledger.streak, ledger_streak(ledger, position, delivered, unclaimed))   # [ledger-entry]


cdef inline void ledger_call(Ledger* ledger, uint64_t streak) noexcept nogil:
    """Note that the event after a streak is being delivered. The stage."""
    a64_store_release(&ledger.streak, streak | 1)                           # [ledger-entry]


cdef inline void ledger_uncall(Ledger* ledger, uint64_t streak) noexcept nogil:
    """Note that it was not, after all. The stage."""
    a64_store_release(&ledger.streak, streak)                               # [ledger-entry]


cdef inline uint64_t ledger_called(Ledger* ledger, uint64_t streak, uint64_t length) noexcept nogil:
    """Note that it was, and the `length` by which the position moved; the streak with it. The stage."""
    streak += length << 22 | 1 << 1
    a64_store_release(&ledger.streak, streak)                               # [ledger-entry]
    return streak


cdef inline void ledger_read(const Ledger* ledger, LedgerCopy* copy) noexcept nogil:
    """Take a consistent copy. Any thread; goes round while the stage is writing, a few stores at a time."""
    cdef uint64_t sequence
    cdef uint64_t streak
    while True:
        sequence = a64_load_acquire(&ledger.sequence)                       # [ledger-entry]
        copy.position = a64_load_acquire(&ledger.position)                  # [ledger-entry]
        copy.delivered = a64_load_acquire(&ledger.delivered)                # [ledger-entry]
        copy.unclaimed = a64_load_acquire(&ledger.unclaimed)                # [ledger-entry]
        copy.abandoned = a64_load_acquire(&ledger.abandoned)                # [ledger-entry]
        copy.kept_delivered = a64_load_acquire(&ledger.kept_delivered)      # [ledger-entry]
        copy.kept_unclaimed = a64_load_acquire(&ledger.kept_unclaimed)      # [ledger-entry]
        streak = a64_load_acquire(&ledger.streak)                           # [ledger-entry]
        if sequence & 1 == 0 and a64_load_relaxed(&ledger.sequence) == sequence:
            break
        cpu_pause()
    copy.position += streak >> 26 << 4
    copy.delivered += streak >> 1 & 0xFFF
    copy.unclaimed += streak >> 13 & 0x1FFF
    copy.in_call = streak & 1
