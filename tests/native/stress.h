/* What stress.c and watch.c share: the queues of a round, and those who watch their events. */
#ifndef STRESS_H
#define STRESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "world.h"

enum { LOCKED, SHARED, EXCLUSIVE, QUEUES };
enum { WRITERS = 3 };
#ifndef PATIENCE
#define PATIENCE ((int64_t)20 * 1000000000)
#endif

typedef _Atomic uint64_t count_t;

struct queue_state;

/* A subscriber that checks what it sees. */
typedef struct watch {
    struct queue_state *queue;
    struct watch *older;
    void *subscriber;
    uint32_t source;
    int stage, batch;
    _Atomic int cancelled;
    count_t first[WRITERS], seen[WRITERS]; /* numbers by writer; 0: none yet */
    uint64_t base[WRITERS];                /* accepted when it had just begun */
    count_t lost;
} watch_t;

typedef struct queue_state {
    int kind;
    void *queue;
    tocsin_producer *handle;
    pthread_mutex_t mutex;     /* of the locked writers */
    count_t accepted[WRITERS]; /* numbers whose notify has returned */
    count_t refused;
    _Atomic int in_call[2], in_run[2], entered;
    uint32_t pauses;  /* one call in so many takes longer */
    watch_t *batches; /* cancelled ones; one thread adds, the end of the round frees */
    /* The Python stage only: what is kept for the next batch. */
    int n_kept;
    struct {
        watch_t *watch;
        uint32_t writer;
        uint64_t number;
    } kept[8192];
} queue_state;

/* A generator per thread. */
typedef struct {
    uint64_t state;
} dice_t;
extern uint32_t throw_dice(dice_t *dice, uint32_t sides);

/* Print "FAILED check: ..." and end the program. */
extern void fail(const char *check, const char *format, ...);

/* The bytes of an event; gives its size, at most 464. */
extern uint32_t payload_fill(void *payload, uint32_t writer, uint64_t number);

extern watch_t *watch_begin(queue_state *q, uint32_t source, int stage, int batch);

/* Cancel, wait until no call can be running, and free it. */
extern void watch_end(watch_t *watch);

/* Wait until everything accepted so far has passed; then `watch` (or NULL) has seen it. */
extern void flush(queue_state *q, watch_t *watch);

#endif
