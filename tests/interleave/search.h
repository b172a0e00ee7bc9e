/* Searching: which executions are tried, and what is said about them. */
#ifndef SEARCH_H
#define SEARCH_H

#include "explorer.h"

enum { SEARCH_STATES, SEARCH_SLEEP, SEARCH_RANDOM, SEARCH_PCT };

typedef struct {
    const scene_t *scene;
    int variant;
    int how;
    int memory;
    int bound;      /* of preemptions; -1: none */
    int changes;    /* of priorities, in SEARCH_PCT */
    double seconds; /* stop after that */
    long runs;      /* of SEARCH_RANDOM and SEARCH_PCT; 0: as many as the time allows */
    uint64_t seed;
    int table_bits; /* 2 to this many states are remembered at most */
} search_t;

/* Explore and print one line; 0: nothing found, 1: a check failed, and how that came about was printed. */
int search(const search_t *wanted);

#endif
