/* What parkingparts.pyx gives to the scenes of queues. */
#ifndef PARKING_H
#define PARKING_H

#include <stddef.h>
#include <stdint.h>

enum { ADDED, TAKEN, NOT_NOW, OVER }; /* Outcome */

extern void *guarded_new(ptrdiff_t bound);
extern int guarded_put(void *queue, void *item, int64_t slice);
extern int guarded_get(void *queue, void **item, int64_t slice, int is_interrupted);
extern void guarded_task_done(void *queue);
extern int guarded_join(void *queue);
extern void guarded_shutdown(void *queue);
extern int guarded_waiting(void *queue);
extern void guarded_free(void *queue);

#endif
