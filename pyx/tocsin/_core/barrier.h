/* Barriers that one side pays for: a compiler barrier here, a full one on every running thread there.
 *
 * Two threads that each write one word and then read the other's need a full barrier in between, both of
 * them. Where one side does so a million times as often, it may do with barrier_here(), which costs nothing
 * and only keeps the compiler from moving accesses over it, if the other side calls barrier_everywhere()
 * between its own two accesses: every thread of the process that is running then executes a full
 * barrier, and one that isn't has been through the scheduler, which is one. So whatever the first
 * thread is at, either its write is visible before the call returns, or its read comes after the write that
 * the caller made before.
 *
 * Linux has it as membarrier(2), "private expedited". It must be registered once in a process, which takes
 * milliseconds; the calls take 0.2 us. A sandbox that was set up later may forbid them, so each may fail.
 */
#ifndef TOCSIN_BARRIER_H
#define TOCSIN_BARRIER_H

#if defined(TOCSIN_EXPLORE)
#include "explorer_barrier.h"
#else

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if defined(__linux__) && defined(SYS_membarrier)

enum { BARRIER_EXPEDITED = 1 << 3, BARRIER_REGISTER = 1 << 4 };

/* Make barrier_everywhere() possible; 0, or it is not to be had here. Harmless to repeat. */
static inline int barrier_register(void) { return (int)syscall(SYS_membarrier, BARRIER_REGISTER, 0, 0); }

/* Have every other thread of the process pass a full barrier; 0, or nothing was done. */
static inline int barrier_everywhere(void) { return (int)syscall(SYS_membarrier, BARRIER_EXPEDITED, 0, 0); }

#else

static inline int barrier_register(void) { return -1; }
static inline int barrier_everywhere(void) { return -1; }

#endif

#if defined(_MSC_VER)
static inline void barrier_here(void) { _ReadWriteBarrier(); }
#else
static inline void barrier_here(void) { __asm__ __volatile__("" ::: "memory"); }
#endif

#endif /* TOCSIN_EXPLORE */
#endif
