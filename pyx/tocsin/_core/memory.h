/* Memory: zeroed blocks, and rings of whole pages.
 *
 * All allocation of the core goes through these four functions, so that an explorer can watch it. A
 * ring is mapped, not faulted in: a queue of 4 MiB costs address space until events need it;
 * memory_fault_in() pays for all of it at once, before a producer that must not wait starts.
 */
#ifndef TOCSIN_MEMORY_H
#define TOCSIN_MEMORY_H

#include <stddef.h>

#if defined(TOCSIN_EXPLORE)
#include "explorer_memory.h"
#else

#include <stdlib.h>
#include <string.h>
#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#endif

/* `size` zeroed bytes on a line of their own (128 bytes), or NULL. */
static inline void *memory_alloc(size_t size) {
    void *block = NULL;
    size = (size + 127) & ~(size_t)127;
    if (posix_memalign(&block, 128, size) != 0)
        return NULL;
    return memset(block, 0, size);
}

/* The block with room for `size` bytes, moved if need be and not zeroed, or NULL and nothing changed. */
static inline void *memory_grow(void *block, size_t size) { return realloc(block, size); }

static inline void memory_free(void *block) { free(block); }

/* `size` zeroed bytes of pages of their own, or NULL. */
static inline void *memory_map(size_t size) {
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

static inline void memory_unmap(void *pages, size_t size) {
    if (pages != NULL)
        munmap(pages, size);
}

/* Have every page present: 0, or -1 where the system can't and pages come at their first use. */
static inline int memory_fault_in(void *pages, size_t size) {
#if defined(MADV_POPULATE_WRITE)
    return madvise(pages, size, MADV_POPULATE_WRITE);
#else
    (void)pages, (void)size;
    return -1;
#endif
}

#endif /* TOCSIN_EXPLORE */
#endif
