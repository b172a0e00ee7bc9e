/* Threads, locks and bells for a build with -DTOCSIN_EXPLORE: machine.c plays them on one thread. */
#ifndef EXPLORER_THREAD_H
#define EXPLORER_THREAD_H

typedef struct {
    int held;
} lock_t;

typedef struct {
    a32 count;
} bell_t;

typedef void (*thread_function)(void *argument);

extern void seam_lock(lock_t *lock);
extern void seam_park(bell_t *bell, uint32_t seen, int64_t timeout);
extern uint64_t thread_self(void);
extern int thread_start(const char *name, thread_function function, void *argument);

static inline void lock_init(lock_t *lock) { lock->held = 0; }
static inline void lock_destroy(lock_t *lock) { (void)lock; }
static inline void lock_take(lock_t *lock) {
    seam_step(lock);
    seam_lock(lock);
}
static inline void lock_drop(lock_t *lock) {
    seam_step(lock);
    lock->held = 0;
}

static inline void bell_init(bell_t *bell, int portable) {
    (void)portable;
    bell->count.word = 0;
}
static inline void bell_destroy(bell_t *bell) { (void)bell; }
static inline uint32_t bell_look(const bell_t *bell) { return a32_load_seq_cst(&bell->count); }
static inline void bell_park(bell_t *bell, uint32_t seen, int64_t timeout) {
    seam_step(bell);
    seam_park(bell, seen, timeout);
}
/* A changed count is what wakes: the machine lets everybody go on whose count is not what he read. */
static inline void bell_ring(bell_t *bell, int sleepers) {
    (void)sleepers;
    a32_fetch_add_full(&bell->count, 1);
}

/* No event loop is played here. */
static inline void descriptor_ring(int descriptor) { (void)descriptor; }

#endif
