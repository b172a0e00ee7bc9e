/* Named memory orders on opaque words: the only way in which two threads meet.
 *
 * Whatever more than one thread touches has one of these types and is reached only through these
 * functions, so that no access can be plain by accident and the order of each stands in its name:
 *
 *   relaxed   the value alone; for words that only one thread writes, or whose order comes from elsewhere
 *   acquire   what the writer did before its release is visible after this load
 *   release   what this thread did before is visible to whoever acquires the value
 *   full      a sequentially consistent read-modify-write: acquire, release, and in one order with
 *             every other full or seq_cst access; fetch_* give the value before
 *   seq_cst   a load in that one order
 *
 * In a release build each function is the bare instruction. With -DTOCSIN_EXPLORE an
 * interleaving explorer's own header takes the place of all that follows, and decides at each call
 * who moves next and what the store buffers hold. Valid C11 and C++17: compiler builtins, no <stdatomic.h>;
 * Microsoft's compiler, which lacks them, gets atomic_msvc.h.
 */
#ifndef TOCSIN_ATOMIC_H
#define TOCSIN_ATOMIC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What bytes_put_few() copies without a call. */
enum { BYTES_FEW_MIN = 4, BYTES_FEW_MAX = 64 };

#if defined(TOCSIN_EXPLORE)
#include "explorer_atomic.h"

static inline void bytes_put_few(shared_bytes *base, uint64_t offset, const void *source, size_t n) {
    if (n)
        bytes_put(base, offset, source, n); /* one access, however it is done */
}
static inline void bytes_expect(shared_bytes *base, uint64_t offset) { (void)base, (void)offset; }
static inline void cache_expect(const void *p) { (void)p; }
#else

typedef struct {
    uint32_t word;
} a32;

typedef struct {
    uint64_t word;
} a64;

typedef struct {
    void *word;
} aptr;

/* Bytes of a ring: written by one thread, then published, then read by others. */
typedef struct {
    unsigned char bytes[1];
} shared_bytes;

#if defined(_MSC_VER) || defined(TOCSIN_INTERLOCKED)
#include "atomic_msvc.h"
#else

/* 32 bits */
static inline uint32_t a32_load_relaxed(const a32 *p) { return __atomic_load_n(&p->word, __ATOMIC_RELAXED); }
static inline uint32_t a32_load_acquire(const a32 *p) { return __atomic_load_n(&p->word, __ATOMIC_ACQUIRE); }
static inline uint32_t a32_load_seq_cst(const a32 *p) { return __atomic_load_n(&p->word, __ATOMIC_SEQ_CST); }
static inline void a32_store_relaxed(a32 *p, uint32_t v) { __atomic_store_n(&p->word, v, __ATOMIC_RELAXED); }
static inline void a32_store_release(a32 *p, uint32_t v) { __atomic_store_n(&p->word, v, __ATOMIC_RELEASE); }
static inline uint32_t a32_exchange_full(a32 *p, uint32_t v) {
    return __atomic_exchange_n(&p->word, v, __ATOMIC_SEQ_CST);
}
static inline uint32_t a32_fetch_add_full(a32 *p, uint32_t v) {
    return __atomic_fetch_add(&p->word, v, __ATOMIC_SEQ_CST);
}
static inline uint32_t a32_fetch_sub_full(a32 *p, uint32_t v) {
    return __atomic_fetch_sub(&p->word, v, __ATOMIC_SEQ_CST);
}
static inline uint32_t a32_fetch_or_full(a32 *p, uint32_t v) {
    return __atomic_fetch_or(&p->word, v, __ATOMIC_SEQ_CST);
}
static inline uint32_t a32_fetch_and_full(a32 *p, uint32_t v) {
    return __atomic_fetch_and(&p->word, v, __ATOMIC_SEQ_CST);
}

/* 64 bits */
static inline uint64_t a64_load_relaxed(const a64 *p) { return __atomic_load_n(&p->word, __ATOMIC_RELAXED); }
static inline uint64_t a64_load_acquire(const a64 *p) { return __atomic_load_n(&p->word, __ATOMIC_ACQUIRE); }
static inline uint64_t a64_load_seq_cst(const a64 *p) { return __atomic_load_n(&p->word, __ATOMIC_SEQ_CST); }
static inline void a64_store_relaxed(a64 *p, uint64_t v) { __atomic_store_n(&p->word, v, __ATOMIC_RELAXED); }
static inline void a64_store_release(a64 *p, uint64_t v) { __atomic_store_n(&p->word, v, __ATOMIC_RELEASE); }
static inline uint64_t a64_exchange_full(a64 *p, uint64_t v) {
    return __atomic_exchange_n(&p->word, v, __ATOMIC_SEQ_CST);
}
static inline uint64_t a64_fetch_add_relaxed(a64 *p, uint64_t v) {
    return __atomic_fetch_add(&p->word, v, __ATOMIC_RELAXED);
}
static inline uint64_t a64_fetch_add_full(a64 *p, uint64_t v) {
    return __atomic_fetch_add(&p->word, v, __ATOMIC_SEQ_CST);
}
static inline uint64_t a64_fetch_or_full(a64 *p, uint64_t v) {
    return __atomic_fetch_or(&p->word, v, __ATOMIC_SEQ_CST);
}
static inline uint64_t a64_fetch_and_full(a64 *p, uint64_t v) {
    return __atomic_fetch_and(&p->word, v, __ATOMIC_SEQ_CST);
}
/* Store `v` if the word is still *seen; else read the word into *seen. */
static inline int a64_cas_full(a64 *p, uint64_t *seen, uint64_t v) {
    return __atomic_compare_exchange_n(&p->word, seen, v, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* pointers */
static inline void *aptr_load_relaxed(const aptr *p) { return __atomic_load_n(&p->word, __ATOMIC_RELAXED); }
static inline void *aptr_load_acquire(const aptr *p) { return __atomic_load_n(&p->word, __ATOMIC_ACQUIRE); }
static inline void *aptr_load_seq_cst(const aptr *p) { return __atomic_load_n(&p->word, __ATOMIC_SEQ_CST); }
static inline void aptr_store_relaxed(aptr *p, void *v) { __atomic_store_n(&p->word, v, __ATOMIC_RELAXED); }
static inline void aptr_store_release(aptr *p, void *v) { __atomic_store_n(&p->word, v, __ATOMIC_RELEASE); }
static inline void *aptr_exchange_full(aptr *p, void *v) {
    return __atomic_exchange_n(&p->word, v, __ATOMIC_SEQ_CST);
}
static inline int aptr_cas_full(aptr *p, void **seen, void *v) {
    return __atomic_compare_exchange_n(&p->word, seen, v, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

#endif /* _MSC_VER */

/* record bytes: plain copies; the publication of the counter beside them gives them their order */
static inline void bytes_put(shared_bytes *base, uint64_t offset, const void *source, size_t n) {
    memcpy((unsigned char *)base + offset, source, n);
}
/* The same for a few bytes, as most payloads have, without a call: 1 ns less an event of 32
 * bytes in notify_many(), of 5. */
static inline void bytes_put_few(shared_bytes *base, uint64_t offset, const void *source, size_t n) {
    unsigned char *to = (unsigned char *)base + offset;
    const unsigned char *from = (const unsigned char *)source;
    if (n < BYTES_FEW_MIN || n > BYTES_FEW_MAX) {
        if (n) /* a payload of no bytes may have no address, which memcpy() may not be given */
            memcpy(to, from, n);
    } else if (n < 8) { /* here and below: the first and the last, which may overlap */
        memcpy(to, from, 4);
        memcpy(to + n - 4, from + n - 4, 4);
    } else if (n < 16) {
        memcpy(to, from, 8);
        memcpy(to + n - 8, from + n - 8, 8);
    } else {
        if (n > 32) {
            memcpy(to + 16, from + 16, 16);
            memcpy(to + n - 32, from + n - 32, 16);
        }
        memcpy(to, from, 16);
        memcpy(to + n - 16, from + n - 16, 16);
    }
}
static inline void bytes_get(const shared_bytes *base, uint64_t offset, void *target, size_t n) {
    memcpy(target, (const unsigned char *)base + offset, n);
}
/* The bytes in place: the caller reads them before it lets the space be freed. */
static inline const void *bytes_view(const shared_bytes *base, uint64_t offset, size_t n) {
    (void)n;
    return (const unsigned char *)base + offset;
}
/* Four bytes that a writer may be overwriting: the caller checks afterwards that the space had not been
 * freed, and throws the value away if it had. ThreadSanitizer is told, since the race is the point. */
#if defined(__GNUC__)
__attribute__((no_sanitize("thread")))
#endif
static inline uint32_t bytes_glance(const shared_bytes *base, uint64_t offset) {
    const void *place = (const unsigned char *)base + offset;
#if defined(_MSC_VER) || defined(TOCSIN_INTERLOCKED)
    return a32_load_acquire((const a32 *)place);
#else
    return __atomic_load_n((const uint32_t *)place, __ATOMIC_ACQUIRE);
#endif
}

/* Ask for the bytes there to be brought near for writing: they will be written soon. */
static inline void bytes_expect(shared_bytes *base, uint64_t offset) {
#if defined(__x86_64__) /* whose compilers take the plain prefetch for this builtin, which gets no right to  \
                           write */
    __asm__ __volatile__("prefetchw %0" ::"m"(((unsigned char *)base)[offset]));
#elif defined(__GNUC__)
    __builtin_prefetch((unsigned char *)base + offset, 1);
#else
    (void)base, (void)offset;
#endif
}

/* Ask for the bytes there to be brought near for reading. Any address will do, also of nothing. */
static inline void cache_expect(const void *p) {
#if defined(__GNUC__)
    __builtin_prefetch(p, 0);
#else
    (void)p;
#endif
}

/* One processor pause inside a short wait; the explorer takes it as "let the others move". */
static inline void cpu_pause(void) {
#if defined(_MSC_VER)
    _mm_pause();
#elif defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield" ::: "memory");
#endif
}

#endif /* TOCSIN_EXPLORE */
#endif
