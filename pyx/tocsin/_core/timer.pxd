"""Delayed work: items that are owed a run, but not before their time.

A delayed item is PENDING and TIMED and stands on its queue's list of timers, ordered by due time. Both bits
and the list change together, under the lock of the queue; the keeper takes items off when they are due, drops
TIMED, and from there on they are ordinary pending items. Inserting walks the list: it is meant for tens of
timers, not for thousands.
"""

from libc.stdint cimport int64_t, uint64_t

from tocsin._core.atomic cimport a64_cas_full, a64_load_relaxed
from tocsin._core.clock cimport clock_monotonic
from tocsin._core.kick cimport RELOOK_NS, kick_must_relook
from tocsin._core.thread cimport EVERYONE, bell_ring, lock_drop, lock_take
from tocsin._core.work cimport (
    KICK_PUSH,
    WORK_PENDING,
    WORK_TIMED,
    WORK_WAITED,
    Work,
    work_cancel,
    work_is_disabled,
    work_link,
)
from tocsin._core.workqueue cimport WorkQueue, workqueue_push


cdef inline bint queue_delayed_work(WorkQueue* wq, Work* work, uint64_t delay) noexcept nogil:
    """Owe the item a run `delay` ns from now, if none is owed. True if none was. Any thread."""
    cdef bint queued = False
    lock_take(&wq.lock)
    cdef uint64_t state = a64_load_relaxed(&work.state)
    while not queued and not state & WORK_PENDING and not work_is_disabled(state):
        queued = a64_cas_full(&work.state, &state, state | WORK_PENDING | WORK_TIMED)
    if queued:
        timer_insert(wq, work, clock_monotonic() + delay)
    lock_drop(&wq.lock)
    if queued:
        bell_ring(&wq.keeper_bell, 1)
    return queued


cdef inline bint modify_delayed_work(WorkQueue* wq, Work* work, uint64_t delay) noexcept nogil:
    """Owe the item a run `delay` ns from now, instead of any that is owed. True if one was. Any thread."""
    cdef bint changed = False
    lock_take(&wq.lock)
    cdef uint64_t state = a64_load_relaxed(&work.state)
    while not changed and not work_is_disabled(state):
        # An item that waits in the queue is taken back: its popper finds it TIMED and lets it go.
        changed = a64_cas_full(&work.state, &state, state | WORK_PENDING | WORK_TIMED)
    if changed:
        if state & WORK_TIMED:
            timer_remove(wq, work)
        timer_insert(wq, work, clock_monotonic() + delay)
    lock_drop(&wq.lock)
    if changed:
        bell_ring(&wq.keeper_bell, 1)
    return changed and state & WORK_PENDING != 0


cdef inline bint cancel_work(WorkQueue* wq, Work* work) noexcept nogil:
    """Owe the item no run any more, delayed or not. True if one was owed. Any thread; never waits for a run."""
    cdef uint64_t state
    lock_take(&wq.lock)
    if a64_load_relaxed(&work.state) & WORK_TIMED:
        timer_remove(wq, work)
    state = work_cancel(work)
    lock_drop(&wq.lock)
    if state & WORK_WAITED:
        bell_ring(&wq.settled, EVERYONE)
    return state & WORK_PENDING != 0


cdef inline void expedite_work(WorkQueue* wq, Work* work) noexcept nogil:
    """Make a delayed item due now. Any thread."""
    lock_take(&wq.lock)
    if a64_load_relaxed(&work.state) & WORK_TIMED:
        timer_remove(wq, work)
        timer_is_due(wq, work)
    lock_drop(&wq.lock)


cdef inline void queue_relook(WorkQueue* wq, Work* work) noexcept nogil:
    """Owe an item another look if kicks have just changed their form. Its worker, at the end of a run."""
    if kick_must_relook(&wq.form):
        queue_delayed_work(wq, work, RELOOK_NS)


cdef inline int64_t timers_fire(WorkQueue* wq, uint64_t now) noexcept nogil:
    """Queue the items whose time has come. Nanoseconds until the next one, or -1. Keeper, under the lock."""
    cdef Work* work
    while wq.timers != NULL:
        work = wq.timers
        if work.due > now:
            return <int64_t> (work.due - now)
        wq.timers = work.later
        timer_is_due(wq, work)
    return -1


cdef inline void timer_is_due(WorkQueue* wq, Work* work) noexcept nogil:
    """Make an item that was just taken off the list an ordinary pending one. Under the lock."""
    cdef uint64_t state = a64_load_relaxed(&work.state)
    while not a64_cas_full(&work.state, &state, state & ~<uint64_t> WORK_TIMED):
        pass
    if work_link(work) == KICK_PUSH:
        workqueue_push(wq, work)


cdef inline void timer_insert(WorkQueue* wq, Work* work, uint64_t due) noexcept nogil:
    """Put an item on the list. Under the lock; ring the keeper afterwards."""
    cdef Work** link = &wq.timers
    work.due = due
    while link[0] != NULL and link[0].due <= due:
        link = &link[0].later
    work.later = link[0]
    link[0] = work


cdef inline void timer_remove(WorkQueue* wq, Work* work) noexcept nogil:
    """Take an item off the list, where it is. Under the lock."""
    cdef Work** link = &wq.timers
    while link[0] != work:
        link = &link[0].later
    link[0] = work.later
