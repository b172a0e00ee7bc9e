/* Memory for a build with -DTOCSIN_EXPLORE: zeroed blocks whose number is known, to find what is left over.
 */
#ifndef EXPLORER_MEMORY_H
#define EXPLORER_MEMORY_H

#include <stdlib.h>

extern long seam_blocks;

static inline void *memory_alloc(size_t size) {
    seam_blocks++;
    return calloc(1, size);
}
static inline void *memory_alloc_small(size_t size) { return memory_alloc(size); }
static inline void memory_free(void *block) {
    seam_blocks -= block != NULL;
    free(block);
}
static inline void *memory_map(size_t size) { return memory_alloc(size); }
static inline void memory_unmap(void *pages, size_t size) {
    (void)size;
    memory_free(pages);
}
static inline int memory_fault_in(void *pages, size_t size) {
    (void)pages, (void)size;
    return 0;
}

#endif
