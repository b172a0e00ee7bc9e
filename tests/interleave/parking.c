/* Scenes on the queues of tocsin.compat: threads that park because there is no item, no room or a task left.
 *
 * Every item is got once, those of one putter in their order ("once", "order"), and none is left while
 * somebody wanted one ("left"). Nobody sleeps for ever, which the machine looks at by itself: a waiter whose
 * time is over, or whom an exception takes away, must not keep a call that another one needed. A call brings
 * no more than one of those back who sleep ("herd"). An item has as many references as before when all have
 * let go ("references").
 */
#include <string.h>

#include <tocsin/_core/atomic.h>

#include "explorer.h"
#include "parking.h"

enum { GETTERS = 3, PUTTERS = 3, MOST = 3, FIRST = 1000, SPARE = PUTTERS - 1 };
enum { FOR_EVER = -1, BRIEFLY = 10 };

typedef struct {
    int64_t references; /* the head of an object, as far as it is touched */
    void *type;
    uint32_t putter, number, put, got;
    uint64_t room[4];
} object_t;

typedef struct {
    void *queue;
    object_t items[PUTTERS][MOST];
    uint32_t wants[GETTERS], is_brief[GETTERS], is_interrupted[GETTERS];
    uint32_t puts[PUTTERS], next[GETTERS][PUTTERS];
    uint32_t n_put, came_back, is_quiet, is_over, may_be_left;
} parking_t;

extern void *arena_scene(void);
#define S ((parking_t *)arena_scene())

/* -- who puts and gets ------------------------------------------------------------------------ */

static int put(uint32_t who, uint32_t number) {
    object_t *item = &S->items[who][number];
    for (;;) {
        xp_scene_step(&S->n_put);
        S->n_put++;
        int outcome = guarded_put(S->queue, item, FOR_EVER);
        if (outcome == ADDED)
            item->put = 1;
        if (outcome != NOT_NOW)
            return outcome;
    }
}

static void putter(void *which) {
    uint32_t me = (uint32_t)(uintptr_t)which;
    for (uint32_t n = 0; n < S->puts[me]; n++)
        if (put(me, n) == OVER)
            return;
}

static void take(uint32_t me, object_t *item) {
    if (item->got++)
        xp_fail("once", "item %u of putter %u was got twice", item->number, item->putter);
    if (item->number < S->next[me][item->putter])
        xp_fail("order", "item %u of putter %u came late", item->number, item->putter);
    S->next[me][item->putter] = item->number + 1;
    item->references--;
}

/* Get so many; one who is brief, or interrupted, sleeps once. */
static void getter(void *which) {
    uint32_t me = (uint32_t)(uintptr_t)which;
    int64_t slice = S->is_brief[me] || S->is_interrupted[me] ? BRIEFLY : FOR_EVER;
    for (uint32_t n = 0; n < S->wants[me];) {
        void *item = NULL;
        int outcome = guarded_get(S->queue, &item, slice, (int)S->is_interrupted[me]);
        if (outcome == TAKEN) {
            take(me, item);
            n++;
            if (S->is_brief[me] || S->is_interrupted[me])
                put(SPARE, 0); /* for the one with patience */
        } else if (outcome == OVER || slice == 0 || S->is_interrupted[me]) {
            return;
        } else {
            xp_scene_step(&S->is_over); /* which is a place to switch for both sides */
            if (S->is_quiet && !S->is_over && ++S->came_back > S->n_put)
                xp_fail("herd", "%u have come back for %u items", S->came_back, S->n_put);
            slice = slice == BRIEFLY ? 0 : slice;
        }
    }
}

static void joiner(void *unused) {
    (void)unused;
    while (guarded_join(S->queue)) {
    }
}

static void worker(void *unused) {
    (void)unused;
    guarded_task_done(S->queue);
}

static void closer(void *unused) {
    (void)unused;
    xp_scene_step(&S->is_over);
    S->is_over = 1;
    guarded_shutdown(S->queue);
}

static void last_putter(void *which) {
    putter(which);
    closer(NULL);
}

/* -- the stage set ---------------------------------------------------------------------------- */

static void begin(int bound) {
    S->queue = guarded_new(bound);
    for (uint32_t who = 0; who < PUTTERS; who++)
        for (uint32_t n = 0; n < MOST; n++)
            S->items[who][n] = (object_t){.references = FIRST, .putter = who, .number = n};
    xp_call_it(S, sizeof *S, "scene");
}

static void add_getter(uint32_t me, uint32_t wants) {
    S->wants[me] = wants;
    xp_thread("getter", getter, (void *)(uintptr_t)me);
}

static void add_putter(uint32_t me, uint32_t puts) {
    S->puts[me] = puts;
    xp_thread("putter", putter, (void *)(uintptr_t)me);
}

static void final(void) {
    if (guarded_waiting(S->queue))
        xp_fail("books", "%d are announced, and all have gone", guarded_waiting(S->queue));
    for (uint32_t who = 0; who < PUTTERS; who++)
        for (uint32_t n = 0; n < MOST; n++) {
            const object_t *item = &S->items[who][n];
            if (item->put && !item->got && !S->may_be_left)
                xp_fail("left", "item %u of putter %u", n, who);
            if (item->references != FIRST + (int64_t)item->put - (int64_t)item->got)
                xp_fail("references", "item %u of putter %u has %d too many", n, who,
                        (int)item->references - FIRST);
        }
}

static void release(void) {
    void *item;
    while (guarded_get(S->queue, &item, 0, 0) == TAKEN) {
    }
    guarded_free(S->queue);
}

#define SCENE(id, title, what, begins, names)                                                                \
    static const scene_t id = {.name = title,                                                                \
                               .about = what,                                                                \
                               .setup = begins,                                                              \
                               .final = final,                                                               \
                               .release = release,                                                           \
                               .variants = sizeof names / sizeof *names,                                     \
                               .variant_names = names}

/* -- items ------------------------------------------------------------------------------------ */

enum { TWO_GETTERS, AGAIN, TWO_PUTTERS, TIME_OUT, INTERRUPTED, HERD };
static const char *const item_names[] = {"two-getters", "again",       "two-putters",
                                         "time-out",    "interrupted", "herd"};

static void item_setup(int variant) {
    begin(0);
    if (variant == AGAIN) {
        add_getter(0, 2);
    } else {
        S->is_brief[0] = variant == TIME_OUT;
        S->is_interrupted[0] = variant == INTERRUPTED;
        S->is_quiet = variant == HERD;
        add_getter(0, 1);
        add_getter(1, 1);
    }
    if (variant == TIME_OUT || variant == INTERRUPTED)
        xp_let_time_pass(1, 1);
    if (variant == HERD) {
        add_getter(2, 1);
        xp_run_quietly();
        S->puts[0] = 1;
        xp_thread("putter", last_putter, (void *)0);
        return;
    }
    add_putter(0, variant == TIME_OUT || variant == INTERRUPTED || variant == TWO_PUTTERS ? 1 : 2);
    if (variant == TWO_PUTTERS)
        add_putter(1, 1);
}

SCENE(items, "item", "threads that wait for an item, against puts, time, exceptions", item_setup, item_names);

/* -- room ------------------------------------------------------------------------------------- */

static const char *const space_names[] = {"one-putter", "two-putters"};

static void space_setup(int variant) {
    begin(1);
    add_putter(0, variant == 0 ? 3 : 1);
    if (variant == 1) {
        xp_run_quietly();
        add_putter(1, 1);
        add_putter(2, 1);
    }
    add_getter(0, variant == 0 ? 2 : 3);
    if (variant == 0)
        add_getter(1, 1);
}

SCENE(spaces, "space", "threads that wait for room, against gets", space_setup, space_names);

/* -- the end ---------------------------------------------------------------------------------- */

static const char *const over_names[] = {"getters", "putters", "with-an-item"};

static void over_setup(int variant) {
    begin(variant == 1);
    S->may_be_left = variant == 1;
    if (variant == 1) {
        add_putter(0, 1);
        xp_run_quietly();
        add_putter(1, 1);
        add_putter(2, 1);
    } else {
        add_getter(0, MOST);
        add_getter(1, MOST);
    }
    S->puts[0] = 1;
    if (variant == 2)
        xp_thread("putter", last_putter, (void *)0);
    else
        xp_thread("closer", closer, NULL);
}

SCENE(over, "over", "a shutdown while threads wait", over_setup, over_names);

static const char *const task_names[] = {"joiners"};

static void task_setup(int variant) {
    (void)variant;
    begin(0);
    S->may_be_left = 1;
    add_putter(0, 2);
    xp_run_quietly();
    for (int n = 0; n < 2; n++) {
        xp_thread("joiner", joiner, NULL);
        xp_thread("worker", worker, NULL);
    }
}

SCENE(tasks, "task", "threads that wait for the last task", task_setup, task_names);

const scene_t *const parking_scenes[] = {&items, &spaces, &over, &tasks, NULL};
