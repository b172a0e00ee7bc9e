/* Going to sleep on machines with store buffers: push and look at the sleepers against announce and look.
 *
 * The pusher changes the stack and reads `sleepers`; the worker changes `sleepers` and reads the stack. Both
 * changes are full read-modify-writes, so each has reached memory before the look behind it: at least one of
 * the two sees the other. Then the bell: the pusher changes its count before it wakes, the worker parks only
 * while the count is what it read before its look.
 *
 * Left out: the item's word (each push is a node of its own), the lock (one worker), the spin.
 *
 *   -DMODEL=1 -DN=3
 *   -DANNOUNCE_BY_STORE  mutant: the worker announces itself by a plain store
 *   -DPUSH_BY_STORE      mutant: the pusher pushes by a plain store, and the popper takes by a plain store
 *   -DREACH=1   claim that must fail: the pusher never meets a sleeper
 *   -DREACH=2   claim that must fail: the worker never finds something at its last look
 */
#ifndef N
#define N 3
#endif
#ifndef REACH
#define REACH 0
#endif

#define STACK    0          /* nodes pushed, up to now */
#define SLEEPERS 1
#define COUNT    2
#define WORDS    3

#include "buffers.pml"

bit parked, done;
byte taken;

proctype Pusher() {
    byte n, k, sleepers, stack;
    for (n : 1 .. N) {
#ifdef PUSH_BY_STORE
        load(A, STACK, stack);
        store_relaxed(A, STACK, stack + 1);
        stack = 0;
#else
        atomic { EMPTY(A) -> mem[STACK] = mem[STACK] + 1 };
                                                        /* workqueue.pxd workqueue_put [work-pushed] */
#endif
        load(A, SLEEPERS, sleepers);
                                                /* workqueue.pxd workqueue_call_help [sleeper-announced] */
        if
        :: sleepers != 0 ->
            sleepers = 0;
#if REACH == 1
            assert(false);
#endif
            atomic { EMPTY(A) -> mem[COUNT] = mem[COUNT] + 1 };         /* thread.h bell_ring */
            parked = 0                                  /* thread.h bell_ring */
        :: else
        fi
    }
    atomic { EMPTY(A) -> done = 1 }
}

proctype Worker() {
    byte k, seen, stack;
    do
    :: atomic { EMPTY(B) -> taken = mem[STACK] };       /* workqueue.pxd workqueue_collect [work-pushed] */
        load(B, COUNT, seen);                           /* thread.h bell_look */
#ifdef ANNOUNCE_BY_STORE
        store_relaxed(B, SLEEPERS, 1);
#else
        atomic { EMPTY(B) -> mem[SLEEPERS] = mem[SLEEPERS] + 1 };
                                                        /* worker.pxd worker_sleep [sleeper-announced] */
#endif
        load(B, STACK, stack);                          /* worker.pxd worker_sleep [work-pushed] */
        if
        :: stack != taken
#if REACH == 2
            -> assert(false)
#endif
        :: else ->
            atomic {                                    /* thread.h bell_park */
                EMPTY(B) ->
                if
                :: mem[COUNT] == seen -> parked = 1
                :: else
                fi
            };
end:
            !parked
        fi;
        atomic { EMPTY(B) -> mem[SLEEPERS] = 0 };       /* worker.pxd worker_sleep */
        stack = 0; seen = 0
    od
}

active proctype Monitor() {
end:
    timeout -> assert(done && taken == N)
}

init {
    atomic {
        run Pusher();
        run Worker();
#if MODEL != 0
        run Drain(A);
        run Drain(B)
#endif
    }
}
