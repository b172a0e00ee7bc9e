/* Memory: zeroed blocks, and rings of whole pages.
 *
 * All allocation of the core goes through these functions, so that an explorer can watch it. A
 * ring is mapped, not faulted in: a queue of 4 MiB costs address space until events need it;
 * memory_fault_in() pays for all of it at once, before a producer that must not wait starts.
 *
 * memory_enter() and memory_leave() say who is inside a ring: a checked build (TOCSIN_DEBUG=1) sees to it
 * that there is one at a time, and to much else (memory_checked.h). In all other builds they are nothing.
 */
#ifndef TOCSIN_MEMORY_H
#define TOCSIN_MEMORY_H

#include <stddef.h>

/* The sides of a ring that memory_enter() knows. */
enum { MEMORY_WRITER, MEMORY_NATIVE, MEMORY_PYTHON };

#if defined(TOCSIN_EXPLORE)
#include "explorer_memory.h"
#elif defined(TOCSIN_CHECKS)
#include "memory_checked.h"
#else

#include <stdlib.h>
#include <string.h>
#if defined(_WIN32)
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <malloc.h>
#include <windows.h>
#else
#include <sys/mman.h>
#endif
/* Known to every Linux from 5.14 on, but not to the older headers that wheels are built with. */
#if defined(__linux__) && !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE 23
#endif

/* `size` zeroed bytes on a line of their own (128 bytes), or NULL. */
static inline void *memory_alloc(size_t size) {
    void *block = NULL;
    size = (size + 127) & ~(size_t)127;
#if defined(_WIN32)
    block = _aligned_malloc(size, 128);
    if (block == NULL)
        return NULL;
#else
    if (posix_memalign(&block, 128, size) != 0)
        return NULL;
#endif
    return memset(block, 0, size);
}

/* `size` zeroed bytes close to the block that was asked for before, or NULL. */
static inline void *memory_alloc_small(size_t size) {
#if defined(_WIN32)
    void *block = _aligned_malloc(size, 16);
    return block == NULL ? NULL : memset(block, 0, size);
#else
    return calloc(1, size);
#endif
}

/* The block with room for `size` bytes, moved if need be and not zeroed, or NULL and nothing changed. */
static inline void *memory_grow(void *block, size_t size) {
#if defined(_WIN32)
    return _aligned_realloc(block, size, 128);
#else
    return realloc(block, size);
#endif
}

static inline void memory_free(void *block) {
#if defined(_WIN32)
    _aligned_free(block);
#else
    free(block);
#endif
}

/* `size` zeroed bytes of pages of their own, or NULL. */
static inline void *memory_map(size_t size) {
#if defined(_WIN32)
    return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
#else
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
#endif
}

static inline void memory_unmap(void *pages, size_t size) {
    if (pages == NULL)
        return;
#if defined(_WIN32)
    (void)size;
    VirtualFree(pages, 0, MEM_RELEASE);
#else
    munmap(pages, size);
#endif
}

#endif /* whose functions */

#if !defined(TOCSIN_EXPLORE)
/* Have every page present: 0, or -1 where the system can't and pages come at their first use. */
static inline int memory_fault_in(void *pages, size_t size) {
#if defined(MADV_POPULATE_WRITE)
    return madvise(pages, size, MADV_POPULATE_WRITE);
#else
    (void)pages, (void)size;
    return -1;
#endif
}
#endif

#if defined(TOCSIN_EXPLORE) || !defined(TOCSIN_CHECKS)
/* Macros, so that there is nothing to inline: the compilers see the text without them. */
#define memory_enter(ring, side) ((void)0)
#define memory_leave(ring, side) ((void)0)
#endif

#endif
