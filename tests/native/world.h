/* What driver.pyx gives to the C programs beside it, and what it wants from them.
 *
 * The programs see cores, queues and subscribers as addresses only; every function below is a few lines
 * of Cython around the shipped text. `is_python` chooses a stage: 0 native, 1 Python.
 */
#ifndef WORLD_H
#define WORLD_H

#include <stdint.h>
#include <tocsin.h>

enum { COLLECTED = 0x10000 }; /* CHAIN_COLLECTED, the result of a batch subscriber */
enum { KICK_WAS_OWED, KICK_IS_QUEUED, KICK_WOKE };
enum { WORD_PENDING = 1, WORD_LINKED = 2, WORD_RUNNING = 4 };
#define EVERY_SOURCE 0xFFFFu

typedef struct {
    uint64_t accepted, refused, invalid, delivered, unclaimed, abandoned, pending, lost_markers;
    uint64_t activations, empty_activations, wakeups, high_water, callback_errors;
} books_t;

/* a core and its two workqueues */
extern void *world_new(int portable, int shared_writers);
/* Before the start; 0 where the system has no barriers for everybody. */
extern int world_use_fast_kicks(void *world);
extern int world_start(void *world, int native_workers, int python_workers, int max_workers, int may_spin);
extern void world_freeze(void *world);
extern void world_thaw(void *world);
extern void world_stop(void *world);
extern int world_has_ended(void *world, int64_t timeout);
extern void world_release(void *world);

/* queues: event 0 of each has a payload of 16 to 1024 bytes that begins with its source */
extern void *queue_new(void *world, int protocol, uint64_t size, uint64_t start, void *owner);
extern int queue_notify(void *queue, const void *payload, uint32_t size);
extern int queue_notify_waiting(void *queue, const void *payload, uint32_t size, int64_t timeout);
extern void queue_share(void *queue);
extern uint64_t queue_target(void *queue);
extern int queue_await(void *queue, uint64_t target, int64_t timeout);
extern void queue_shut(void *queue);
extern void queue_abandon(void *queue);
extern int queue_is_quiet(void *queue);
extern void queue_books(void *queue, books_t *books);
extern int queue_kick(void *queue, int is_python);
extern uint64_t queue_word(void *queue, int is_python);
extern const void *queue_in(void *queue);
extern void *queue_stage(void *queue, int is_python);

extern void *queue_subscribe(void *queue, uint32_t source, tocsin_subscriber function, void *context,
                             int priority, int is_python, int batch);
extern int queue_subscribe_also(void *queue, uint32_t source, void *subscriber, int is_python);
extern void queue_cancel(void *queue, uint32_t source, void *subscriber, int is_python);
extern int queue_await_turn(void *queue, int is_python, int64_t timeout);
extern void queue_let_go(void *queue, void *subscriber);

/* handles, used through tocsin_notify() */
extern tocsin_producer *handle_new(void *world, void *queue, int exclusive);
extern int handle_close(tocsin_producer *handle);
extern void handle_release(tocsin_producer *handle);

/* from the program: the hooks of the Python stage and a look at every run of a stage */
extern int hook_enter(void *owner);
extern void hook_leave(void *owner);
extern void hook_call_batches(void *owner);
extern void hook_run(void *owner, int is_python, int step); /* +1 before, -1 after */

#endif
