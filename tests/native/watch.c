/* The subscribers of the stress driver. Each checks at every call:
 *
 *   one-reader   nobody else is in a call of the same stage, and in no second run of it
 *   bytes        the event is whole: its bytes follow from its writer and number
 *   order        its number is the next one of its writer, so none was left out and none came twice
 *   cancelled    the subscriber has not been cancelled and waited for; its memory is freed then
 *   suffix       a new subscriber misses only what was accepted before it was there
 *
 * The hooks of the Python stage take no GIL; they check that they come in pairs, and refuse now and then.
 */
#include "stress.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fail(const char *check, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    flockfile(stdout);
    printf("FAILED %s: ", check);
    vprintf(format, arguments);
    printf("\n");
    fflush(stdout);
    _Exit(1);
}

uint32_t throw_dice(dice_t *dice, uint32_t sides) {
    dice->state = dice->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((dice->state >> 33) % sides);
}

uint32_t payload_fill(void *payload, uint32_t writer, uint64_t number) {
    uint32_t size = 16 + (uint32_t)(number % 7 == 0 ? number * 13 % 449 : number % 33);
    uint32_t head[2] = {writer, writer ^ 0xABCD};
    memcpy(payload, head, 8);
    memcpy((char *)payload + 8, &number, 8);
    memset((char *)payload + 16, (int)(number * 31 + writer), size - 16);
    return size;
}

static void see(watch_t *watch, uint32_t writer, uint64_t number) {
    uint64_t before = atomic_load_explicit(&watch->seen[writer], memory_order_relaxed);
    if (before == 0)
        atomic_store(&watch->first[writer], number);
    else if (number != before + 1)
        fail("order", "stage %d, writer %u: %llu after %llu", watch->stage, writer,
             (unsigned long long)number, (unsigned long long)before);
    atomic_store(&watch->seen[writer], number);
}

static int called(void *context, const tocsin_event *event) {
    watch_t *watch = context;
    queue_state *q = watch->queue;
    unsigned char right[512];
    uint32_t head[2];
    uint64_t number;
    if (atomic_exchange(&q->in_call[watch->stage], 1) != 0)
        fail("one-reader", "two calls at once in stage %d", watch->stage);
    if (atomic_load(&watch->cancelled))
        fail("cancelled", "a call after cancel() has waited");
    memcpy(head, event->payload, 8);
    memcpy(&number, (const char *)event->payload + 8, 8);
    if (head[0] >= WRITERS || event->source != head[0] ||
        payload_fill(right, head[0], number) != event->size ||
        memcmp(event->payload, right, event->size) != 0)
        fail("bytes", "writer %u, number %llu, size %u", head[0], (unsigned long long)number, event->size);
    atomic_fetch_add_explicit(&watch->lost, event->lost, memory_order_relaxed);
    if (number % q->pauses == 0)
        sched_yield();
    if (watch->batch) {
        if (q->n_kept == sizeof q->kept / sizeof *q->kept)
            fail("batch", "more events in one look than the ring holds");
        q->kept[q->n_kept].watch = watch;
        q->kept[q->n_kept].writer = head[0];
        q->kept[q->n_kept++].number = number;
    } else {
        see(watch, head[0], number);
    }
    atomic_store(&q->in_call[watch->stage], 0);
    return watch->batch ? COLLECTED : 0;
}

int hook_enter(void *owner) {
    static _Atomic uint32_t times;
    queue_state *q = owner;
    if (atomic_fetch_add(&times, 1) % 64 == 63)
        return 0;
    if (atomic_exchange(&q->entered, 1))
        fail("hooks", "entered twice");
    return 1;
}

void hook_leave(void *owner) {
    if (!atomic_exchange(&((queue_state *)owner)->entered, 0))
        fail("hooks", "left without having entered");
}

void hook_call_batches(void *owner) {
    queue_state *q = owner;
    if (!atomic_load(&q->entered))
        fail("hooks", "batches called outside");
    for (int i = 0; i < q->n_kept; i++)
        see(q->kept[i].watch, q->kept[i].writer, q->kept[i].number);
    q->n_kept = 0;
}

void hook_run(void *owner, int is_python, int step) {
    queue_state *q = owner;
    if (atomic_exchange(&q->in_run[is_python], step > 0) != (step < 0))
        fail("one-reader", "two runs at once of stage %d", is_python);
}

/* -- coming and going ------------------------------------------------------------------------- */

watch_t *watch_begin(queue_state *q, uint32_t source, int stage, int batch) {
    watch_t *watch = calloc(1, sizeof *watch);
    watch->queue = q;
    watch->source = source;
    watch->stage = stage;
    watch->batch = batch;
    watch->subscriber = queue_subscribe(q->queue, source, called, watch, 0, stage, batch);
    if (watch->subscriber == NULL)
        fail("memory", "no subscriber");
    for (int writer = 0; writer < WRITERS; writer++)
        watch->base[writer] = atomic_load(&q->accepted[writer]);
    return watch;
}

void flush(queue_state *q, watch_t *watch) {
    uint64_t accepted[WRITERS], target;
    for (int writer = 0; writer < WRITERS; writer++)
        accepted[writer] = atomic_load(&q->accepted[writer]);
    target = queue_target(q->queue);
    if (!queue_await(q->queue, target, PATIENCE))
        for (int tries = 0; !queue_await(q->queue, target, PATIENCE / 1000); tries++)
            if (tries == 1000)
                fail("stranded", "a queue of kind %d has not passed what it accepted", q->kind);
    for (uint32_t writer = 0; watch && writer < WRITERS; writer++) {
        uint64_t seen = atomic_load(&watch->seen[writer]), first = atomic_load(&watch->first[writer]);
        /* When it began, number base + 1 may have been inside notify(); what came after is its own. */
        if (watch->source != EVERY_SOURCE && watch->source != writer)
            continue;
        if (accepted[writer] > watch->base[writer] + 1 &&
            (seen < accepted[writer] || first > watch->base[writer] + 2))
            fail("suffix", "stage %d, writer %u: began at %llu, saw %llu to %llu, flushed were %llu",
                 watch->stage, writer, (unsigned long long)watch->base[writer], (unsigned long long)first,
                 (unsigned long long)seen, (unsigned long long)accepted[writer]);
    }
}

void watch_end(watch_t *watch) {
    queue_state *q = watch->queue;
    queue_cancel(q->queue, watch->source, watch->subscriber, watch->stage);
    if (!queue_await_turn(q->queue, watch->stage, PATIENCE))
        fail("turn", "stage %d never passes a turn", watch->stage);
    atomic_store(&watch->cancelled, 1);
    queue_let_go(q->queue, watch->subscriber);
    if (watch->batch) { /* its events may still lie in the batch */
        watch->older = q->batches;
        q->batches = watch;
    } else {
        free(watch);
    }
}
