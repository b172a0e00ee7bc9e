/* Two stages in a row over one fifo: who reads how far, who frees, who is kicked.
 *
 * Writers publish and kick the stage that is `first`. The native stage reads up to `in_`; what it handled it
 * frees (it has the end of the queue) or passes on and kicks the Python stage, which reads up to `passed` and
 * frees. Subscribers come and go meanwhile, so the end of the queue changes hands, and so does `first`; while
 * only Python subscribers are there the Python worker runs the native stage in passing. What is shown:
 *   - every event is handled in order by one last stage, once, and its slot is not overwritten before;
 *   - what was accepted after a Python subscriber had come reaches it, and so does all that follows an event
 *     that reached it, until it goes;
 *   - never two workers in a stage; and when nothing can move any more, nothing is left lying.
 *
 * The theory is that of equeue.pxd and stages.pxd.
 *
 * Left out. Memory is sequentially consistent. A queue is a bit that says whether the item's node is on it,
 * and a worker that waits for it (the list, the lock and the sleep: kick.pml; two workers in one stage are
 * excluded by the word alone). Claim, write and publication are one step (reserve.pml). Calls, the GIL, STOP,
 * batches: a batch only frees later, as a longer streak does. Freezing and abandoning.
 *
 * Grain: each access to what another thread writes is a step. `position` and `python_owns` belong to
 * whoever runs the native stage.
 *
 *   -DN=2 -DCAP=2 -DWRITERS=1   events of each writer, slots, writers
 *   -DCHANGES=2                 how often subscribers come or go
 *   -DPYTHON_FIRST              begin with a Python subscriber and no native one, not the other way round
 *   -DFREED_BY_NATIVE      mutant: the native stage frees what the Python stage has not had
 *   -DPYTHON_NOT_KICKED    mutant: the native stage does not kick after passing
 *   -DOUT_READ_FIRST       mutant: the Python stage reads where to begin before how far it may go
 *   -DTAKEN_EARLY          mutant: the end is taken back while the Python stage has events before it
 *   -DPRESENT_READ_FIRST   mutant: the native stage looks for Python subscribers before it reads `in_`
 *   -DCHAIN_FIRST          mutant: a subscriber is in the chain before its stage is there
 *   -DCLAIM_NOT_KICKED     mutant: nobody is kicked when the native stage can't be claimed
 *   -DOLD_FIRST_IGNORED    mutant: a Python stage that is not first does not look for what is to be passed
 *   -DREST_NOT_OWED        mutant: an inline run that ended early owes the rest no run
 *   -DREACH=k   a claim that must fail
 *     1  the end changes hands only while the fifo is empty      4  the native stage can always be claimed
 *     2  the end is never taken back                             5  nobody is kicked by an old `first`
 *     3  an inline run never finds an event                      6  no inline run ends early
 */
#ifndef N
#define N 2
#endif
#ifndef CAP
#define CAP 2
#endif
#ifndef WRITERS
#define WRITERS 1
#endif
#ifndef CHANGES
#define CHANGES 2
#endif
#ifndef REACH
#define REACH 0
#endif

#define ITEMS  2
#define NATIVE 0
#define PYTHON 1
#define WHEN_KICKED(item)
#define WHEN_FORGIVEN(item)

#include "work.pml"

bit queued[ITEMS];
byte inside[ITEMS];

byte slots[CAP];
byte in_, out, passed;
byte position;              /* of the native stage */
bit python_owns;
#ifdef PYTHON_FIRST
bit python_present = 1;
bit native_present;
byte first = PYTHON;
bit in_chain = 1;           /* a Python subscriber is in the chain, */
bit wanted = 1;             /* and nobody has begun to cancel it: */
byte due_from;              /* then events from here on are its own by promise */
#else
bit python_present;
bit native_present = 1;
byte first = NATIVE;
bit in_chain, wanted;
byte due_from = 255;
#endif
byte settled;               /* events that had their last stage */
byte done;

inline workqueue_push(item) {
    d_step { assert(!queued[item]); queued[item] = 1; push = 0 }    /* workqueue.pxd workqueue_push */
}

inline queue_work(item) {
    work_kick(item);                                    /* workqueue.pxd queue_work */
    if
    :: push -> workqueue_push(item)
    :: else
    fi
}

inline workqueue_finish(item) {
    d_step { inside[item]--; work_end(item) };          /* workqueue.pxd workqueue_finish */
    if
    :: push -> workqueue_push(item)
    :: else
    fi
}

inline enter(item) {
    inside[item]++;
    assert(inside[item] == 1)
}

inline settle(at) {
    assert(slots[(at) % CAP] == (at) + 1);
    assert((at) == settled);
    settled++
}

proctype Writer() {
    byte n, was, whom;
    bit push, accepted;
    for (n : 1 .. N) {
        d_step {                                        /* equeue.pxd equeue_publish */
            accepted = in_ - out < CAP;
            if
            :: accepted -> slots[in_ % CAP] = in_ + 1; in_++
            :: else
            fi
        };
        if
        :: accepted ->
            accepted = 0;
            whom = first;                               /* equeue.pxd equeue_kick [first-stage] */
            queue_work(whom);                           /* equeue.pxd equeue_kick */
            whom = 0
        :: else
        fi
    }
    done++
}

/* No stage reads how many native subscribers there are, so that change and the choice are one step. */
#define CHOOSE_FIRST first = (python_present && !native_present -> PYTHON : NATIVE)

proctype Subscriber() {
    byte n;
    for (n : 1 .. CHANGES) {
        if
        :: !python_present ->               /* subscribe.pxd equeue_subscribe */
#ifdef CHAIN_FIRST
            d_step { in_chain = 1; wanted = 1 };
#endif
            python_present = 1;             /* subscribe.pxd equeue_count_subscribers [python-present] */
            CHOOSE_FIRST;                   /* subscribe.pxd equeue_count_subscribers [first-stage] */
#ifndef CHAIN_FIRST
            d_step { in_chain = 1; wanted = 1 };        /* subscribe.pxd stage_swap_chain [chain-swapped] */
#endif
            due_from = (in_ < due_from -> in_ : due_from)
        :: python_present ->                /* subscribe.pxd equeue_cancel */
            d_step { wanted = 0; due_from = 255 };
            in_chain = 0;                               /* subscribe.pxd stage_swap_chain [chain-swapped] */
            python_present = 0;             /* subscribe.pxd equeue_count_subscribers [python-present] */
            CHOOSE_FIRST                    /* subscribe.pxd equeue_count_subscribers [first-stage] */
        :: d_step { native_present = !native_present; CHOOSE_FIRST }
        fi
    }
    done++
}

#ifdef FREED_BY_NATIVE
#define LAST_STAGE 1
#else
#define LAST_STAGE !python_owns
#endif

/* How far the native stage may read, into `limit`; settles who has the end. */
inline native_look() {
#ifdef PRESENT_READ_FIRST
    present = python_present;
    limit = in_;
    seen = out;
#else
    limit = in_;                                        /* stages.pxd native_look [bytes-ready] */
    seen = out;                                         /* stages.pxd native_look [space-freed] */
    present = python_present;                           /* stages.pxd native_look [python-present] */
#endif
    d_step {                                            /* stages.pxd native_look [end-owned] */
        if
#ifdef TAKEN_EARLY
        :: python_owns && !present -> python_owns = 0
#else
        :: python_owns && !present && seen == position ->
            python_owns = 0
#if REACH == 2
            ; assert(false)
#endif
#endif
        :: !python_owns && present ->
            python_owns = 1;
            passed = position                           /* stages.pxd native_look [native-passed] */
#if REACH == 1
            ; assert(limit == position)
#endif
        :: else
        fi;
        seen = 0; present = 0
    }
}

/* `left`: the budget was spent before everything was handled. */
inline native_run(is_inline) {
    d_step { enter(NATIVE); started = position };       /* stages.pxd native_run */
    do
    :: native_look();                                   /* stages.pxd native_run */
        atomic {
            if
            :: limit == position && (rested || is_inline || position == started) -> break
            :: limit == position && !(rested || is_inline || position == started) -> rested = 1
            :: else -> rested = 0; started = position
            fi
        };
        if
        :: limit == position
        :: else ->
            do
            :: limit == position || left -> break
            :: else ->
#if REACH == 3
                assert(!is_inline);
#endif
                do
                :: limit != position ->
                    d_step {                            /* streak.pxd stage_walk */
                        assert(slots[position % CAP] == position + 1);
                        if
                        :: LAST_STAGE -> assert(position < due_from); settle(position)
                        :: else
                        fi;
                        position++;
                        found = 1
                    }
                :: found -> break
                od;
                atomic {
                    if
                    :: LAST_STAGE -> out = position     /* stages.pxd native_run */
                    :: else -> passed = position        /* stages.pxd native_run [native-passed] */
                    fi;
                    found = 0;
                    if
                    :: left = 0
                    :: left = 1                         /* budget.pxd budget_spend */
                    fi
                };
#ifndef PYTHON_NOT_KICKED
                if
                :: python_owns && !is_inline -> queue_work(PYTHON)      /* stages.pxd native_run */
                :: else
                fi
#endif
            od;
            if
            :: left -> break
            :: else
            fi
        fi
    od;
    atomic { rested = 0; started = 0 };
    if
    :: left -> native_look(); left = limit != position  /* stages.pxd native_run */
    :: else
    fi;
    limit = 0
}

proctype NativeWorker() {
    byte limit, seen, started, was;
    bit push, begun, present, rested, left, found;
end:
    do
    :: atomic { queued[NATIVE] -> queued[NATIVE] = 0 }; /* workqueue.pxd workqueue_try_take */
        work_begin(NATIVE);
        if
        :: begun ->
            begun = 0;
            native_run(0);                              /* stages.pxd native_stage */
            if
            :: left -> left = 0; queue_work(NATIVE)     /* stages.pxd native_stage */
            :: else
            fi;
            workqueue_finish(NATIVE)
        :: else
        fi
    od
}

/* How far the Python stage may read, into `end_`, and where it begins, into `at`. */
inline python_look() {
    if
    :: first == PYTHON ->                               /* stages.pxd python_look [first-stage] */
        work_claim(NATIVE);                             /* stages.pxd python_look */
        if
        :: begun ->
            begun = 0;
            native_run(1);                              /* stages.pxd python_look */
            if
            :: left ->
                left = 0;
#if REACH == 6
                assert(false);
#endif
#ifndef REST_NOT_OWED
                queue_work(NATIVE)                      /* stages.pxd python_look */
#endif
            :: else
            fi;
            workqueue_finish(NATIVE)
        :: else ->
#if REACH == 4
            assert(false);
#endif
#ifdef CLAIM_NOT_KICKED
            skip
#else
            queue_work(NATIVE)                          /* stages.pxd python_look */
#endif
        fi
    :: else ->
        seen = in_;                                     /* stages.pxd python_look [bytes-ready] */
#ifndef OLD_FIRST_IGNORED
        if
        :: seen != passed ->                            /* stages.pxd python_look */
#if REACH == 5
            assert(state[NATIVE] != 0 || position == in_);
#endif
            queue_work(NATIVE)                          /* stages.pxd python_look */
        :: else
        fi;
#endif
        seen = 0
    fi;
#ifdef OUT_READ_FIRST
    at = out;
    end_ = passed;
#else
    end_ = passed;                                      /* stages.pxd python_look [native-passed] */
    at = out;                                           /* stages.pxd python_look */
#endif
    end_ = (end_ > at -> end_ : at)
}

proctype PythonWorker() {
    byte limit, seen, started, was, at, end_;
    bit push, begun, present, rested, left, found;
end:
    do
    :: atomic { queued[PYTHON] -> queued[PYTHON] = 0 }; /* workqueue.pxd workqueue_try_take */
        work_begin(PYTHON);
        if
        :: begun ->
            begun = 0;
            d_step { enter(PYTHON) };                   /* stages.pxd python_stage */
            do
            :: python_look();                           /* stages.pxd python_stage */
                if
                :: end_ == at -> at = 0; end_ = 0; break
                :: else
                fi;
                do
                :: end_ != at && !left ->
                    do
                    :: end_ != at ->
                        d_step {                        /* streak.pxd stage_walk */
                            assert(in_chain || at < due_from);
                            settle(at);
                            at++;
                            due_from = (wanted && in_chain && at < due_from -> at : due_from);
                            found = 1
                        }
                    :: found -> break
                    od;
                    atomic {
                        out = at;                       /* stages.pxd python_stage */
                        found = 0;
                        if
                        :: left = 0
                        :: left = 1                     /* budget.pxd budget_spend */
                        fi
                    }
                :: else -> break
                od;
                atomic {
                    at = 0; end_ = 0;
                    if
                    :: left -> break
                    :: else
                    fi
                }
            od;
            if
            :: left -> left = 0; queue_work(PYTHON)     /* stages.pxd python_stage */
            :: else
            fi;
            workqueue_finish(PYTHON)
        :: else
        fi
    od
}

active proctype Monitor() {
end:
    timeout ->
        assert(done == WRITERS + 1);
        assert(out == in_ && settled == in_ && position == in_);
        assert(state[NATIVE] == 0 && state[PYTHON] == 0);
        assert(!queued[NATIVE] && !queued[PYTHON])
}

init {
    byte k;
    atomic {
        for (k : 1 .. WRITERS) {
            run Writer()
        }
        run Subscriber();
        run NativeWorker();
        run PythonWorker();
        k = 0
    }
}

/* Weak fairness: what was accepted has its last stage some time. */
ltl live { [] ((settled < in_) -> <> (settled == in_)) }
