/* Scenes on the works alone: layer 2 of the core with functions that only count.
 *
 * What is handed over is a number per item: a kicker raises `offered` (as a writer publishes) and kicks, and
 * a run takes over all that it finds there. So a kick that is lost leaves offered > taken behind, and a run
 * too many is merely empty.
 */
#include <string.h>

#include <tocsin/_core/atomic.h>

#include "explorer.h"
#include "shipped.h"

enum { ITEMS = 3, KICKERS = 3, WAITS_FOR_LAST = 10 };

typedef struct {
    void *wq;
    void *items[ITEMS];
    a32 offered[ITEMS];
    uint32_t taken[ITEMS], runs[ITEMS], inside[ITEMS], all_inside;
    uint32_t refuse_runs[ITEMS]; /* no run may begin any more */
    uint32_t flushed, gate;
    uint32_t kicks[KICKERS], target[KICKERS]; /* of each kicker: how often, which item */
    uint32_t max_inside;
} works_t;

extern void *arena_scene(void);
extern void arena_ignore(const void *, size_t);
extern long arena_blocks(void);
#define S ((works_t *)arena_scene())

enum { PENDING = 1, LINKED = 2, RUNNING = 4, TIMED = 8 };

void hook_name(const void *address, uint64_t size, const char *name) { xp_call_it(address, size, name); }
void hook_ignore(const void *address, uint64_t size) { arena_ignore(address, size); }

void hook_item(int i) {
    if (i ==
        WAITS_FOR_LAST) { /* item 1 hangs until item 2 has run: only one more worker can bring that about */
        xp_wait(&S->runs[2]);
        S->taken[1] = a32_load_acquire(&S->offered[1]);
        return;
    }
    xp_scene_step(&S->inside[i]);
    if (S->inside[i]++)
        xp_fail("one-worker", "two workers are inside item %d", i);
    if (S->refuse_runs[i])
        xp_fail("begun", "item %d runs after it was to run no more", i);
    xp_scene_step(&S->runs[i]);
    S->runs[i]++;
    if (S->max_inside) {
        xp_scene_step(&S->all_inside);
        if (++S->all_inside > S->max_inside)
            xp_fail("active", "%u items are active at once", S->all_inside);
    }
    uint32_t seen = a32_load_acquire(&S->offered[i]);
    if (S->max_inside) {
        xp_scene_step(&S->all_inside);
        S->all_inside--;
    }
    xp_scene_step(&S->inside[i]);
    S->inside[i]--;
    S->taken[i] = seen;
}

static void kick(int i) {
    a32_store_release(&S->offered[i], a32_load_relaxed(&S->offered[i]) + 1);
    item_queue(S->items[i]);
}

static void kicker(void *which) {
    uint32_t me = (uint32_t)(uintptr_t)which;
    for (uint32_t n = 0; n < S->kicks[me]; n++)
        kick((int)S->target[me]);
}

static void begin(int workers, int items) {
    S->wq = works_new();
    works_describe(S->wq);
    for (int i = 0; i < items; i++)
        S->items[i] = item_new(S->wq, i);
    xp_call_it(S->offered, sizeof S->offered, "offered");
    xp_call_it(S->inside, sizeof S->inside, "inside");
    works_start(S->wq, workers, 0, workers);
}

static void add_kicker(int me, int item, int kicks) {
    S->kicks[me] = (uint32_t)kicks;
    S->target[me] = (uint32_t)item;
    xp_thread("kicker", kicker, (void *)(uintptr_t)me);
}

static void all_taken(void) {
    for (int i = 0; i < ITEMS; i++)
        if (S->items[i]) {
            if (S->taken[i] != S->offered[i].word)
                xp_fail("stranded", "item %d: %u offered, %u taken", i, S->offered[i].word, S->taken[i]);
            if (item_word(S->items[i]) & (PENDING | LINKED | RUNNING))
                xp_fail("stranded", "all sleep and item %d is still owed a run: state %x", i,
                        (unsigned)item_word(S->items[i]));
        }
}

/* All threads of the queue end; then it goes. */
static void ender(void *unused) {
    (void)unused;
    works_stop(S->wq);
}

static void teardown(void) { works_stop(S->wq); }

static void release(void) {
    if (!works_have_ended(S->wq))
        xp_fail("end", "a worker of a stopped queue has not ended");
    for (int i = 0; i < ITEMS; i++)
        item_free(S->items[i]);
    works_free(S->wq);
}

/* -- kicks ------------------------------------------------------------------------------------ */

enum { ONE_SLEEPING, ONE_STARTING, TWO_KICKERS, TWO_WORKERS, THREE_WORKERS };
static const char *const kick_names[] = {"asleep", "starting", "two-kickers", "two-workers", "three-workers"};

static void just_kick(void *unused) {
    (void)unused;
    item_queue(S->items[0]);
}

static void kick_setup(int variant) {
    begin(variant == TWO_WORKERS ? 2 : variant == THREE_WORKERS ? 3 : 1, 1);
    if (variant != ONE_STARTING)
        xp_run_quietly();
    add_kicker(0, 0, variant == THREE_WORKERS ? 2 : 3);
    if (variant == TWO_KICKERS) /* each changes the word, so no kicker may be the only one to offer */
        xp_thread("other", just_kick, NULL);
}

static const scene_t kicks = {
    .name = "kick",
    .about = "a kick against a worker that begins, runs, leaves, sleeps or starts",
    .setup = kick_setup,
    .final = all_taken,
    .teardown = teardown,
    .release = release,
    .variants = 5,
    .variant_names = kick_names,
};

/* -- the stack -------------------------------------------------------------------------------- */

static const char *const linked_names[] = {"one-worker", "two-workers", "max-active"};

static void linked_setup(int variant) {
    begin(variant ? 2 : 1, 2);
    if (variant == 2) {
        works_limit(S->wq, 1);
        S->max_inside = 1;
    }
    xp_run_quietly();
    add_kicker(0, 0, variant ? 1 : 2);
    add_kicker(1, 1, variant ? 1 : 2);
}

static const scene_t linked = {
    .name = "stack",
    .about = "two items pushed by two kickers",
    .setup = linked_setup,
    .final = all_taken,
    .teardown = teardown,
    .release = release,
    .variants = 3,
    .variant_names = linked_names,
};

/* -- cancelling ------------------------------------------------------------------------------- */

enum { CANCEL, CANCEL_SYNC, CANCEL_TWICE, DISABLE };
static const char *const cancel_names[] = {"cancel", "cancel-sync", "and-kick-again", "disable"};

static void canceller(void *variant) {
    switch ((int)(intptr_t)variant) {
    case CANCEL:
        item_cancel(S->items[0]);
        break;
    case CANCEL_SYNC:
        xp_wait(&S->gate); /* the kicker has done what it had to */
        item_cancel_sync(S->items[0]);
        xp_scene_step(&S->inside[0]);
        if (S->inside[0])
            xp_fail("cancelled", "cancel_sync is back, and a run is in progress");
        S->refuse_runs[0] = 1;
        break;
    case CANCEL_TWICE:
        item_cancel(S->items[0]);
        kick(0);
        break;
    case DISABLE:
        item_disable(S->items[0]);
        item_enable(S->items[0]);
        kick(0);
        break;
    }
}

static void kick_and_open(void *unused) {
    (void)unused;
    item_queue(S->items[0]);
    item_queue(S->items[0]);
    xp_scene_step(&S->gate);
    S->gate = 1;
}

static void cancel_setup(int variant) {
    begin(1, 1);
    xp_run_quietly();
    xp_call_it(&S->gate, 4, "gate");
    xp_thread("kicker", kick_and_open, NULL);
    xp_thread("canceller", canceller, (void *)(intptr_t)variant);
}

static const scene_t cancels = {
    .name = "cancel",
    .about = "cancel, cancel_sync and disable against kicks and runs",
    .setup = cancel_setup,
    .final = all_taken,
    .teardown = teardown,
    .release = release,
    .variants = 4,
    .variant_names = cancel_names,
};

/* -- flushing --------------------------------------------------------------------------------- */

static const char *const flush_names[] = {"one-worker", "two-workers", "against-cancel"};

static void flusher(void *unused) {
    uint32_t offered;
    (void)unused;
    kick(0);
    offered = S->offered[0].word;
    item_flush(S->items[0]);
    xp_scene_step(&S->inside[0]);
    if (S->taken[0] < offered)
        xp_fail("flushed", "flush is back, and %u of %u are taken", S->taken[0], offered);
}

static void cancelled_flusher(void *unused) {
    (void)unused;
    kick(0);
    item_flush(S->items[0]);
}

static void other_kicker(void *unused) {
    (void)unused;
    item_queue(S->items[0]);
    item_queue(S->items[0]);
}

static void just_cancel(void *unused) {
    (void)unused;
    item_cancel(S->items[0]);
}

static void idle_at_end(void) {
    if (item_word(S->items[0]) & (PENDING | LINKED | RUNNING))
        xp_fail("stranded", "state %x", (unsigned)item_word(S->items[0]));
}

static void flush_final(void) {
    if (!S->flushed)
        all_taken();
    else
        idle_at_end();
}

static void flush_setup(int variant) {
    begin(variant == 1 ? 2 : 1, 1);
    xp_run_quietly();
    S->flushed = variant == 2;
    xp_thread("flusher", variant == 2 ? cancelled_flusher : flusher, NULL);
    xp_thread("other", variant == 2 ? just_cancel : other_kicker, NULL);
}

static const scene_t flushes = {
    .name = "flush",
    .about = "waiting for what is owed, against kicks and cancelling",
    .setup = flush_setup,
    .final = flush_final,
    .teardown = teardown,
    .release = release,
    .variants = 3,
    .variant_names = flush_names,
};

/* -- freezing --------------------------------------------------------------------------------- */

static const char *const freeze_names[] = {"one-worker", "two-workers"};

static void freezer(void *unused) {
    (void)unused;
    works_freeze(S->wq);
    works_thaw(S->wq);
}

static void freeze_setup(int variant) {
    begin(variant + 1, 1);
    xp_run_quietly();
    add_kicker(0, 0, 2);
    xp_thread("freezer", freezer, NULL);
}

static const scene_t freezes = {
    .name = "freeze",
    .about = "freeze and thaw against kicks",
    .setup = freeze_setup,
    .final = all_taken,
    .teardown = teardown,
    .release = release,
    .variants = 2,
    .variant_names = freeze_names,
};

/* -- stopping --------------------------------------------------------------------------------- */

static const char *const stop_names[] = {"one-worker", "two-workers"};

static void all_ended(void) {
    if (!works_have_ended(S->wq))
        xp_fail("end", "a worker of a stopped queue has not ended");
}

static void stop_setup(int variant) {
    begin(variant + 1, 1);
    xp_run_quietly();
    add_kicker(0, 0, 2);
    xp_thread("ender", ender, NULL);
}

static const scene_t stops = {
    .name = "stop",
    .about = "workers end, whatever they are doing",
    .setup = stop_setup,
    .final = all_ended,
    .teardown = teardown,
    .release = release,
    .variants = 2,
    .variant_names = stop_names,
};

/* -- time: delayed works and one worker more -------------------------------------------------- */

enum { DELAYED, MODIFIED, DELAYED_CANCEL, ONE_MORE };
static const char *const time_names[] = {"delayed", "modified", "delayed-cancel", "one-more"};

static void delayer(void *variant) {
    item_queue_delayed(S->items[0], 1000000);
    if ((int)(intptr_t)variant == MODIFIED)
        item_modify_delayed(S->items[0], 2000000);
    if ((int)(intptr_t)variant == DELAYED_CANCEL)
        item_cancel(S->items[0]);
}

static void kick_all(void *unused) {
    (void)unused;
    for (int i = 0; i < ITEMS; i++)
        kick(i);
}

static void time_final(void) {
    for (int i = 0; i < ITEMS; i++)
        if (S->items[i] && item_word(S->items[i]) & (PENDING | LINKED | RUNNING | TIMED))
            xp_fail("stranded", "item %d: state %x", i, (unsigned)item_word(S->items[i]));
    if (S->items[2])
        all_taken();
    else if (S->target[0] != DELAYED_CANCEL && S->runs[0] == 0)
        xp_fail("stranded", "a delayed item never ran");
}

static void time_setup(int variant) {
    S->wq = works_new();
    works_describe(S->wq);
    S->items[0] = item_new(S->wq, 0);
    if (variant == ONE_MORE) {
        S->items[1] = item_new(S->wq, WAITS_FOR_LAST);
        S->items[2] = item_new(S->wq, 2);
    }
    works_start(S->wq, 1, 1, 2);
    S->target[0] = (uint32_t)variant;
    xp_run_quietly();
    xp_let_time_pass(4, 0);
    xp_thread("delayer", variant == ONE_MORE ? kick_all : delayer, (void *)(intptr_t)variant);
}

static const scene_t timing = {
    .name = "time",
    .about = "delayed works, and one worker more when all are inside",
    .setup = time_setup,
    .final = time_final,
    .teardown = teardown,
    .release = release,
    .variants = 4,
    .variant_names = time_names,
};

const scene_t *const works_scenes[] = {&kicks, &linked, &cancels, &flushes, &freezes, &stops, &timing, NULL};
