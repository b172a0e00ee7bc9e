/* The word of a work item: who owes it a run, who has its node, who is inside.
 *
 * Included by the scenes. One line per operation of work.pxd, each of them one step: either it is one
 * read-modify-write, or a loop around a compare-and-swap. A failed exchange changes nothing, and the
 * successful one is decided from the value that it replaces, so the loop is one step at that moment; where
 * it leaves without an exchange it is one look. (A relaxed look may be old, but never older than the
 * caller's own last operation on the word: as if it had been made earlier.)
 *
 * Left out: TIMED and WAITED, the count of runs, more than one level of disabling.
 *
 * The caller declares `byte was; bit push, begun`. `push` says: you turned LINKED on, push the node.
 *
 *   -DPENDING_AFTER    mutant: PENDING is cleared when the run ends, not before it begins
 *   -DNO_EXCLUSION     mutant: an item that is running may be linked and begun by another worker
 *   -DEND_NOT_RELINKED mutant: the end of a run does not look whether another one is owed
 *   -DLINKED_IGNORED   mutant: whoever finds no run owed pushes, on a list or not
 *   -DCANCEL_UNLINKS   mutant: a cancelled item counts as unlinked while its node is on a list
 *   -DREFUSED_PENDING  mutant: a kick that is refused leaves PENDING set
 *   -DCLAIM_RUNNING    mutant: an item is claimed although a worker is inside
 */
#define PENDING  1
#define LINKED   2
#define RUNNING  4
#define DISABLED 8

#define MAY_RUN(s) (((s) & (PENDING | DISABLED)) == PENDING)

#ifdef NO_EXCLUSION
#define IN_HAND LINKED
#else
#ifdef LINKED_IGNORED
#define IN_HAND RUNNING
#else
#define IN_HAND (LINKED | RUNNING)
#endif
#endif

byte state[ITEMS];

inline work_link(item) {
    d_step {                                            /* work.pxd work_link */
        push = MAY_RUN(state[item]) && !(state[item] & IN_HAND);
        if
        :: push -> state[item] = state[item] | LINKED
        :: (state[item] & DISABLED) && (state[item] & PENDING) ->
#ifndef REFUSED_PENDING
            state[item] = state[item] & ~PENDING;
            WHEN_FORGIVEN(item)
#else
            skip
#endif
        :: else
        fi
    }
}

inline work_kick(item) {
    d_step {                                            /* work.pxd work_kick [work-kicked] */
        was = state[item];
        state[item] = was | PENDING;
        WHEN_KICKED(item);
        push = !(was & PENDING) && (!(was & IN_HAND) || (was & DISABLED));
        was = 0
    };
    if
    :: push -> work_link(item)
    :: else
    fi
}

inline work_begin(item) {
    d_step {                                            /* work.pxd work_begin [work-kicked] */
        begun = MAY_RUN(state[item]);
        if
#ifdef PENDING_AFTER
        :: begun -> state[item] = (state[item] & ~LINKED) | RUNNING
#else
        :: begun -> state[item] = (state[item] & ~(PENDING | LINKED)) | RUNNING
#endif
        :: else -> state[item] = state[item] & ~LINKED
        fi
    }
}

inline work_claim(item) {
    d_step {                                            /* work.pxd work_claim [work-kicked] */
#ifdef CLAIM_RUNNING
        begun = !(state[item] & (LINKED | DISABLED));
#else
        begun = !(state[item] & (LINKED | RUNNING | DISABLED));
#endif
        if
        :: begun -> state[item] = (state[item] & ~PENDING) | RUNNING
        :: else
        fi
    }
}

inline work_end(item) {
    d_step {                                            /* work.pxd work_end [work-kicked] */
        state[item] = state[item] & ~RUNNING;
#ifdef PENDING_AFTER
        state[item] = state[item] & ~PENDING;
#endif
#ifndef END_NOT_RELINKED
        push = MAY_RUN(state[item]);
        if
        :: push -> state[item] = state[item] | LINKED
        :: else
        fi
#endif
    }
}

inline work_cancel(item) {
    d_step {                                            /* work.pxd work_cancel */
        if
        :: state[item] & PENDING ->
#ifdef CANCEL_UNLINKS
            state[item] = state[item] & ~(PENDING | LINKED);
#else
            state[item] = state[item] & ~PENDING;
#endif
            WHEN_FORGIVEN(item)
        :: else
        fi
    }
}
