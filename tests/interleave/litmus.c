/* Litmus: the pairs of accesses that decide a wake-up, each alone.
 *
 * Every promise of the form "one of the two sees the other" rests on four accesses: each side changes a word
 * and then looks at the other's. Here stands each such pair of the core with the orders that the core uses,
 * on words of its own, and beside it the same with one order taken away. The variant "shipped" must never end
 * in the forbidden outcome; every other variant must, under the memory that check.py names, or the case would
 * say nothing.
 *
 * The two sides of a case are the functions one() and other(); what they saw is in r[], and final() forbids.
 */
#include <string.h>

#include <tocsin/_core/atomic.h>
#include <tocsin/_core/thread.h>

#include "explorer.h"

typedef struct {
    a32 w[4]; /* the words of the case, far enough apart in meaning if not in place */
    a64 state;
    bell_t bell;
    uint32_t r[8];
} words_t;

extern void *arena_scene(void);
#define S ((words_t *)arena_scene())
#define W(i) (&S->w[i])

static int variant;

enum { SHIPPED };

static void begin(int wanted, void (*one)(void *), void (*other)(void *)) {
    variant = wanted;
    memset(S->r, 0, sizeof S->r);
    static const char *const names[] = {"w0", "w1", "w2", "w3"};
    for (int i = 0; i < 4; i++)
        xp_call_it(W(i), 4, names[i]);
    xp_call_it(&S->state, 8, "state");
    xp_call_it(&S->bell, sizeof S->bell, "bell");
    xp_thread("one", one, NULL);
    xp_thread("other", other, NULL);
}

static void see(int i, uint32_t value) { S->r[i] = value; }

static void never(int happened, const char *what) {
    if (happened)
        xp_fail("litmus", "%s", what);
}

/* -- kick: work.pxd [work-kicked], kfifo.pxd [bytes-ready] ------------------------------------- */
/* w0 the record, w1 `in_`, state PENDING. r0: the kicker saw PENDING; r1, r2: what the run saw. */

enum { CLEAR_BY_STORE = 1, LOOK_FIRST, PUBLISH_RELAXED, FAST_FORM, FAST_WITHOUT_BARRIER, LOOK_FIRST_FENCED };
static const char *const kick_names[] = {"shipped",          "clear-by-store", "look-first",
                                         "publish-relaxed",  "fast-form",      "fast-without-barrier",
                                         "look-first-fenced"};

static void kick_kicker(void *unused) {
    (void)unused;
    a32_store_relaxed(W(0), 42);
    if (variant == PUBLISH_RELAXED)
        a32_store_relaxed(W(1), 1);
    else
        a32_store_release(W(1), 1);
    if (variant == LOOK_FIRST_FENCED)
        a32_fetch_add_full(W(3), 0); /* as strong as a fence, on a word that nobody else touches */
    if (variant >= LOOK_FIRST && variant != PUBLISH_RELAXED && a64_load_relaxed(&S->state)) {
        see(0, 1);
        return;
    }
    see(0, (uint32_t)a64_fetch_or_full(&S->state, 1));
}

static void kick_worker(void *unused) {
    uint64_t seen = 1;
    (void)unused;
    if (variant == CLEAR_BY_STORE || variant == FAST_FORM || variant == FAST_WITHOUT_BARRIER)
        a64_store_release(&S->state, 0);
    else
        while (!a64_cas_full(&S->state, &seen, 0)) {
        }
    if (variant == FAST_FORM)
        xp_barrier();
    see(1, a32_load_acquire(W(1)));
    if (S->r[1])
        see(2, a32_load_relaxed(W(0)));
}

static void kick_setup(int wanted) {
    S->state.word = 1; /* a run is owed */
    begin(wanted, kick_kicker, kick_worker);
}

static void kick_final(void) {
    never(S->r[0] && !S->r[1], "the kicker found a run owed, and that run doesn't see the event");
    never(S->r[1] && S->r[2] != 42, "the counter is seen and the record is not");
}

static const scene_t kick = {
    .name = "litmus-kick",
    .about = "a kick against the run that begins",
    .setup = kick_setup,
    .final = kick_final,
    .variants = 7,
    .variant_names = kick_names,
};

/* -- sleep: workqueue.pxd [work-pushed], [sleeper-announced] ----------------------------------- */
/* state: the stack; w1: sleepers. r0: the pusher saw a sleeper; r1: the worker saw the item. */

enum { ANNOUNCE_BY_STORE = 1, PUSH_BY_STORE };
static const char *const sleep_names[] = {"shipped", "announce-by-store", "push-by-store"};

static void sleep_pusher(void *unused) {
    uint64_t seen = 0;
    (void)unused;
    if (variant == PUSH_BY_STORE)
        a64_store_release(&S->state, 1);
    else
        a64_cas_full(&S->state, &seen, 1);
    see(0, a32_load_seq_cst(W(1)));
}

static void sleep_worker(void *unused) {
    (void)unused;
    if (variant == ANNOUNCE_BY_STORE)
        a32_store_release(W(1), 1);
    else
        a32_fetch_add_full(W(1), 1);
    see(1, (uint32_t)a64_load_acquire(&S->state));
}

static void sleep_setup(int wanted) { begin(wanted, sleep_pusher, sleep_worker); }
static void sleep_final(void) {
    never(!S->r[0] && !S->r[1], "the pusher sees no sleeper and the sleeper no item");
}

static const scene_t going_to_sleep = {
    .name = "litmus-sleep",
    .about = "a push against a worker that goes to sleep",
    .setup = sleep_setup,
    .final = sleep_final,
    .variants = 3,
    .variant_names = sleep_names,
};

/* -- spin: worker.pxd [spinner-gone], workqueue.pxd [work-pushed] -------------------------------- */
/* state: the stack; w1: spinners, 1 at first. */

enum { LEAVE_BY_STORE = 1 };
static const char *const spin_names[] = {"shipped", "leave-by-store"};

static void spin_worker(void *unused) {
    (void)unused;
    if (variant == LEAVE_BY_STORE)
        a32_store_release(W(1), 0);
    else
        a32_fetch_sub_full(W(1), 1);
    see(1, (uint32_t)a64_load_acquire(&S->state));
}

static void spin_setup(int wanted) {
    S->w[1].word = 1;
    begin(wanted, sleep_pusher, spin_worker);
}
static void spin_final(void) {
    never(S->r[0] && !S->r[1],
          "the pusher takes a worker for looking, and it has left without seeing the item");
}

static const scene_t looking_around = {
    .name = "litmus-spin",
    .about = "a push against a worker that has looked around long enough",
    .setup = spin_setup,
    .final = spin_final,
    .variants = 2,
    .variant_names = spin_names,
};

/* -- keeper: worker.pxd [keeper-disarmed], workqueue.pxd [work-pushed] --------------------------- */
/* state: the stack; w1: keeper_armed, 1 at first. */

enum { DISARM_BY_STORE = 1 };
static const char *const keeper_names[] = {"shipped", "disarm-by-store"};

static void keeper_pusher(void *unused) {
    uint64_t seen = 0;
    (void)unused;
    a64_cas_full(&S->state, &seen, 1);
    see(0, a32_load_seq_cst(W(1)));
}

static void keeper_keeper(void *unused) {
    (void)unused;
    if (variant == DISARM_BY_STORE)
        a32_store_release(W(1), 0);
    else
        a32_exchange_full(W(1), 0);
    see(1, (uint32_t)a64_load_acquire(&S->state));
}

static void keeper_setup(int wanted) {
    S->w[1].word = 1;
    begin(wanted, keeper_pusher, keeper_keeper);
}
static void keeper_final(void) {
    never(S->r[0] && !S->r[1],
          "the pusher takes the keeper for armed, and it has disarmed without seeing the item");
}

static const scene_t keeper = {
    .name = "litmus-keeper",
    .about = "a push against a keeper that disarms",
    .setup = keeper_setup,
    .final = keeper_final,
    .variants = 2,
    .variant_names = keeper_names,
};

/* -- bell: thread.h ---------------------------------------------------------------------------- */
/* w0: what is waited for. The sleeper reads the count, looks, and parks. */

enum { LOOK_THEN_READ = 1, WAKE_ONLY, COUNT_ONLY };
static const char *const bell_names[] = {"shipped", "look-then-read", "wake-only", "count-only"};

static void bell_ringer(void *unused) {
    (void)unused;
    a32_store_release(W(0), 1);
    if (variant != WAKE_ONLY)
        a32_fetch_add_full(&S->bell.count, 1);
    if (variant != COUNT_ONLY)
        xp_wake(&S->bell.count, 1);
}

static void bell_sleeper(void *unused) {
    uint32_t seen = 0;
    (void)unused;
    for (;;) {
        if (variant != LOOK_THEN_READ)
            seen = bell_look(&S->bell);
        if (a32_load_acquire(W(0)))
            return;
        if (variant == LOOK_THEN_READ)
            seen = bell_look(&S->bell);
        bell_park(&S->bell, seen, -1);
    }
}

static void bell_setup(int wanted) { begin(wanted, bell_ringer, bell_sleeper); }

static const scene_t ringing = {
    .name = "litmus-bell",
    .about = "a ring against one who goes to park",
    .setup = bell_setup,
    .variants = 4,
    .variant_names = bell_names,
};

/* -- progress: equeue.pxd [stage-turn], awaited -------------------------------------------------- */
/* w0: `out`; w1: the turn; w2: awaited. r0: the stage took the announcement; r1: the waiter saw `out`. */

enum { TURN_BY_STORE = 1, WAITER_ONLY_LOOKS };
static const char *const progress_names[] = {"shipped", "turn-by-store", "waiter-only-looks"};

static void progress_stage(void *unused) {
    (void)unused;
    a32_store_release(W(0), 1);
    if (variant == TURN_BY_STORE)
        a32_store_release(W(1), 2);
    else
        a32_fetch_add_full(W(1), 2);
    see(0, a32_load_seq_cst(W(2)) && a32_exchange_full(W(2), 0));
}

static void progress_waiter(void *unused) {
    (void)unused;
    if (variant == WAITER_ONLY_LOOKS)
        a32_store_release(W(2), 1);
    else
        a32_exchange_full(W(2), 1);
    if (variant != WAITER_ONLY_LOOKS)
        a32_fetch_add_full(W(1), 0);
    see(1, a32_load_acquire(W(0)));
}

static void progress_setup(int wanted) { begin(wanted, progress_stage, progress_waiter); }
static void progress_final(void) {
    never(!S->r[0] && !S->r[1], "the stage sees no waiter and the waiter no progress");
}

static const scene_t progress = {
    .name = "litmus-progress",
    .about = "a stage that published against one who waits for it",
    .setup = progress_setup,
    .final = progress_final,
    .variants = 3,
    .variant_names = progress_names,
};

/* -- retire: equeue.pxd [stage-turn], subscribe.pxd [chain-swapped] --------------------------------- */
/* w0: the chain (0 old, 1 new); w1: the turn. r0: the turn that the swapper saw; r1: the chain of the run. */

enum { RUN_BY_STORE = 1, SWAPPER_LOADS };
static const char *const retire_names[] = {"shipped", "run-by-store", "swapper-loads"};

static void retire_swapper(void *unused) {
    (void)unused;
    a32_store_release(W(0), 1);
    see(0, variant == SWAPPER_LOADS ? a32_load_acquire(W(1)) : a32_fetch_add_full(W(1), 0));
}

static void retire_stage(void *unused) {
    (void)unused;
    if (variant == RUN_BY_STORE)
        a32_store_release(W(1), 1);
    else
        a32_fetch_add_full(W(1), 1);
    see(1, a32_load_acquire(W(0)));
}

static void retire_setup(int wanted) { begin(wanted, retire_swapper, retire_stage); }
static void retire_final(void) {
    never(S->r[0] == 0 && S->r[1] == 0,
          "the swapper takes the stage for outside, and it is in the old chain");
}

static const scene_t retire = {
    .name = "litmus-retire",
    .about = "a swap of a chain against a run that begins",
    .setup = retire_setup,
    .final = retire_final,
    .variants = 3,
    .variant_names = retire_names,
};

/* -- exclusive: producer.pxd [producer-inside], [producer-closed] -------------------------------- */

enum { ENTER_BY_STORE = 1, CLOSE_BY_STORE };
static const char *const exclusive_names[] = {"shipped", "enter-by-store", "close-by-store"};

static void exclusive_producer(void *unused) {
    (void)unused;
    if (variant == ENTER_BY_STORE)
        a32_store_release(W(0), 1);
    else
        a32_exchange_full(W(0), 1);
    see(0, a32_load_seq_cst(W(1)));
}

static void exclusive_closer(void *unused) {
    (void)unused;
    if (variant == CLOSE_BY_STORE)
        a32_store_release(W(1), 1);
    else
        a32_exchange_full(W(1), 1);
    see(1, a32_load_seq_cst(W(0)));
}

static void exclusive_setup(int wanted) { begin(wanted, exclusive_producer, exclusive_closer); }
static void exclusive_final(void) {
    never(!S->r[0] && !S->r[1], "the producer goes on while its closer believes that it is outside");
}

static const scene_t exclusive = {
    .name = "litmus-exclusive",
    .about = "an exclusive producer against its closer",
    .setup = exclusive_setup,
    .final = exclusive_final,
    .variants = 3,
    .variant_names = exclusive_names,
};

/* -- last one out: ring.pxd [record-complete], kfifo.pxd [bytes-ready] ---------------------------- */
/* w0, w1: the two records; state: writers in; w2: `in_`. The reader looks at `in_` and then at both. */

enum { LEAVE_BY_RELAXED = 1, PUBLISH_FIRST };
static const char *const leaving_names[] = {"shipped", "publish-relaxed", "publish-in-company"};

static void leaving_writer(void *which) {
    uint64_t word;
    a32_store_relaxed(W((int)(intptr_t)which), 42);
    word = a64_load_acquire(&S->state);
    do {
        if (variant == PUBLISH_FIRST || word == 1) {
            if (variant == LEAVE_BY_RELAXED)
                a32_store_relaxed(W(2), 1);
            else
                a32_store_release(W(2), 1);
        }
    } while (!a64_cas_full(&S->state, &word, word - 1));
}

static void leaving_reader(void *unused) {
    (void)unused;
    see(0, a32_load_acquire(W(2)));
    if (S->r[0]) {
        see(1, a32_load_relaxed(W(0)));
        see(2, a32_load_relaxed(W(1)));
    }
}

static void leaving_one(void *unused) {
    (void)unused;
    leaving_writer((void *)0);
}
static void leaving_other(void *unused) {
    (void)unused;
    leaving_writer((void *)1);
}

static void leaving_setup(int wanted) {
    S->state.word = 2;
    begin(wanted, leaving_one, leaving_other);
    xp_thread("reader", leaving_reader, NULL);
}
static void leaving_final(void) {
    never(S->w[2].word != 1, "both have left, and nobody published");
    never(S->r[0] && (S->r[1] != 42 || S->r[2] != 42), "published, and a record is not written");
}

static const scene_t leaving = {
    .name = "litmus-last-out",
    .about = "two writers that leave, and a reader",
    .setup = leaving_setup,
    .final = leaving_final,
    .variants = 3,
    .variant_names = leaving_names,
};

/* -- handover: equeue.pxd [native-passed], [end-owned], kfifo.pxd [space-freed] -------------------- */
/* The native stage frees up to w0 (`out`), then hands over by w1 (`passed`); the Python stage starts at
 * `out`. */

enum { PASSED_RELAXED = 1, OUT_FIRST };
static const char *const handover_names[] = {"shipped", "passed-relaxed", "out-read-first"};

static void handover_native(void *unused) {
    (void)unused;
    a32_store_release(W(0), 1); /* out: one event was its own */
    if (variant == PASSED_RELAXED)
        a32_store_relaxed(W(1), 2);
    else
        a32_store_release(W(1), 2);
}

static void handover_python(void *unused) {
    (void)unused;
    if (variant == OUT_FIRST)
        see(1, a32_load_relaxed(W(0)));
    see(0, a32_load_acquire(W(1)));
    if (variant != OUT_FIRST)
        see(1, a32_load_relaxed(W(0)));
}

static void handover_setup(int wanted) { begin(wanted, handover_native, handover_python); }
static void handover_final(void) {
    never(S->r[0] == 2 && S->r[1] == 0, "the Python stage begins before what the native stage has freed");
}

static const scene_t handover = {
    .name = "litmus-handover",
    .about = "the end of the queue changes hands",
    .setup = handover_setup,
    .final = handover_final,
    .variants = 3,
    .variant_names = handover_names,
};

/* -- books: ledger.pxd [ledger-entry] ------------------------------------------------------------ */
/* w0 sequence; w1 position; w2 delivered, always equal. */

enum { ENTRIES_RELAXED = 1, NO_SEQUENCE };
static const char *const ledger_names[] = {"shipped", "entries-relaxed", "no-sequence"};

static void ledger_writer(void *unused) {
    (void)unused;
    for (uint32_t i = 1; i <= 2; i++) {
        a32_store_relaxed(W(0), 2 * i - 1);
        if (variant == ENTRIES_RELAXED) {
            a32_store_relaxed(W(1), i);
            a32_store_relaxed(W(2), i);
            a32_store_relaxed(W(0), 2 * i);
        } else {
            a32_store_release(W(1), i);
            a32_store_release(W(2), i);
            a32_store_release(W(0), 2 * i);
        }
    }
}

static void ledger_reader(void *unused) {
    (void)unused;
    for (int tries = 0; tries < 3; tries++) {
        uint32_t sequence = a32_load_acquire(W(0));
        see(0, a32_load_acquire(W(1)));
        see(1, a32_load_acquire(W(2)));
        if (variant == NO_SEQUENCE || ((sequence & 1) == 0 && a32_load_relaxed(W(0)) == sequence)) {
            see(2, 1);
            return;
        }
    }
}

static void ledger_setup(int wanted) { begin(wanted, ledger_writer, ledger_reader); }
static void ledger_final(void) {
    never(S->r[2] && S->r[0] != S->r[1], "a copy of the ledger from two different moments");
}

static const scene_t ledger = {
    .name = "litmus-ledger",
    .about = "a copy of a ledger while it is written",
    .setup = ledger_setup,
    .final = ledger_final,
    .variants = 3,
    .variant_names = ledger_names,
};

const scene_t *const litmus_scenes[] = {&kick,    &going_to_sleep, &looking_around, &keeper,
                                        &ringing, &progress,       &retire,         &exclusive,
                                        &leaving, &handover,       &ledger,         NULL};
