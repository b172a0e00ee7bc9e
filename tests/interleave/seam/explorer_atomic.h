/* Shared words for a build with -DTOCSIN_EXPLORE: every access is announced before it happens.
 *
 * xp_op() says what the thread is about to do and hands over to the scheduler, which lets it go on when its
 * turn has come; then the access itself happens, in one piece. Under a memory with store buffers a plain
 * store goes into the buffer of its thread (xp_store) and reaches memory when the scheduler says so; a load
 * sees the thread's own buffer first (xp_forward); a full operation waits until that buffer is empty.
 */
#ifndef EXPLORER_ATOMIC_H
#define EXPLORER_ATOMIC_H

enum {
    OP_READ,  /* a load */
    OP_WRITE, /* a store that reaches memory at once, or a step of the scene */
    OP_LOOSE, /* a relaxed read-modify-write: atomic, but orders nothing else */
    OP_FULL,  /* a full read-modify-write: everything stored before is visible */
    OP_LOCK,
    OP_PARK,
    OP_WOKEN,
    OP_WAKE,
    OP_START, /* of a thread */
    OP_PAUSE,
    OP_BARRIER, /* every thread's stores are visible */
    OP_ROOM,    /* a store that waits for a place in the buffer */
    OP_WAIT,    /* the scene waits until a word is not zero */
    OP_ENDED
};

extern int xp_buffered;
extern void xp_op(int kind, const void *word, size_t size);
extern int xp_forward(const void *word, size_t size, void *value);
extern void xp_store(void *word, size_t size, const void *value, int is_release);
extern void xp_settle_own(const void *bytes, size_t size); /* until no own store to these is buffered */
extern void xp_pause(void);
extern void xp_barrier(void); /* membarrier() */
extern void *xp_memcpy(void *target, const void *source, size_t n);
#define memcpy xp_memcpy /* the arena wants to know of every byte that is written */

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

#define XP_LOAD(type, value, order)                                                                          \
    static inline value type##_load_##order(const type *p) {                                                 \
        value own;                                                                                           \
        if (xp_buffered && xp_forward(p, sizeof own, &own))                                                  \
            return own;                                                                                      \
        xp_op(OP_READ, p, sizeof own);                                                                       \
        return p->word;                                                                                      \
    }
#define XP_STORE(type, value, order, is_release)                                                             \
    static inline void type##_store_##order(type *p, value v) {                                              \
        if (xp_buffered) {                                                                                   \
            xp_store(p, sizeof v, &v, is_release);                                                           \
        } else {                                                                                             \
            xp_op(OP_WRITE, p, sizeof v);                                                                    \
            p->word = v;                                                                                     \
        }                                                                                                    \
    }
#define XP_CHANGE(type, value, name, kind, result)                                                           \
    static inline value type##_##name(type *p, value v) {                                                    \
        xp_op(kind, p, sizeof v);                                                                            \
        value before = p->word;                                                                              \
        p->word = result;                                                                                    \
        return before;                                                                                       \
    }
#define XP_CAS(type, value)                                                                                  \
    static inline int type##_cas_full(type *p, value *seen, value v) {                                       \
        xp_op(OP_FULL, p, sizeof v);                                                                         \
        if (p->word == *seen) {                                                                              \
            p->word = v;                                                                                     \
            return 1;                                                                                        \
        }                                                                                                    \
        *seen = p->word;                                                                                     \
        return 0;                                                                                            \
    }
#define XP_WORD(type, value)                                                                                 \
    XP_LOAD(type, value, relaxed)                                                                            \
    XP_LOAD(type, value, acquire)                                                                            \
    XP_LOAD(type, value, seq_cst)                                                                            \
    XP_STORE(type, value, relaxed, 0)                                                                        \
    XP_STORE(type, value, release, 1)                                                                        \
    XP_CHANGE(type, value, exchange_full, OP_FULL, v)
#define XP_NUMBER(type, value)                                                                               \
    XP_WORD(type, value)                                                                                     \
    XP_CHANGE(type, value, fetch_add_full, OP_FULL, before + v)                                              \
    XP_CHANGE(type, value, fetch_or_full, OP_FULL, before | v)                                               \
    XP_CHANGE(type, value, fetch_and_full, OP_FULL, before &v)

XP_NUMBER(a32, uint32_t)
XP_NUMBER(a64, uint64_t)
XP_WORD(aptr, void *)
XP_CHANGE(a32, uint32_t, fetch_sub_full, OP_FULL, before - v)
XP_CHANGE(a64, uint64_t, fetch_add_relaxed, OP_LOOSE, before + v)
XP_CAS(a64, uint64_t)
XP_CAS(aptr, void *)

/* Record bytes: plain in the release build, so they may reach memory in any order that their publication
 * doesn't forbid. One copy is one access. */
static inline void bytes_put(shared_bytes *base, uint64_t offset, const void *source, size_t n) {
    if (xp_buffered) {
        xp_store((unsigned char *)base + offset, n, source, 0);
    } else {
        xp_op(OP_WRITE, (unsigned char *)base + offset, n);
        memcpy((unsigned char *)base + offset, source, n);
    }
}
static inline const void *bytes_view(const shared_bytes *base, uint64_t offset, size_t n) {
    const unsigned char *bytes = (const unsigned char *)base + offset;
    if (xp_buffered)
        xp_settle_own(bytes, n);
    xp_op(OP_READ, bytes, n);
    return bytes;
}
static inline void bytes_get(const shared_bytes *base, uint64_t offset, void *target, size_t n) {
    memcpy(target, bytes_view(base, offset, n), n);
}
static inline uint32_t bytes_glance(const shared_bytes *base, uint64_t offset) {
    uint32_t value;
    bytes_get(base, offset, &value, sizeof value);
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

static inline void cpu_pause(void) { xp_pause(); }

#endif
