/* Time for a build with -DTOCSIN_EXPLORE: it passes only as far as the program lets it. */
#ifndef EXPLORER_CLOCK_H
#define EXPLORER_CLOCK_H

#include <stdint.h>

enum { CLOCK_KIND_MONOTONIC = 0, CLOCK_KIND_BOOTTIME = 1, CLOCK_KIND_REALTIME = 2 };
enum { SPIN_LOOKS = 1000 };

extern uint64_t seam_now;

static inline uint64_t clock_monotonic(void) { return seam_now += 100; }
static inline uint64_t clock_now(int kind) {
    (void)kind;
    return clock_monotonic();
}

#endif
