/* The arena: all memory that an execution can change, so that it can be taken back, compared and watched.
 *
 * Blocks of the core, the state of the scene and of the machine lie in one array. Whoever is about to write
 * calls arena_touch() first; for the core and the scene the compiler does that (-fsanitize=thread calls a
 * function before every access, and here that function is ours, not ThreadSanitizer's). So the arena knows
 * which lines of 64 bytes a step changed: it keeps what they were (arena_undo() takes steps back), and the
 * hash of the whole is kept up to date from those lines alone.
 *
 * Freed blocks are never given out again. A byte may be touched only in a live block; a read or write of a
 * freed one, or past the end of a block, fails the check "memory". Each thread allocates from a region of
 * its own, so that addresses depend on what a thread did and not on who came first.
 */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>
#include <stdint.h>

enum {
    LINE = 64,
    ARENA_BYTES = 1 << 20,
    STATE_BYTES = 16 << 10, /* the machine's */
    SCENE_BYTES = 4 << 10,
    REGIONS = 12,
};

extern unsigned char arena[ARENA_BYTES];
extern uint64_t arena_hash; /* of everything, as of the last arena_settle() */

/* Where the machine and the scene keep theirs. */
void *arena_state(void);
void *arena_scene(void);

/* Empty it; what is written until arena_begin() is the beginning that everything goes back to. */
void arena_clear(void);
void arena_begin(void);

/* Zeroed bytes from a region. The scene may have them left out of the hash: counters that decide nothing. */
void *arena_alloc(int region, size_t size);
void arena_free(void *block);
size_t arena_size(const void *block); /* of a live one */
long arena_blocks(void);
void arena_ignore(const void *word, size_t size);

/* Say that bytes are going to be written, and check that they may be touched. */
void arena_touch(const void *bytes, size_t size);
void arena_check(const void *bytes, size_t size);

/* A step: begin it, keep bytes that lie outside (a stack), and bring the hash up to date at its end. */
void arena_step(void);
void arena_keep(void *bytes, size_t size);
void arena_settle(void);

/* See that nothing was written behind its back: a defect of the explorer. */
void arena_verify(void);

/* Where the log is, and back to there. */
size_t arena_mark(void);
void arena_undo(size_t mark);

uint64_t hash_bytes(const void *bytes, size_t size, uint64_t seed); /* size: of whole words */

#endif
