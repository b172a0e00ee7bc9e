/* Memory that is looked after: what TOCSIN_DEBUG=1 puts in the place of memory.h. Linux and macOS.
 *
 * A block lies between two edges of known bytes, a ring also before a page that nobody may touch. What is
 * freed is filled with 0xDB and kept a while: whoever still reads it finds addresses that no machine has, and
 * whoever writes to it is found at a later free, or at the exit. Edges are looked at when a block is freed,
 * and those of a ring each time that somebody leaves it.
 *
 * A ring has one writer at a time, unless its writers reserve, and each stage reads it alone: they say so by
 * entering and leaving (memory_enter). Who comes in while another is inside has broken that, or the other
 * has. Words of a process that forked don't count in the child.
 *
 * What is found is told on stderr, and the process aborts: a core that has lost its footing delivers no more.
 * Each extension module keeps what it freed by itself; all modules must be built alike.
 */
#ifndef TOCSIN_MEMORY_CHECKED_H
#define TOCSIN_MEMORY_CHECKED_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    MEMORY_HEAD = 128,  /* bytes before a block, which keep it on a line of its own */
    MEMORY_BEHIND = 64, /* known bytes behind it */
    MEMORY_EDGE = 0xED,
    MEMORY_FREED = 0xDB,
    MEMORY_KEPT = 64, /* freed blocks that are kept */
    MEMORY_SIDES = 3
};

#define MEMORY_LIVES UINT64_C(0x6e692d657375210a)

typedef struct {
    uint64_t state; /* MEMORY_LIVES, or all bytes 0xDB */
    uint64_t size;
    uint64_t inside[MEMORY_SIDES]; /* process and thread, or 0 */
    unsigned char edge[MEMORY_HEAD - 8 * (2 + MEMORY_SIDES)];
} memory_head;

static inline memory_head *memory_head_of(const void *block) {
    return (memory_head *)((uintptr_t)block - MEMORY_HEAD);
}

__attribute__((noreturn, cold)) static void memory_complain(const char *what, const void *block) {
    fprintf(stderr, "tocsin, checked build: %s (block %p of %llu bytes)\n", what, block,
            (unsigned long long)memory_head_of(block)->size);
    fflush(stderr);
    abort();
}

static inline int memory_is_all(const unsigned char *bytes, int value, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != value)
            return 0;
    return 1;
}

/* The block is one of ours that was not freed, and its edges are as they were. */
static inline void memory_check(const void *block, size_t behind) {
    const memory_head *head = memory_head_of(block);
    if (head->state != MEMORY_LIVES)
        memory_complain(memory_is_all((const unsigned char *)&head->state, MEMORY_FREED, 8)
                            ? "memory is used or freed after it was freed"
                            : "memory was written to before its beginning",
                        block);
    if (!memory_is_all(head->edge, MEMORY_EDGE, sizeof head->edge))
        memory_complain("memory was written to before its beginning", block);
    if (!memory_is_all((const unsigned char *)block + head->size, MEMORY_EDGE, behind))
        memory_complain("memory was written to behind its end", block);
}

static inline void *memory_frame(void *base, size_t size, size_t behind) {
    memory_head *head = (memory_head *)base;
    unsigned char *block = (unsigned char *)base + MEMORY_HEAD;
    memset(head, 0, sizeof *head);
    head->state = MEMORY_LIVES;
    head->size = size;
    memset(head->edge, MEMORY_EDGE, sizeof head->edge);
    memset(block + size, MEMORY_EDGE, behind);
    return block;
}

/* -- blocks ---------------------------------------------------------------------------------- */

static inline void *memory_alloc(size_t size) {
    void *base = NULL;
    if (posix_memalign(&base, 128, MEMORY_HEAD + size + MEMORY_BEHIND) != 0)
        return NULL;
    return memset(memory_frame(base, size, MEMORY_BEHIND), 0, size);
}

static inline void *memory_alloc_small(size_t size) { return memory_alloc(size); }

static pthread_mutex_t memory_lock = PTHREAD_MUTEX_INITIALIZER;
static void *memory_kept[MEMORY_KEPT];
static unsigned memory_next;

/* What was freed and is kept has not been written to. Under the lock. */
static inline void memory_look_back(void) {
    for (int i = 0; i < MEMORY_KEPT; i++)
        if (memory_kept[i] != NULL && !memory_is_all((unsigned char *)memory_kept[i], MEMORY_FREED,
                                                     memory_head_of(memory_kept[i])->size))
            memory_complain("memory was written to after it was freed", memory_kept[i]);
}

static inline void memory_free(void *block) {
    memory_head *head = memory_head_of(block);
    void *oldest;
    if (block == NULL)
        return;
    memory_check(block, MEMORY_BEHIND);
    memset(&head->state, MEMORY_FREED, sizeof head->state);
    memset(block, MEMORY_FREED, head->size);
    /* Another thread has the lock, or had it when this process was forked: then one block less is kept. */
    if (pthread_mutex_trylock(&memory_lock) != 0) {
        free(head);
        return;
    }
    memory_look_back();
    oldest = memory_kept[memory_next % MEMORY_KEPT];
    memory_kept[memory_next++ % MEMORY_KEPT] = block;
    pthread_mutex_unlock(&memory_lock);
    if (oldest != NULL)
        free(memory_head_of(oldest));
}

__attribute__((destructor)) static void memory_look_back_at_exit(void) {
    if (pthread_mutex_trylock(&memory_lock) == 0) {
        memory_look_back();
        pthread_mutex_unlock(&memory_lock);
    }
}

static inline void *memory_grow(void *block, size_t size) {
    void *grown = memory_alloc(size);
    if (grown != NULL && block != NULL) {
        size_t before = memory_head_of(block)->size;
        memcpy(grown, block, before < size ? before : size);
        memory_free(block);
    }
    return grown;
}

/* -- rings ----------------------------------------------------------------------------------- */

/* Known bytes from the end of a ring to the page that nobody may touch. */
static inline size_t memory_rest(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return ((size + page - 1) & ~(page - 1)) - size + page;
}

static inline void *memory_map(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t whole = page + size + memory_rest(size) + page;
    char *pages = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    mprotect(pages + whole - page, page, PROT_NONE);
    return memory_frame(pages + page - MEMORY_HEAD, size, memory_rest(size));
}

static inline void memory_unmap(void *ring, size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (ring == NULL)
        return;
    memory_check(ring, memory_rest(size));
    munmap((char *)ring - page, page + size + memory_rest(size) + page);
}

/* -- one at a time ----------------------------------------------------------------------------- */

static inline void memory_enter(void *ring, int side) {
    uint64_t process = (uint64_t)getpid() << 40;
    uint64_t thread = ((uint64_t)(uintptr_t)pthread_self() >> 6 & ((UINT64_C(1) << 40) - 1)) | 1;
    uint64_t other =
        __atomic_exchange_n(&memory_head_of(ring)->inside[side], process | thread, __ATOMIC_RELAXED);
    if (other != 0 && other >> 40 == process >> 40)
        memory_complain(side == 0 ? "two threads write to a queue at once; an exclusive producer is for one"
                                  : "two workers run one stage at once",
                        ring);
}

static inline void memory_leave(void *ring, int side) {
    __atomic_store_n(&memory_head_of(ring)->inside[side], 0, __ATOMIC_RELAXED);
    memory_check(ring, MEMORY_BEHIND);
}

#endif
