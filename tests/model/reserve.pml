/* Writers side by side: reserve by compare-and-swap, write, the last one out publishes.
 *
 * WRITERS threads put EACH records of one or two units into a ring of SIZE units, over the word {position,
 * closed, writers in}. A record that would cross the end starts over behind a pad (here of one unit). One
 * reader waits for a kick and drains. What is shown:
 *   - published space was written, whole, and a writer writes free space only;
 *   - `in_` never goes back, and is the reserved position when the last writer has left;
 *   - records are read in the order of reservation, and a kick brings the last one;
 *   - a refusal for want of room was true at some moment of the call;
 *   - whenever nobody is inside, the two counts of records are as many as were reserved;
 *   - after the ring was closed and found quiet, nobody writes any more, and `in_` is final;
 *   - a writer that stops for ever inside (STUCK) keeps nobody from leaving or from being refused: what
 *     comes after it is late, no more. A signal handler on top of a writer is a case of that.
 *
 * Grain: each access to the word, to `in_` and `out` is a step, and so is each unit written; the exchange
 * fails and is tried again as in the code, since the position is not the only thing that it was decided from.
 *
 * Left out: store buffers (every exchange is a full one, and `in_` is published by release:
 * buffers_kick.pml), the limit of 32,767 writers, the wrap of 48 bits, refused events that the next header
 * tells of. The kick is one bit (kick.pml has the rest).
 *
 *   -DWRITERS=2 -DEACH=2 -DSIZE=4
 *   -DCLOSE     somebody closes the ring and waits until it is quiet
 *   -DSTUCK     one writer may stop for ever at any unit
 *   -DPUBLISHED_IN_COMPANY  mutant: who leaves publishes though others are inside
 *   -DLEAVE_NOT_RETRIED     mutant: the last one out does not look again at what came in meanwhile
 *   -DRESERVED_BY_STORE     mutant: the reservation is a load and a store
 *   -DCLOSED_IGNORED        mutant: a reservation does not look at the closed bit
 *   -DPAD_MISSED            mutant: the rest before the end is left as it is
 *   -DREAD_AFTER_FREED      mutant: the reader frees before it reads
 *   -DOLD_LOOK_REFUSES      mutant: a refusal is decided from an old look at the word
 *   -DKICK_FIRST            mutant: a writer kicks before it has left
 *   -DCOUNTED_AGAIN         mutant: who is alone counts its record with each try to leave
 *   -DCOUNTED_BESIDE_ALONE  mutant: who has company counts as if it had none
 *   -DREACH=k   a claim that must fail
 *     1  nobody leaves while another is inside           4  a ring is never closed with a writer inside
 *     2  the last one out never has to publish again     5  no writer ever meets a full ring
 *     3  no pad is ever written                          6  an old look is never taken for a full ring
 */
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef EACH
#define EACH 2
#endif
#ifndef SIZE
#define SIZE 4
#endif
#ifndef REACH
#define REACH 0
#endif

#define PAD 255

/* One word, changed by compare-and-swap only. */
byte position;
byte writers;
bit closed;

byte in_, out;
bit kicked;

byte ring[SIZE];            /* 0: free; else PAD, or the number of the record in each of its units */
byte n_reserved, n_read;
byte records, records_beside;
bit quiet;                  /* closed, and then found without writers */
bit stuck;
byte done;

#define SAME_WORD (position == at && writers == inside && closed == shut)

inline look_at_word() {
    d_step { at = position; inside = writers; shut = closed }
}

inline write(unit, what) {
    d_step {
        assert(ring[(unit) % SIZE] == 0);
        assert(!quiet);
        ring[(unit) % SIZE] = what
    }
}

inline reserve() {
    position = at + need;
    writers = inside + 1;
    n_reserved++;
    number = n_reserved;
    pad = need - length;
    got = 1;
    used = 0; need = 0; rest = 0; is_full = 0; truly = 0; inside = 0
}

/* `got`: room for `length` units was reserved, from `at` on, with a pad before them or not. */
inline ring_claim_shared() {
    look_at_word();                                     /* ring.pxd ring_claim_shared [record-complete] */
    do
#ifndef CLOSED_IGNORED
    :: shut -> break                                    /* ring.pxd ring_claim_shared */
    :: !shut ->
#else
    :: true ->
#endif
        d_step {                                        /* ring.pxd ring_claim_shared [space-freed] */
            used = (at - out) & 255;                    /* much, if others were read since that look */
            rest = SIZE - at % SIZE;
            need = (length <= rest -> length : rest + length);
            is_full = used > SIZE || need > SIZE - used;
            truly = SAME_WORD && is_full
        };
        if
        :: is_full ->
            /* Full, unless the look is old. */
#ifdef OLD_LOOK_REFUSES
            assert(truly);
            break
#else
            if
            :: d_step { SAME_WORD -> assert(truly) }; break
            :: d_step {                                 /* ring.pxd ring_claim_shared [record-complete] */
                !SAME_WORD -> at = position; inside = writers; shut = closed
#if REACH == 6
                ; assert(used <= SIZE)
#endif
            }
            fi
#endif
        :: !is_full ->
            d_step {                                    /* ring.pxd ring_claim_shared */
#ifdef RESERVED_BY_STORE
                reserve()
#else
                if
                :: SAME_WORD -> reserve()
                :: else -> look_at_word()
                fi
#endif
            };
            if
            :: got -> break
            :: else
            fi
        fi
    od;
#if REACH == 5
    assert(got || shut);
#endif
    do
    :: pad > 0 ->
#ifndef PAD_MISSED
        write(at, PAD);                                 /* ring.pxd ring_put_pad */
#endif
#if REACH == 3
        assert(false);
#endif
        atomic { at++; pad-- }
    :: else -> break
    od
}

inline publish() {
    seen = in_;                                         /* ring.pxd ring_leave_shared */
    d_step {                                            /* kfifo.pxd fifo_publish_in [bytes-ready] */
        assert(at >= in_);
        do
        :: seen < at -> assert(ring[seen % SIZE] != 0); seen++
        :: else -> break
        od;
        in_ = at;
        seen = 0
    }
}

inline count_alone() {
    seen = records;                                     /* ring.pxd ring_count_alone */
    d_step { records = seen + 1; seen = 0 }
}

inline count() {
    if
#ifdef COUNTED_AGAIN
    :: inside == 1 -> count_alone()
    :: inside != 1 && !is_counted -> records_beside++
#else
    :: inside == 1 && !is_counted -> count_alone()
#ifdef COUNTED_BESIDE_ALONE
    :: inside != 1 && !is_counted -> count_alone()
#else
    :: inside != 1 && !is_counted -> records_beside++   /* ring.pxd ring_leave_shared */
#endif
#endif
    :: else
    fi;
    is_counted = 1
}

inline ring_leave_shared() {
    look_at_word();                                     /* ring.pxd ring_leave_shared [record-complete] */
#ifdef LEAVE_NOT_RETRIED
    if
    :: inside == 1 -> publish()
    :: else
    fi;
#endif
    do
    ::
        count();
#ifdef PUBLISHED_IN_COMPANY
        publish();
#else
#ifndef LEAVE_NOT_RETRIED
        if
        :: inside == 1 -> publish()
        :: else
        fi;
#endif
#endif
        d_step {                                        /* ring.pxd ring_leave_shared [record-complete] */
            if
            :: SAME_WORD ->
                writers--;
                got = 0;
                assert(writers > 0 || in_ == position);
                assert(writers > 0 || records + records_beside == n_reserved)
#if REACH == 1
                ; assert(writers == 0)
#endif
            :: else ->
#if REACH == 2
                assert(!(inside == 1 && writers > 1));
#endif
                look_at_word()
            fi
        };
        if
        :: !got -> break
        :: else
        fi
    od
}

proctype Writer() {
    byte n, length, number, at, inside, seen, used, rest, need, pad;
    bit shut, got, is_full, truly, is_counted;
    for (n : 1 .. EACH) {
        if
        :: length = 1
        :: length = 2
        fi;
        ring_claim_shared();                            /* equeue.pxd equeue_claim */
        if
        :: got ->
            do
            :: length > 0 -> write(at, number); at++; length--      /* equeue.pxd equeue_write */
#ifdef STUCK
            :: atomic { length > 0 && !stuck -> stuck = 1 };
end_stuck:
                false
#endif
            :: length == 0 -> break
            od;
#ifdef KICK_FIRST
            kicked = 1;
            ring_leave_shared()
#else
            ring_leave_shared();                        /* equeue.pxd equeue_publish */
            kicked = 1                                  /* equeue.pxd equeue_kick */
#endif
        :: else
        fi;
        atomic {
            length = 0; number = 0; at = 0; inside = 0; shut = 0;
            used = 0; need = 0; rest = 0; is_full = 0; truly = 0; is_counted = 0
        }
    }
    done++
}

proctype Reader() {
    byte limit, unit, first;
end:
    do
    :: atomic { kicked -> kicked = 0 };
        do
        :: limit = in_;                                 /* stages.pxd native_look [bytes-ready] */
            if
            :: limit == out -> break
            :: else
            fi;
            do
            :: out != limit ->
#ifdef READ_AFTER_FREED
                unit = out;
                out++;
#endif
                d_step {                                /* dispatch.pxd stage_step */
#ifndef READ_AFTER_FREED
                    unit = out;
#endif
                    first = ring[unit % SIZE];
                    assert(first != 0);
                    assert(first == PAD || first == n_read || first == n_read + 1);
                    n_read = (first == PAD -> n_read : first);
                    ring[unit % SIZE] = 0;
                    unit = 0; first = 0
                };
#ifndef READ_AFTER_FREED
                out++                                   /* kfifo.pxd fifo_publish_out [space-freed] */
#endif
            :: else -> break
            od
        od;
        limit = 0
    od
}

#ifdef CLOSE
active proctype Closer() {
    d_step {
        closed = 1                                      /* ring.pxd ring_close */
#if REACH == 4
        ; assert(writers == 0)
#endif
    };
end:
    d_step { writers == 0 -> quiet = 1; assert(in_ == position) }   /* ring.pxd ring_is_quiet */
}
#endif

active proctype Monitor() {
end:
    timeout ->
        assert(done + stuck == WRITERS);
#ifdef CLOSE
        assert(quiet || stuck);
#endif
        assert(stuck || (writers == 0 && in_ == position && n_read == n_reserved));
        assert(out == in_)
}

init {
    byte k;
    atomic {
        for (k : 1 .. WRITERS) {
            run Writer()
        }
        run Reader();
        k = 0
    }
}

/* Weak fairness: what was reserved is read some time. */
ltl live { [] ((n_read < n_reserved) -> <> (n_read == n_reserved)) }
