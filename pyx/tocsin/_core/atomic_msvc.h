/* The named orders of atomic.h for Microsoft's compiler, on x86-64 only.
 *
 * There every plain load acquires and every plain store releases, so for those it is enough that the compiler
 * moves nothing across (_ReadWriteBarrier) and that the access is one instruction (volatile, aligned). A
 * locked instruction is a full fence; each write that a seq_cst load must agree with is one, so that load is
 * plain too. -DTOCSIN_INTERLOCKED has this text used by another compiler for Windows, so that it can be tried
 * without Microsoft's.
 */
#ifndef TOCSIN_ATOMIC_MSVC_H
#define TOCSIN_ATOMIC_MSVC_H

#include <intrin.h>

#if !defined(_M_X64) && !defined(__x86_64__)
#error "tocsin: on Windows x86-64 only"
#endif

/* 32 bits */
static inline uint32_t a32_load_relaxed(const a32 *p) { return *(const volatile uint32_t *)&p->word; }
static inline uint32_t a32_load_acquire(const a32 *p) {
    uint32_t v = *(const volatile uint32_t *)&p->word;
    _ReadWriteBarrier();
    return v;
}
static inline uint32_t a32_load_seq_cst(const a32 *p) {
    _ReadWriteBarrier();
    return a32_load_acquire(p);
}
static inline void a32_store_relaxed(a32 *p, uint32_t v) { *(volatile uint32_t *)&p->word = v; }
static inline void a32_store_release(a32 *p, uint32_t v) {
    _ReadWriteBarrier();
    *(volatile uint32_t *)&p->word = v;
}
static inline uint32_t a32_exchange_full(a32 *p, uint32_t v) {
    return (uint32_t)_InterlockedExchange((volatile long *)&p->word, (long)v);
}
static inline uint32_t a32_fetch_add_full(a32 *p, uint32_t v) {
    return (uint32_t)_InterlockedExchangeAdd((volatile long *)&p->word, (long)v);
}
static inline uint32_t a32_fetch_sub_full(a32 *p, uint32_t v) { return a32_fetch_add_full(p, 0u - v); }
static inline uint32_t a32_fetch_or_full(a32 *p, uint32_t v) {
    return (uint32_t)_InterlockedOr((volatile long *)&p->word, (long)v);
}
static inline uint32_t a32_fetch_and_full(a32 *p, uint32_t v) {
    return (uint32_t)_InterlockedAnd((volatile long *)&p->word, (long)v);
}

/* 64 bits */
static inline uint64_t a64_load_relaxed(const a64 *p) { return *(const volatile uint64_t *)&p->word; }
static inline uint64_t a64_load_acquire(const a64 *p) {
    uint64_t v = *(const volatile uint64_t *)&p->word;
    _ReadWriteBarrier();
    return v;
}
static inline uint64_t a64_load_seq_cst(const a64 *p) {
    _ReadWriteBarrier();
    return a64_load_acquire(p);
}
static inline void a64_store_relaxed(a64 *p, uint64_t v) { *(volatile uint64_t *)&p->word = v; }
static inline void a64_store_release(a64 *p, uint64_t v) {
    _ReadWriteBarrier();
    *(volatile uint64_t *)&p->word = v;
}
static inline uint64_t a64_exchange_full(a64 *p, uint64_t v) {
    return (uint64_t)_InterlockedExchange64((volatile __int64 *)&p->word, (__int64)v);
}
static inline uint64_t a64_fetch_add_full(a64 *p, uint64_t v) {
    return (uint64_t)_InterlockedExchangeAdd64((volatile __int64 *)&p->word, (__int64)v);
}
static inline uint64_t a64_fetch_add_relaxed(a64 *p, uint64_t v) { return a64_fetch_add_full(p, v); }
static inline uint64_t a64_fetch_or_full(a64 *p, uint64_t v) {
    return (uint64_t)_InterlockedOr64((volatile __int64 *)&p->word, (__int64)v);
}
static inline uint64_t a64_fetch_and_full(a64 *p, uint64_t v) {
    return (uint64_t)_InterlockedAnd64((volatile __int64 *)&p->word, (__int64)v);
}
static inline int a64_cas_full(a64 *p, uint64_t *seen, uint64_t v) {
    uint64_t found =
        (uint64_t)_InterlockedCompareExchange64((volatile __int64 *)&p->word, (__int64)v, (__int64)*seen);
    int done = found == *seen;
    *seen = found;
    return done;
}

/* pointers */
static inline void *aptr_load_relaxed(const aptr *p) { return *(void *const volatile *)&p->word; }
static inline void *aptr_load_acquire(const aptr *p) {
    void *v = *(void *const volatile *)&p->word;
    _ReadWriteBarrier();
    return v;
}
static inline void *aptr_load_seq_cst(const aptr *p) {
    _ReadWriteBarrier();
    return aptr_load_acquire(p);
}
static inline void aptr_store_relaxed(aptr *p, void *v) { *(void *volatile *)&p->word = v; }
static inline void aptr_store_release(aptr *p, void *v) {
    _ReadWriteBarrier();
    *(void *volatile *)&p->word = v;
}
static inline void *aptr_exchange_full(aptr *p, void *v) {
    return _InterlockedExchangePointer((void *volatile *)&p->word, v);
}
static inline int aptr_cas_full(aptr *p, void **seen, void *v) {
    void *found = _InterlockedCompareExchangePointer((void *volatile *)&p->word, v, *seen);
    int done = found == *seen;
    *seen = found;
    return done;
}

#endif
