/* Clocks, in nanoseconds. clock_monotonic() is for waiting and measuring; events may use another.
 *
 * On macOS and Windows the monotonic clock goes on during suspend, so boottime is the same there.
 */
#ifndef TOCSIN_CLOCK_H
#define TOCSIN_CLOCK_H

#if defined(TOCSIN_EXPLORE)
#include "explorer_clock.h"
#else

#include <stdint.h>
#include <time.h>
#if defined(_WIN32)
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>
#endif

enum { CLOCK_KIND_MONOTONIC = 0, CLOCK_KIND_BOOTTIME = 1, CLOCK_KIND_REALTIME = 2 };
enum { SPIN_LOOKS = 10000 }; /* of a worker that waits by the clock, in case that it stands still */

#if defined(_WIN32)

/* The performance counter, since some start; its frequency never changes. */
static inline uint64_t clock_monotonic(void) {
    LARGE_INTEGER ticks, frequency;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&frequency);
    uint64_t n = (uint64_t)ticks.QuadPart, hz = (uint64_t)frequency.QuadPart;
    return n / hz * 1000000000u + n % hz * 1000000000u / hz;
}

/* The time of the given kind of clock. A file time counts 100 ns since 1601. */
static inline uint64_t clock_now(int kind) {
    if (kind != CLOCK_KIND_REALTIME)
        return clock_monotonic();
    FILETIME time;
    GetSystemTimePreciseAsFileTime(&time);
    uint64_t n = (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime;
    return (n - 116444736000000000u) * 100;
}

#else

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

#endif /* _WIN32 */
#endif /* TOCSIN_EXPLORE */
#endif
