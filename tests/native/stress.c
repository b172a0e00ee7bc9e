/* Real threads on the shipped core, for a number of seconds; the checks are in watch.c.
 *
 * Each round builds a core with three queues, each with another kind of writer (under a lock, by reservation
 * through one handle, exclusive), small rings whose counters start just before 2^32, 2^52 or 2^64, native
 * and "Python" workers, and lets at the same time: writers write in bursts and wait for room; subscribers of
 * all and of single sources, per event and in batches, of both stages, come and go, which makes the Python
 * stage appear and vanish; somebody freeze and thaw; somebody read the books. At the end:
 *
 *   stranded   a flush ends without another event, and a writer that waits for room is woken
 *   books      accepted == delivered + unclaimed + abandoned + pending == what the writers counted
 *   lost       the headers tell of every refused event, once
 *   closed     a shut queue accepts nothing, and all threads end
 *
 * Usage: stress SECONDS SEED. The first line of a failure says what was violated, the last line which round.
 */
#include "stress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NOTIFIED = 0, FULL = 3, CLOSED = 4 };

static void *world;
static queue_state queues[QUEUES];
static watch_t *constant[QUEUES]; /* a subscriber that sees everything, or NULL */
static _Atomic int writers_stop, others_stop;
static unsigned round_number;
static count_t unbalanced, copies;

typedef struct {
    pthread_t thread;
    queue_state *q;
    uint32_t writer;
    dice_t dice;
} actor_t;

static void nap(uint32_t microseconds) {
    struct timespec time = {0, (long)microseconds * 1000};
    nanosleep(&time, NULL);
}

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* -- writers ---------------------------------------------------------------------------------- */

static int put(queue_state *q, uint32_t writer, int wait) {
    unsigned char payload[512];
    uint64_t number = atomic_load(&q->accepted[writer]) + 1;
    uint32_t size = payload_fill(payload, writer, number);
    int result;
    if (q->kind == LOCKED) {
        pthread_mutex_lock(&q->mutex);
        result = queue_notify(q->queue, payload, size);
        pthread_mutex_unlock(&q->mutex);
    } else if (q->kind == SHARED && wait) {
        result = queue_notify_waiting(q->queue, payload, size, PATIENCE);
        if (result == FULL)
            fail("stranded", "a writer waits for room and is not woken");
    } else {
        result = tocsin_notify(q->handle, 0, payload, size, number % 2 ? TOCSIN_NOW : number);
        result = result == -ENOBUFS ? FULL : result;
    }
    if (result == NOTIFIED)
        atomic_store(&q->accepted[writer], number);
    else if (result == FULL)
        atomic_fetch_add(&q->refused, 1);
    else
        fail("notify", "result %d", result);
    return result;
}

static void *write_events(void *raw) {
    actor_t *me = raw;
    while (!atomic_load(&writers_stop)) {
        uint32_t burst = throw_dice(&me->dice, 4) ? throw_dice(&me->dice, 8) : throw_dice(&me->dice, 300);
        while (burst-- && !atomic_load(&writers_stop))
            if (put(me->q, me->writer, throw_dice(&me->dice, 2)) == FULL)
                nap(throw_dice(&me->dice, 20));
        if (throw_dice(&me->dice, 8) == 0)
            flush(me->q, constant[me->q->kind]);
        else if (throw_dice(&me->dice, 2))
            nap(throw_dice(&me->dice, 100));
    }
    return NULL;
}

/* -- everybody else --------------------------------------------------------------------------- */

static void *come_and_go(void *raw) {
    actor_t *me = raw;
    while (!atomic_load(&others_stop)) {
        uint32_t kind = throw_dice(&me->dice, 4);
        uint32_t source = throw_dice(&me->dice, 2) ? EVERY_SOURCE : throw_dice(&me->dice, WRITERS);
        watch_t *watch = watch_begin(me->q, source, kind != 0, 0);
        watch_t *batch = kind == 3 && me->writer == 0 ? watch_begin(me->q, EVERY_SOURCE, 1, 1) : NULL;
        nap(throw_dice(&me->dice, 2000));
        if (throw_dice(&me->dice, 2))
            flush(me->q, watch);
        watch_end(watch);
        if (batch) {
            flush(me->q, batch);
            watch_end(batch);
        }
        nap(throw_dice(&me->dice, 1000));
    }
    return NULL;
}

static void *freeze_and_thaw(void *raw) {
    actor_t *me = raw;
    while (!atomic_load(&others_stop)) {
        world_freeze(world);
        nap(throw_dice(&me->dice, 300));
        world_thaw(world);
        nap(throw_dice(&me->dice, 4000));
    }
    return NULL;
}

static int balances(const books_t *books) {
    return books->accepted == books->delivered + books->unclaimed + books->abandoned + books->pending;
}

static void *read_books(void *raw) {
    actor_t *me = raw;
    uint64_t passed[QUEUES] = {0};
    while (!atomic_load(&others_stop)) {
        books_t books;
        uint32_t i = throw_dice(&me->dice, QUEUES);
        queue_books(queues[i].queue, &books);
        atomic_fetch_add(&copies, 1);
        if (!balances(&books)) /* writers between counting and publishing: counted, and told at the end */
            atomic_fetch_add(&unbalanced, 1);
        else if (books.delivered + books.unclaimed < passed[i])
            fail("books", "what was delivered became less");
        else
            passed[i] = books.delivered + books.unclaimed;
        nap(throw_dice(&me->dice, 200));
    }
    return NULL;
}

/* -- a round ---------------------------------------------------------------------------------- */

static const uint64_t starts[] = {0, ((uint64_t)1 << 32) - 4096, ((uint64_t)1 << 52) - 4096, -(uint64_t)4096};

static void begin_round(dice_t *dice) {
    uint32_t may_spin = throw_dice(dice, 2), workers = 1 + throw_dice(dice, 2);
    world = world_new(throw_dice(dice, 4) == 0, 0);
    if (throw_dice(dice, 2))
        world_use_fast_kicks(world);
    atomic_store(&writers_stop, 0);
    atomic_store(&others_stop, 0);
    memset(queues, 0, sizeof queues);
    for (int i = 0; i < QUEUES; i++) {
        queue_state *q = &queues[i];
        q->kind = i;
        q->pauses = 1 + throw_dice(dice, 500);
        pthread_mutex_init(&q->mutex, NULL);
        q->queue =
            queue_new(world, 16 + i, (uint64_t)1024 << throw_dice(dice, 4), starts[throw_dice(dice, 4)], q);
        if (i == SHARED)
            queue_share(q->queue);
        if (i != LOCKED)
            q->handle = handle_new(world, q->queue, i == EXCLUSIVE);
        uint32_t kind = throw_dice(dice, 5);
        constant[i] = kind == 4 ? NULL : watch_begin(q, EVERY_SOURCE, kind >= 2, 0);
    }
    if (world_start(world, (int)workers, 1 + (int)throw_dice(dice, 2), 6, (int)may_spin) != 0)
        fail("threads", "the workers don't start");
}

static void end_queue(queue_state *q, watch_t *watch) {
    books_t books;
    uint64_t accepted = 0, told;
    while (put(q, 0, 0) == FULL) /* it tells what was still to be told of refused events */
        nap(100);
    flush(q, watch);
    for (int writer = 0; writer < WRITERS; writer++)
        accepted += atomic_load(&q->accepted[writer]);
    queue_shut(q->queue);
    uint32_t payload[4] = {0};
    if (q->kind != EXCLUSIVE && queue_notify(q->queue, payload, 16) != CLOSED)
        fail("closed", "a shut queue accepts an event");
    if (!queue_is_quiet(q->queue) || (q->handle && !handle_close(q->handle)))
        fail("closed", "a writer is still inside");
    queue_books(q->queue, &books);
    told = watch ? atomic_load(&watch->lost) : 0;
    if (!balances(&books) || books.pending || books.abandoned || books.accepted != accepted ||
        (watch && books.unclaimed))
        fail("books",
             "accepted %llu (%llu counted), delivered %llu, unclaimed %llu, abandoned %llu, pending %llu",
             (unsigned long long)books.accepted, (unsigned long long)accepted,
             (unsigned long long)books.delivered, (unsigned long long)books.unclaimed,
             (unsigned long long)books.abandoned, (unsigned long long)books.pending);
    if (books.refused < atomic_load(&q->refused) ||
        (q->kind == LOCKED && books.refused != atomic_load(&q->refused)))
        fail("lost", "refused %llu", (unsigned long long)books.refused);
    if (watch && told != books.refused)
        fail("lost", "the headers tell of %llu, refused were %llu", (unsigned long long)told,
             (unsigned long long)books.refused);
}

static void end_round(void) {
    for (int i = 0; i < QUEUES; i++)
        end_queue(&queues[i], constant[i]);
    for (int i = 0; i < QUEUES; i++)
        if (constant[i])
            watch_end(constant[i]);
    world_stop(world);
    for (int tries = 0; !world_has_ended(world, PATIENCE); tries++)
        if (tries == 1000)
            fail("closed", "a worker has not ended");
    for (int i = 0; i < QUEUES; i++)
        if (queues[i].handle)
            handle_release(queues[i].handle);
    world_release(world);
    for (int i = 0; i < QUEUES; i++)
        while (queues[i].batches) {
            watch_t *watch = queues[i].batches;
            queues[i].batches = watch->older;
            free(watch);
        }
}

static void play_round(uint64_t seed) {
    dice_t dice = {seed * 2654435761u + 1};
    static actor_t actors[32];
    int n_writers = 0, n;
    begin_round(&dice);
    for (int i = 0; i < QUEUES; i++)
        for (uint32_t writer = 0; writer < (i == EXCLUSIVE ? 1u : WRITERS); writer++)
            actors[n_writers++] = (actor_t){.q = &queues[i], .writer = writer};
    n = n_writers;
    for (int i = 0; i < QUEUES; i++)
        for (uint32_t j = 0; j < 2; j++)
            actors[n++] = (actor_t){.q = &queues[i], .writer = j};
    n += 2;
    for (int i = 0; i < n; i++) {
        void *(*role)(void *) = i < n_writers ? write_events
                                : i < n - 2   ? come_and_go
                                : i == n - 2  ? freeze_and_thaw
                                              : read_books;
        actors[i].dice.state = seed * 1000003 + (uint64_t)i * 7919;
        pthread_create(&actors[i].thread, NULL, role, &actors[i]);
    }
    nap(150000 + throw_dice(&dice, 150000));
    atomic_store(&writers_stop, 1);
    for (int i = 0; i < n_writers; i++)
        pthread_join(actors[i].thread, NULL);
    atomic_store(&others_stop, 1);
    for (int i = n_writers; i < n; i++)
        pthread_join(actors[i].thread, NULL);
    end_round();
}

int main(int argc, char **argv) {
    double end = seconds() + (argc > 1 ? atof(argv[1]) : 1);
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1, events = 0;
    for (; seconds() < end; round_number++, seed++) {
        play_round(seed);
        for (int i = 0; i < QUEUES; i++)
            for (int writer = 0; writer < WRITERS; writer++)
                events += atomic_load(&queues[i].accepted[writer]);
    }
    printf("%u rounds, %llu events, %llu of %llu copies of the books unbalanced\n", round_number,
           (unsigned long long)events, (unsigned long long)atomic_load(&unbalanced),
           (unsigned long long)atomic_load(&copies));
    return 0;
}
