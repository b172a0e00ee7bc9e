/* The barrier for everybody, for a build with -DTOCSIN_EXPLORE: it empties all store buffers, or fails. */
#ifndef EXPLORER_BARRIER_H
#define EXPLORER_BARRIER_H

extern int xp_barrier_works(void); /* the scene's: a sandbox may have come up */

static inline int barrier_register(void) { return 0; }
static inline int barrier_everywhere(void) {
    if (!xp_barrier_works())
        return -1;
    xp_barrier();
    return 0;
}
static inline void barrier_here(void) {}

#endif
