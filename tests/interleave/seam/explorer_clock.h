/* Time for a build with -DTOCSIN_EXPLORE: it stands still until the scene or a time-out moves it. */
#ifndef EXPLORER_CLOCK_H
#define EXPLORER_CLOCK_H

#include <stdint.h>

enum { CLOCK_KIND_MONOTONIC = 0, CLOCK_KIND_BOOTTIME = 1, CLOCK_KIND_REALTIME = 2 };
enum { SPIN_LOOKS = 2 };

extern uint64_t xp_clock(void);

static inline uint64_t clock_monotonic(void) { return xp_clock(); }
static inline uint64_t clock_now(int kind) {
    (void)kind;
    return xp_clock();
}

#endif
