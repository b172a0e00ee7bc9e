/* Memory for a build with -DTOCSIN_EXPLORE: from the arena, where freed blocks stay in quarantine. */
#ifndef EXPLORER_MEMORY_H
#define EXPLORER_MEMORY_H

extern void *xp_alloc(size_t size);
extern void xp_free(void *block);

static inline void *memory_alloc(size_t size) { return xp_alloc(size); }
static inline void *memory_alloc_small(size_t size) { return memory_alloc(size); }
static inline void memory_free(void *block) { xp_free(block); }
/* The one that grows is an array of a queue, which has room enough in every scene once it is there. */
static inline void *memory_grow(void *block, size_t size) { return block ? NULL : xp_alloc(size); }
static inline void *memory_map(size_t size) { return xp_alloc(size); }
static inline void memory_unmap(void *pages, size_t size) {
    (void)size;
    xp_free(pages);
}
static inline int memory_fault_in(void *pages, size_t size) {
    (void)pages, (void)size;
    return 0;
}

#endif
