/* The explorer's parts to each other and to the scenes.
 *
 * A scene builds what it needs (setup), names its threads, and says what must hold: after every step
 * (always), and when nothing can move any more (final). Its own state lies in the arena, so that it is taken
 * back with everything else; whatever two threads of a scene touch is announced like a shared word of the
 * core.
 */
#ifndef EXPLORER_H
#define EXPLORER_H

#include <stddef.h>
#include <stdint.h>

/* -- for scenes ------------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    const char *about;
    void (*setup)(int variant); /* everything up to the first step, the threads of the scene included */
    void (*always)(void);       /* after every step, or NULL */
    void (*final)(void);        /* when nothing can move any more, or NULL */
    void (*teardown)(void);     /* then: have every thread end; or NULL */
    void (*release)(void);      /* then: give back what is left; not a block may be */
    int variants;               /* at least 1 */
    const char *const *variant_names;
} scene_t;

/* A thread of the scene; it must have ended when nothing can move. Its number. */
int xp_thread(const char *name, void (*function)(void *), void *argument);

/* That thread may stand still for ever, anywhere. True if it does so now. */
void xp_may_stop(int thread);
int xp_has_stopped(int thread);

/* Let threads that have been started so far run until they sleep, one after the other; not explored. */
void xp_run_quietly(void);

/* Threads that sleep with a time limit may wake by it, at most so often: when nothing else can move, or
 * anywhere. */
void xp_let_time_pass(int times, int anywhere);
void xp_add_time(uint64_t nanoseconds);

/* One step of the scene on a word of its own: others may come before or after it, not into it. */
void xp_scene_step(const void *word);
/* Wait until a word of the scene is not zero. */
void xp_wait(const uint32_t *word);

/* Print "FAILED check: ..." and what led there; the execution ends. */
void xp_fail(const char *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Call an address by a name in what is printed. */
void xp_call_it(const void *address, size_t size, const char *name);
const char *xp_name(const void *address);

/* -- the machine (machine.c) ------------------------------------------------------------------ */

enum { MEMORY_SC, MEMORY_TSO, MEMORY_PSO };
enum {
    MAX_THREADS = 10,
    BUFFER = 5, /* stores that a thread may have on their way */
    FIRST_FLUSH = MAX_THREADS,
    MOVE_TIME = FIRST_FLUSH + MAX_THREADS * BUFFER,
    MOVE_STOP,
    MOVES
};

typedef struct {
    int kind; /* OP_* */
    const void *address;
    size_t size;
} move_t;

extern const char *machine_failed; /* the complaint, or NULL */
extern long machine_accesses;      /* shared accesses so far, all executions together */
extern int machine_grown;          /* a word turned out to be shared: begin again */

void machine_clear(int memory);
void machine_begin(void); /* the setup is over */
/* Whether words that only one thread ever touches, or nobody writes, are left out as places to switch. */
void machine_learn(int on);
void machine_forget(void);
void machine_compare(int on); /* keep the hash of the state up to date */
void machine_be_fair(int on); /* a thread that pauses waits until another one has moved */

uint64_t machine_enabled(void);
move_t machine_move(int id);
int machine_depend(int one, int other);
/* Make one move; `record`: so that arena_undo() takes it back. */
void machine_step(int id, int record);
void machine_keep_stacks(void);
void machine_check_end(void); /* nothing can move: is that as it should be */
void machine_direct(int on);  /* the caller looks at memory without moving anything */
void machine_run_to_end(void);
int machine_any_stopped(void);
int machine_thread_of(int id);
const char *machine_thread_name(int thread);
const char *machine_kind_name(int kind);

void xp_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
