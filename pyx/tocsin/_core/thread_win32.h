/* Threads, locks and bells of thread.h on Windows: the same promises from the system's own primitives.
 *
 * A bell is a word that WaitOnAddress parks on, which is a futex in all but name; so there is one form and
 * `portable` changes nothing. There are no signals to block. A time limit is counted in whole milliseconds,
 * rounded up.
 */
#ifndef TOCSIN_THREAD_WIN32_H
#define TOCSIN_THREAD_WIN32_H

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <errno.h>
#include <stdlib.h>
#include <windows.h>

#define TOCSIN_STACK_SIZE ((size_t)1 << 20)

/* -- lock ------------------------------------------------------------------------------------- */

typedef struct {
    SRWLOCK exclusive;
} lock_t;

static inline void lock_init(lock_t *lock) { InitializeSRWLock(&lock->exclusive); }
static inline void lock_destroy(lock_t *lock) { (void)lock; /* such a lock owns nothing */ }
static inline void lock_take(lock_t *lock) { AcquireSRWLockExclusive(&lock->exclusive); }
static inline void lock_drop(lock_t *lock) { ReleaseSRWLockExclusive(&lock->exclusive); }

/* -- bell ------------------------------------------------------------------------------------- */

typedef struct {
    a32 count;
} bell_t;

static inline void bell_init(bell_t *bell, int portable) {
    (void)portable;
    a32_store_relaxed(&bell->count, 0);
}

static inline void bell_destroy(bell_t *bell) { (void)bell; }

/* The count to park on; read it before the last look for work. */
static inline uint32_t bell_look(const bell_t *bell) { return a32_load_seq_cst(&bell->count); }

/* Sleep while the count is still `seen`, at most `timeout` nanoseconds (negative: for ever). May return
 * early: the caller looks again in any case. */
static inline void bell_park(bell_t *bell, uint32_t seen, int64_t timeout) {
    DWORD limit = INFINITE;
    if (timeout >= 0) {
        int64_t milliseconds = timeout / 1000000 + (timeout % 1000000 != 0);
        limit = milliseconds < 1000000 ? (DWORD)milliseconds : 1000000;
    }
    WaitOnAddress(&bell->count.word, &seen, sizeof seen, limit);
}

/* Change the count and wake `sleepers` of those who park on it, one or all. Any thread. */
static inline void bell_ring(bell_t *bell, int sleepers) {
    a32_fetch_add_full(&bell->count, 1);
    if (sleepers == 1)
        WakeByAddressSingle(&bell->count.word);
    else
        WakeByAddressAll(&bell->count.word);
}

/* -- descriptors ------------------------------------------------------------------------------ */

/* No event loop polls descriptors here, and so nobody has one. */
static inline void descriptor_ring(int descriptor) { (void)descriptor; }

/* -- threads ---------------------------------------------------------------------------------- */

typedef void (*thread_function)(void *argument);

/* An opaque identity of the calling thread, equal for equal threads. */
static inline uint64_t thread_self(void) { return GetCurrentThreadId(); }

/* The calling process. */
static inline uint32_t process_self(void) { return GetCurrentProcessId(); }

/* Nothing forks here. */
static inline int process_at_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void)) {
    (void)before, (void)in_parent, (void)in_child;
    return 0;
}

typedef struct {
    thread_function function;
    void *argument;
} thread_start_t;

static inline DWORD WINAPI thread_main(void *raw) {
    thread_start_t start = *(thread_start_t *)raw;
    free(raw);
    start.function(start.argument);
    return 0;
}

/* Run function(argument) on a new thread that nobody joins; the name is not used. 0, or the error number. */
static inline int thread_start(const char *name, thread_function function, void *argument) {
    thread_start_t *start = (thread_start_t *)malloc(sizeof *start);
    (void)name;
    if (start == NULL)
        return ENOMEM;
    start->function = function;
    start->argument = argument;
    HANDLE thread =
        CreateThread(NULL, TOCSIN_STACK_SIZE, thread_main, start, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (thread == NULL) {
        free(start);
        return EAGAIN;
    }
    CloseHandle(thread);
    return 0;
}

#endif
