/* A scene of situations.c: one core with two queues on the machine of seam/, and what was seen of it. */
#ifndef SCENE_H
#define SCENE_H

#include "seam/machine.h"
#include "world.h"

enum { NATIVE_ONLY, BOTH_STAGES, PYTHON_ONLY };
enum { LOCKED, SHARED, EXCLUSIVE };
enum { WRITERS = 4, QUEUES = 2, RING = 1024 };

typedef struct {
    void *queue;
    tocsin_producer *handle;
    void *subscribers[2];
    uint64_t accepted[WRITERS]; /* numbers given out, by writer */
    uint64_t seen[2][WRITERS];  /* the last number seen, by stage and writer */
    uint64_t calls[2];          /* by stage */
    uint64_t runs[2], empty_runs[2], calls_before[2];
    int inside[2], in_call[2];
    int is_new[2]; /* the first event that a new subscriber sees may be any */
} queue_scene_t;

typedef struct {
    void *world;
    int stages, writers;
    int writes_itself; /* an event of writer 3 comes from a thread of the scene, unnumbered */
    queue_scene_t queues[QUEUES];
} scene_t;

extern scene_t scene;

/* Build the scene; its workers have not begun yet. */
void scene_begin(int stages, int writers, int workers);

/* Hand in the next event of a writer: true if it was accepted. */
int scene_put(int queue, int writer);

/* Everything accepted was delivered by all stages, the books agree, and everybody sleeps. */
void scene_check_delivered(const char *check);

/* End the threads and free everything. */
void scene_end(void);

void scene_subscribe(int queue, int is_python);
void scene_cancel(int queue, int is_python);

#endif
