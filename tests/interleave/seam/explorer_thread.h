/* Threads, locks and bells for a build with -DTOCSIN_EXPLORE: machine.c plays them.
 *
 * A bell is the futex that it is in a release build on Linux: a count, a sleep that begins only if the count
 * is still the one that was read, and a wake that is a step of its own after the count was changed. Nobody
 * wakes because the count changed.
 */
#ifndef EXPLORER_THREAD_H
#define EXPLORER_THREAD_H

typedef struct {
    a32 held;
} lock_t;

typedef struct {
    a32 count;
} bell_t;

typedef void (*thread_function)(void *argument);

extern void xp_park(const void *count, uint32_t seen, int64_t timeout);
extern void xp_wake(const void *count, int sleepers);
extern uint64_t thread_self(void);
extern int thread_start(const char *name, thread_function function, void *argument);

static inline void lock_init(lock_t *lock) { lock->held.word = 0; }
static inline void lock_destroy(lock_t *lock) { (void)lock; }
static inline void lock_take(lock_t *lock) {
    xp_op(OP_LOCK, lock, sizeof *lock);
    lock->held.word = 1;
}
static inline void lock_drop(lock_t *lock) { a32_store_release(&lock->held, 0); }

static inline void bell_init(bell_t *bell, int portable) {
    (void)portable;
    bell->count.word = 0;
}
static inline void bell_destroy(bell_t *bell) { (void)bell; }
static inline uint32_t bell_look(const bell_t *bell) { return a32_load_seq_cst(&bell->count); }
static inline void bell_park(bell_t *bell, uint32_t seen, int64_t timeout) {
    xp_park(&bell->count, seen, timeout);
}
static inline void bell_ring(bell_t *bell, int sleepers) {
    a32_fetch_add_full(&bell->count, 1);
    xp_wake(&bell->count, sleepers);
}

/* A descriptor is a word of the scene's, 1 while it can be read. */
extern a32 *descriptor_word(int descriptor);
static inline void descriptor_ring(int descriptor) {
    a32 *word = descriptor_word(descriptor);
    a32_exchange_full(word, 1);
    xp_wake(word, 1);
}

#endif
