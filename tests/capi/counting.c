/* Preloaded into an interpreter: counts what the process asks of the allocator while it is told to.
 *
 * Whoever starts counting gets the calls of all threads, workers of the pipeline included.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
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
static long expected;

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

/* A native subscriber. */
int counting_subscriber(void *context, const tocsin_event *event) {
    (void)context;
    (void)event;
    atomic_fetch_add(&delivered, 1);
    return 0;
}

/* Count from now until `events` have been delivered. */
void counting_begin(long events) {
    expected = events;
    atomic_store(&delivered, 0);
    atomic_store(&counted, 0);
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

/* All in one, so that nothing of Python comes between: notify, wait for delivery, tell. */
long counting_notify(tocsin_producer *producer, uint8_t event, uint32_t size, long events) {
    static const uint8_t payload[64];
    long accepted = 0;

    counting_begin(events);
    for (long i = 0; i < events; i++)
        accepted += tocsin_notify(producer, event, payload, size, TOCSIN_NOW) == 0;
    return accepted == events ? counting_end() : -1;
}
