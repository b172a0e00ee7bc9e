/* What parts.pyx adds to the driver's world.h: works alone, worlds without keepers, queues that
 * go, and names for words. */
#ifndef SHIPPED_H
#define SHIPPED_H

#include <stdint.h>

/* Start workers and no keeper: nothing happens by time then. */
extern int world_start_bare(void *world, int native_workers, int python_workers);
extern void world_may_spin(void *world); /* before the start */
extern void world_describe(void *world);
extern void queue_describe(void *queue);
extern int queue_is_sane(void *queue);
extern uint64_t queue_position_in(void *queue);

enum { SKIPPED = 0x40000 }; /* CHAIN_SKIPPED, the result of a call that was not made after all */
extern int queue_is_stopped(void *queue);
extern int64_t queue_calls_before(void *queue, int is_python);

/* The life of a queue: holders, and the steps in which a registration ends. */
extern void queue_hold(void *queue);
extern void queue_unhold(void *queue);
extern void queue_disable(void *queue);
extern int queue_await_idle(void *queue);
extern void queue_remove(void *world, void *queue);

/* Works: a queue of them, and items that call hook_item(number) */
extern void *works_new(void);
extern void works_start(void *wq, int workers, int with_keeper, int max_workers);
extern void works_describe(void *wq);
extern void works_limit(void *wq, int max_active);
extern void works_freeze(void *wq);
extern void works_thaw(void *wq);
extern void works_stop(void *wq);
extern int works_have_ended(void *wq);
extern void works_free(void *wq);

extern void *item_new(void *wq, int number);
extern void item_free(void *item);
extern int item_queue(void *item);
extern int item_queue_delayed(void *item, uint64_t nanoseconds);
extern int item_modify_delayed(void *item, uint64_t nanoseconds);
extern int item_cancel(void *item);
extern void item_cancel_sync(void *item); /* and until no run is in progress */
extern void item_disable(void *item);
extern void item_enable(void *item);
extern void item_flush(void *item);
extern uint64_t item_word(void *item);

/* from the scenes */
extern void hook_item(int number);
extern void hook_name(const void *address, uint64_t size, const char *name);
extern void hook_ignore(const void *address, uint64_t size);

#endif
