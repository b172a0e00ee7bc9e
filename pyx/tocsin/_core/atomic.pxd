"""Named memory orders on opaque words (atomic.h): the only way in which two threads meet.

The C header holds the theory; this file declares it to Cython. The types have no fields here, so a
plain read or write of a shared word does not compile.
"""

from libc.stdint cimport uint32_t, uint64_t


cdef extern from "tocsin/_core/atomic.h" nogil:
    ctypedef struct a32:
        pass
    ctypedef struct a64:
        pass
    ctypedef struct aptr:
        pass
    ctypedef struct shared_bytes:
        pass

    enum:
        BYTES_FEW_MIN
        BYTES_FEW_MAX

    uint32_t a32_load_relaxed(const a32* p)
    uint32_t a32_load_acquire(const a32* p)
    uint32_t a32_load_seq_cst(const a32* p)
    void a32_store_relaxed(a32* p, uint32_t v)
    void a32_store_release(a32* p, uint32_t v)
    uint32_t a32_exchange_full(a32* p, uint32_t v)
    uint32_t a32_fetch_add_full(a32* p, uint32_t v)
    uint32_t a32_fetch_sub_full(a32* p, uint32_t v)
    uint32_t a32_fetch_or_full(a32* p, uint32_t v)
    uint32_t a32_fetch_and_full(a32* p, uint32_t v)

    uint64_t a64_load_relaxed(const a64* p)
    uint64_t a64_load_acquire(const a64* p)
    uint64_t a64_load_seq_cst(const a64* p)
    void a64_store_relaxed(a64* p, uint64_t v)
    void a64_store_release(a64* p, uint64_t v)
    uint64_t a64_exchange_full(a64* p, uint64_t v)
    uint64_t a64_fetch_add_relaxed(a64* p, uint64_t v)
    uint64_t a64_fetch_add_full(a64* p, uint64_t v)
    uint64_t a64_fetch_or_full(a64* p, uint64_t v)
    uint64_t a64_fetch_and_full(a64* p, uint64_t v)
    bint a64_cas_full(a64* p, uint64_t* seen, uint64_t v)

    void* aptr_load_relaxed(const aptr* p)
    void* aptr_load_acquire(const aptr* p)
    void* aptr_load_seq_cst(const aptr* p)
    void aptr_store_relaxed(aptr* p, void* v)
    void aptr_store_release(aptr* p, void* v)
    void* aptr_exchange_full(aptr* p, void* v)
    bint aptr_cas_full(aptr* p, void** seen, void* v)

    void bytes_put(shared_bytes* base, uint64_t offset, const void* source, size_t n)
    void bytes_put_few(shared_bytes* base, uint64_t offset, const void* source, size_t n)
    void bytes_get(const shared_bytes* base, uint64_t offset, void* target, size_t n)
    const void* bytes_view(const shared_bytes* base, uint64_t offset, size_t n)
    void cache_expect(const void* p)
    void bytes_expect(shared_bytes* base, uint64_t offset)
    uint32_t bytes_glance(const shared_bytes* base, uint64_t offset)
    void cpu_pause()
