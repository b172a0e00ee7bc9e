/* The kick: no accepted event is left lying, whenever it comes.
 *
 * PRODUCERS threads offer N events each to the fifos of ITEMS work items (a producer's number modulo ITEMS is
 * its item) and kick. WORKERS workers take items and drain. When nothing can move any more, everything that
 * was accepted was delivered, in order and once, and nobody owes or holds anything.
 *
 * The theory is that of work.pxd and workqueue.pxd, whose steps work.pml and workqueue.pml hold.
 *
 * Left out. Memory is sequentially consistent (store buffers: buffers_kick.pml, buffers_sleep.pml). Claim,
 * write and publication of an event are one step, since nobody sees a record before its publication and
 * writers have a lock (many writers side by side: reserve.pml). A full fifo refuses. The stage is one reader
 * that frees event by event (two stages: stages.pml); it may end its run after any event and owe itself one.
 * Freezing keeps items from being taken here, not a run from going on.
 *
 *   -DN=2 -DCAP=2 -DPRODUCERS=1 -DITEMS=1 -DWORKERS=2
 *   -DCANCEL    somebody cancels the item at any moment: it owes no run, its node stays where it is
 *   -DDISABLE   somebody disables, cancels and enables it
 *   -DFREEZE    somebody freezes and thaws the queue
 *   -DKICK_FIRST       mutant: the producer kicks before it publishes
 *   -DREST_NOT_OWED    mutant: a run that ends early does not kick itself
 *   -DSPENT_AT_ONCE    mutant: a run may end before its first event, and so again and again
 *   -DREACH=k   a claim that must fail: it shows that a timeline is in the model
 *     1  a kick finds nobody at work and pushes         4  a run finds nothing
 *     2  a kick comes while the run is in progress      5  an event comes after the last look of a run
 *     3  a kick finds a run owed already                6  a push meets a worker on its way to sleep
 */
#ifndef N
#define N 2
#endif
#ifndef CAP
#define CAP 2
#endif
#ifndef PRODUCERS
#define PRODUCERS 1
#endif
#ifndef ITEMS
#define ITEMS 1
#endif
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef REACH
#define REACH 0
#endif

/* A cancelled or refused kick is forgiven until the next one. */
#define WHEN_KICKED(item)   forgiven[item] = (state[item] & DISABLED) != 0
#define WHEN_FORGIVEN(item) forgiven[item] = 1

bit forgiven[ITEMS];

#include "work.pml"
#include "workqueue.pml"

byte fifo[ITEMS * CAP];
byte in_[ITEMS];
byte out[ITEMS];
byte inside[ITEMS];         /* workers inside the stage */
byte done;                  /* producers that have finished */

#define SLOT(item, counter) fifo[(item) * CAP + (counter) % CAP]

inline publish(item) {
    accepted = in_[item] - out[item] < CAP;
    if
    :: accepted ->
        SLOT(item, in_[item]) = in_[item] + 1;
        in_[item]++                                     /* ring.pxd ring_publish_locked */
    :: else
    fi
}

proctype Producer(byte item) {
    byte n, was;
    bit push, accepted;
    for (n : 1 .. N) {
#ifdef KICK_FIRST
        queue_work(item);
        d_step { publish(item); accepted = 0 }
#else
        d_step { publish(item) };                       /* equeue.pxd equeue_publish */
        if
        :: accepted ->
            accepted = 0;
#if REACH == 1
            assert(state[item] != 0);
#elif REACH == 2
            assert(state[item] != RUNNING);
#elif REACH == 3
            assert(!(state[item] & PENDING));
#endif
            queue_work(item);                           /* equeue.pxd equeue_kick */
        :: else
        fi
#endif
    }
    done++
}

proctype Worker(byte me) {
    byte item, seen, was, newest, oldest, older, tail;
    bit push, begun;
    bit found;
    do
    :: worker_take();                                   /* worker.pxd worker_main */
        d_step { inside[item]++; assert(inside[item] == 1) };
        do
        :: seen = in_[item];                            /* stages.pxd native_look [bytes-ready] */
            if
            :: seen == out[item] -> break
            :: else -> skip
            fi;
            do
            :: seen != out[item] ->
                d_step {
                    found = 1;
                    assert(SLOT(item, out[item]) == out[item] + 1);
                    out[item]++                         /* kfifo.pxd fifo_publish_out [space-freed] */
                }
            :: seen == out[item] -> break
#ifdef SPENT_AT_ONCE
            :: seen != out[item] -> begun = 1; break
#else
            :: seen != out[item] && found -> begun = 1; break       /* the budget is spent */
#endif
            od;
            if
            :: begun -> break
            :: else
            fi
        od;
#if REACH == 4
        assert(found);
#elif REACH == 5
        assert(begun || in_[item] == out[item]);
#endif
        seen = 0;
        d_step { found = 0; inside[item]-- };
        if
        :: begun ->
            begun = 0;
#ifndef REST_NOT_OWED
            queue_work(item)                            /* stages.pxd native_stage */
#endif
        :: else
        fi;
        workqueue_finish(item);                         /* worker.pxd worker_main */
        item = 0
    od
}

#ifdef CANCEL
active proctype Canceller() {
    work_cancel(0)
}
#endif

#ifdef DISABLE
active proctype Disabler() {
    state[0] = state[0] | DISABLED;                     /* work.pxd work_disable */
    work_cancel(0);
    state[0] = state[0] & ~DISABLED                     /* work.pxd work_enable */
}
#endif

#ifdef FREEZE
active proctype Freezer() {
    byte newest, oldest, older, tail;
    workqueue_freeze();
    workqueue_thaw()
}
#endif

active proctype Monitor() {
    byte item;
end:
    timeout ->
        assert(done == PRODUCERS);
        assert(top == NONE && first == NONE && !locked && sleepers == WORKERS);
        for (item : 0 .. ITEMS - 1) {
            assert(in_[item] == out[item] || forgiven[item]);
            assert(state[item] == 0 && !listed[item] && !inside[item])
        }
}

init {
    byte k;
    atomic {
        for (k : 0 .. PRODUCERS - 1) {
            run Producer(k % ITEMS)
        };
        for (k : 0 .. WORKERS - 1) {
            run Worker(k)
        }
        k = 0
    }
}

/* Weak fairness: every worker and producer that can move does so some time. */
ltl live { [] ((in_[0] != out[0]) -> <> (in_[0] == out[0])) }
