/* Searching the executions of a scene.
 *
 * SEARCH_STATES visits every state once: depth first, over all moves that are possible in it, going back by
 * the arena's log. A state is all that the arena and the stacks hold, known again by 64 bits of hash. From
 * every state an end must be reachable: the search keeps track of strongly connected components (Tarjan), and
 * one that nothing leaves and in which nothing ends is a livelock. With a bound of preemptions the number
 * used and the last thread belong to the state.
 *
 * SEARCH_SLEEP remembers no states; sleep sets leave out a move whose place among independent ones was tried
 * before. Far slower to come to an end, and independent of the hash.
 *
 * SEARCH_RANDOM lets a random move happen at each shared access; SEARCH_PCT gives the moves random priorities
 * and changes some at random places, which finds a bug of depth d with a probability of at least 1 / (n
 * k^(d-1)). Each execution begins from a seed of its own, printed when it fails.
 *
 * What failed is played again at once, move by move, and must fail in the same way: that is printed. The same
 * command (a search is deterministic) or the printed seed brings it up again later.
 *
 * A thread that goes round for ever without touching anything shared gives the search no move to go on with.
 * A timer of the processor time that the program has used asks now and then whether anything shared was
 * touched.
 */
#include "search.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "arena.h"

enum { DEPTH = 1 << 15, RUN_STEPS = 200000, FIRST_BITS = 16, ASK_SECONDS = 3 };

typedef struct {
    uint64_t enabled, todo, done, sleep;
    size_t mark;
    uint32_t index, low; /* Tarjan's */
    int8_t pick, last, is_good;
    int16_t preemptions;
} node_t;

/* A state that was met: its number in the order of meeting; 0 once its component is done. */
typedef struct {
    uint64_t key;
    uint64_t index;
} seen_t;

static const search_t *wanted;
static node_t path[DEPTH];
static int depth, deepest;
static seen_t *table;
static uint64_t table_mask, table_used;
static seen_t **open_states; /* of components that are not done yet */
static size_t n_open, open_room;
static int no_way_out; /* what failed is that no end can be reached from here */
static long steps, ends, runs;
static double began;
static uint64_t rng;

/* Of this process: what else the machine does is left out, from limits and rates alike. */
static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
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
    if (no_way_out) {
        printf("from here the threads can move for ever, and nothing they do leads to an end\n");
        return;
    }
    if (machine_failed == NULL || strcmp(machine_failed, why) != 0)
        xp_die("not deterministic: the same moves end with \"%s\"",
               machine_failed ? machine_failed : "nothing");
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

static seen_t *look_up(int last, int preemptions) {
    uint64_t key = arena_hash;
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
        entry->index = ++table_used;
        if (n_open == open_room)
            open_states = realloc(open_states, (open_room = 2 * open_room + 4096) * sizeof *open_states);
        open_states[n_open++] = entry;
        return NULL; /* new */
    }
    return entry;
}

/* The search leaves the state on top of the path: is its component done, and does it lead anywhere? */
static void leave(void) {
    node_t *node = &path[--depth];
    if (wanted->how != SEARCH_STATES)
        return;
    if (node->low == node->index) {
        if (!node->is_good) {
            depth++;
            no_way_out = 1;
            xp_fail("endless", "the threads can move for ever and never come to an end");
            return;
        }
        while (n_open && open_states[n_open - 1]->index >= node->index)
            open_states[--n_open]->index = 0;
    }
    if (depth > 0) {
        node_t *parent = &path[depth - 1];
        parent->is_good |= node->is_good;
        if (node->low < parent->low)
            parent->low = node->low;
    }
}

static int choose(const node_t *node) {
    if (node->last >= 0 && node->todo >> node->last & 1)
        return node->last; /* go on with the same thread: fewest switches first */
    return __builtin_ctzll(node->todo);
}

/* The moves that still sleep after `pick` was made at this node. To be asked before it is made. */
static uint64_t asleep_after(const node_t *node, int pick) {
    uint64_t asleep = 0, candidates = (node->sleep | node->done) & ~bit(pick) & node->enabled;
    if (wanted->how != SEARCH_SLEEP)
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
    uint64_t todo = enabled & ~sleep;
    node_t *parent = depth ? &path[depth - 1] : NULL;
    node_t node = {.enabled = enabled, .sleep = sleep, .last = (int8_t)last, .pick = -1};
    if (enabled == 0) {
        if (parent)
            parent->is_good = 1;
        look_at_end();
        return;
    }
    if (wanted->how == SEARCH_STATES) {
        const seen_t *met = look_up(last, preemptions);
        if (met) {
            if (met->index == 0)
                parent->is_good = 1; /* its component is done, and so leads to an end */
            else if (met->index < parent->low)
                parent->low = (uint32_t)met->index;
            return;
        }
        node.index = node.low = (uint32_t)table_used;
    }
    if (wanted->bound >= 0 && preemptions >= wanted->bound && last >= 0 && enabled >> last & 1) {
        todo &= bit(last) | ~(bit(MAX_THREADS) - 1);
        node.is_good = 1; /* what is left out may lead there */
    }
    if (todo == 0)
        return;
    if (depth == DEPTH) {
        xp_fail("endless", "an execution of %d steps", DEPTH);
        return;
    }
    node.todo = todo;
    node.preemptions = (int16_t)preemptions;
    node.mark = arena_mark();
    path[depth++] = node;
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
            leave();
            continue;
        }
        int pick = choose(node);
        uint64_t sleep = asleep_after(node, pick);
        node->todo &= ~bit(pick);
        node->pick = (int8_t)pick;
        machine_step(pick, 1);
        steps++;
        if (table)
            __builtin_prefetch(&table[(arena_hash + (arena_hash == 0)) & table_mask]);
        if (machine_grown)
            return "again";
        look_always();
        if (machine_failed)
            break;
        if ((steps & 0xFFFF) == 0 && table)
            arena_verify();
        if ((steps & 1023) == 0 && seconds_now() - began > wanted->seconds)
            return "time";
        if (table && table_used > table_mask - table_mask / 8)
            return "table";
        enter(sleep, pick < MAX_THREADS ? pick : node->last, node->preemptions + is_preemption(node, pick));
    }
    if (machine_failed == NULL)
        return "exhausted";
    for (int i = 0; i < depth && path[i].pick >= 0; i++)
        remember(path[i].pick);
    return NULL;
}

/* In huge pages where there are any: each look goes to another place, and would miss the TLB as well. */
static seen_t *new_table(void) {
    size_t size = (table_mask + 1) * sizeof *table;
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        xp_die("no memory for 2^%d states", wanted->table_bits);
    madvise(memory, size, MADV_HUGEPAGE);
    return memory;
}

/* With a bigger table when one was full, and from the start when a word turned out to be shared. */
static const char *search_again_and_again(void) {
    const char *outcome;
    int bits = wanted->table_bits < FIRST_BITS ? wanted->table_bits : FIRST_BITS;
    machine_forget();
    machine_learn(1);
    for (;;) {
        if (wanted->how == SEARCH_STATES) {
            table_mask = ((uint64_t)1 << bits) - 1;
            table = new_table();
        }
        machine_grown = 0;
        table_used = n_open = 0;
        steps = ends = 0;
        machine_accesses = 0;
        begin();
        look_always();
        outcome = search_all();
        if (outcome == NULL)
            return NULL;
        int is_full = strcmp(outcome, "table") == 0 && bits < wanted->table_bits;
        if (!is_full && strcmp(outcome, "again") != 0)
            return outcome;
        bits += is_full ? (wanted->table_bits - bits < 3 ? wanted->table_bits - bits : 3) : 0;
        if (table)
            munmap(table, (table_mask + 1) * sizeof *table);
    }
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

/* -- going round for ever --------------------------------------------------------------------- */

static void ask(int number) {
    static const char complaint[] =
        "FAILED endless: a thread goes round for ever and touches nothing shared\n";
    static long accesses_before = -1;
    (void)number;
    if (machine_accesses == accesses_before)
        _exit(write(STDOUT_FILENO, complaint, sizeof complaint - 1) < 0 ? 2 : 1);
    accesses_before = machine_accesses;
}

static void ask_now_and_then(void) {
    static char own[1 << 16];
    struct sigaction action = {.sa_handler = ask, .sa_flags = SA_ONSTACK | SA_RESTART};
    struct itimerval every = {.it_interval.tv_sec = ASK_SECONDS, .it_value.tv_sec = ASK_SECONDS};
    stack_t stack = {.ss_size = sizeof own, .ss_sp = own}; /* those of the threads are compared */
    sigaltstack(&stack, NULL);
    sigaction(SIGVTALRM, &action, NULL);
    setitimer(ITIMER_VIRTUAL, &every, NULL);
}

int search(const search_t *search) {
    const char *outcome;
    wanted = search;
    began = seconds_now();
    ask_now_and_then();
    steps = ends = runs = machine_accesses = 0;
    no_way_out = 0;
    deepest = n_made = 0;
    machine_be_fair(search->how != SEARCH_STATES);
    machine_compare(search->how == SEARCH_STATES);
    outcome = search->how < SEARCH_RANDOM ? search_again_and_again() : search_at_random();
    if (table)
        munmap(table, (table_mask + 1) * sizeof *table);
    table = NULL;
    if (outcome == NULL)
        return tell_failure();
    tell(outcome);
    return 0;
}
