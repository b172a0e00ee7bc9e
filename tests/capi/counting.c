/* Preloaded into an interpreter: counts what the process asks of the allocator while it is told to, and the
 * mutexes that the native producer's thread takes meanwhile.
 *
 * Whoever starts counting gets the allocations of all threads, workers of the pipeline included.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <tocsin.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static atomic_int counting;
static atomic_long counted;
static atomic_long delivered;
static atomic_long locked;
static long expected;

/* This thread is inside tocsin_notify(). Of that model, since reaching it then allocates nothing. */
static _Thread_local int notifying __attribute__((tls_model("initial-exec")));

static void count(void) {
    if (atomic_load(&counting))
        atomic_fetch_add(&counted, 1);
}

void *malloc(size_t size) {
    count();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count();
    return __libc_calloc(number, size);
}

void *realloc(void *block, size_t size) {
    count();
    return __libc_realloc(block, size);
}

void *memalign(size_t alignment, size_t size) {
    count();
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **block, size_t alignment, size_t size) {
    *block = memalign(alignment, size);
    return *block == NULL ? ENOMEM : 0;
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset) {
    count();
    return (void *)syscall(SYS_mmap, address, length, protection, flags, file, offset);
}

void *mmap64(void *address, size_t length, int protection, int flags, int file, off64_t offset) {
    return mmap(address, length, protection, flags, file, offset);
}

int pthread_mutex_lock(pthread_mutex_t *mutex) {
    static int (*lock)(pthread_mutex_t *);

    if (lock == NULL)
        *(void **)&lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
    if (notifying)
        atomic_fetch_add(&locked, 1);
    return lock(mutex);
}

/* A native subscriber. */
int counting_subscriber(void *context, const tocsin_event *event) {
    (void)context;
    (void)event;
    atomic_fetch_add(&delivered, 1);
    return 0;
}

/* One with a bug: it allocates. */
int counting_hoarder(void *context, const tocsin_event *event) {
    void *volatile block = malloc(event->size);

    (void)context;
    free(block);
    return 0;
}

/* Count from now until `events` have been delivered. */
void counting_begin(long events) {
    expected = events;
    atomic_store(&delivered, 0);
    atomic_store(&counted, 0);
    atomic_store(&locked, 0);
    atomic_store(&counting, 1);
}

/* What was allocated until all were delivered; -1: they were not, in time. */
long counting_end(void) {
    const struct timespec pause = {0, 100000};

    for (int i = 0; i < 100000 && atomic_load(&delivered) < expected; i++)
        nanosleep(&pause, NULL);
    atomic_store(&counting, 0);
    return atomic_load(&delivered) == expected ? atomic_load(&counted) : -1;
}

/* All in one, so that nothing of Python comes between: notify, wait for delivery, tell. With `planted` a
 * mutex is taken beside each event, as if tocsin_notify() did. */
long counting_notify(tocsin_producer *producer, uint8_t event, uint32_t size, long events, int planted) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static const uint8_t payload[64];
    long accepted = 0;

    counting_begin(events);
    for (long i = 0; i < events; i++) {
        notifying = 1;
        accepted += tocsin_notify(producer, event, payload, size, TOCSIN_NOW) == 0;
        if (planted && pthread_mutex_lock(&mutex) == 0)
            pthread_mutex_unlock(&mutex);
        notifying = 0;
    }
    return accepted == events ? counting_end() : -1;
}

/* The mutexes of the last counting_notify(). */
long counting_locked(void) { return atomic_load(&locked); }
