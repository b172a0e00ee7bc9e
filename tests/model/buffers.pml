/* Memory with store buffers: what two threads see of each other's words.
 *
 * Included by the scenes. A plain store goes into the buffer of its thread and reaches memory some time
 * later; a load sees the newest own store, else memory; a full read-modify-write waits until the own
 * buffer is empty and then changes memory itself.
 *
 *   -DMODEL=0   sequential consistency: a store is in memory at once
 *   -DMODEL=1   TSO: a buffer leaves in order (x86-64)
 *   -DMODEL=2   PSO: stores to different words may overtake each other, but not a release mark: the store
 *               side of a machine with weak order
 *
 * Left out: loads that overtake earlier loads. Where that matters the code has an acquire, and the two sides
 * meet in one word by read-modify-writes; a checker of the language's own memory model is the tool for it.
 *
 * The caller defines WORDS, numbers its words from 0, and declares `byte k` where it loads.
 */
#ifndef MODEL
#define MODEL 1
#endif
#define A 0                 /* the two threads */
#define B 1
#define ROOM 6              /* stores that a buffer holds; one more waits */
#define MARK WORDS          /* in a buffer: what is behind may not overtake what is before */

byte mem[WORDS];
byte word[2 * ROOM];
byte value[2 * ROOM];
byte held[2];

#define EMPTY(t) (held[t] == 0)
#define PLACE(t, i) ((t) * ROOM + (i))

inline store_relaxed(t, w, v) {
#if MODEL == 0
    mem[w] = v
#else
    d_step { held[t] < ROOM -> word[PLACE(t, held[t])] = w; value[PLACE(t, held[t])] = v; held[t]++ }
#endif
}

inline store_release(t, w, v) {
#if MODEL == 2
    d_step {
        held[t] + 1 < ROOM ->
        if
        :: held[t] > 0 -> word[PLACE(t, held[t])] = MARK; held[t]++
        :: else
        fi;
        word[PLACE(t, held[t])] = w; value[PLACE(t, held[t])] = v; held[t]++
    }
#else
    store_relaxed(t, w, v)
#endif
}

inline load(t, w, into) {
    d_step {
        into = mem[w];
        k = 0;
        do
        :: k < held[t] && word[PLACE(t, k)] == w -> into = value[PLACE(t, k)]; k++
        :: k < held[t] && word[PLACE(t, k)] != w -> k++
        :: k >= held[t] -> break
        od;
        k = 0
    }
}

/* Every running thread has passed a full barrier at some moment during the call. */
inline membarrier() {
    EMPTY(A) && EMPTY(B)
}

/* One store of thread t reaches memory. */
proctype Drain(byte t) {
    byte i, j;
    bit may;
end:
    do
    :: atomic {
        held[t] > 0 ->
        i = 0;
#if MODEL == 2
        do
        :: i + 1 < held[t] -> i++
        :: break
        od;
#endif
        d_step {
            may = (i == 0 || word[PLACE(t, i)] != MARK);
            j = 0;
            do
            :: j < i ->
                may = may && word[PLACE(t, j)] != MARK && word[PLACE(t, j)] != word[PLACE(t, i)];
                j++
            :: else -> break
            od;
            j = 0;
            i = (may -> i : 0);
            if
            :: word[PLACE(t, i)] != MARK -> mem[word[PLACE(t, i)]] = value[PLACE(t, i)]
            :: else
            fi;
            held[t]--;
            do
            :: i < held[t] ->
                word[PLACE(t, i)] = word[PLACE(t, i + 1)];
                value[PLACE(t, i)] = value[PLACE(t, i + 1)];
                i++
            :: else -> break
            od;
            word[PLACE(t, held[t])] = 0; value[PLACE(t, held[t])] = 0;
            i = 0; may = 0
        }
    }
    od
}
