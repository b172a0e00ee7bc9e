/* Clocks, in nanoseconds. clock_monotonic() is for waiting and measuring; events may use another. */
#ifndef TOCSIN_CLOCK_H
#define TOCSIN_CLOCK_H

#if defined(TOCSIN_EXPLORE)
#include "explorer_clock.h"
#else

#include <stdint.h>
#include <time.h>

enum { CLOCK_KIND_MONOTONIC = 0, CLOCK_KIND_BOOTTIME = 1, CLOCK_KIND_REALTIME = 2 };

static inline uint64_t clock_read(clockid_t id) {
    struct timespec time;
    clock_gettime(id, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* The time of the given kind of clock; boottime goes on during suspend where the system has it. */
static inline uint64_t clock_now(int kind) {
#if defined(CLOCK_BOOTTIME)
    if (kind == CLOCK_KIND_BOOTTIME)
        return clock_read(CLOCK_BOOTTIME);
#endif
    return clock_read(kind == CLOCK_KIND_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC);
}

static inline uint64_t clock_monotonic(void) { return clock_read(CLOCK_MONOTONIC); }

#endif /* TOCSIN_EXPLORE */
#endif
