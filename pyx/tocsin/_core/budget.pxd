"""The budget of a run: how much a stage may do before it lets the others have a turn.

4,096 events or 1 ms, whichever comes first. The clock is read after streaks of 1, 2, 4 ... 64 events, as long as
a streak takes little time; so short events cost almost no clock, and long ones end the run after a few. Without
workers no clock is read, so that nothing depends on one. One thread.
"""

from libc.stdint cimport uint32_t, uint64_t

from tocsin._core.clock cimport clock_monotonic


cdef enum:
    RUN_EVENTS = 4096
    RUN_NS = 1_000_000
    STREAK_MAX = 64           # events between two looks at the clock
    STREAK_NS = 20_000        # a streak that took less may be longer next time


cdef struct Budget:
    uint32_t events
    uint32_t streak
    bint by_time
    uint64_t began
    uint64_t mark


cdef inline void budget_begin(Budget* budget, bint by_time) noexcept nogil:
    """Begin a run. Without `by_time` only events count."""
    budget.events = RUN_EVENTS
    budget.streak = 1
    budget.by_time = by_time
    budget.began = clock_monotonic() if by_time else 0
    budget.mark = budget.began


cdef inline void budget_spend(Budget* budget, uint32_t events) noexcept nogil:
    """Account for a streak and choose the length of the next one. The stage's worker."""
    cdef uint64_t now = clock_monotonic() if budget.by_time else budget.mark
    budget.events -= min(events, budget.events)
    if now - budget.began >= RUN_NS:
        budget.events = 0
    if now - budget.mark < STREAK_NS:
        budget.streak = min(2 * budget.streak, <uint32_t> STREAK_MAX)
    else:
        budget.streak = max(budget.streak // 4, <uint32_t> 1)
    budget.mark = now
