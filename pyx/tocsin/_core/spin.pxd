"""Looking around: how a worker waits for a moment before it sleeps.

To be woken takes 20 us, and whoever wakes a sleeper loses 12. So a worker looks around first; native queues only,
where there is more than one core, and only as long as that has paid lately: for 50 us after somebody called
within 50 us of a worker's falling asleep, or an event came while a run had everybody pass the barrier with which
it would have ended (kick.pxd), halved each time nothing came. When the call came counts, not when the worker
woke: that takes as long as the looking.

A worker without work looks at the stack. A native stage that has passed events and finds no more looks at its
ring, inside its run: then the next event finds the run going on, and costs neither side a push and a take, which
are half of its way.

While one looks around nobody is called: it counts itself in `spinners`, and looks once more after it has counted
itself out [spinner-gone], as a sleeper does after its announcement: at the stack, and a stage, which won't look in
the list by itself, also at whether somebody left an item there or moved one [item-left]. What it finds it was
relied upon to take, and a stage may not call a subscriber before that, who could hang: it ends its run.
"""

from libc.stdint cimport uint64_t

from tocsin._core.atomic cimport (
    a32_fetch_add_full,
    a32_fetch_sub_full,
    a32_load_relaxed,
    a32_load_seq_cst,
    a64,
    a64_load_relaxed,
    a64_store_relaxed,
    aptr_load_relaxed,
    aptr_load_seq_cst,
    cpu_pause,
)
from tocsin._core.clock cimport SPIN_LOOKS, clock_monotonic
from tocsin._core.workqueue cimport WorkQueue


cdef enum:
    SPIN_MAX_NS = 50_000
    SPIN_TIMED = 8            # looks, a pause each, to a read of the clock; 4 pauses and a read each: 0.05 us later


cdef enum Spun:
    SPUN_FOR_NOTHING
    SPUN_FOR_CHANGE
    SPUN_FOR_WORK             # for somebody else: end the run


cdef inline void spin_learn(WorkQueue* wq, uint64_t slept_from) noexcept nogil:
    """Look around from now on if the sleep that is over had hardly begun when it was ended. Worker only."""
    if a64_load_relaxed(&wq.called_at) - slept_from < SPIN_MAX_NS:     # a call from before wraps to a huge time
        spin_from_now_on(wq)


cdef inline void spin_from_now_on(WorkQueue* wq) noexcept nogil:
    """Look around before ending a run or sleeping, as long as that pays. Worker only."""
    a64_store_relaxed(&wq.spin_ns, SPIN_MAX_NS)


cdef inline bint spin_for_work(WorkQueue* wq) noexcept nogil:
    """Look around for work. True if something was pushed. A worker without work."""
    cdef uint64_t spin_ns = a64_load_relaxed(&wq.spin_ns)
    if not wq.may_spin or spin_ns == 0:
        return False
    spin(wq, spin_ns, NULL, 0)
    if aptr_load_seq_cst(&wq.stack) != NULL:                                # [work-pushed]
        return True
    a64_store_relaxed(&wq.spin_ns, spin_ns >> 1)
    return False


cdef inline Spun spin_for_change(WorkQueue* wq, const a64* word, uint64_t known) noexcept nogil:
    """Look around for another value of a word than the known one. A worker, in a run."""
    cdef uint64_t spin_ns = a64_load_relaxed(&wq.spin_ns)
    if not wq.may_spin or spin_ns == 0:
        return SPUN_FOR_NOTHING
    spin(wq, spin_ns, word, known)
    if aptr_load_seq_cst(&wq.stack) != NULL:                                # [work-pushed]
        return SPUN_FOR_WORK
    if a32_load_seq_cst(&wq.left_behind):                                   # [item-left]
        return SPUN_FOR_WORK
    if a64_load_relaxed(word) != known:
        return SPUN_FOR_CHANGE
    a64_store_relaxed(&wq.spin_ns, spin_ns >> 1)
    return SPUN_FOR_NOTHING


cdef inline void spin(WorkQueue* wq, uint64_t spin_ns, const a64* word, uint64_t known) noexcept nogil:
    """Look until something was pushed, the word has changed, the queue is halted, or time is over. Worker only."""
    cdef uint64_t until
    cdef int looks = 0
    a32_fetch_add_full(&wq.spinners, 1)
    until = clock_monotonic() + spin_ns
    while aptr_load_relaxed(&wq.stack) == NULL and looks < SPIN_LOOKS and a32_load_relaxed(&wq.halted) == 0:
        if word != NULL and (a64_load_relaxed(word) != known or a32_load_relaxed(&wq.left_behind)):
            break
        if looks % SPIN_TIMED == 0 and clock_monotonic() >= until:
            break
        cpu_pause()
        looks += 1
    a32_fetch_sub_full(&wq.spinners, 1)                                     # [spinner-gone]
