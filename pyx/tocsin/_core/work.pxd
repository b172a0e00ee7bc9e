"""Work items: the state word that makes a kick neither lost nor doubled.

A work item is a function that somebody wants run. All that is known about it is one 64-bit word:

    PENDING   a run is owed. Set by the kick; cleared by the worker *before* the run begins
    LINKED    the item's node is on a list of its workqueue, or its pusher is about to put it there
    RUNNING   a worker is inside the function
    TIMED     a run is owed, but not before a time (PENDING is set too)
    WAITED    somebody sleeps until the item changes
    16..31    how many times the item is disabled: kicks are refused while it is above zero
    32..63    how many runs have ended, modulo 2**32

Two rules carry everything. *Who sets PENDING sees to it that somebody will clear it*: if the item is
LINKED its popper will, if it is RUNNING its worker will when the run ends, else the kicker links it.
*Who sets LINKED pushes the node*, and only the popper takes it off again: a cancelled item stays linked
until it is popped, so nobody searches a list that others are pushing to. LINKED and RUNNING exclude each
other, so one item is never with two workers.

The race of the last event. The kicker writes its data and then does a read-modify-write on the word;
the worker does a read-modify-write on the same word to turn PENDING into RUNNING and then reads the
data. The two operations have an order: either the kicker's comes first, and the run sees the data; or
the worker's comes first, and the kicker finds PENDING clear and owes one more run. A store in place of
either one would let the last data before silence lie unseen; so would a clear after the run. The extra
run may find nothing: harmless, and counted.

The word is always changed by one atomic read-modify-write and every change is decided from the value
that it replaces. Nothing here touches an item after the operation that gives it away.
"""

from libc.stdint cimport int32_t, uint32_t, uint64_t

from tocsin._core.atomic cimport (
    a64,
    a64_cas_full,
    a64_fetch_or_full,
    a64_load_relaxed,
    a64_store_relaxed,
    aptr,
    aptr_store_relaxed,
)


cdef enum:
    WORK_PENDING = 1
    WORK_LINKED = 2
    WORK_RUNNING = 4
    WORK_TIMED = 8
    WORK_WAITED = 16
    WORK_DISABLED_ONCE = 1 << 16
    WORK_DISABLED_MAX = 0xFFFF


cdef enum Kick:
    KICK_REFUSED     # the item is disabled
    KICK_PENDING     # a run that has not begun was owed already: it covers this kick
    KICK_QUEUED      # one more run is owed, and somebody has the item in hand
    KICK_PUSH        # one more run is owed, and the caller must push the item


cdef struct Work
ctypedef void (*work_function)(Work* work) noexcept nogil

cdef struct Work:
    a64 state
    aptr next                 # the list node; its owner is whoever holds LINKED
    work_function function
    # Under the lock of the workqueue, while TIMED.
    Work* later
    uint64_t due


cdef inline void work_init(Work* work, work_function function) noexcept nogil:
    """Make an idle item. Before anyone else can see it."""
    a64_store_relaxed(&work.state, 0)
    aptr_store_relaxed(&work.next, NULL)
    work.function = function
    work.later = NULL
    work.due = 0


cdef inline bint work_is_disabled(uint64_t state) noexcept nogil:
    return (state >> 16) & WORK_DISABLED_MAX != 0


cdef inline bint work_may_run(uint64_t state) noexcept nogil:
    """True if the state owes a run now. Any thread."""
    return (state & (WORK_PENDING | WORK_TIMED)) == WORK_PENDING and not work_is_disabled(state)


cdef inline uint32_t work_runs(uint64_t state) noexcept nogil:
    return <uint32_t> (state >> 32)


cdef inline Kick work_kick(Work* work) noexcept nogil:
    """Owe one more run. Any thread, signal handlers too; the rest of queue_work() is the push."""
    cdef uint64_t state = a64_fetch_or_full(&work.state, WORK_PENDING)      # [work-kicked]
    if state & WORK_PENDING:
        return KICK_PENDING
    if state & (WORK_LINKED | WORK_RUNNING) and not work_is_disabled(state):
        return KICK_QUEUED
    return work_link(work)


cdef inline Kick work_link(Work* work) noexcept nogil:
    """Settle who brings a PENDING item to its run. For whoever made it PENDING or due."""
    cdef uint64_t state = a64_load_relaxed(&work.state)    # only a guess: the exchange below decides
    cdef uint64_t wanted
    while True:
        if not state & WORK_PENDING:
            return KICK_QUEUED              # cancelled or run meanwhile: nothing is owed any more
        if work_is_disabled(state):
            # A kick that comes now finds PENDING set and leaves; that is right, since it would be
            # refused as well. If the item was enabled meanwhile the exchange fails and we look again.
            wanted = state & ~<uint64_t> WORK_PENDING
            if a64_cas_full(&work.state, &state, wanted):
                return KICK_REFUSED
        elif state & (WORK_LINKED | WORK_RUNNING | WORK_TIMED):
            return KICK_QUEUED
        elif a64_cas_full(&work.state, &state, state | WORK_LINKED):
            return KICK_PUSH


cdef inline uint64_t work_begin(Work* work) noexcept nogil:
    """Turn a popped item into a running one, or let it go. Popper only.

    Gives the state that it replaced: work_may_run() of it says whether the caller must now run the
    function. If not, the item is not the caller's any more.
    """
    cdef uint64_t state = a64_load_relaxed(&work.state)
    cdef uint64_t wanted
    while True:
        if work_may_run(state):
            wanted = (state & ~<uint64_t> (WORK_PENDING | WORK_LINKED)) | WORK_RUNNING
        else:
            wanted = state & ~<uint64_t> (WORK_LINKED | WORK_WAITED)
        if a64_cas_full(&work.state, &state, wanted):                       # [work-kicked]
            return state


cdef inline bint work_claim(Work* work, bint* was_owed) noexcept nogil:
    """Make an item running that is on no list, without queueing it. True if the caller must run it now.

    Any worker. This lets one worker run a second stage in passing; if another has it, the caller kicks.
    `was_owed`: whether this cleared PENDING.
    """
    cdef uint64_t state = a64_load_relaxed(&work.state)
    cdef uint64_t wanted
    while True:
        if state & (WORK_LINKED | WORK_RUNNING | WORK_TIMED) or work_is_disabled(state):
            return False
        wanted = (state & ~<uint64_t> WORK_PENDING) | WORK_RUNNING
        if a64_cas_full(&work.state, &state, wanted):                       # [work-kicked]
            was_owed[0] = state & WORK_PENDING != 0
            return True


cdef inline uint64_t work_end(Work* work) noexcept nogil:
    """Finish a run. Running worker only.

    Gives the state that was put: with LINKED in it the caller must push the item, else it must not touch
    it again; with WAITED in it (cleared in the word) there is somebody to wake.
    """
    cdef uint64_t state = a64_load_relaxed(&work.state)
    cdef uint64_t wanted
    while True:
        wanted = (state & ~<uint64_t> (WORK_RUNNING | WORK_WAITED)) + (<uint64_t> 1 << 32)
        if work_may_run(state):
            wanted |= WORK_LINKED
        if a64_cas_full(&work.state, &state, wanted):                       # [work-kicked]
            return wanted | (state & WORK_WAITED)


cdef inline uint64_t work_cancel(Work* work) noexcept nogil:
    """Owe no run any more; a run in progress goes on, a linked node waits for its popper. Any thread.

    Gives the state that it replaced: PENDING in it says that a run was cancelled, WAITED that there is
    somebody to wake.
    """
    cdef uint64_t state = a64_load_relaxed(&work.state)
    cdef uint64_t wanted
    while state & WORK_PENDING:
        wanted = state & ~<uint64_t> (WORK_PENDING | WORK_TIMED | WORK_WAITED)
        if a64_cas_full(&work.state, &state, wanted):
            return state
    return state & ~<uint64_t> WORK_WAITED


cdef inline bint work_disable(Work* work) noexcept nogil:
    """Refuse kicks until as many work_enable(). Any thread; False at 65,535 levels. Cancel afterwards."""
    cdef uint64_t state = a64_load_relaxed(&work.state)
    while (state >> 16) & WORK_DISABLED_MAX != WORK_DISABLED_MAX:
        if a64_cas_full(&work.state, &state, state + WORK_DISABLED_ONCE):
            return True
    return False


cdef inline bint work_enable(Work* work) noexcept nogil:
    """Take one work_disable() back. Any thread; False if there was none."""
    cdef uint64_t state = a64_load_relaxed(&work.state)
    while work_is_disabled(state):
        if a64_cas_full(&work.state, &state, state - WORK_DISABLED_ONCE):
            return True
    return False


cdef inline uint32_t work_flush_target(uint64_t state) noexcept nogil:
    """The number of ended runs at which all that is owed in `state` has been done."""
    return work_runs(state) + (state & WORK_RUNNING != 0) + (state & WORK_PENDING != 0)


cdef inline bint work_is_flushed(uint64_t state, uint32_t target) noexcept nogil:
    """True if `target` was reached or nothing is owed: a cancelled run is not waited for."""
    if state & (WORK_PENDING | WORK_RUNNING) == 0:
        return True
    return <int32_t> (work_runs(state) - target) >= 0
