/* A retry is no cure: a patch that was weighed for the kernel's notification core, and why it loses events.
 *
 * The belief behind it: PENDING is cleared only when the worker has left the function, so a kick that comes
 * after the function's last look finds PENDING set and is lost. The patch: the worker sets `exiting` when it
 * finds the fifo empty (and clears it when it begins); the kicker, refused while `exiting` is set, waits 5 ms
 * and tries again, as often as a counter allows. The counter is static and starts at 3: it counts for the
 * life of the module and, once it is used up, wraps through 255.
 *
 * Two holes, each shown alone. "The fifo is empty" and `exiting = 1` are two steps: a kicker in between is
 * refused, reads 0 and leaves at once, with however many tries left. And a wait of 5 ms bounds nothing on the
 * other core, so three tries may all fall into the way out. The cure is what the kernel in truth does, and
 * work.pxd too: PENDING is cleared before the function begins.
 *
 * And a third: header and payload go in by two pushes. A worker that pops the header and finds no payload
 * yet forgets the header, and takes the payload for the next one. In ring.pxd a record is one publication.
 *
 * Nothing here is this package's code, so nothing is cited. Memory is sequentially consistent; the delay is a
 * step that may take no time; one worker.
 *
 *   -DN=3 -DCAP=4   units of the fifo: an event takes one, with SPLIT two
 *   -DTRIES=3       what the counter starts with; 0: try for ever
 *   -DAT_ONCE       the last look and `exiting = 1` are one step (nothing that the patch could do)
 *   -DSPLIT         header and payload are two pushes and two pops
 *   -DCLEARED_BEFORE    what the kernel does, without the patch
 *   -DREACH=1       claim that must fail: no kick is tried a second time
 *   -DREACH=2       claim that must fail: a second try is always in vain
 */
#ifndef N
#define N 3
#endif
#ifndef CAP
#define CAP 4
#endif
#ifndef TRIES
#define TRIES 3
#endif
#ifndef REACH
#define REACH 0
#endif
#ifdef SPLIT
#define UNITS 2
#else
#define UNITS 1
#endif

byte fifo[CAP];
byte in_, out;
bit pending, linked, exiting, done;
byte accepted, delivered;

inline kfifo_in(unit) {
    d_step { fifo[in_ % CAP] = unit; in_++ }
}

inline queue_work() {
    d_step { queued = !pending; pending = 1 };
    if
    :: queued -> linked = 1
    :: else
    fi
}

active proctype Notifier() {                            /* scmi_notify() of the patch */
    byte n;
    byte count = TRIES;
    bit queued, was_exiting, again;
    for (n : 1 .. N) {
        if
        :: in_ - out + UNITS <= CAP ->
            accepted++;
            kfifo_in(accepted);
#ifdef SPLIT
            kfifo_in(accepted);
#endif
#ifdef CLEARED_BEFORE
            queue_work();
#else
            was_exiting = exiting;
            do
            :: queue_work();
                if
                :: queued || !was_exiting -> break
                :: else -> skip                         /* mdelay(5) */
                fi;
                was_exiting = exiting;
                again = 1;
#if REACH == 1
                assert(false);
#endif
#if TRIES
                count--;
                if
                :: count == 0 -> break
                :: else
                fi
#endif
            od;
#if REACH == 2
            assert(!(again && queued));
#endif
            queued = 0; was_exiting = 0; again = 0
#endif
        :: else                                         /* full: refused */
        fi
    }
    done = 1
}

active proctype Worker() {                              /* scmi_events_dispatcher() of the patch */
    byte header;
end:
    do
    :: linked ->
        linked = 0;
#ifdef CLEARED_BEFORE
        pending = 0;
#endif
        exiting = 0;
        do
        :: d_step { in_ != out -> header = fifo[out % CAP]; out++ };
#ifdef SPLIT
            if
            :: d_step { in_ != out -> assert(fifo[out % CAP] == header); out++ }
            :: in_ == out -> exiting = 1; break         /* the header is forgotten */
            fi;
#endif
            d_step { assert(header == delivered + 1); delivered++; header = 0 }
#ifdef AT_ONCE
        :: d_step { in_ == out -> exiting = 1 }; break
#else
        :: in_ == out -> exiting = 1; break
#endif
        od;
        header = 0;
#ifndef CLEARED_BEFORE
        pending = 0                                     /* the worker has left the function */
#endif
    od
}

active proctype Monitor() {
end:
    timeout -> assert(done && delivered == accepted && in_ == out)
}
