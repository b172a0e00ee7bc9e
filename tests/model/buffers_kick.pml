/* The race of the last event on machines with store buffers: publish and kick against begin and look.
 *
 * One writer, one worker, one fifo. The writer stores the record, publishes `in_` with release and kicks by a
 * read-modify-write on the word; the worker turns PENDING into RUNNING by another one on the same word, and
 * reads `in_` with acquire. The two operations have an order, and each waits for the stores before it: so
 * the run sees the data, or the kick finds PENDING clear.
 *
 * Left out: the stack and the sleep (a pushed item is taken some time; buffers_sleep.pml), more than one
 * worker (kick.pml). Loads stay in order (buffers.pml).
 *
 *   -DMODEL=1 -DN=3 -DCAP=2
 *   -DLOOK_FIRST    the kicker looks at PENDING first, by a plain load, and leaves if it is set
 *   -DMEMBARRIER    the worker calls membarrier() after it has cleared PENDING, before the last look of a
 *                   run: with LOOK_FIRST the fast form (kick.pxd)
 *   -DSPENT         a run may end after any event: it owes itself another one, which sees to those who looked
 *                   before, or calls membarrier() and looks once more
 *   -DBEGIN_BY_STORE     mutant: PENDING is cleared by a plain store
 *   -DPUBLISH_RELAXED    mutant: `in_` is published without release
 *   -DSPENT_UNSEEN       mutant: a run that ends early and finds nothing left just ends
 *   -DREACH=k       a claim that must fail: it shows that a timeline is in the model
 *     1  no event comes while a run is owed that has not begun
 *     2  no run ends early and leaves an event to the next one
 */
#ifndef N
#define N 3
#endif
#ifndef CAP
#define CAP 2
#endif
#ifndef REACH
#define REACH 0
#endif

#define STATE  0
#define IN     1
#define OUT    2
#define RECORD 3
#define WORDS  (3 + CAP)

#define PENDING 1
#define LINKED  2
#define RUNNING 4

#include "buffers.pml"

bit pushed;                 /* the node is on the stack */
bit done;
byte accepted, delivered;

proctype Writer() {
    byte n, k, in_, out, was;
    for (n : 1 .. N) {
        load(A, IN, in_);
        load(A, OUT, out);                              /* kfifo.pxd fifo_free_for [space-freed] */
        if
        :: in_ - out < CAP ->
            accepted++;
            store_relaxed(A, RECORD + in_ % CAP, accepted);     /* equeue.pxd equeue_write */
#ifdef PUBLISH_RELAXED
            store_relaxed(A, IN, in_ + 1);
#else
            store_release(A, IN, in_ + 1);              /* kfifo.pxd fifo_publish_in [bytes-ready] */
#endif
#ifdef LOOK_FIRST
            load(A, STATE, was);
#endif
            if
            :: was & PENDING
            :: else ->
                atomic { EMPTY(A) -> was = mem[STATE]; mem[STATE] = was | PENDING };
                                                        /* work.pxd work_kick [work-kicked] */
#if REACH == 1
                assert(!(was & PENDING));
#endif
                if
                :: was == 0 ->
                    atomic { mem[STATE] == PENDING -> mem[STATE] = PENDING | LINKED };
                                                        /* work.pxd work_link */
                    pushed = 1                          /* workqueue.pxd workqueue_put [work-pushed] */
                :: else
                fi
            fi
        :: else
        fi;
        in_ = 0; out = 0; was = 0
    }
    atomic { EMPTY(A) -> done = 1 }
}

inline look() {
    load(B, IN, in_);                                   /* stages.pxd native_look [bytes-ready] */
    load(B, OUT, out)
}

/* Those who looked at PENDING before it was cleared: their data is visible from here on. */
inline kick_is_cleared() {
#ifdef MEMBARRIER
    membarrier();                                       /* kick.pxd kick_is_cleared [kick-looked] */
#endif
    owed = 0
}

proctype Worker() {
    byte k, in_, out, record, was;
    bit owed, spent;
end:
    do
    :: atomic { pushed -> pushed = 0 };                 /* workqueue.pxd workqueue_try_take */
#ifdef BEGIN_BY_STORE
        store_relaxed(B, STATE, RUNNING);               /* nobody but us could have changed the word */
#else
        d_step { EMPTY(B) -> assert(mem[STATE] == (PENDING | LINKED)); mem[STATE] = RUNNING };
                                                        /* work.pxd work_begin [work-kicked] */
#endif
        owed = 1;
        do
        :: look();
            if
            :: in_ != out ->
                load(B, RECORD + out % CAP, record);    /* dispatch.pxd stage_step */
                assert(record == delivered + 1);        /* else old bytes were read */
                delivered++;
                store_release(B, OUT, out + 1);         /* kfifo.pxd fifo_publish_out [space-freed] */
                if
                :: skip
#ifdef SPENT
                :: spent = 1; break                     /* budget.pxd budget_spend */
#endif
                fi
            :: in_ == out && owed -> kick_is_cleared()  /* stages.pxd native_run */
            :: in_ == out && !owed -> break
            fi
        od;
        if
        :: spent ->
            spent = 0;
            look();                                     /* stages.pxd native_run */
#ifndef SPENT_UNSEEN
            if
            :: in_ == out && owed -> kick_is_cleared(); look()
            :: else
            fi;
#endif
            if
            :: in_ != out ->
#if REACH == 2
                assert(false);
#endif
                atomic { EMPTY(B) -> mem[STATE] = mem[STATE] | PENDING }        /* stages.pxd native_stage */
            :: else
            fi
        :: else
        fi;
        in_ = 0; out = 0; record = 0; owed = 0;
        atomic {                                        /* work.pxd work_end [work-kicked] */
            EMPTY(B) ->
            was = mem[STATE];
            mem[STATE] = (was & PENDING -> (PENDING | LINKED) : 0)
        };
        if
        :: was & PENDING -> pushed = 1                  /* workqueue.pxd workqueue_finish */
        :: else
        fi;
        was = 0
    od
}

active proctype Monitor() {
end:
    timeout ->
        assert(done && delivered == accepted);
        assert(mem[STATE] == 0)
}

init {
    atomic {
        run Writer();
        run Worker();
#if MODEL != 0
        run Drain(A);
        run Drain(B)
#endif
    }
}
