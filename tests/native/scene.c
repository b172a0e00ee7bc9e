/* What every situation has in common: two queues, their subscribers, and the checks.
 *
 * Every event carries its writer, its number among the accepted events of that writer, and a pattern that
 * depends on both. The subscribers check, at each call: the bytes are whole ("bytes"), the number is the next
 * one ("order", which is also "once"), and nobody else is inside the stage ("one-reader").
 */
#include "scene.h"

#include <string.h>

typedef struct {
    uint32_t source, writer;
    uint64_t number;
    uint8_t rest[48];
} payload_t;

scene_t scene;
extern long seam_blocks;

static uint32_t payload_fill(payload_t *payload, int writer, uint64_t number) {
    uint32_t size = 16 + (uint32_t)(number * 7 % 49);
    payload->source = (uint32_t)writer;
    payload->writer = (uint32_t)writer;
    payload->number = number;
    memset(payload->rest, (int)(number * 5 + (uint64_t)writer), sizeof payload->rest);
    return size;
}

static void called(queue_scene_t *queue, int stage, const tocsin_event *event) {
    payload_t got, right;
    if (scene.writes_itself && event->source == 3)
        return;
    if (event->size < 16 || event->size > sizeof got)
        seam_fail("bytes", "an event of %u bytes", event->size);
    memcpy(&got, event->payload, event->size);
    if (got.writer >= WRITERS || payload_fill(&right, (int)got.writer, got.number) != event->size ||
        memcmp(&got, &right, event->size) != 0 || event->source != got.source)
        seam_fail("bytes", "writer %u, number %llu", got.writer, (unsigned long long)got.number);
    if (queue->in_call[stage]++ != 0)
        seam_fail("one-reader", "two calls at once in stage %d", stage);
    if (queue->is_new[stage])
        queue->seen[stage][got.writer] = got.number - 1;
    queue->is_new[stage] = 0;
    if (got.number != queue->seen[stage][got.writer] + 1)
        seam_fail("order", "stage %d, writer %u: %llu after %llu", stage, got.writer,
                  (unsigned long long)got.number, (unsigned long long)queue->seen[stage][got.writer]);
    queue->seen[stage][got.writer] = got.number;
    queue->calls[stage]++;
    queue->in_call[stage]--;
}

static int native_called(void *context, const tocsin_event *event) {
    called(context, 0, event);
    return 0;
}

static int python_called(void *context, const tocsin_event *event) {
    called(context, 1, event);
    return 0;
}

int hook_enter(void *owner) {
    (void)owner;
    return 1;
}
void hook_leave(void *owner) { (void)owner; }
void hook_call_batches(void *owner) { (void)owner; }

void hook_run(void *owner, int is_python, int step) {
    queue_scene_t *queue = owner;
    queue->inside[is_python] += step;
    if (queue->inside[is_python] > 1)
        seam_fail("one-reader", "two runs at once of stage %d", is_python);
    if (step > 0) {
        queue->runs[is_python]++;
        queue->calls_before[is_python] = queue->calls[is_python];
    } else {
        queue->empty_runs[is_python] += queue->calls[is_python] == queue->calls_before[is_python];
    }
}

void scene_subscribe(int queue, int is_python) {
    queue_scene_t *q = &scene.queues[queue];
    q->subscribers[is_python] = queue_subscribe(
        q->queue, EVERY_SOURCE, is_python ? python_called : native_called, q, 0, is_python, 0);
}

void scene_cancel(int queue, int is_python) {
    queue_scene_t *q = &scene.queues[queue];
    queue_cancel(q->queue, EVERY_SOURCE, q->subscribers[is_python], is_python);
    queue_let_go(q->queue, q->subscribers[is_python]);
    q->subscribers[is_python] = NULL;
}

void scene_begin(int stages, int writers, int workers) {
    machine_reset();
    memset(&scene, 0, sizeof scene);
    scene.stages = stages;
    scene.writers = writers;
    scene.world = world_new(0, writers == SHARED);
    for (int i = 0; i < QUEUES; i++) {
        queue_scene_t *q = &scene.queues[i];
        /* The counters pass 2^32 with the second event, and the ring's end soon. */
        q->queue = queue_new(scene.world, 16 + i, RING, ((uint64_t)1 << 32) - 64, q);
        if (writers == EXCLUSIVE)
            q->handle = handle_new(scene.world, q->queue, 1);
        for (int stage = 0; stage < 2; stage++)
            if (stages == BOTH_STAGES || stage == (stages == PYTHON_ONLY))
                scene_subscribe(i, stage);
    }
    if (world_start(scene.world, workers, 1, 8, 0) != 0)
        seam_fail("machine", "the workers don't start");
}

int scene_put(int queue, int writer) {
    queue_scene_t *q = &scene.queues[queue];
    payload_t payload;
    uint32_t size = payload_fill(&payload, writer, q->accepted[writer] + 1);
    uint64_t stamp = payload.number % 2 ? TOCSIN_NOW : payload.number;
    int refused = q->handle ? tocsin_notify(q->handle, 0, &payload, size, stamp)
                            : queue_notify(q->queue, &payload, size);
    q->accepted[writer] += !refused;
    return !refused;
}

void scene_check_delivered(const char *check) {
    for (int i = 0; i < QUEUES; i++) {
        queue_scene_t *q = &scene.queues[i];
        books_t books;
        uint64_t accepted = 0;
        for (int writer = 0; writer < WRITERS; writer++) {
            accepted += q->accepted[writer];
            for (int stage = 0; stage < 2; stage++)
                if (q->subscribers[stage] && q->seen[stage][writer] != q->accepted[writer])
                    seam_fail(check, "queue %d, stage %d, writer %d: %llu accepted, %llu delivered", i, stage,
                              writer, (unsigned long long)q->accepted[writer],
                              (unsigned long long)q->seen[stage][writer]);
        }
        queue_books(q->queue, &books);
        if (books.accepted != accepted || books.pending != 0 ||
            books.delivered + books.unclaimed + books.abandoned != accepted)
            seam_fail(check, "queue %d: the books say %llu + %llu + %llu, %llu pending, of %llu", i,
                      (unsigned long long)books.delivered, (unsigned long long)books.unclaimed,
                      (unsigned long long)books.abandoned, (unsigned long long)books.pending,
                      (unsigned long long)accepted);
        for (int stage = 0; stage < 2; stage++)
            if (queue_word(q->queue, stage) & (WORD_PENDING | WORD_LINKED | WORD_RUNNING))
                seam_fail(check, "queue %d: all sleep, and stage %d is still owed a run", i, stage);
    }
}

void scene_end(void) {
    for (int i = 0; i < QUEUES; i++) {
        queue_scene_t *q = &scene.queues[i];
        for (int stage = 0; stage < 2; stage++)
            if (q->subscribers[stage])
                scene_cancel(i, stage);
        if (q->handle && !handle_close(q->handle))
            seam_fail("close", "a writer is still inside");
    }
    world_stop(scene.world);
    machine_run();
    if (!world_has_ended(scene.world, 0))
        seam_fail("end", "a thread has not ended");
    for (int i = 0; i < QUEUES; i++)
        if (scene.queues[i].handle)
            handle_release(scene.queues[i].handle);
    world_release(scene.world);
    if (seam_blocks != 0)
        seam_fail("memory", "%ld blocks left", seam_blocks);
}
