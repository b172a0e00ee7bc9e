/* A workqueue: the stack of pushed items, the list of runnable ones, and the sleep of its workers.
 *
 * Included by kick.pml. Nodes are pushed by compare-and-swap; the popper takes all, under the lock among
 * workers, and reverses. A worker that finds nothing announces itself, looks once more and parks on the
 * bell; whoever pushed looks at the announcements afterwards.
 *
 * Grain: one step is one access to something that is also touched without the lock. What only the holder of
 * the lock touches (the list, the links of nodes that were taken off the stack) belongs to the step beside
 * it, as does taking or dropping the lock: nobody can see the difference, since whoever would look needs the
 * lock. The bell's count is modelled by what it is for: whether it changed since a worker read it.
 *
 * Left out: spinning before the sleep (a worker may be slow anywhere), a sleep that ends by itself (it would
 * only help), max_active, stopping, and the keeper, who helps against runs that never end.
 *
 * Ghosts: `listed` catches a node that is pushed twice, `order` an item that overtakes another.
 *
 *   -DNO_LAST_LOOK     mutant: announce and sleep without looking at the stack again
 *   -DANNOUNCE_LATE    mutant: look first, announce afterwards
 *   -DBELL_LATE        mutant: the bell is read after the last look
 *   -DWAKE_DROPPED     mutant: the pusher does not ring
 *   -DRING_BY_COUNT    mutant: the pusher changes the count but wakes nobody
 *   -DTHAW_SILENT      mutant: thawing does not ring
 */
#define NONE 255

byte top = NONE;                            /* the stack */
byte next[ITEMS] = NONE;
byte first = NONE;                          /* the runnable items, under the lock */
byte last = NONE;
bit locked;
bit halted;                                 /* HALT_FROZEN */
byte sleepers;

#define AWAKE  0                            /* has not read the bell, or it has changed since */
#define LOOKED 1                            /* has read the bell, and it has not changed since */
#define PARKED 2
byte bell[WORKERS];

bit listed[ITEMS];
chan order = [ITEMS] of { byte };

#define LOCK_TAKE locked == 0 -> locked = 1
#define LOCK_DROP locked = 0
#define MAY_TAKE  (first != NONE && !halted)            /* workqueue.pxd workqueue_may_take */

#if WORKERS == 3
#define EACH_WORKER(what) what(0); what(1); what(2)
#else
#if WORKERS == 2
#define EACH_WORKER(what) what(0); what(1)
#else
#define EACH_WORKER(what) what(0)
#endif
#endif
#define NOTICE(w) bell[w] = (bell[w] == LOOKED -> AWAKE : bell[w])
#define WAKE(w)   bell[w] = (bell[w] == PARKED -> AWAKE : bell[w])

inline bell_change() {
    d_step { EACH_WORKER(NOTICE) }                      /* thread.h bell_ring */
}

inline bell_ring() {
    bell_change();
#ifndef RING_BY_COUNT
    atomic {                                            /* thread.h bell_ring */
        if
        :: bell[0] == PARKED -> bell[0] = AWAKE
#if WORKERS > 1
        :: bell[1] == PARKED -> bell[1] = AWAKE
#endif
#if WORKERS > 2
        :: bell[2] == PARKED -> bell[2] = AWAKE
#endif
        :: else
        fi
    }
#endif
}

inline bell_ring_everyone() {
    bell_change();
    d_step { EACH_WORKER(WAKE) }                        /* thread.h bell_ring */
}

inline bell_park() {
    bell[me] = (bell[me] == LOOKED -> PARKED : AWAKE);  /* thread.h bell_park */
end_parked:
    bell[me] == AWAKE
}

inline workqueue_call_help() {
    if
    :: sleepers != 0 ->                         /* workqueue.pxd workqueue_call_help [sleeper-announced] */
#if REACH == 6
        assert(bell[0] == PARKED || bell[WORKERS - 1] == PARKED);
#endif
#ifndef WAKE_DROPPED
        bell_ring()
#else
        skip
#endif
    :: else                                             /* everybody is awake and will look before sleeping */
    fi
}

inline workqueue_put(item) {
    d_step {                                            /* workqueue.pxd workqueue_put [work-pushed] */
        assert(!listed[item]);
        listed[item] = 1;
        order!item;
        next[item] = top;
        top = item;
        push = 0
    }
}

inline workqueue_push(item) {
    workqueue_put(item);                                /* workqueue.pxd workqueue_push */
    workqueue_call_help()
}

inline queue_work(item) {
    work_kick(item);                                    /* workqueue.pxd queue_work */
    if
    :: push -> workqueue_push(item)
    :: else
    fi
}

inline workqueue_collect() {
    d_step {                                            /* workqueue.pxd workqueue_collect [work-pushed] */
        newest = top;
        top = NONE;
        tail = newest;
        oldest = NONE;
        do
        :: newest != NONE -> older = next[newest]; next[newest] = oldest; oldest = newest; newest = older
        :: else -> break
        od;
        if
        :: oldest == NONE
        :: oldest != NONE && last == NONE -> first = oldest; last = tail
        :: else -> next[last] = oldest; last = tail
        fi;
        newest = 0; oldest = 0; older = 0; tail = 0
    }
}

/* Leaves with the lock in hand; `begun`: `item` is ours. */
inline workqueue_try_take() {
    atomic { LOCK_TAKE; workqueue_collect() };          /* workqueue.pxd workqueue_try_take */
    do
    :: MAY_TAKE && !begun ->
        d_step {                                        /* workqueue.pxd workqueue_try_take */
            item = first;
            first = next[item];
            last = (first == NONE -> NONE : last);
            next[item] = NONE;
            listed[item] = 0;
            order?was; assert(was == item); was = 0
        };
        work_begin(item)
    :: else -> break
    od
}

/* By a worker, who takes the next item right after. */
inline workqueue_finish(item) {
    work_end(item);                                     /* workqueue.pxd workqueue_finish */
    if
    :: push -> workqueue_put(item)
    :: else
    fi
}

inline worker_sleep() {
#if defined(ANNOUNCE_LATE) || defined(BELL_LATE)
    atomic { LOCK_TAKE };
#else
    atomic { LOCK_TAKE; bell[me] = LOOKED };            /* worker.pxd worker_sleep */
#endif
#ifndef ANNOUNCE_LATE
    sleepers++;                                         /* worker.pxd worker_sleep [sleeper-announced] */
#endif
#ifndef NO_LAST_LOOK
    if
    :: top != NONE -> workqueue_collect()               /* worker.pxd worker_sleep [work-pushed] */
    :: else
    fi;
#endif
#if defined(ANNOUNCE_LATE) || defined(BELL_LATE)
    bell[me] = LOOKED;
#endif
#ifdef ANNOUNCE_LATE
    sleepers++;
#endif
    if
    :: MAY_TAKE ->
        d_step { sleepers--; bell[me] = AWAKE; LOCK_DROP }      /* worker.pxd worker_sleep */
    :: else ->
        LOCK_DROP;
        bell_park();                                    /* worker.pxd worker_sleep */
        sleepers--
    fi
}

/* Leaves when `item` is to be run. */
inline worker_take() {
    do
    :: workqueue_try_take();                            /* worker.pxd worker_take */
        if
        :: begun ->
            if
            :: MAY_TAKE -> workqueue_call_help()        /* worker.pxd worker_take */
            :: else
            fi;
            LOCK_DROP;
            break
        :: else ->
            LOCK_DROP;
            item = 0;
            worker_sleep()                              /* worker.pxd worker_take */
        fi
    od;
    begun = 0
}

inline workqueue_freeze() {
    halted = 1                                          /* control.pxd workqueue_freeze */
}

inline workqueue_thaw() {
    atomic { LOCK_TAKE; halted = 0 };                   /* control.pxd workqueue_thaw */
    workqueue_collect();
    if
#ifndef THAW_SILENT
    :: MAY_TAKE -> workqueue_call_help()                /* control.pxd workqueue_thaw */
#endif
    :: else
    fi;
    LOCK_DROP;
#ifndef THAW_SILENT
    bell_ring_everyone()                                /* control.pxd workqueue_thaw */
#endif
}
