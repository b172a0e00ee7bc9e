/* Scenes on channels: a native stage that puts events in, readers that take them, and all that waits in
 * between.
 *
 * Events carry their number, from 1 on. A reader checks each one that it takes: the bytes are whole
 * ("bytes"), and with what it tells of lost ones it follows the one taken before it, by whichever reader
 * ("lost"). At the end nobody sleeps and no event lies there that somebody should have taken ("stranded"),
 * and the books of the channel agree with what was taken and with each other ("books"). What must not be
 * dropped is not ("dropped").
 *
 * Where a scene has no clock, nothing but the one who should wakes a sleeper.
 */
#include <string.h>

#include <tocsin/_core/atomic.h>

#include "channels.h"
#include "explorer.h"
#include "shipped.h"

enum { READERS = 2, QUEUES = 2, MOST = 8, LARGEST = PAYLOAD_BYTES, HOUR = 3600, CLOSED = 2 };

typedef struct {
    void *world, *channel, *queues[QUEUES], *subscribers[QUEUES];
    uint32_t n_queues, n_events, overflow, capacity;
    uint32_t wants[READERS]; /* a reader stops after so many events, or at the one of this number */
    uint32_t last_number;
    uint32_t seen[QUEUES][MOST + 1]; /* by number */
    uint32_t order[MOST + 1];        /* what was taken as the how-manieth: number and lost */
    uint32_t lost_of[MOST + 1];
    uint32_t n_taken, closed, may_drop, in_both_chains;
    void *doorbells[READERS]; /* of readers that are event loops */
    a32 descriptors[READERS]; /* 1: can be read */
} channels_t;

typedef struct {
    uint32_t source, number;
    uint64_t words[4];
} payload_t;

extern void *arena_scene(void);
#define S ((channels_t *)arena_scene())

/* -- events ----------------------------------------------------------------------------------- */

static uint32_t fill(payload_t *payload, uint32_t source, uint32_t number) {
    payload->source = source;
    payload->number = number;
    for (int i = 0; i < 4; i++)
        payload->words[i] = number * 17 + source + 1;
    return S->overflow == LATEST && number % 2 == 0 ? LARGEST
                                                    : 16; /* longer ones take the place of shorter */
}

static void put_in(int q, uint32_t number) {
    payload_t payload;
    uint32_t size = fill(&payload, q, number);
    if (queue_notify(S->queues[q], &payload, size) != 0)
        xp_fail("room", "the queue has none: a defect of the scene");
}

static int take(uint32_t me) {
    payload_t got, right;
    taken_t taken;
    (void)me;
    if (!channel_take(S->channel, &got, &taken))
        return 0;
    uint32_t q = got.source < QUEUES ? got.source : 0;
    uint32_t size = fill(&right, q, got.number);
    if (got.source >= S->n_queues || got.number == 0 || got.number > MOST || taken.size != size ||
        memcmp(&got, &right, size) != 0) {
        xp_fail("bytes", "source %u, number %u, %u bytes", got.source, got.number, taken.size);
        return 0;
    }
    xp_scene_step(&S->n_taken);
    S->n_taken++;
    if (S->seen[q][got.number]++)
        xp_fail("once", "event %u was taken twice", got.number);
    if (taken.number > MOST || S->order[taken.number])
        xp_fail("order", "two events were taken as number %u", (unsigned)taken.number);
    S->order[taken.number] = got.number;
    S->lost_of[taken.number] = (uint32_t)taken.lost;
    if (S->last_number && got.number == S->last_number)
        channel_end(S->channel); /* nothing more will come */
    return 1;
}

static void reader(void *which) {
    uint32_t me = (uint32_t)(uintptr_t)which;
    for (uint32_t n = 0; n < S->wants[me];) {
        if (take(me)) {
            n++;
            continue;
        }
        if (channel_sleep(S->channel) == IS_OVER) {
            if (take(me))
                xp_fail("over", "it was said to be over, and there was an event");
            return;
        }
    }
}

/* One whose time is over: it has been announced meanwhile, and may have been called. */
static void impatient(void *which) {
    if (channel_give_up(S->channel) != IS_EMPTY)
        take((uint32_t)(uintptr_t)which);
}

/* -- readers that are event loops -------------------------------------------------------------- */

a32 *descriptor_word(int descriptor) { return &S->descriptors[descriptor]; }

static void loop(void *which) {
    uint32_t me = (uint32_t)(uintptr_t)which;
    void *word = &S->descriptors[me];
    for (uint32_t n = 0; n < S->wants[me];) {
        if (take(me)) {
            n++;
            continue;
        }
        int found = doorbell_look(S->channel, S->doorbells[me]);
        if (found == IS_OVER) {
            if (take(me))
                xp_fail("over", "it was said to be over, and there was an event");
            break;
        }
        if (found == IS_EMPTY) { /* polls: nobody else wakes it */
            while (a32_load_seq_cst(&S->descriptors[me]) == 0)
                xp_park(word, 0, -1);
            a32_exchange_full(&S->descriptors[me], 0);
        }
    }
    doorbell_silence(S->channel, S->doorbells[me]);
    a32_exchange_full(&S->descriptors[me], CLOSED); /* nobody writes to it from now on */
}

/* -- the end of a flood ---------------------------------------------------------------------- */

static void flusher(void *unused) {
    (void)unused;
    uint64_t goal = queue_target(S->queues[0]);
    while (!queue_await(S->queues[0], goal, -1)) {
    }
}

static void closer(void *unused) {
    (void)unused;
    flusher(NULL); /* as a pipeline closes: all was offered */
    channel_end(S->channel);
}

/* -- the stage set ---------------------------------------------------------------------------- */

typedef struct {
    int overflow, capacity, events, queues, is_locked, keeper, in_both_chains;
    uint64_t timeout;
} set_t;

static void begin(const set_t *set) {
    S->overflow = set->overflow;
    S->capacity = set->capacity;
    S->n_events = set->events;
    S->n_queues = set->queues ? set->queues : 1;
    S->may_drop = set->overflow != BLOCK;
    S->in_both_chains = set->in_both_chains;
    S->world = world_new(0, 1);
    S->channel = channel_make(set->overflow, set->capacity, set->timeout, set->is_locked);
    for (uint32_t q = 0; q < S->n_queues; q++) {
        S->queues[q] = queue_new(S->world, 16 + q, 512, ((uint64_t)1 << 32) - 64, NULL);
        channel_listen_to(S->channel, S->queues[q], set->capacity == 1 ? 128 : 256, ((uint64_t)1 << 32) - 32,
                          LARGEST);
        S->subscribers[q] = channel_subscribe(S->channel, S->queues[q], S->in_both_chains);
    }
    if (set->keeper)
        world_start(S->world, S->n_queues, 0, S->n_queues, 0);
    else
        world_start_bare(S->world, S->n_queues, 0);
    world_describe(S->world);
    for (int q = (int)S->n_queues - 1; q >= 0; q--)
        queue_describe(S->queues[q]);
    channel_describe(S->channel);
    xp_call_it(S, sizeof *S, "scene");
    xp_run_quietly();
    for (int number = 1; number <= set->events; number++)
        for (uint32_t q = 0; q < S->n_queues; q++)
            put_in(q, number);
}

static int add_reader(uint32_t me, uint32_t wants) {
    S->wants[me] = wants;
    return xp_thread("reader", reader, (void *)(uintptr_t)me);
}

static void final(void) {
    tally_t tally;
    uint32_t expected = 1, lost = 0;
    channel_books(S->channel, &tally);
    if (tally.offered != tally.delivered + tally.dropped + tally.conflated + tally.pending)
        xp_fail("books", "%d offered; %d delivered, %d dropped, %d conflated, %d pending", (int)tally.offered,
                (int)tally.delivered, (int)tally.dropped, (int)tally.conflated, (int)tally.pending);
    if (tally.delivered != S->n_taken || tally.pending > S->capacity)
        xp_fail("books", "%u taken, %d delivered, %d pending", S->n_taken, (int)tally.delivered,
                (int)tally.pending);
    if (!S->closed && tally.offered != S->n_events * S->n_queues)
        xp_fail("stranded", "%d of %u were offered", (int)tally.offered, S->n_events * S->n_queues);
    if (!S->may_drop && tally.dropped)
        xp_fail("dropped", "%d, although somebody would have made room", (int)tally.dropped);
    for (uint32_t q = 0; q < S->n_queues; q++)
        if (!S->closed && queue_word(S->queues[q], 0) & (WORD_PENDING | WORD_LINKED | WORD_RUNNING))
            xp_fail("stranded", "all sleep, and the stage is still owed a run");
    if (S->n_queues == 1 && S->overflow != LATEST)
        for (int n = 1; n <= MOST; n++)
            if (S->order[n]) {
                lost += S->lost_of[n];
                if (S->order[n] != expected + S->lost_of[n])
                    xp_fail("lost", "event %u after %u tells of %u lost", S->order[n], expected - 1,
                            S->lost_of[n]);
                expected = S->order[n] + 1;
            }
    if (lost > tally.dropped)
        xp_fail("lost", "%u were told of, %d were dropped", lost, (int)tally.dropped);
}

static void teardown(void) {
    for (uint32_t q = 0; q < S->n_queues; q++) {
        if (S->subscribers[q]) {
            channel_leave(S->queues[q], S->subscribers[q], S->in_both_chains);
            queue_let_go(S->queues[q], S->subscribers[q]);
        }
    }
    world_stop(S->world);
}

static void release(void) {
    if (!world_has_ended(S->world, 0))
        xp_fail("end", "a thread has not ended");
    world_release(S->world);
    channel_free(S->channel);
}

#define SCENE(id, title, what, begins, names)                                                                \
    static const scene_t id = {.name = title,                                                                \
                               .about = what,                                                                \
                               .setup = begins,                                                              \
                               .final = final,                                                               \
                               .teardown = teardown,                                                         \
                               .release = release,                                                           \
                               .variants = sizeof names / sizeof *names,                                     \
                               .variant_names = names}

static int add_loop(uint32_t me, uint32_t wants) {
    S->wants[me] = wants;
    S->doorbells[me] = doorbell_make(me);
    return xp_thread("loop", loop, (void *)(uintptr_t)me);
}

/* -- waking readers --------------------------------------------------------------------------- */

static const char *const wake_names[] = {"one-reader", "two-readers", "locked", "two-protocols", "gives-up"};

static void wake_setup(int variant) {
    static const set_t sets[] = {
        {.overflow = DROP_NEWEST, .capacity = 3, .events = 2},
        {.overflow = DROP_NEWEST, .capacity = 3, .events = 3}, /* the last two in one streak */
        {.overflow = DROP_OLDEST, .capacity = 3, .events = 2, .is_locked = 1},
        {.overflow = DROP_NEWEST, .capacity = 3, .events = 1, .queues = 2, .is_locked = 1},
        {.overflow = DROP_NEWEST, .capacity = 3, .events = 3},
    };
    begin(&sets[variant]);
    add_reader(0, 2);
    if (variant == 1)
        add_reader(1, 1);
    else if (variant == 4)
        xp_thread("impatient", impatient, (void *)1);
}

SCENE(wake, "channel", "readers that wait, against the stage: the last event needs no later one", wake_setup,
      wake_names);

static const char *const doorbell_names[] = {"one-loop", "two-loops", "with-a-thread", "closed"};

static void doorbell_setup(int variant) {
    static const set_t sets[] = {
        {.overflow = DROP_NEWEST, .capacity = 3, .events = 2},
        {.overflow = DROP_NEWEST, .capacity = 3, .events = 2},
        {.overflow = DROP_NEWEST, .capacity = 3, .events = 2},
        {.overflow = DROP_NEWEST, .capacity = 3, .events = 1},
    };
    begin(&sets[variant]);
    add_loop(0, variant == 3 ? MOST : variant == 0 ? 2 : 1);
    if (variant == 1)
        add_loop(1, 1);
    else if (variant == 2)
        add_reader(1, 1);
    else if (variant == 3)
        xp_thread("closer", closer, NULL);
}

static void doorbell_final(void) {
    for (int me = 0; me < READERS; me++)
        if (S->doorbells[me] && a32_load_relaxed(&S->descriptors[me]) != CLOSED)
            xp_fail("closed", "a descriptor was written to after its loop had closed it");
    if (channel_sleepers(S->channel))
        xp_fail("books", "readers are announced or called, and all have gone");
    final();
}

static void doorbell_release(void) {
    release();
    for (int me = 0; me < READERS; me++)
        if (S->doorbells[me])
            doorbell_free(S->doorbells[me]);
}

static const scene_t doorbell = {.name = "doorbell",
                                 .about = "event loops that sleep, are rung once and close their descriptors",
                                 .setup = doorbell_setup,
                                 .final = doorbell_final,
                                 .teardown = teardown,
                                 .release = doorbell_release,
                                 .variants = 4,
                                 .variant_names = doorbell_names};

/* -- overflowing ------------------------------------------------------------------------------ */

enum { OVERFLOW_NEWEST = 3, OVERFLOW_STREAK };
static const char *const overflow_names[] = {"oldest", "oldest-two-readers", "latest", "newest",
                                             "newest-streak"};

static void overflow_setup(int variant) {
    static const set_t sets[] = {
        {.overflow = DROP_OLDEST, .capacity = 1, .events = 3, .is_locked = 1},
        {.overflow = DROP_OLDEST, .capacity = 1, .events = 2, .is_locked = 1},
        {.overflow = LATEST, .capacity = 1, .events = 3, .is_locked = 1},
        {.overflow = DROP_NEWEST, .capacity = 1, .events = 2},
        {.overflow = DROP_NEWEST, .capacity = 2, .events = 4}, /* full in the middle of a streak */
    };
    begin(&sets[variant]);
    /* The last event is never the one that goes, but for drop_newest. */
    S->last_number = variant >= OVERFLOW_NEWEST ? 0 : sets[variant].events;
    add_reader(0, variant == OVERFLOW_NEWEST ? 1 : MOST);
    if (variant == OVERFLOW_STREAK)
        xp_thread("closer", closer, NULL);
    if (variant == 1)
        add_reader(1, 1);
}

SCENE(overflow, "overflow", "a writer that takes away or changes what a reader reads", overflow_setup,
      overflow_names);

/* -- blocking --------------------------------------------------------------------------------- */

enum { BLOCK_ROOM, BLOCK_TIME, BLOCK_LEAVE, BLOCK_TWO, BLOCK_BOTH, BLOCK_STREAK };
static const char *const block_names[] = {"room", "time", "leave", "two-protocols", "both-chains", "streak"};

static void leaver(void *unused) {
    (void)unused;
    void *subscriber = S->subscribers[0];
    channel_leave(S->queues[0], subscriber, S->in_both_chains);
    S->subscribers[0] = NULL;
    queue_let_go(S->queues[0], subscriber);
}

static void block_setup(int variant) {
    static const set_t sets[] = {
        {.overflow = BLOCK, .capacity = 1, .events = 3, .timeout = HOUR},
        {.overflow = BLOCK, .capacity = 1, .events = 2, .timeout = 10, .keeper = 1},
        {.overflow = BLOCK, .capacity = 1, .events = 3, .timeout = HOUR},
        {.overflow = BLOCK, .capacity = 1, .events = 1, .queues = 2, .timeout = HOUR, .is_locked = 1},
        {.overflow = BLOCK, .capacity = 1, .events = 2, .timeout = HOUR, .in_both_chains = 1},
        {.overflow = BLOCK, .capacity = 2, .events = 3, .timeout = HOUR}, /* full in the middle of a streak */
    };
    begin(&sets[variant]);
    S->closed = variant == BLOCK_LEAVE; /* what came after it left was not offered */
    if (variant == BLOCK_TIME) {
        S->may_drop = 1;
        xp_let_time_pass(2, 1);
        add_reader(0, 1);
        xp_thread("flusher", flusher, NULL);
    } else if (variant == BLOCK_LEAVE) {
        xp_thread("leaver", leaver, NULL);
        xp_thread("flusher", flusher, NULL);
    } else
        add_reader(0, variant == BLOCK_ROOM || variant == BLOCK_STREAK ? 3 : 2);
}

SCENE(block, "block", "a stage that waits for room, a reader that makes it, a timer, a channel that leaves",
      block_setup, block_names);

/* -- the end ---------------------------------------------------------------------------------- */

static const char *const end_names[] = {"waiting", "with-an-event", "two-readers"};

static void end_setup(int variant) {
    set_t set = {.overflow = DROP_NEWEST, .capacity = 3, .events = variant == 1 ? 1 : 0};
    begin(&set);
    add_reader(0, MOST);
    if (variant == 2)
        add_reader(1, MOST);
    xp_thread("closer", closer, NULL);
}

static void end_final(void) {
    if (S->n_taken != S->n_events)
        xp_fail("left", "it is over for the readers, and %u of %u were taken", S->n_taken, S->n_events);
    final();
}

static const scene_t end = {.name = "end",
                            .about = "a channel that is closed while readers wait",
                            .setup = end_setup,
                            .final = end_final,
                            .teardown = teardown,
                            .release = release,
                            .variants = 3,
                            .variant_names = end_names};

/* -- books ------------------------------------------------------------------------------------ */

static void accountant(void *unused) {
    tally_t tally;
    (void)unused;
    if (channel_books(S->channel, &tally) && (tally.pending > S->capacity || tally.delivered))
        xp_fail("books", "they can't be right");
}

static const char *const tally_names[] = {"newest", "oldest", "streak"};

static void tally_setup(int variant) {
    static const set_t sets[] = {
        {.overflow = DROP_NEWEST, .capacity = 1, .events = 2},
        {.overflow = DROP_OLDEST, .capacity = 1, .events = 2, .is_locked = 1},
        {.overflow = DROP_NEWEST, .capacity = 2, .events = 3}, /* the last two in one streak */
    };
    begin(&sets[variant]);
    xp_thread("books", accountant, NULL);
}

SCENE(tally, "tally", "a copy of the books of a channel while events are put in", tally_setup, tally_names);

const scene_t *const channels_scenes[] = {&wake, &doorbell, &overflow, &block, &end, &tally, NULL};
