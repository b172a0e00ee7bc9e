"""Memory: zeroed blocks, and rings of whole pages (memory.h holds the theory)."""


cdef extern from "tocsin/_core/memory.h" nogil:
    void* memory_alloc(size_t size)
    void* memory_alloc_small(size_t size)
    void* memory_grow(void* block, size_t size)
    void memory_free(void* block)
    void* memory_map(size_t size)
    void memory_unmap(void* pages, size_t size)
    int memory_fault_in(void* pages, size_t size)
    enum:
        MEMORY_WRITER
        MEMORY_NATIVE
        MEMORY_PYTHON
    void memory_enter(void* ring, int side)
    void memory_leave(void* ring, int side)
