/* Native threads, a lock for cold paths, and bells to sleep on.
 *
 * Threads: detached, signals blocked (they belong to the program's own threads), stacks of
 * at least 1 MiB. Nobody joins a thread: what a thread uses is counted, and the last user frees it.
 *
 * Lock: guards lists that no producer touches; held for a few instructions, never across user code.
 *
 * Bell: a counter that sleepers wait on. A sleeper reads the count, looks for work once more, and
 * parks only while the count is still what it read; whoever brings work changes the count first and
 * wakes afterwards. So a wake between the last look and the park is never lost: the park returns at
 * once. On Linux the count is a futex word; the portable form, which macOS uses, pairs it with a mutex
 * and a condition and behaves the same (but is not for signal handlers, since it takes the mutex). Windows
 * has its own forms of all this in thread_win32.h.
 */
#ifndef TOCSIN_THREAD_H
#define TOCSIN_THREAD_H

#include "atomic.h"

#if defined(TOCSIN_EXPLORE)
#include "explorer_thread.h"
#elif defined(_WIN32)
#include "thread_win32.h"
#else

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

#define TOCSIN_STACK_SIZE ((size_t)1 << 20)

/* -- lock ------------------------------------------------------------------------------------- */

typedef struct {
    pthread_mutex_t mutex;
} lock_t;

static inline void lock_init(lock_t *lock) { pthread_mutex_init(&lock->mutex, NULL); }
static inline void lock_destroy(lock_t *lock) { pthread_mutex_destroy(&lock->mutex); }
static inline void lock_take(lock_t *lock) { pthread_mutex_lock(&lock->mutex); }
static inline void lock_drop(lock_t *lock) { pthread_mutex_unlock(&lock->mutex); }

/* -- bell ------------------------------------------------------------------------------------- */

typedef struct {
    a32 count;
    int portable;
    pthread_mutex_t mutex; /* these two serve the portable form only */
    pthread_cond_t changed;
} bell_t;

static inline void bell_init(bell_t *bell, int portable) {
    a32_store_relaxed(&bell->count, 0);
#if defined(__linux__)
    bell->portable = portable;
#else
    bell->portable = 1;
#endif
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
#if !defined(__APPLE__)
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
#endif
    pthread_mutex_init(&bell->mutex, NULL);
    pthread_cond_init(&bell->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static inline void bell_destroy(bell_t *bell) {
    pthread_cond_destroy(&bell->changed);
    pthread_mutex_destroy(&bell->mutex);
}

/* The count to park on; read it before the last look for work. */
static inline uint32_t bell_look(const bell_t *bell) { return a32_load_seq_cst(&bell->count); }

static inline struct timespec bell_time(int64_t nanoseconds) {
    struct timespec time;
    time.tv_sec = (time_t)(nanoseconds / 1000000000);
    time.tv_nsec = (long)(nanoseconds % 1000000000);
    return time;
}

static inline int64_t bell_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * (int64_t)1000000000 + time.tv_nsec;
}

/* Wait for a change until a time of the monotonic clock; not 0 when it has come. */
static inline int bell_wait_until(bell_t *bell, int64_t until) {
#if defined(__APPLE__) /* its conditions know the wall clock only, or how long */
    int64_t left = until - bell_now();
    struct timespec time = bell_time(left < 0 ? 0 : left);
    return pthread_cond_timedwait_relative_np(&bell->changed, &bell->mutex, &time);
#else
    struct timespec time = bell_time(until);
    return pthread_cond_timedwait(&bell->changed, &bell->mutex, &time);
#endif
}

static inline void bell_park_portable(bell_t *bell, uint32_t seen, int64_t timeout) {
    int64_t until = timeout < 0 ? 0 : bell_now() + timeout;
    pthread_mutex_lock(&bell->mutex);
    while (a32_load_seq_cst(&bell->count) == seen) {
        int gave_up =
            timeout < 0 ? pthread_cond_wait(&bell->changed, &bell->mutex) : bell_wait_until(bell, until);
        if (gave_up)
            break;
    }
    pthread_mutex_unlock(&bell->mutex);
}

/* Sleep while the count is still `seen`, at most `timeout` nanoseconds (negative: for ever). May return
 * early, for a signal or for no reason: the caller looks again in any case. */
static inline void bell_park(bell_t *bell, uint32_t seen, int64_t timeout) {
#if defined(__linux__)
    if (!bell->portable) {
        struct timespec time = bell_time(timeout < 0 ? 0 : timeout);
        syscall(SYS_futex, &bell->count.word, FUTEX_WAIT_PRIVATE, seen, timeout < 0 ? NULL : &time, NULL, 0);
        return;
    }
#endif
    bell_park_portable(bell, seen, timeout);
}

/* Change the count and wake `sleepers` of those who park on it. Any thread. */
static inline void bell_ring(bell_t *bell, int sleepers) {
    if (bell->portable)
        pthread_mutex_lock(&bell->mutex);
    a32_fetch_add_full(&bell->count, 1);
#if defined(__linux__)
    if (!bell->portable) {
        syscall(SYS_futex, &bell->count.word, FUTEX_WAKE_PRIVATE, sleepers, NULL, NULL, 0);
        return;
    }
#endif
    if (sleepers == 1)
        pthread_cond_signal(&bell->changed);
    else
        pthread_cond_broadcast(&bell->changed);
    pthread_mutex_unlock(&bell->mutex);
}

/* -- descriptors ------------------------------------------------------------------------------ */

/* Have whoever polls an eventfd, or the other end of a pipe, wake up; neither blocks. Any thread. */
static inline void descriptor_ring(int descriptor) {
    uint64_t one = 1;
    ssize_t written = write(descriptor, &one, sizeof one);
    (void)written; /* it takes no more: then it is awake */
}

/* -- threads ---------------------------------------------------------------------------------- */

typedef void (*thread_function)(void *argument);

/* An opaque identity of the calling thread, equal for equal threads. */
static inline uint64_t thread_self(void) { return (uint64_t)(uintptr_t)pthread_self(); }

/* The calling process, another one in a forked child. */
static inline uint32_t process_self(void) { return (uint32_t)getpid(); }

/* Have these called around every fork of the process from now on, however it comes about: the last one in the
 * child, on its only thread. 0, or the error number. */
static inline int process_at_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void)) {
    return pthread_atfork(before, in_parent, in_child);
}

typedef struct {
    thread_function function;
    void *argument;
    char name[16];
} thread_start_t;

static inline void *thread_main(void *raw) {
    thread_start_t start = *(thread_start_t *)raw;
    free(raw);
#if defined(__linux__)
    pthread_setname_np(pthread_self(), start.name);
#elif defined(__APPLE__)
    pthread_setname_np(start.name);
#endif
    start.function(start.argument);
    return NULL;
}

/* Run function(argument) on a new detached thread. 0, or the error number. */
static inline int thread_start(const char *name, thread_function function, void *argument) {
    thread_start_t *start = (thread_start_t *)malloc(sizeof *start);
    if (start == NULL)
        return ENOMEM;
    start->function = function;
    start->argument = argument;
    snprintf(start->name, sizeof start->name, "%s", name);

    pthread_attr_t attributes;
    size_t stack = 0;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_attr_getstacksize(&attributes, &stack) != 0 || stack < TOCSIN_STACK_SIZE)
        pthread_attr_setstacksize(&attributes, TOCSIN_STACK_SIZE);

    /* A new thread inherits the mask of its creator: block everything around the creation. */
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV); /* those that a thread brings upon itself: crash handlers want to see them */
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    int error = pthread_create(&thread, &attributes, thread_main, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    pthread_attr_destroy(&attributes);
    if (error)
        free(start);
    return error;
}

#endif /* TOCSIN_EXPLORE, _WIN32 */
#endif
