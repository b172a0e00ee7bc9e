/* Searching the executions of a scene.
 *
 * SEARCH_STATES visits every state once: depth first, over the moves that are possible in it, going back by
 * the arena's log. A state is all that the arena and the stacks hold, known again by 64 bits of hash. Sleep sets
 * leave out a move whose place among independent ones was tried before; a state that is met again is
 * gone on from by the moves that slept at every earlier visit and don't sleep now (Godefroid's combination of
 * the two). With a bound of preemptions the number used and the last thread belong to the state, and no move
 * sleeps. SEARCH_SLEEP is the same without remembering states: slower, and independent of the hash.
 *
 * SEARCH_RANDOM lets a random move happen at each shared access; SEARCH_PCT gives the moves random priorities
 * and changes some at random places, which finds a bug of depth d with a probability of at least 1 / (n k^(d-1)).
 * Each execution begins from a seed of its own, printed when it fails.
 *
 * What failed is played again at once, move by move, and must fail in the same way: that is printed. The same
 * command (a search is deterministic) or the printed seed brings it up again later.
 */
#include "search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arena.h"

enum { DEPTH = 1 << 15, RUN_STEPS = 200000 };

typedef struct {
    uint64_t enabled, todo, done, sleep;
    size_t mark;
    int8_t pick, last;
    int16_t preemptions;
} node_t;

typedef struct {
    uint64_t key, sleep;
} seen_t;

static const search_t *wanted;
static node_t path[DEPTH];
static int depth, deepest;
static seen_t *table;
static uint64_t table_mask, table_used;
static long steps, ends, runs, cuts;
static double began;
static uint64_t rng;

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static uint64_t bit(int id) { return (uint64_t)1 << id; }

static uint64_t random_bits(void) {
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng * 0x2545F4914F6CDD1Du;
}

static void begin(void) {
    machine_clear(wanted->memory);
    wanted->scene->setup(wanted->variant);
    machine_begin();
}

static void look_always(void) {
    if (machine_failed || wanted->scene->always == NULL)
        return;
    machine_direct(1);
    wanted->scene->always();
    machine_direct(0);
}

/* Nothing can move: check the end, and what is left when everything is given back. */
static void look_at_end(void) {
    ends++;
    if (machine_failed)
        return;
    size_t mark = arena_mark();
    arena_step();
    machine_direct(1);
    machine_check_end();
    if (!machine_failed && wanted->scene->final)
        wanted->scene->final();
    if (!machine_failed && wanted->scene->teardown && !machine_any_stopped()) {
        wanted->scene->teardown();
        machine_direct(0);
        machine_run_to_end();
        machine_direct(1);
        if (!machine_failed)
            wanted->scene->release();
        if (!machine_failed && arena_blocks() != 0)
            xp_fail("leak", "%ld blocks are left", arena_blocks());
    }
    machine_direct(0);
    if (!machine_failed)
        arena_undo(mark);
}

/* -- telling ---------------------------------------------------------------------------------- */

static int8_t *made; /* the moves of this execution */
static int n_made;

static void remember(int id) {
    static int room;
    if (n_made == room) {
        room = 2 * room + 1024;
        made = realloc(made, (size_t)room);
    }
    made[n_made++] = (int8_t)id;
}

static const char *const memories[] = {"sc", "tso", "pso"};

static void tell_scene(void) {
    printf("%s", wanted->scene->name);
    if (wanted->scene->variant_names)
        printf("/%s", wanted->scene->variant_names[wanted->variant]);
}

/* Make the same moves again and print them. */
static void play_again(const char *why) {
    begin();
    look_always();
    for (int i = 0; i < n_made && machine_failed == NULL; i++) {
        move_t move = machine_move(made[i]);
        const char *what = made[i] == MOVE_STOP   ? "stops for ever"
                           : made[i] == MOVE_TIME ? "passes"
                                                  : machine_kind_name(move.kind);
        if (!(machine_enabled() >> made[i] & 1))
            xp_die("not deterministic: move %d is not possible any more", i);
        printf("%5d  %-20s %s%s %s\n", i, machine_thread_name(machine_thread_of(made[i])),
               made[i] >= FIRST_FLUSH && made[i] < MOVE_TIME ? "buffered " : "", what, xp_name(move.address));
        machine_step(made[i], 1);
        look_always();
    }
    if (machine_failed == NULL)
        look_at_end();
    if (machine_failed == NULL || strcmp(machine_failed, why) != 0)
        xp_die("not deterministic: the same moves end with \"%s\"", machine_failed ? machine_failed : "nothing");
}

static int tell_failure(void) {
    char why[512];
    snprintf(why, sizeof why, "%s", machine_failed);
    printf("FAILED %s\n", why);
    tell_scene();
    printf(" memory=%s after steps=%ld\n", memories[wanted->memory], steps);
    if (wanted->how >= SEARCH_RANDOM)
        printf("again: --mode %s --seed %llu --runs 1\n", wanted->how == SEARCH_PCT ? "pct" : "random",
               (unsigned long long)(wanted->seed + (uint64_t)runs));
    play_again(why);
    printf("%s\n", why);
    fflush(stdout);
    return 1;
}

static void tell(const char *outcome) {
    double took = seconds_now() - began;
    tell_scene();
    printf(" memory=%s mode=", memories[wanted->memory]);
    if (wanted->how == SEARCH_STATES && wanted->bound >= 0)
        printf("bound:%d", wanted->bound);
    else
        printf("%s", (const char *[]){"states", "sleep", "random", "pct"}[wanted->how]);
    printf(" outcome=%s steps=%ld accesses=%ld", outcome, steps, machine_accesses);
    if (wanted->how == SEARCH_STATES)
        printf(" states=%llu", (unsigned long long)table_used);
    printf(" ends=%ld depth=%d seconds=%.2f rate=%.2f\n", ends, deepest, took, (double)steps / took / 1e6);
    fflush(stdout);
}

/* -- depth first ------------------------------------------------------------------------------ */

/* Which moves are still to be tried from this state; `sleep` is what need not be, and may shrink. */
static uint64_t todo_here(uint64_t enabled, uint64_t *sleep, int last, int preemptions) {
    uint64_t key = arena_hash;
    if (wanted->how == SEARCH_SLEEP)
        return enabled & ~*sleep;
    if (wanted->bound >= 0) {
        uint64_t used[2] = {(uint64_t)(uint32_t)preemptions, (uint64_t)(uint32_t)last};
        key ^= hash_bytes(used, sizeof used, 77);
    }
    key += key == 0;
    seen_t *entry = &table[key & table_mask];
    while (entry->key != 0 && entry->key != key)
        entry = entry == &table[table_mask] ? table : entry + 1;
    if (entry->key == 0) {
        entry->key = key;
        entry->sleep = *sleep;
        table_used++;
        return enabled & ~*sleep;
    }
    uint64_t todo = entry->sleep & ~*sleep;
    *sleep = entry->sleep &= *sleep;
    return todo;
}

static int choose(const node_t *node) {
    if (node->last >= 0 && node->todo >> node->last & 1)
        return node->last; /* go on with the same thread: fewest switches first */
    return __builtin_ctzll(node->todo);
}

/* The moves that still sleep after `pick` was made at this node. To be asked before it is made. */
static uint64_t asleep_after(const node_t *node, int pick) {
    uint64_t asleep = 0, candidates = (node->sleep | node->done) & ~bit(pick) & node->enabled;
    if (wanted->bound >= 0)
        return 0;
    for (; candidates; candidates &= candidates - 1) {
        int id = __builtin_ctzll(candidates);
        if (!machine_depend(id, pick))
            asleep |= bit(id);
    }
    return asleep;
}

static int is_preemption(const node_t *node, int pick) {
    return pick < MAX_THREADS && node->last >= 0 && pick != node->last && node->enabled >> node->last & 1;
}

/* Go down by one state, if there is something to do from it. */
static void enter(uint64_t sleep, int last, int preemptions) {
    uint64_t enabled = machine_enabled();
    if (enabled == 0) {
        look_at_end();
        return;
    }
    uint64_t todo = todo_here(enabled, &sleep, last, preemptions);
    if (wanted->bound >= 0 && preemptions >= wanted->bound && last >= 0 && enabled >> last & 1)
        todo &= bit(last) | ~(bit(MAX_THREADS) - 1);
    if (todo == 0) {
        cuts++;
        return;
    }
    if (depth == DEPTH) {
        xp_fail("endless", "an execution of %d steps", DEPTH);
        return;
    }
    path[depth] = (node_t){.enabled = enabled, .todo = todo, .sleep = sleep, .last = (int8_t)last};
    path[depth].preemptions = (int16_t)preemptions;
    path[depth].pick = -1;
    path[depth].mark = arena_mark();
    depth++;
    if (depth > deepest)
        deepest = depth;
}

/* NULL: found something; else how it ended. */
static const char *search_all(void) {
    depth = 0;
    enter(0, -1, 0);
    while (depth > 0 && machine_failed == NULL) {
        node_t *node = &path[depth - 1];
        if (node->pick >= 0) {
            arena_undo(node->mark);
            node->done |= bit(node->pick);
            node->pick = -1;
        }
        if (node->todo == 0) {
            depth--;
            continue;
        }
        int pick = choose(node);
        uint64_t sleep = asleep_after(node, pick);
        node->todo &= ~bit(pick);
        node->pick = (int8_t)pick;
        machine_step(pick, 1);
        steps++;
        if (machine_grown)
            return "again";
        look_always();
        if (machine_failed)
            break;
        if ((steps & 0xFFFF) == 0)
            arena_verify();
        if ((steps & 1023) == 0 && seconds_now() - began > wanted->seconds)
            return "time";
        if (table && table_used > table_mask - table_mask / 8)
            return "table";
        enter(sleep, pick < MAX_THREADS ? pick : node->last, node->preemptions + is_preemption(node, pick));
    }
    if (machine_failed == NULL)
        return "exhausted";
    for (int i = 0; i < depth; i++)
        remember(path[i].pick);
    return NULL;
}

static const char *search_again_and_again(void) {
    const char *outcome;
    if (wanted->how == SEARCH_STATES) {
        table_mask = ((uint64_t)1 << wanted->table_bits) - 1;
        table = calloc(table_mask + 1, sizeof *table);
        if (table == NULL)
            xp_die("no memory for 2^%d states", wanted->table_bits);
    }
    machine_forget();
    machine_learn(1);
    do {
        if (table && table_used)
            memset(table, 0, (table_mask + 1) * sizeof *table);
        machine_grown = 0;
        table_used = 0;
        steps = ends = 0;
        machine_accesses = 0;
        begin();
        look_always();
        outcome = search_all();
    } while (outcome && strcmp(outcome, "again") == 0);
    return outcome;
}

/* -- at random -------------------------------------------------------------------------------- */

static int pick_by_priority(uint64_t enabled, uint32_t *priorities, const long *changes, long at) {
    int best = -1;
    for (uint64_t left = enabled; left; left &= left - 1) {
        int id = __builtin_ctzll(left);
        if (best < 0 || priorities[id] > priorities[best])
            best = id;
    }
    for (int i = 0; i < wanted->changes; i++)
        if (changes[i] == at)
            priorities[best] = (uint32_t)(wanted->changes - i);
    return best;
}

static int pick_at_random(uint64_t enabled) {
    int n = (int)(random_bits() % (uint64_t)__builtin_popcountll(enabled));
    while (n--)
        enabled &= enabled - 1;
    return __builtin_ctzll(enabled);
}

static void run_once(uint64_t seed, long expected) {
    uint32_t priorities[MOVES];
    long changes[16], n = 0;
    rng = (seed + 1) * 0x9E3779B97F4A7C15u;
    random_bits();
    for (int i = 0; i < MOVES; i++)
        priorities[i] = 100 + (uint32_t)(random_bits() % 100000);
    for (int i = 0; i < wanted->changes; i++)
        changes[i] = (long)(random_bits() % (uint64_t)expected);
    for (uint64_t enabled; !machine_failed && (enabled = machine_enabled()) != 0; n++) {
        int id = wanted->how == SEARCH_PCT ? pick_by_priority(enabled, priorities, changes, n)
                                           : pick_at_random(enabled);
        remember(id);
        machine_step(id, 0);
        look_always();
        if (n == RUN_STEPS)
            xp_fail("endless", "an execution of %ld steps", n);
    }
    steps += n;
    if (n > deepest)
        deepest = (int)n;
    if (!machine_failed)
        look_at_end();
}

static const char *search_at_random(void) {
    long expected = 100;
    machine_learn(0);
    machine_be_fair(1);
    begin();
    look_always();
    size_t mark = arena_mark();
    for (runs = 0; (wanted->runs == 0 || runs < wanted->runs) && !machine_failed; runs++) {
        machine_keep_stacks();
        n_made = 0;
        long before = steps;
        run_once(wanted->seed + (uint64_t)runs, expected);
        if (machine_failed)
            return NULL;
        expected = (expected * 7 + (steps - before)) / 8 + 1;
        arena_undo(mark);
        if ((runs & 63) == 0 && seconds_now() - began > wanted->seconds) {
            runs++;
            break;
        }
    }
    return machine_failed ? NULL : "sampled";
}

int search(const search_t *search) {
    const char *outcome;
    wanted = search;
    began = seconds_now();
    steps = ends = runs = cuts = machine_accesses = 0;
    deepest = n_made = 0;
    machine_be_fair(search->how != SEARCH_STATES);
    outcome = search->how < SEARCH_RANDOM ? search_again_and_again() : search_at_random();
    free(table);
    table = NULL;
    if (outcome == NULL)
        return tell_failure();
    tell(outcome);
    return 0;
}
