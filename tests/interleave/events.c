/* Scenes on events: the whole path from notify() to the last stage, with
 * everything that can cross it.
 *
 * Every event carries its writer and its number among the accepted events of
 * that writer. The subscribers check at each call: the bytes are whole
 * ("bytes"), the number is the next one ("order": also once), and nobody else
 * is inside the stage ("one-reader"). At the end nothing is pending, all that
 * was accepted has been seen by every subscriber that was there all the time
 * ("stranded"), and the books agree ("books").
 *
 * Rings are small, so that a few events wrap; counters start just before 2^32,
 * or where a variant says.
 */
#include <string.h>

#include <tocsin/_core/atomic.h>

#include "explorer.h"
#include "shipped.h"
#include "world.h"

enum { WRITERS = 4, QUEUES = 3, SLOTS = 4 };
enum { LOCKED, SHARED, EXCLUSIVE };
enum { NATIVE = 1, PYTHON = 2, BOTH = 3 };

typedef struct {
    void *queue;
    tocsin_producer *handle;
    /* By slot: native, Python, and those two once more for subscribers that come
     * later. */
    void *subscribers[SLOTS];
    uint32_t sources[SLOTS]; /* theirs */
    uint32_t seen[SLOTS][WRITERS], calls[SLOTS];
    uint32_t accepted[WRITERS], refused[WRITERS];
    uint32_t inside[2], in_call[2]; /* by stage */
} queue_scene_t;

typedef struct {
    void *world;
    queue_scene_t queues[QUEUES];
    int n_queues, stages, how;
    uint32_t size; /* of a payload */
    uint32_t closed, abandoned, unclaimed_too, is_inside, dropped;
    uint32_t calls_after_stop; /* of the native stage */
    uint32_t books_know_calls; /* each call finds itself in the books */
    uint32_t hears_0_first;    /* writer 1 was heard after writer 0, or neither */
    uint32_t late_hears_1;     /* who came late has to hear all of writer 1, who came
                                  later */
    uint32_t barriers;         /* 0: barriers for everybody work; 1: they fail; n: the n -
                                  1 next ones work */
    struct {
        uint32_t queue, puts, resize, may_stop;
        uint32_t onward; /* each put into the queue after that of the one before */
    } jobs[WRITERS];
} events_t;

typedef struct {
    uint32_t source, writer;
    uint64_t number;
    uint32_t more[8];
} payload_t;

extern void *arena_scene(void);
#define S ((events_t *)arena_scene())

/* -- events
 * -----------------------------------------------------------------------------------
 */

static uint32_t fill(payload_t *payload, uint32_t writer, uint64_t number, uint32_t size) {
    payload->source = writer;
    payload->writer = writer;
    payload->number = number;
    for (int i = 0; i < 8; i++)
        payload->more[i] = (uint32_t)(number * 17 + writer + 1);
    return size;
}

static uint32_t size_of(uint32_t writer, uint32_t number) {
    /* Some records are longer, so that one must be padded at the wrap. */
    return S->jobs[writer].resize && number % 2 == 0 ? 40 : 16;
}

static int put_in(queue_scene_t *q, uint32_t writer) {
    payload_t payload;
    uint32_t number = q->accepted[writer] + 1;
    uint32_t size = fill(&payload, writer, number, size_of(writer, number));
    int refused =
        q->handle ? tocsin_notify(q->handle, 0, &payload, size, 1) : queue_notify(q->queue, &payload, size);
    if (refused)
        q->refused[writer]++;
    else
        q->accepted[writer]++;
    return !refused;
}

static void writer(void *which) {
    uint32_t me = (uint32_t)(uintptr_t)which;
    for (uint32_t n = 0; n < S->jobs[me].puts; n++) {
        S->is_inside += S->jobs[me].may_stop;
        put_in(&S->queues[S->jobs[me].queue + n * S->jobs[me].onward], me);
        S->is_inside -= S->jobs[me].may_stop;
    }
}

static int called(queue_scene_t *q, int slot, const tocsin_event *event) {
    payload_t got, right;
    int stage = slot & 1;
    if (event->size != 16 && event->size != 40) {
        xp_fail("bytes", "an event of %u bytes", event->size);
        return 0;
    }
    __builtin_memcpy(&got, event->payload, event->size);
    fill(&right, got.writer < WRITERS ? got.writer : 0, got.number, 0);
    if (got.writer >= WRITERS || __builtin_memcmp(&got, &right, event->size) != 0 ||
        event->source != got.source)
        xp_fail("bytes", "writer %u, number %llu", got.writer, (unsigned long long)got.number);
    xp_scene_step(&q->in_call[stage]);
    if (q->in_call[stage]++)
        xp_fail("one-reader", "two calls at once in stage %d", stage);
    /* A subscriber that came late sees a suffix of what lay there: for it the
     * first one may be any. */
    if (!(slot >= 2 && q->seen[slot][got.writer] == 0) && got.number != q->seen[slot][got.writer] + 1)
        xp_fail("order", "stage %d, writer %u: %llu after %u", stage, got.writer,
                (unsigned long long)got.number, q->seen[slot][got.writer]);
    if (S->hears_0_first && got.writer == 1 && q->seen[slot][0] == 0)
        xp_fail("order", "an event of writer 1 without the one of writer 0 before it");
    q->seen[slot][got.writer] = (uint32_t)got.number;
    q->calls[slot]++;
    xp_scene_step(&q->in_call[stage]);
    q->in_call[stage]--;
    return 0;
}

static int native_called(void *context, const tocsin_event *event) {
    const queue_scene_t *q = context;
    if (S->books_know_calls && queue_calls_before(q->queue, 0) != (int64_t)q->calls[0])
        xp_fail("books", "they don't know of a call that is running, or of one before it");
    xp_scene_step(&S->abandoned);
    /* One call may have been about to begin when the pipeline was stopped. */
    if (S->abandoned && S->calls_after_stop++)
        xp_fail("stopped", "one more call begins although the pipeline is stopped");
    return called(context, 0, event);
}
/* As the bridge: it looks once more whether a call may begin. */
static int python_called(void *context, const tocsin_event *event) {
    queue_scene_t *q = context;
    return queue_is_stopped(q->queue) ? SKIPPED : called(q, 1, event);
}
static int native_called_late(void *context, const tocsin_event *event) { return called(context, 2, event); }
static int python_called_late(void *context, const tocsin_event *event) { return called(context, 3, event); }
static int python_called_too(void *context, const tocsin_event *event) {
    queue_scene_t *q = context;
    return queue_is_stopped(q->queue) ? SKIPPED : called(q, 3, event);
}

/* Stop at the first call until the last queue has delivered: one worker alone
 * would wait for ever. */
static int native_hangs(void *context, const tocsin_event *event) {
    (void)event;
    (void)context;
    xp_wait(&S->queues[S->n_queues - 1].calls[0]);
    return called(context, 0, event);
}

/* The same from the second call on: before that the worker may look around for
 * it. */
static int native_hangs_later(void *context, const tocsin_event *event) {
    const queue_scene_t *q = context;
    return q->calls[0] ? native_hangs(context, event) : called(context, 0, event);
}

/* The same from the second call on, and it puts an event where another worker
 * may look around. */
static int native_puts_and_hangs_later(void *context, const tocsin_event *event) {
    const queue_scene_t *q = context;
    if (q->calls[0])
        put_in(&S->queues[0], WRITERS - 1);
    return native_hangs_later(context, event);
}

int hook_enter(void *owner) {
    (void)owner;
    return 1;
}
void hook_leave(void *owner) { (void)owner; }
void hook_call_batches(void *owner) { (void)owner; }

void hook_run(void *owner, int stage, int step) {
    queue_scene_t *q = owner;
    if (q == NULL)
        return; /* a queue of other scenes */
    xp_scene_step(&q->inside[stage]);
    q->inside[stage] += (uint32_t)step;
    if (q->inside[stage] > 1)
        xp_fail("one-reader", "two runs at once of stage %d", stage);
}

/* -- the stage set
 * ----------------------------------------------------------------------------
 */

static void subscribe_to(int i, int slot, uint32_t source, tocsin_subscriber function) {
    queue_scene_t *q = &S->queues[i];
    q->sources[slot] = source;
    q->subscribers[slot] = queue_subscribe(q->queue, source, function, q, 0, slot & 1, 0);
}

static void subscribe(int i, int slot, tocsin_subscriber function) {
    subscribe_to(i, slot, EVERY_SOURCE, function);
}

static void cancel(int i, int slot) {
    queue_scene_t *q = &S->queues[i];
    queue_cancel(q->queue, q->sources[slot], q->subscribers[slot], slot & 1);
    queue_let_go(q->queue, q->subscribers[slot]);
    q->subscribers[slot] = NULL;
}

typedef struct {
    int how, stages, queues, native_workers, python_workers;
    uint32_t ring;
    uint64_t start;
    int max_workers; /* not 0: with keepers */
    int handles;     /* writers use a native producer also where it isn't exclusive */
    int fast;        /* kickers look first */
    int spin;        /* native workers look around before they sleep */
} set_t;

static void begin(const set_t *set) {
    S->how = set->how;
    S->stages = set->stages;
    S->n_queues = set->queues ? set->queues : 1;
    S->world = world_new(0, set->how == SHARED);
    if (set->fast)
        world_use_fast_kicks(S->world);
    for (int i = 0; i < S->n_queues; i++) {
        queue_scene_t *q = &S->queues[i];
        q->queue = queue_new(S->world, 16 + i, set->ring ? set->ring : 256,
                             set->start ? set->start : ((uint64_t)1 << 32) - 64, q);
        if (set->how == EXCLUSIVE || set->handles)
            q->handle = handle_new(S->world, q->queue, set->how == EXCLUSIVE);
        if (set->stages & NATIVE)
            subscribe(i, 0, native_called);
        if (set->stages & PYTHON)
            subscribe(i, 1, python_called);
    }
    if (set->spin)
        world_may_spin(S->world);
    int native = set->native_workers ? set->native_workers : (set->stages & NATIVE) != 0;
    int python = set->python_workers ? set->python_workers : (set->stages & PYTHON) != 0;
    if (set->max_workers)
        world_start(S->world, native, python, set->max_workers, 0);
    else
        world_start_bare(S->world, native, python);
    world_describe(S->world);
    for (int i = S->n_queues - 1; i >= 0; i--)
        queue_describe(S->queues[i].queue);
    xp_call_it(S, sizeof *S, "scene");
    xp_run_quietly();
}

static int add_writer(uint32_t me, uint32_t queue, uint32_t puts) {
    S->jobs[me].queue = queue;
    S->jobs[me].puts = puts;
    return xp_thread("writer", writer, (void *)(uintptr_t)me);
}

static void always(void) {
    for (int i = 0; i < S->n_queues && !S->dropped; i++)
        if (!queue_is_sane(S->queues[i].queue))
            xp_fail("counters", "of queue %d are out of order", i);
}

static void final(void) {
    for (int i = 0; i < S->n_queues; i++) {
        queue_scene_t *q = &S->queues[i];
        books_t books;
        uint64_t accepted = 0;
        queue_books(q->queue, &books);
        for (int w = 0; w < WRITERS; w++) {
            accepted += q->accepted[w];
            for (int slot = 0; slot < SLOTS && !S->closed; slot++)
                if (q->subscribers[slot] &&
                    (q->sources[slot] == EVERY_SOURCE || q->sources[slot] == (uint32_t)w) &&
                    (slot < 2 || q->seen[slot][w] || (S->late_hears_1 && w == 1)) &&
                    q->seen[slot][w] != q->accepted[w])
                    xp_fail("stranded", "queue %d, stage %d, writer %d: %u accepted, %u seen", i, slot & 1, w,
                            q->accepted[w], q->seen[slot][w]);
        }
        if (books.accepted != accepted || (!S->abandoned && books.pending != 0) ||
            books.delivered + books.unclaimed + books.abandoned + books.pending != accepted)
            xp_fail("books",
                    "queue %d: %d accepted; %d delivered, %d unclaimed, %d "
                    "abandoned, %d pending",
                    i, (int)accepted, (int)books.delivered, (int)books.unclaimed, (int)books.abandoned,
                    (int)books.pending);
        if (S->abandoned && S->stages != BOTH && books.delivered != q->calls[S->stages == PYTHON])
            xp_fail("books", "queue %d: %d delivered, %d calls", i, (int)books.delivered,
                    (int)q->calls[S->stages == PYTHON]);
        if (S->abandoned && books.unclaimed != 0)
            xp_fail("books", "queue %d: %d unclaimed, and there is somebody", i, (int)books.unclaimed);
        if (!S->closed && S->stages && books.delivered != accepted && !S->unclaimed_too)
            xp_fail("books", "queue %d: %d of %d delivered", i, (int)books.delivered, (int)accepted);
        for (int stage = 0; stage < 2 && !S->closed; stage++)
            if (queue_word(q->queue, stage) & (WORD_PENDING | WORD_LINKED | WORD_RUNNING))
                xp_fail("stranded", "queue %d: all sleep, and stage %d is still owed a run", i, stage);
    }
}

static void teardown(void) {
    if (S->barriers)
        xp_add_time(20000000); /* until who closes can tell again */
    for (int i = 0; i < S->n_queues; i++) {
        queue_scene_t *q = &S->queues[i];
        for (int slot = 0; slot < SLOTS; slot++)
            if (q->subscribers[slot])
                cancel(i, slot);
        if (q->handle && !handle_close(q->handle))
            xp_fail("close", "a writer is still inside");
    }
    world_stop(S->world);
}

static void release(void) {
    if (!world_has_ended(S->world, 0))
        xp_fail("end", "a thread has not ended");
    for (int i = 0; i < S->n_queues; i++)
        if (S->queues[i].handle)
            handle_release(S->queues[i].handle);
    world_release(S->world);
}

#define SCENE(id, what, begins, names)                                                                       \
    static const scene_t id = {.name = #id,                                                                  \
                               .about = what,                                                                \
                               .setup = begins,                                                              \
                               .always = always,                                                             \
                               .final = final,                                                               \
                               .teardown = teardown,                                                         \
                               .release = release,                                                           \
                               .variants = sizeof names / sizeof *names,                                     \
                               .variant_names = names}

/* -- notify
 * -----------------------------------------------------------------------------------
 */

static const char *const notify_names[] = {
    "native-locked", "native-shared", "native-exclusive", "python-locked", "python-shared",
    "both-locked",   "both-shared",   "nobody",           "two-events",    "spinning"};

static void notify_setup(int variant) {
    static const set_t sets[] = {
        {.how = LOCKED, .stages = NATIVE},
        {.how = SHARED, .stages = NATIVE},
        {.how = EXCLUSIVE, .stages = NATIVE},
        {.how = LOCKED, .stages = PYTHON, .native_workers = 1},
        {.how = SHARED, .stages = PYTHON, .native_workers = 1, .handles = 1},
        {.how = LOCKED, .stages = BOTH},
        {.how = SHARED, .stages = BOTH},
        {.how = SHARED, .native_workers = 1, .handles = 1},
        {.how = SHARED, .stages = BOTH},
        {.how = LOCKED, .stages = NATIVE, .spin = 1},
    };
    begin(&sets[variant]);
    S->unclaimed_too = variant == 7;
    add_writer(0, 0, variant == 9 ? 3 : variant >= 5 && variant != 7 && variant != 8 ? 1 : 2);
}

SCENE(notify, "a writer against the stages: the last event needs no later one", notify_setup, notify_names);

/* -- the fast form of the kick
 * ----------------------------------------------------------------- */

enum {
    FAST_BOTH = 4,
    FAST_TWO_EVENTS,
    FAST_CLOSE,
    FAST_FAILS,
    FAST_FAILS_LATER,
    FAST_CLOSE_FAILS,
    FAST_ENDS_EARLY
};
static const char *const fast_names[] = {
    "native-locked",   "native-shared", "native-exclusive", "python-shared", "both-shared", "two-events",
    "close-exclusive", "fails",         "fails-later",      "close-fails",   "ends-early"};

int xp_barrier_works(void) {
    if (S->barriers > 1)
        return S->barriers--, 1;
    return S->barriers == 0;
}

static void fast_closer(void *unused) {
    queue_scene_t *q = &S->queues[0];
    (void)unused;
    queue_shut(q->queue);
    if (!handle_close(q->handle))
        return; /* the producer is inside: the face asks again */
    uint64_t goal = queue_target(q->queue);
    while (!queue_await(q->queue, goal, -1)) {
    }
    if (queue_position_in(q->queue) != goal)
        xp_fail("closed", "an event was published after the door was shut and nobody was inside");
}

static void fast_setup(int variant) {
    static const set_t sets[] = {
        {.how = LOCKED, .stages = NATIVE},
        {.how = SHARED, .stages = NATIVE, .handles = 1},
        {.how = EXCLUSIVE, .stages = NATIVE},
        {.how = SHARED, .stages = PYTHON, .native_workers = 1},
        {.how = SHARED, .stages = BOTH, .handles = 1},
        {.how = LOCKED, .stages = NATIVE},
        {.how = EXCLUSIVE, .stages = NATIVE},
        {.how = LOCKED, .stages = NATIVE, .max_workers = 1},
        {.how = LOCKED, .stages = NATIVE, .max_workers = 1},
        {.how = EXCLUSIVE, .stages = NATIVE, .max_workers = 1},
        {.how = LOCKED, .stages = NATIVE, .queues = 2, .native_workers = 1, .spin = 1},
    };
    set_t set = sets[variant];
    int fails = variant >= FAST_FAILS && variant <= FAST_CLOSE_FAILS;
    set.fast = 1;
    begin(&set);
    if (fails)
        xp_let_time_pass(14, 0); /* it looks again ten times */
    S->barriers = variant == FAST_FAILS_LATER ? 2 : fails;
    if (variant == FAST_ENDS_EARLY) /* the run of the first, which looks around, for the work of the second */
        add_writer(1, 1, 1);
    add_writer(0, 0, variant == FAST_TWO_EVENTS ? 3 : variant == FAST_BOTH ? 1 : 2);
    if (variant == FAST_CLOSE || variant == FAST_CLOSE_FAILS)
        xp_thread("closer", fast_closer, NULL);
}

SCENE(fast,
      "kickers that look first, workers that have everybody pass a barrier, or "
      "can't any more",
      fast_setup, fast_names);

/* -- several writers
 * -------------------------------------------------------------------------- */

static const char *const writers_names[] = {"native", "two-each",  "python",     "both",
                                            "three",  "one-stops", "two-workers"};

static void writers_setup(int variant) {
    static const int stages[] = {NATIVE, NATIVE, PYTHON, BOTH, NATIVE, NATIVE, NATIVE};
    set_t set = {.how = SHARED, .stages = stages[variant], .native_workers = variant == 6 ? 2 : 1};
    begin(&set);
    add_writer(0, 0, variant == 1 ? 2 : 1);
    int last = add_writer(1, 0, variant == 1 ? 2 : 1);
    if (variant == 4)
        add_writer(2, 0, 1);
    if (variant == 5) {
        S->jobs[1].may_stop = 1;
        xp_may_stop(last);
    }
}

/* A writer that stands still inside its reservation delays what others can see,
 * no more: their calls return, what lies before it is delivered, and nothing is
 * delivered twice or out of order. */
static void writers_final(void) {
    if (!machine_any_stopped()) {
        final();
        return;
    }
    queue_scene_t *q = &S->queues[0];
    if (q->accepted[0] != 1)
        xp_fail("waits", "the other writer has not come back");
    if (!S->is_inside)
        final(); /* between two calls it may stand as long as it likes */
    else if (q->seen[0][0] > q->accepted[0])
        xp_fail("order", "more seen than accepted");
}

static const scene_t writers = {.name = "writers",
                                .about =
                                    "writers by reservation, side by side, one of them preempted for ever",
                                .setup = writers_setup,
                                .always = always,
                                .final = writers_final,
                                .teardown = teardown,
                                .release = release,
                                .variants = 7,
                                .variant_names = writers_names};

/* -- the ring ------------------------------------------------------------------------------------ */

static const char *const ring_names[] = {"full-locked", "full-shared",    "wrap-locked",   "wrap-shared",
                                         "wrap-32",     "wrap-48-shared", "wrap-64-locked"};

static void ring_setup(int variant) {
    set_t set = {.how = variant == 1 || variant == 3 || variant == 5 ? SHARED : LOCKED,
                 .stages = NATIVE,
                 .ring = variant < 2 ? 64 : 128};
    set.start = (uint64_t)1 << 32;
    if (variant == 5)
        set.start = (uint64_t)1 << 52; /* where 48 bits of 16 bytes wrap */
    if (variant == 6)
        set.start = 0;
    set.start -= variant < 2 ? 32 : 64;
    begin(&set);
    S->unclaimed_too = 0;
    S->jobs[0].resize = variant >= 2;
    add_writer(0, 0, variant < 2 ? 4 : 5);
}

SCENE(ring, "a full ring, padding at the wrap, counters that wrap", ring_setup, ring_names);

/* -- subscribers
 * ------------------------------------------------------------------------------
 */

enum {
    LEAVE_NATIVE,
    LEAVE_PYTHON,
    JOIN_NATIVE,
    JOIN_PYTHON,
    REPLACE_NATIVE,
    PYTHON_APPEARS,
    PYTHON_VANISHES,
    PYTHON_COMES_AND_GOES,
    PYTHON_RETURNS,
    PYTHON_BLINKS,
    NATIVE_JOINS_PYTHON,
    FIRST_SOURCE,
    SOURCES_CHANGE,
    LEAVE_ROUND_THE_END,
    LEAVE_TWO_KEYS
};
static const char *const subscribers_names[] = {
    "cancel-native",  "cancel-python",        "join-native",         "join-python",
    "replace-native", "python-appears",       "python-vanishes",     "python-comes-and-goes",
    "python-returns", "python-blinks",        "native-joins-python", "first-source",
    "sources-change", "cancel-round-the-end", "cancel-two-keys"};

static void changer(void *raw) {
    int variant = (int)(intptr_t)raw;
    switch (variant) {
    case LEAVE_NATIVE:
    case REPLACE_NATIVE:
    case LEAVE_ROUND_THE_END:
        cancel(0, 0);
        break;
    case LEAVE_TWO_KEYS:
        queue_cancel(S->queues[0].queue, 0, S->queues[0].subscribers[0], 0);
        cancel(0, 0);
        break;
    case LEAVE_PYTHON:
    case PYTHON_VANISHES:
    case PYTHON_RETURNS:
    case PYTHON_BLINKS:
        cancel(0, 1);
        break;
    }
    if (variant == PYTHON_BLINKS)
        put_in(&S->queues[0], 1);
    if (variant == JOIN_NATIVE || variant == REPLACE_NATIVE || variant == NATIVE_JOINS_PYTHON) {
        subscribe(0, 2, native_called_late);
    }
    if (variant == JOIN_PYTHON || variant == PYTHON_APPEARS || variant == PYTHON_COMES_AND_GOES ||
        variant == PYTHON_RETURNS || variant == PYTHON_BLINKS) {
        subscribe(0, 3, python_called_late);
    }
    if (variant == PYTHON_COMES_AND_GOES)
        cancel(0, 3);
    if (variant == FIRST_SOURCE || variant == SOURCES_CHANGE)
        subscribe_to(0, 2, 1, native_called_late);
    if (variant == SOURCES_CHANGE)
        cancel(0, 0);
    if (variant == PYTHON_BLINKS || variant == NATIVE_JOINS_PYTHON || variant == FIRST_SOURCE)
        put_in(&S->queues[0], 1);
}

/* A pad lies before the second of three events, which is handled by itself. */
static void put_round_the_end(void) {
    S->jobs[0].resize = 1;
    for (int i = 0; i < 3; i++)
        put_in(&S->queues[0], 0);
}

/* One subscriber to both sources. */
static void put_for_two_keys(void) {
    subscribe_to(0, 0, 1, native_called);
    queue_subscribe_also(S->queues[0].queue, 0, S->queues[0].subscribers[0], 0);
    S->hears_0_first = 1;
    put_in(&S->queues[0], 0);
    put_in(&S->queues[0], 1);
}

static void subscribers_setup(int variant) {
    static const int stages[] = {NATIVE, PYTHON, 0,      0, NATIVE, NATIVE, BOTH, NATIVE,
                                 BOTH,   BOTH,   PYTHON, 0, 0,      NATIVE, 0};
    int lies_there = variant == LEAVE_ROUND_THE_END || variant == LEAVE_TWO_KEYS;
    set_t set = {.how = SHARED, .stages = stages[variant], .native_workers = 1, .python_workers = 1};
    if (variant == LEAVE_NATIVE || variant == JOIN_NATIVE || variant == REPLACE_NATIVE ||
        variant == FIRST_SOURCE || variant == SOURCES_CHANGE || lies_there)
        set.python_workers = 0;
    begin(&set);
    if (variant == SOURCES_CHANGE)
        subscribe_to(0, 0, 0, native_called);
    S->unclaimed_too = 1;
    if (variant == LEAVE_ROUND_THE_END)
        put_round_the_end();
    else if (variant == LEAVE_TWO_KEYS)
        put_for_two_keys();
    else
        add_writer(0, 0,
                   variant == PYTHON_RETURNS                                    ? 3
                   : variant == PYTHON_BLINKS || variant == NATIVE_JOINS_PYTHON ? 1
                                                                                : 2);
    S->late_hears_1 = variant == NATIVE_JOINS_PYTHON || variant == FIRST_SOURCE;
    xp_thread("changer", changer, (void *)(intptr_t)variant);
}

SCENE(subscribers, "subscribing and cancelling while events are dispatched", subscribers_setup,
      subscribers_names);

/* -- cancelling and waiting for the call that runs
 * ---------------------------------------------- */

static const char *const gone_names[] = {"native", "python"};

static void goes_for_good(void *raw) {
    int stage = (int)(intptr_t)raw;
    queue_scene_t *q = &S->queues[0];
    void *subscriber = q->subscribers[stage];
    queue_cancel(q->queue, EVERY_SOURCE, subscriber, stage);
    while (!queue_await_turn(q->queue, stage, -1)) {
    }
    xp_scene_step(&q->in_call[stage]);
    if (q->in_call[stage])
        xp_fail("cancelled", "the wait for the last call is over, and a call is running");
    q->subscribers[stage] = NULL;
    queue_let_go(q->queue, subscriber);
}

static void gone_setup(int variant) {
    set_t set = {.how = SHARED, .stages = variant ? PYTHON : NATIVE, .native_workers = 1};
    begin(&set);
    S->unclaimed_too = 1;
    add_writer(0, 0, 1);
    xp_thread("canceller", goes_for_good, (void *)(intptr_t)variant);
}

SCENE(gone, "after cancel() and its wait no call is running", gone_setup, gone_names);

/* -- waiting
 * ----------------------------------------------------------------------------------
 */

static const char *const wait_names[] = {"flush-native", "flush-python", "flush-both", "room", "flush-wrap"};

static void flush_waiter(void *unused) {
    queue_scene_t *q = &S->queues[0];
    int last = S->stages & PYTHON ? 1 : 0;
    uint64_t goal;
    uint32_t accepted;
    (void)unused;
    put_in(q, 1);
    accepted = q->accepted[1];
    goal = queue_target(q->queue);
    while (!queue_await(q->queue, goal, -1)) {
    }
    xp_scene_step(&q->in_call[last]);
    if (q->seen[last][1] < accepted)
        xp_fail("flushed", "flush is back, and %u of %u were seen", q->seen[last][1], accepted);
}

static void room_waiter(void *unused) {
    queue_scene_t *q = &S->queues[0];
    payload_t payload;
    (void)unused;
    fill(&payload, 1, 1, 16);
    if (queue_notify_waiting(q->queue, &payload, 16, -1) != 0)
        xp_fail("room", "nobody woke the one who waited for room");
    q->accepted[1]++;
}

static void wait_setup(int variant) {
    static const int stages[] = {NATIVE, PYTHON, BOTH, NATIVE, NATIVE};
    set_t set = {
        .how = SHARED, .stages = stages[variant], .native_workers = 1, .ring = variant == 3 ? 64 : 0};
    if (variant == 4)
        set.start = (uint64_t)-32; /* the event ends where 64 bits wrap */
    begin(&set);
    if (variant == 3)
        add_writer(0, 0, 2);
    xp_thread("waiter", variant == 3 ? room_waiter : flush_waiter, NULL);
    if (variant == 0)
        add_writer(0, 0, 1);
}

SCENE(wait, "waiting for a flush and for room, without the help of a clock", wait_setup, wait_names);

/* -- freezing
 * ---------------------------------------------------------------------------------
 */

static const char *const frozen_names[] = {"native", "python", "both"};

static void freezer(void *unused) {
    (void)unused;
    world_freeze(S->world);
    world_thaw(S->world);
}

static void frozen_setup(int variant) {
    static const int stages[] = {NATIVE, PYTHON, BOTH};
    set_t set = {.how = SHARED, .stages = stages[variant], .native_workers = 1};
    begin(&set);
    add_writer(0, 0, 1);
    xp_thread("freezer", freezer, NULL);
}

SCENE(frozen, "freeze and thaw anywhere", frozen_setup, frozen_names);

/* -- closing
 * ----------------------------------------------------------------------------------
 */

enum { ABANDON = 3, ABANDON_PYTHON, ABANDON_STREAK, ABANDON_CHAIN };
static const char *const close_names[] = {"native-shared",  "native-exclusive", "python",       "abandon",
                                          "abandon-python", "abandon-streak",   "abandon-chain"};

/* As the face closes: shut the door, see that nobody is inside, wait until all
 * is delivered, or abandon. */
static void closer(void *raw) {
    int variant = (int)(intptr_t)raw;
    queue_scene_t *q = &S->queues[0];
    queue_shut(q->queue);
    if (q->handle && !handle_close(q->handle))
        return; /* the producer is inside: the face asks again */
    if (!queue_is_quiet(q->queue))
        return;
    uint64_t goal = queue_target(q->queue);
    if (variant >= ABANDON) {
        world_stop(S->world);
        queue_abandon(q->queue);
        xp_scene_step(&S->abandoned);
        S->abandoned = 1;
    } else {
        while (!queue_await(q->queue, goal, -1)) {
        }
        if (queue_position_in(q->queue) != goal)
            xp_fail("closed", "an event was published after the door was shut and "
                              "nobody was inside");
    }
}

static void close_setup(int variant) {
    set_t set = {.how = variant == 1 ? EXCLUSIVE : SHARED, .stages = NATIVE, .native_workers = 1};
    if (variant == 2 || variant == ABANDON_PYTHON || variant == ABANDON_CHAIN)
        set.stages = PYTHON;
    begin(&set);
    if (variant == ABANDON_CHAIN)
        subscribe(0, 3, python_called_too);
    S->closed = variant >= ABANDON;
    if (variant == ABANDON_STREAK) /* a run begins with a streak of one: three events make one of two */
        for (int i = 0; i < 3; i++)
            put_in(&S->queues[0], 0);
    else
        add_writer(0, 0, 2);
    xp_thread("closer", closer, (void *)(intptr_t)variant);
}

static const scene_t closing = {.name = "close",
                                .about = "closing with events queued and a writer inside",
                                .setup = close_setup,
                                .always = always,
                                .final = final,
                                .teardown = teardown,
                                .release = release,
                                .variants = 7,
                                .variant_names = close_names};

/* -- unregistering
 * ----------------------------------------------------------------------------
 */

enum { CALLER_NATIVE, CALLER_PYTHON, HANDLE, READER };
static const char *const unregister_names[] = {"caller-native", "caller-python", "handle", "reader"};

/* As the face unregisters (lifetime.pxd): nobody may touch what is freed with
 * the last who holds or uses it.
 */
static void unregisterer(void *unused) {
    queue_scene_t *q = &S->queues[0];
    (void)unused;
    queue_shut(q->queue);
    if (!queue_is_quiet(q->queue))
        return; /* the face asks again */
    uint64_t goal = queue_target(q->queue);
    while (!queue_await(q->queue, goal, -1)) {
    }
    queue_disable(q->queue);
    while (!queue_await_idle(q->queue)) {
    }
    for (int slot = 0; slot < 2; slot++)
        if (q->subscribers[slot])
            cancel(0, slot);
    S->dropped = 1;
    queue_remove(S->world, q->queue);
}

/* Who comes from Python holds the queue as long as the call lasts. */
static void caller(void *which) {
    writer(which);
    queue_unhold(S->queues[0].queue);
}

static void last_reader(void *unused) {
    books_t books;
    (void)unused;
    queue_books(S->queues[0].queue, &books);
    queue_unhold(S->queues[0].queue);
}

static void unregister_setup(int variant) {
    set_t set = {.how = SHARED,
                 .stages = variant == CALLER_PYTHON ? PYTHON : NATIVE,
                 .native_workers = 1,
                 .handles = variant == HANDLE};
    begin(&set);
    if (variant == HANDLE) {
        add_writer(0, 0, 2);
    } else {
        queue_hold(S->queues[0].queue);
        S->jobs[0].puts = variant == CALLER_NATIVE ? 2 : 1;
        if (variant == READER)
            put_in(&S->queues[0], 0);
        xp_thread("caller", variant == READER ? last_reader : caller, (void *)0);
    }
    xp_thread("unregister", unregisterer, NULL);
}

static void unregister_final(void) {
    queue_scene_t *q = &S->queues[0];
    int last = S->stages & PYTHON ? 1 : 0;
    if (S->dropped) {
        if (q->seen[last][0] < q->accepted[0])
            xp_fail("stranded", "the queue has gone, and %u of %u were seen", q->seen[last][0],
                    q->accepted[0]);
    } else
        final();
}

static const scene_t unregister = {.name = "unregister",
                                   .about = "a queue that goes while writers, stages and readers are at it",
                                   .setup = unregister_setup,
                                   .always = always,
                                   .final = unregister_final,
                                   .teardown = teardown,
                                   .release = release,
                                   .variants = 4,
                                   .variant_names = unregister_names};

/* -- books
 * ------------------------------------------------------------------------------------
 */

static const char *const books_names[] = {"native", "python"};

static void reader_of_books(void *unused) {
    books_t books;
    (void)unused;
    queue_books(S->queues[0].queue, &books);
    if (books.accepted != books.delivered + books.unclaimed + books.abandoned + books.pending)
        xp_fail("books", "they don't balance");
    if (books.pending > 3 || books.delivered > books.accepted)
        xp_fail("books", "they can't be right");
}

static void books_setup(int variant) {
    set_t set = {.how = LOCKED, .stages = variant ? PYTHON : NATIVE, .native_workers = 1};
    begin(&set);
    for (int i = 0; i < 3; i++) /* a run begins with a streak of one: three events make one of two */
        put_in(&S->queues[0], 0);
    S->jobs[0].puts = 0;
    S->books_know_calls = 1;
    xp_thread("books", reader_of_books, NULL);
}

SCENE(books, "a copy of the books while events are delivered", books_setup, books_names);

/* -- protocols side by side
 * -------------------------------------------------------------------- */

static const char *const side_names[] = {"two-workers", "one-worker",     "one-more",
                                         "spinning",    "spinning-hangs", "spinning-leaves"};

static void side_setup(int variant) {
    set_t set = {.how = SHARED, .stages = NATIVE, .queues = 2, .native_workers = variant == 0 ? 2 : 1};
    if (variant >= 3) {
        set.native_workers = 2;
        set.spin = 1;
    }
    if (variant == 2) {
        set.max_workers = 2;
        set.stages = 0;
        set.native_workers = 1;
        set.python_workers = 0;
    }
    if (variant >= 4)
        set.stages = 0;
    if (variant == 5) {
        set.queues = 3;
        set.native_workers = 3; /* two hang */
    }
    begin(&set);
    if (variant >= 4)
        S->stages = NATIVE;
    if (variant == 4) {
        subscribe(0, 0, native_hangs_later);
        subscribe(1, 0, native_called);
        add_writer(2, 0, 1);
    }
    if (variant == 5) {
        subscribe(0, 0, native_hangs_later);
        subscribe(1, 0, native_puts_and_hangs_later);
        subscribe(2, 0, native_called);
        put_in(&S->queues[0], 0);
        put_in(&S->queues[1], 0);
        S->jobs[1].onward = 1;
        add_writer(1, 1, 2);
        return;
    }
    if (variant == 2) {
        S->stages = NATIVE;
        subscribe(0, 0, native_hangs);
        subscribe(1, 0, native_called);
        xp_let_time_pass(6, 0);
    }
    add_writer(0, 0, 1);
    add_writer(1, 1, 1);
}

SCENE(side, "two protocols, two workers, one worker more", side_setup, side_names);

const scene_t *const events_scenes[] = {&notify, &fast,    &writers,    &ring,  &subscribers, &gone, &wait,
                                        &frozen, &closing, &unregister, &books, &side,        NULL};
