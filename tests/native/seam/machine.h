/* A machine of one processor: threads are coroutines, and something may happen before any shared access. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdint.h>

enum { IN_PROGRAM, IN_THREADS };

/* Forget all threads; time starts at zero. */
void machine_reset(void);

/* Let every thread run until it sleeps, the ones that were interrupted by the caller excepted. */
void machine_run(void);

/* Before the k-th shared access from now on (k counts from 1) of the program or of the threads, call
 * `event`, once. The accesses of `event` itself don't count. */
void machine_arm(int where, long k, void (*event)(void));

/* After what machine_arm() armed: before the k-th access after that event, call another one, once. */
void machine_then(long k, void (*event)(void));

/* True if the last access was reached; in any case there is nothing armed afterwards. */
int machine_disarm(void);

/* Call `function` at every shared access (NULL: no more), before it happens. */
void machine_trace(void (*function)(const void *word));

/* Print "FAILED check: ..." and end the program. */
void seam_fail(const char *check, const char *format, ...);

#endif
