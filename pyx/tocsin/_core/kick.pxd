"""The two forms of a kick, and how a workqueue changes from the fast one to the sure one.

A kicker publishes its data and then sees to it that a run is owed; a worker clears PENDING and then reads the
data (work.pxd). Each side writes one word and reads the other's, so both need a full barrier in between, or
the last event may lie there with nobody to read it.

    The sure form   both sides do a read-modify-write on the state word. It works everywhere, and costs
                    every kick 6 to 11 ns and the cache line of the word.
    The fast form   the kicker looks at the word first, with nothing but a compiler barrier before the look,
                    and leaves if PENDING is set. The run pays for both: once after PENDING was cleared it has
                    every thread pass a full barrier, and then reads once more. Either the kicker's data was
                    visible when the barrier was over, and the run sees it; or the kicker looks after the
                    clear, finds it, and kicks the sure way [kick-looked]. A run reads before the barrier
                    too, and first: the barrier takes 0.2 us, and several where it interrupts a virtual core.

So a work function of a queue in the fast form calls kick_is_cleared() before the look with which it ends, or owes
itself another run: then that one does.

The barrier for everybody may fail, also later, if a sandbox comes up. Then the worker that hears of it
changes the form word, and every kicker reads that word after it has published. One that read it before the
change may still leave on an old look: its data is in a store buffer on its way to memory, which takes far less
than a millisecond. So for 10 ms after the change each item that ends a run is owed another one a
millisecond later, and that run sees the data.
"""

from libc.stdint cimport uint64_t

from tocsin._core.atomic cimport (
    a32,
    a32_exchange_full,
    a32_load_acquire,
    a32_load_relaxed,
    a32_store_relaxed,
    a64,
    a64_load_relaxed,
    a64_store_relaxed,
)
from tocsin._core.barrier cimport barrier_everywhere, barrier_here
from tocsin._core.clock cimport clock_monotonic
from tocsin._core.work cimport WORK_PENDING, Work


cdef enum:
    RELOOK_NS = 1_000_000
    RELOOKS_NS = 10_000_000


cdef struct KickForm:
    a32 looks_first           # the fast form
    a64 relook_until          # 0: no need


cdef inline void kick_use_fast_form(KickForm* form) noexcept nogil:
    """Let kickers look first. Before anyone else sees it, with barriers for everybody at hand."""
    a32_store_relaxed(&form.looks_first, 1)


cdef inline bint kick_is_fast(const KickForm* form) noexcept nogil:
    """True while kickers look first. Any thread."""
    return a32_load_relaxed(&form.looks_first) != 0


cdef inline bint kick_is_owed_already(const KickForm* form, const Work* work) noexcept nogil:
    """True if a run that will see all that the caller has published is owed: then it needn't kick. Any thread.

    Always False in the sure form.
    """
    barrier_here()                                                          # [kick-looked]
    if not kick_is_fast(form):
        return False
    return a64_load_relaxed(&work.state) & WORK_PENDING != 0


cdef inline void kick_is_cleared(KickForm* form) noexcept nogil:
    """Have those who looked before now be seen. A run, before its last look, unless it owes itself another."""
    if kick_is_fast(form) and barrier_everywhere() != 0:                    # [kick-looked]
        a64_store_relaxed(&form.relook_until, clock_monotonic() + RELOOKS_NS)
        a32_exchange_full(&form.looks_first, 0)                             # [form-changed]


cdef inline bint kick_must_relook(KickForm* form) noexcept nogil:
    """True in the 10 ms after the change: what was published before may not be visible yet. Any thread."""
    cdef uint64_t until
    if a32_load_acquire(&form.looks_first):                                 # [form-changed]
        return False
    until = a64_load_relaxed(&form.relook_until)
    if until == 0:
        return False
    if clock_monotonic() < until:
        return True
    a64_store_relaxed(&form.relook_until, 0)
    return False
