"""The two stages of a queue: their runs.

A run looks (what may I read by now?), walks (streak.pxd, one event after the other), publishes how far it
came, rests for a microsecond or some if it found few, and looks again, until nothing is there or its budget
is spent: then it requeues itself at the tail, so that a flood in one protocol leaves the others their turn. A
look reads the counter first and every chain after it. Who owns the end of the queue, and how the stages hand
it over, stands in equeue.pxd.

The native stage runs without the GIL. The Python stage takes it before its first call in a run and keeps it
until the end of the run. From the first event of a batch on, the space of a look is freed after these were called.

Frozen, a stage begins no event any more and requeues itself; stopped, it leaves the rest where it is.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from tocsin._core.atomic cimport (
    a32_load_acquire,
    a32_load_relaxed,
    a32_store_release,
    a64_load_acquire,
    a64_load_relaxed,
    a64_store_relaxed,
    a64_store_release,
    aptr_load_acquire,
    cpu_pause,
)
from tocsin._core.budget cimport Budget, budget_begin, budget_spend
from tocsin._core.equeue cimport EventsQueue, Stage, stage_turn
from tocsin._core.kfifo cimport fifo_publish_out
from tocsin._core.kick cimport kick_is_cleared
from tocsin._core.ledger cimport ledger_keep, ledger_settle
from tocsin._core.memory cimport MEMORY_NATIVE, MEMORY_PYTHON, memory_enter, memory_leave
from tocsin._core.spin cimport SPUN_FOR_NOTHING, SPUN_FOR_WORK, Spun, spin_for_change, spin_from_now_on
from tocsin._core.streak cimport stage_settle, stage_skim, stage_walk
from tocsin._core.timer cimport queue_relook
from tocsin._core.work cimport Work, work_claim
from tocsin._core.workqueue cimport HALT_STOPPED, queue_work, workqueue_finish


cdef enum:
    REST_LEAST = 64           # pauses between two looks: about a microsecond
    REST_MOST = 512
    REST_LONGER = 16          # events that a look found: from here on the next rest is twice as long,
    REST_NONE = 512           # and from here on there is none


# -- the native stage ------------------------------------------------------------------------------

cdef inline uint64_t native_look(Stage* stage) noexcept nogil:
    """How far the native stage may read; settles who owns the end of the queue. Its worker."""
    cdef EventsQueue* q = stage.queue
    cdef uint64_t in_ = a64_load_acquire(&q.ring.fifo.in_)                  # [bytes-ready]
    cdef uint64_t out = a64_load_acquire(&q.ring.fifo.out)                  # [space-freed]
    if in_ - out > a64_load_relaxed(&q.high_water):
        a64_store_relaxed(&q.high_water, in_ - out)
    if a32_load_relaxed(&q.python_owns):
        if out == stage.position and not a32_load_acquire(&q.python_present):   # [python-present]
            ledger_settle(&stage.ledger, stage.position, 0, 0, 0)
            a32_store_release(&q.python_owns, 0)                            # [end-owned]
    elif a32_load_acquire(&q.python_present):                               # [python-present]
        # The Python stage has nothing before it: all that is its own may be set here.
        q.python.lost_total = stage.lost_total
        ledger_settle(&q.python.ledger, stage.position, 0, 0, 0)
        a32_store_release(&q.python_owns, 1)                                # [end-owned]
        a64_store_release(&q.passed, stage.position)                        # [native-passed]
    return in_


cdef inline bint native_run(Stage* stage, bint was_owed) noexcept nogil:
    """Pass events until there are none. False if some are left that nobody owes a run yet. Its worker.

    `was_owed`: PENDING was cleared for this run.
    """
    cdef EventsQueue* q = stage.queue
    cdef Budget budget
    cdef uint64_t limit
    cdef uint64_t started = stage.position
    cdef bint may_go_on = True
    cdef bint is_last
    cdef bint has_skimmed = False
    cdef int pauses = REST_LEAST
    cdef uint32_t found
    cdef Spun spun
    budget_begin(&budget, stage.wq.base_threads != 0 and not stage.is_inline)    # to skim takes no time
    memory_enter(q.ring.fifo.data, MEMORY_NATIVE)
    stage_turn(stage, 1)
    while may_go_on and not has_skimmed:
        limit = native_look(stage)
        if limit == stage.position:
            if stage.position != started and native_may_linger(stage):
                started = stage.position
                spun = spin_for_change(stage.wq, &q.ring.fifo.in_, stage.position)
                may_go_on = spun != SPUN_FOR_WORK
                if spun != SPUN_FOR_NOTHING:
                    continue
            if not was_owed:
                break
            kick_is_cleared(&stage.wq.form)
            was_owed = False
            if a64_load_relaxed(&q.ring.fifo.in_) != stage.position:
                spin_from_now_on(stage.wq)       # the barrier took longer than the next event
            continue
        started = stage.position
        found = budget.events
        while may_go_on and stage.position != limit:
            is_last = not a32_load_relaxed(&q.python_owns)
            # Relaxed: who subscribed before an event was put in said so before, and our look at `in_` acquired it.
            if not is_last and not a32_load_relaxed(&q.native_present):
                may_go_on = native_skim(stage, limit, &budget)
                # The Python stage, which runs us in passing, looks again; a flood must not keep it from its events.
                has_skimmed = stage.is_inline and not was_owed
                if stage.is_inline and was_owed:
                    kick_is_cleared(&stage.wq.form)
                    was_owed = False
            else:
                if stage.wq.base_threads != 0 and not budget.by_time:
                    budget_begin(&budget, True)          # an inline run that calls somebody after all
                may_go_on = stage_walk(stage, limit, &budget, is_last)
            if is_last:
                fifo_publish_out(&q.ring.fifo, stage.position)
            else:
                a64_store_release(&q.passed, stage.position)                # [native-passed]
                if not stage.is_inline:
                    queue_work(q.python.wq, &q.python.work)
            stage_turn(stage, 2)
        found -= budget.events
        if may_go_on and found < REST_NONE and native_may_linger(stage):
            # A look right now would find one or two, and it steals cache lines from the writer, who waits for
            # them at its next locked instruction: a shared one takes 40 ns an event instead of 80.
            pauses = min(2 * pauses, <int> REST_MOST) if found >= REST_LONGER else REST_LEAST
            native_rest(pauses)
    memory_leave(q.ring.fifo.data, MEMORY_NATIVE)
    stage_turn(stage, 1)
    if stage.is_parked:      # the rest is owed a run already: when a full channel has room
        stage.is_parked = False
        return True
    if may_go_on:
        return True
    if native_look(stage) != stage.position:
        return False         # another run is owed, and sees to those who looked: in a flow none pays for a barrier
    if was_owed:
        kick_is_cleared(&stage.wq.form)
    return native_look(stage) == stage.position


cdef inline bint native_may_linger(const Stage* stage) noexcept nogil:
    """True if the run may go on for a moment though it found few events or none. Its worker.

    Where the stage only goes past events of the Python stage's, that one does it in passing, between two runs.
    """
    return stage.wq.may_spin and not stage.is_inline and a32_load_relaxed(&stage.queue.native_present) != 0


cdef inline bint native_skim(Stage* stage, uint64_t limit, Budget* budget) noexcept nogil:
    """Go past events that are the Python stage's alone. False if the run must end. Its worker."""
    if stage.is_inline:
        stage_skim(stage, limit, 0xFFFFFFFF)      # all: the Python stage has a budget of its own for them
        return True
    budget_spend(budget, stage_skim(stage, limit, budget.events))
    return budget.events > 0


cdef inline void native_rest(int pauses) noexcept nogil:
    """Wait, by so many pauses of 13 ns or more. Any thread."""
    cdef int _pause
    for _pause in range(pauses):
        cpu_pause()


cdef inline void native_stage(Work* work) noexcept nogil:
    """The work function of the native stage. Native workers."""
    cdef Stage* stage = <Stage*> work
    cdef uint64_t before = stage.position
    cdef bint is_done = native_run(stage, True)
    stage_count_activation(stage, stage.position == before)
    if not is_done:
        queue_work(stage.wq, &stage.work)


cdef inline void stage_count_activation(Stage* stage, bint empty) noexcept nogil:
    """Count a run; one that found nothing is the harmless price of never losing a kick. Its worker."""
    a64_store_relaxed(&stage.activations, a64_load_relaxed(&stage.activations) + 1)
    if empty:
        a64_store_relaxed(&stage.empty_activations, a64_load_relaxed(&stage.empty_activations) + 1)


# -- the Python stage ------------------------------------------------------------------------------

cdef inline uint64_t python_look(Stage* stage) noexcept nogil:
    """How far the Python stage may read; its position is set if it may go on. Its worker."""
    cdef EventsQueue* q = stage.queue
    cdef Stage* native = &q.native
    cdef bint was_owed = False
    cdef uint64_t passed
    if aptr_load_acquire(&q.first) == stage:                                # [first-stage]
        if work_claim(&native.work, &was_owed):
            native.is_inline = True
            if not native_run(native, was_owed):
                # Not left to our own next look: a subscriber may be cancelled or a thaw come before it,
                # and then nobody would owe the rest a run.
                queue_work(native.wq, &native.work)
            native.is_inline = False
            queue_relook(native.wq, &native.work)
            workqueue_finish(native.wq, &native.work, False)
        else:
            queue_work(native.wq, &native.work)      # who has it may have looked before our event came
    elif a64_load_acquire(&q.ring.fifo.in_) != a64_load_relaxed(&q.passed):  # [bytes-ready]
        queue_work(native.wq, &native.work)          # a writer who read an old `first` kicked only us
    passed = a64_load_acquire(&q.passed)                                    # [native-passed]
    if not stage.has_batches:
        stage.position = a64_load_relaxed(&q.ring.fifo.out)
    return passed if <int64_t> (passed - stage.position) > 0 else stage.position


cdef inline bint python_end_look(Stage* stage) noexcept nogil:
    """Call the batches of the look, settle, and free its space. False if they may not be called now."""
    cdef uint64_t left
    if stage.has_batches:
        if a32_load_relaxed(&stage.wq.halted) & HALT_STOPPED:
            stage_settle(stage, stage.n_collected)
        elif a32_load_relaxed(&stage.wq.halted):
            return False
        else:
            if not stage.entered:
                if not stage.enter(stage):
                    return False
                stage.entered = True
            left = stage.n_collected - stage.call_batches(stage)
            if a32_load_relaxed(&stage.wq.halted) & HALT_STOPPED:    # in between: nobody will call the rest
                stage_settle(stage, left)
            else:
                stage.n_unclaimed += left
                stage.n_collected -= left
                stage_settle(stage, 0)
        stage.has_batches = False
    fifo_publish_out(&stage.queue.ring.fifo, stage.position)
    stage_turn(stage, 2)
    return True


cdef inline void python_stage(Work* work) noexcept nogil:
    """The work function of the Python stage. Python workers."""
    cdef Stage* stage = <Stage*> work
    cdef Budget budget
    cdef uint64_t limit
    cdef bint is_empty = True
    cdef bint was_owed = True
    cdef bint may_go_on = True
    budget_begin(&budget, stage.wq.base_threads != 0)
    memory_enter(stage.queue.ring.fifo.data, MEMORY_PYTHON)
    stage_turn(stage, 1)
    if stage.has_batches:                            # kept from a run that was frozen
        may_go_on = python_end_look(stage)
    while may_go_on:
        limit = python_look(stage)
        if limit == stage.position:
            if not was_owed:
                break
            kick_is_cleared(&stage.wq.form)
            was_owed = False
            continue
        is_empty = False
        while may_go_on and stage.position != limit:
            may_go_on = stage_walk(stage, limit, &budget, True)
            if stage.has_batches:
                stage_turn(stage, 2)
            else:
                fifo_publish_out(&stage.queue.ring.fifo, stage.position)
                stage_turn(stage, 2)
        if stage.has_batches and not python_end_look(stage):
            may_go_on = False
    if stage.has_batches:
        ledger_keep(&stage.ledger, stage.n_called, stage.n_unclaimed)
    if stage.entered:
        stage.entered = False
        stage.leave(stage)
    memory_leave(stage.queue.ring.fifo.data, MEMORY_PYTHON)
    stage_turn(stage, 1)
    stage_count_activation(stage, is_empty)
    if not may_go_on and not a32_load_relaxed(&stage.queue.abandoned):
        queue_work(stage.wq, &stage.work)
