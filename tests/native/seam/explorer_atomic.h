/* Shared words for a build with -DTOCSIN_EXPLORE: every access is announced before it happens.
 *
 * The program runs on one thread of the system, so the accesses themselves are plain. seam_step() counts
 * them and may call the program back, which then does what an interrupt, another processor's writer or
 * another worker would do exactly here (machine.h). Memory is sequentially consistent; weaker orders are
 * the business of ThreadSanitizer and of the stress driver.
 */
#ifndef EXPLORER_ATOMIC_H
#define EXPLORER_ATOMIC_H

extern void seam_step(const void *word);

typedef struct {
    uint32_t word;
} a32;

typedef struct {
    uint64_t word;
} a64;

typedef struct {
    void *word;
} aptr;

typedef struct {
    unsigned char bytes[1];
} shared_bytes;

#define SEAM_LOAD(type, value, order)                                                                        \
    static inline value type##_load_##order(const type *p) {                                                 \
        seam_step(p);                                                                                        \
        return p->word;                                                                                      \
    }
#define SEAM_STORE(type, value, order)                                                                       \
    static inline void type##_store_##order(type *p, value v) {                                              \
        seam_step(p);                                                                                        \
        p->word = v;                                                                                         \
    }
#define SEAM_CHANGE(type, value, name, result)                                                               \
    static inline value type##_##name(type *p, value v) {                                                    \
        seam_step(p);                                                                                        \
        value before = p->word;                                                                              \
        p->word = result;                                                                                    \
        return before;                                                                                       \
    }
#define SEAM_CAS(type, value)                                                                                \
    static inline int type##_cas_full(type *p, value *seen, value v) {                                       \
        seam_step(p);                                                                                        \
        if (p->word == *seen) {                                                                              \
            p->word = v;                                                                                     \
            return 1;                                                                                        \
        }                                                                                                    \
        *seen = p->word;                                                                                     \
        return 0;                                                                                            \
    }

#define SEAM_WORD(type, value)                                                                               \
    SEAM_LOAD(type, value, relaxed)                                                                          \
    SEAM_LOAD(type, value, acquire)                                                                          \
    SEAM_LOAD(type, value, seq_cst)                                                                          \
    SEAM_STORE(type, value, relaxed)                                                                         \
    SEAM_STORE(type, value, release)                                                                         \
    SEAM_CHANGE(type, value, exchange_full, v)

#define SEAM_NUMBER(type, value)                                                                             \
    SEAM_WORD(type, value)                                                                                   \
    SEAM_CHANGE(type, value, fetch_add_full, before + v)                                                     \
    SEAM_CHANGE(type, value, fetch_or_full, before | v)                                                      \
    SEAM_CHANGE(type, value, fetch_and_full, before &v)

SEAM_NUMBER(a32, uint32_t)
SEAM_NUMBER(a64, uint64_t)
SEAM_WORD(aptr, void *)
SEAM_CHANGE(a32, uint32_t, fetch_sub_full, before - v)
SEAM_CHANGE(a64, uint64_t, fetch_add_relaxed, before + v)
SEAM_CAS(a64, uint64_t)
SEAM_CAS(aptr, void *)

static inline void bytes_put(shared_bytes *base, uint64_t offset, const void *source, size_t n) {
    seam_step(base);
    memcpy((unsigned char *)base + offset, source, n);
}
static inline void bytes_get(const shared_bytes *base, uint64_t offset, void *target, size_t n) {
    seam_step(base);
    memcpy(target, (const unsigned char *)base + offset, n);
}
static inline const void *bytes_view(const shared_bytes *base, uint64_t offset, size_t n) {
    (void)n;
    seam_step(base);
    return (const unsigned char *)base + offset;
}
static inline uint32_t bytes_glance(const shared_bytes *base, uint64_t offset) {
    uint32_t value;
    seam_step(base);
    memcpy(&value, (const unsigned char *)base + offset, sizeof value);
    return value;
}

static inline void bytes_put_few(shared_bytes *base, uint64_t offset, const void *source, size_t n) {
    if (n)
        bytes_put(base, offset, source, n);
}
static inline void bytes_expect(shared_bytes *base, uint64_t offset) {
    (void)base;
    (void)offset;
}

static inline void cpu_pause(void) {}

#endif
