/* The machine: threads on one thread of the system, their store buffers, locks and sleeps.
 *
 * A thread runs from one announced access to the next. What it is about to do stands in its thread_t,
 * so the search sees every possible next move before it chooses one. A move is a thread's, or the
 * arrival of one of its buffered stores in memory, or the passing of time, or that a thread stops for ever.
 *
 * Memory. MEMORY_SC: a store is visible at once. MEMORY_TSO: stores leave the buffer in order, as on x86.
 * MEMORY_PSO: they leave in any order, except that those to the same bytes keep theirs and a release store
 * waits for all before it. A full operation waits for an empty buffer; a relaxed one does so only under
 * TSO. Loads are never reordered: see docs/verification.md for what covers that.
 *
 * What is not announced (plain fields) happens within the move before it. That is right as long as the
 * program has no data races, which is ThreadSanitizer's business.
 *
 * Words that matter to one thread only. With machine_learn() a word that was touched by a single thread
 * in everything explored so far, or that nobody wrote, is accessed without a switch: the access commutes with
 * all moves of the others. When another thread touches such a word after all, the search begins again, now
 * with the word as a shared one, until a search ends without such a surprise.
 */
#include "explorer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tocsin/_core/atomic.h>
#include <tocsin/_core/thread.h>
#undef memcpy

#include "arena.h"

enum { STACK = 64 << 10, BELOW = 2048, STORE_BYTES = 80, NAMES = 256 };

typedef struct {
    void *stack_pointer;
    thread_function function;
    void *argument;
    const void *address;
    uint64_t stack_hash;
    uint32_t size;
    uint8_t kind, asleep, is_timed, stopped, may_go, is_of_scene, paused;
    int64_t timeout;
} thread_t;

typedef struct {
    void *address;
    uint32_t size;
    uint32_t is_release;
    unsigned char bytes[STORE_BYTES];
} store_t;

typedef struct {
    thread_t threads[MAX_THREADS] __attribute__((aligned(LINE)));
    uint64_t now __attribute__((aligned(LINE)));
    int n_threads, times_left, anywhere, may_stop;
    const char *names[MAX_THREADS];
    struct {
        int count;
        store_t stores[BUFFER];
    } buffers[MAX_THREADS] __attribute__((aligned(LINE)));
} machine_t;

_Static_assert(sizeof(machine_t) <= STATE_BYTES - 2 * LINE, "the heap's own counters lie behind it");
_Static_assert(MOVES <= 64, "moves are bits of a word");

#define M ((machine_t *)arena)

static char stacks[MAX_THREADS][STACK] __attribute__((aligned(64)));
static void *scheduler;
static int current = -1;
static int memory, direct, learning, fair, compared;
static char complaint[512];

static uint16_t classes[ARENA_BYTES / 4]; /* owner + 1, or MANY; WRITTEN */
enum { MANY = 0xFF, WRITTEN = 0x100 };

static struct {
    const char *address;
    size_t size;
    char name[40];
} names[NAMES];
static int n_names;

int xp_buffered;
const char *machine_failed;
long machine_accesses;
int machine_grown;

/* -- switching -------------------------------------------------------------------------------- */

#if !defined(__x86_64__)
#error "the explorer switches threads by hand, and only for x86-64 so far"
#endif

void xp_switch(void **from, void *to);
__asm__(".text\n"
        ".type xp_switch,@function\n"
        "xp_switch:\n"
        "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, (%rdi)\n"
        "  movq %rsi, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
        "  ret\n"
        ".size xp_switch, . - xp_switch\n");

static void announce(int kind, const void *address, size_t size) {
    thread_t *thread = &M->threads[current];
    thread->kind = (uint8_t)kind;
    thread->address = address;
    thread->size = (uint32_t)size;
    xp_switch(&thread->stack_pointer, scheduler);
}

static void thread_entry(void) {
    M->threads[current].function(M->threads[current].argument);
    announce(OP_ENDED, NULL, 0);
    abort();
}

void xp_die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("explore: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(2);
}

void xp_fail(const char *check, const char *format, ...) {
    if (machine_failed == NULL) {
        va_list arguments;
        int n = snprintf(complaint, sizeof complaint, "%s: ", check);
        va_start(arguments, format);
        vsnprintf(complaint + n, sizeof complaint - (size_t)n, format, arguments);
        va_end(arguments);
        machine_failed = complaint;
    }
    if (current >= 0 && !direct)
        announce(OP_ENDED, NULL, 0); /* and nobody lets it go on */
}

/* In one instruction: a count in a register that the switch saves would make equal states look different. */
static inline void count_access(void) { __asm__("incq %0" : "+m"(machine_accesses)); }

/* -- which words are shared ------------------------------------------------------------------- */

static int is_shared(const void *address, size_t size, int is_write) {
    size_t offset = (size_t)((const unsigned char *)address - arena);
    int shared = 0;
    if (!learning)
        return 1;
    if (offset >= ARENA_BYTES)
        xp_die("a shared word outside the arena: %p", address);
    for (size_t i = offset / 4; i <= (offset + size - 1) / 4; i++) {
        uint16_t before = classes[i], after = before;
        uint16_t owner = before & MANY;
        if (owner != current + 1)
            owner = owner ? MANY : (uint16_t)(current + 1);
        after = (uint16_t)((before & ~MANY) | owner | (is_write ? WRITTEN : 0));
        if (after != before) {
            classes[i] = after;
            if ((after & MANY) == MANY && after & WRITTEN)
                machine_grown = 1;
        }
        shared |= (after & MANY) == MANY && after & WRITTEN;
    }
    return shared;
}

void machine_learn(int on) { learning = on; }
void machine_be_fair(int on) { fair = on; }
void machine_compare(int on) { compared = on; }
void machine_forget(void) { memset(classes, 0, sizeof classes); }

/* -- what the seam calls ---------------------------------------------------------------------- */

void xp_op(int kind, const void *word, size_t size) {
    if (direct) {
        if (kind == OP_LOCK && *(const uint32_t *)word)
            xp_fail("lock", "%s is held while nobody runs", xp_name(word));
        return;
    }
    count_access();
    M->threads[current].paused = 0;
    arena_check(word, size);
    if (is_shared(word, size, kind != OP_READ))
        announce(kind, word, size);
}

static int overlap(const void *one, size_t one_size, const void *other, size_t other_size) {
    const char *a = one, *b = other;
    return a < b + other_size && b < a + one_size;
}

int xp_forward(const void *word, size_t size, void *value) {
    if (direct)
        return 0;
    for (int i = M->buffers[current].count - 1; i >= 0; i--) {
        const store_t *store = &M->buffers[current].stores[i];
        if (store->address == word && store->size == size) {
            memcpy(value, store->bytes, size);
            return 1;
        }
    }
    return 0;
}

void xp_store(void *word, size_t size, const void *value, int is_release) {
    if (!direct) {
        count_access();
        M->threads[current].paused = 0;
        if (is_shared(word, size, 1)) {
            if (size > STORE_BYTES)
                xp_die("a store of %zu bytes doesn't fit the buffer", size);
            arena_check(word, size);
            if (M->buffers[current].count == BUFFER)
                announce(OP_ROOM, NULL, 0);
            arena_touch(&M->buffers[current], sizeof M->buffers[current]);
            store_t *store = &M->buffers[current].stores[M->buffers[current].count++];
            memset(store, 0, sizeof *store);
            store->address = word;
            store->size = (uint32_t)size;
            store->is_release = (uint32_t)is_release;
            memcpy(store->bytes, value, size);
            return;
        }
    }
    arena_check(word, size);
    arena_touch(word, size);
    memcpy(word, value, size);
}

static int has_own(int thread, const void *bytes, size_t size) {
    for (int i = 0; i < M->buffers[thread].count; i++)
        if (overlap(bytes, size, M->buffers[thread].stores[i].address, M->buffers[thread].stores[i].size))
            return 1;
    return 0;
}

void xp_settle_own(const void *bytes, size_t size) {
    if (!direct && has_own(current, bytes, size))
        announce(OP_LOOSE, bytes, size);
}

void xp_pause(void) {
    if (direct || !fair || M->threads[current].paused)
        return; /* several in a row are one; and where nobody has to be fair, one is nothing */
    M->threads[current].paused = 1;
    M->threads[current].may_go = 0;
    announce(OP_PAUSE, NULL, 0);
}

void xp_barrier(void) {
    if (!direct && xp_buffered)
        announce(OP_BARRIER, NULL, 0);
}

void xp_park(const void *count, uint32_t seen, int64_t timeout) {
    if (direct) {
        xp_fail("wait", "nobody is there to wake the one who waits for %s", xp_name(count));
        return;
    }
    xp_op(OP_PARK, count, sizeof seen);
    if (*(const uint32_t *)count != seen)
        return;
    M->threads[current].asleep = 1;
    M->threads[current].is_timed = timeout >= 0;
    M->threads[current].timeout = timeout;
    announce(OP_WOKEN, count, sizeof seen);
}

void xp_wake(const void *count, int sleepers) {
    xp_op(OP_WAKE, count, sizeof(uint32_t));
    for (int t = 0; t < M->n_threads && sleepers > 0; t++) {
        thread_t *thread = &M->threads[t];
        if (thread->asleep && thread->address == count) {
            arena_touch(thread, sizeof *thread);
            thread->asleep = 0;
            sleepers--;
        }
    }
}

uint64_t thread_self(void) { return (uint64_t)current + 100; }
uint64_t xp_clock(void) { return M->now; }

int thread_start(const char *name, thread_function function, void *argument) {
    if (!direct)
        announce(OP_START, NULL, 0);
    arena_touch(&M->now, LINE * 2);
    if (M->n_threads == MAX_THREADS)
        xp_die("more than %d threads", MAX_THREADS);
    thread_t *thread = &M->threads[M->n_threads];
    arena_touch(thread, sizeof *thread);
    void **top = (void **)(stacks[M->n_threads] + STACK) - 2;
    top[0] = (void *)(uintptr_t)thread_entry; /* where the first switch "returns" to */
    memset(top - 6, 0, 6 * sizeof *top);
    thread->stack_pointer = top - 6;
    thread->function = function;
    thread->argument = argument;
    thread->kind = OP_WOKEN;
    thread->address = NULL;
    M->names[M->n_threads++] = name;
    return 0;
}

void *xp_alloc(size_t size) { return arena_alloc(current + 1, size); }
void xp_free(void *block) {
    /* Whoever is given these bytes next gets them after what we wrote: allocators see to that. */
    if (block != NULL)
        xp_settle_own(block, arena_size(block));
    arena_free(block);
}

/* -- what scenes call ------------------------------------------------------------------------- */

int xp_thread(const char *name, void (*function)(void *), void *argument) {
    thread_start(name, function, argument);
    M->threads[M->n_threads - 1].is_of_scene = 1;
    return M->n_threads - 1;
}

void xp_may_stop(int thread) { M->may_stop = thread + 1; }
int xp_has_stopped(int thread) { return M->threads[thread].stopped; }

int machine_any_stopped(void) {
    for (int t = 0; t < M->n_threads; t++)
        if (M->threads[t].stopped)
            return 1;
    return 0;
}

void xp_let_time_pass(int times, int anywhere) {
    M->times_left = times;
    M->anywhere = anywhere;
}

void xp_add_time(uint64_t nanoseconds) {
    arena_touch(&M->now, sizeof M->now);
    M->now += nanoseconds;
}

void xp_scene_step(const void *word) { xp_op(OP_WRITE, word, 4); }

void xp_wait(const uint32_t *word) {
    if (direct)
        return;
    arena_check(word, sizeof *word);
    is_shared(word, sizeof *word, 0);
    announce(OP_WAIT, word, sizeof *word);
}

/* -- moves ------------------------------------------------------------------------------------ */

void machine_clear(int memory_wanted) {
    arena_clear();
    memset(stacks, 0, sizeof stacks);
    memory = memory_wanted;
    xp_buffered = memory != MEMORY_SC;
    machine_failed = NULL;
    n_names = 0;
    current = -1;
    direct = 1;
}

void machine_begin(void) {
    direct = 0;
    arena_begin();
}

void machine_direct(int on) { direct = on; }

static int is_drained(int thread) { return M->buffers[thread].count == 0; }

static int may_go(int t) {
    const thread_t *thread = &M->threads[t];
    if (thread->asleep || thread->stopped)
        return 0;
    switch (thread->kind) {
    case OP_ENDED:
        return 0;
    case OP_READ:
    case OP_WRITE:
    case OP_WOKEN:
    case OP_PAUSE:
        return 1;
    case OP_ROOM:
        return M->buffers[t].count < BUFFER;
    case OP_LOOSE:
        return memory == MEMORY_TSO ? is_drained(t) : !has_own(t, thread->address, thread->size);
    case OP_LOCK:
        return is_drained(t) && *(const uint32_t *)thread->address == 0;
    case OP_WAIT:
        return *(const uint32_t *)thread->address != 0;
    case OP_BARRIER:
        for (int other = 0; other < M->n_threads; other++)
            if (!is_drained(other))
                return 0;
        return 1;
    default:
        return is_drained(t);
    }
}

static int may_leave(int t, int i) {
    const store_t *store = &M->buffers[t].stores[i];
    if (memory == MEMORY_TSO || store->is_release)
        return i == 0;
    for (int before = 0; before < i; before++)
        if (overlap(store->address, store->size, M->buffers[t].stores[before].address,
                    M->buffers[t].stores[before].size))
            return 0;
    return 1;
}

uint64_t machine_enabled(void) {
    uint64_t enabled = 0;
    for (int t = 0; t < M->n_threads; t++) {
        enabled |= (uint64_t)may_go(t) << t;
        if (xp_buffered)
            for (int i = 0; i < M->buffers[t].count; i++)
                enabled |= (uint64_t)may_leave(t, i) << (FIRST_FLUSH + t * BUFFER + i);
    }
    if (fair)
        for (int t = 0; t < M->n_threads; t++)
            if (M->threads[t].kind == OP_PAUSE && !M->threads[t].may_go && enabled & ~((uint64_t)1 << t))
                enabled &= ~((uint64_t)1 << t);
    if (M->may_stop && enabled >> (M->may_stop - 1) & 1)
        enabled |= (uint64_t)1 << MOVE_STOP;
    if (M->times_left && (M->anywhere || !enabled))
        for (int t = 0; t < M->n_threads; t++)
            if (M->threads[t].asleep && M->threads[t].is_timed)
                enabled |= (uint64_t)1 << MOVE_TIME;
    return enabled;
}

int machine_thread_of(int id) {
    if (id < MAX_THREADS)
        return id;
    if (id < MOVE_TIME)
        return (id - FIRST_FLUSH) / BUFFER;
    return id == MOVE_STOP ? M->may_stop - 1 : -1;
}

move_t machine_move(int id) {
    int t = machine_thread_of(id);
    if (id < MAX_THREADS)
        return (move_t){M->threads[t].kind, M->threads[t].address, M->threads[t].size};
    if (id < MOVE_TIME) {
        const store_t *store = &M->buffers[t].stores[(id - FIRST_FLUSH) % BUFFER];
        return (move_t){OP_WRITE, store->address, store->size};
    }
    return (move_t){id == MOVE_TIME ? OP_START : OP_READ, NULL, 0};
}

/* True unless the two moves can change places without anybody noticing. */
int machine_depend(int one, int other) {
    if (machine_thread_of(one) == machine_thread_of(other))
        return 1;
    move_t a = machine_move(one), b = machine_move(other);
    const uint32_t with_all = 1u << OP_START | 1u << OP_BARRIER | 1u << OP_PAUSE;
    if ((1u << a.kind | 1u << b.kind) & with_all)
        return 1;
    const uint32_t only_look = 1u << OP_READ | 1u << OP_WAIT | 1u << OP_WOKEN | 1u << OP_ROOM;
    if (only_look >> a.kind & 1 && only_look >> b.kind & 1)
        return 0;
    return overlap(a.address, a.size, b.address, b.size);
}

static void earliest_time_out(void) {
    int first = -1;
    for (int t = 0; t < M->n_threads; t++)
        if (M->threads[t].asleep && M->threads[t].is_timed &&
            (first < 0 || M->threads[t].timeout < M->threads[first].timeout))
            first = t;
    arena_touch(&M->now, LINE);
    M->now += (uint64_t)M->threads[first].timeout;
    M->times_left--;
    arena_touch(&M->threads[first], sizeof(thread_t));
    M->threads[first].asleep = 0;
}

static void leave_buffer(int t, int i) {
    store_t *store = &M->buffers[t].stores[i];
    arena_check(store->address, store->size);
    arena_touch(store->address, store->size);
    memcpy(store->address, store->bytes, store->size);
    arena_touch(&M->buffers[t], sizeof M->buffers[t]);
    M->buffers[t].count--;
    memmove(store, store + 1, (size_t)(M->buffers[t].count - i) * sizeof *store);
    memset(&M->buffers[t].stores[M->buffers[t].count], 0, sizeof *store);
}

static size_t live_stack(int t) { return (size_t)(stacks[t] + STACK - (char *)M->threads[t].stack_pointer); }

void machine_keep_stacks(void) {
    for (int t = 0; t < M->n_threads; t++)
        arena_keep(M->threads[t].stack_pointer, live_stack(t));
}

void machine_step(int id, int record) {
    int t = machine_thread_of(id);
    if (record)
        arena_step();
    if (id == MOVE_TIME) {
        earliest_time_out();
    } else if (id == MOVE_STOP) {
        arena_touch(&M->threads[t], sizeof(thread_t));
        M->threads[t].stopped = 1;
    } else if (id >= FIRST_FLUSH) {
        leave_buffer(t, (id - FIRST_FLUSH) % BUFFER);
    } else {
        thread_t *thread = &M->threads[t];
        arena_touch(thread, sizeof *thread);
        if (record) {
            arena_keep(thread->stack_pointer, live_stack(t));
            /* What others left below would show through in variables that are never set, and make equal
             * states look different. */
            if (compared)
                memset((char *)thread->stack_pointer - BELOW, 0, BELOW);
        }
        current = t;
        xp_switch(&scheduler, thread->stack_pointer);
        current = -1;
        if (record && compared)
            thread->stack_hash = hash_bytes(thread->stack_pointer, live_stack(t) & ~(size_t)7, (uint64_t)t);
        for (int other = 0; fair && other < M->n_threads; other++)
            if (other != t && M->threads[other].kind == OP_PAUSE && !M->threads[other].may_go) {
                arena_touch(&M->threads[other], sizeof(thread_t));
                M->threads[other].may_go = 1;
            }
    }
    if (record && compared)
        arena_settle();
}

void machine_check_end(void) {
    for (int t = 0; t < M->n_threads && machine_failed == NULL; t++) {
        const thread_t *thread = &M->threads[t];
        if (thread->kind == OP_LOCK && !thread->stopped)
            xp_fail("deadlock", "%s waits for %s for ever", machine_thread_name(t), xp_name(thread->address));
        else if (thread->is_of_scene && thread->kind != OP_ENDED && !thread->stopped)
            xp_fail("asleep", "%s sleeps for ever, %s %s", machine_thread_name(t),
                    machine_kind_name(thread->kind), xp_name(thread->address));
    }
}

void machine_run_to_end(void) {
    int learned = learning;
    learning = 0;
    for (long steps = 0; machine_failed == NULL; steps++) {
        uint64_t enabled = machine_enabled() & ~((uint64_t)1 << MOVE_STOP | (uint64_t)1 << MOVE_TIME);
        if (!enabled)
            break;
        if (steps == 1000000)
            xp_fail("endless", "the threads don't come to an end");
        machine_step(__builtin_ctzll(enabled), 1);
    }
    learning = learned;
}

void xp_run_quietly(void) {
    int learned = learning;
    learning = direct = 0;
    for (int t = 0; t < M->n_threads; t++)
        while (may_go(t) || M->buffers[t].count)
            machine_step(M->buffers[t].count ? FIRST_FLUSH + t * BUFFER : t, 0);
    learning = learned;
    direct = 1;
}

/* -- names ------------------------------------------------------------------------------------ */

void xp_call_it(const void *address, size_t size, const char *name) {
    if (n_names == NAMES)
        xp_die("more than %d names", NAMES);
    names[n_names].address = address;
    names[n_names].size = size;
    snprintf(names[n_names++].name, sizeof names->name, "%s", name);
}

const char *xp_name(const void *address) {
    static char text[4][64];
    static int turn;
    char *here = text[turn++ % 4];
    for (int i = n_names - 1; i >= 0; i--) {
        size_t offset = (size_t)((const char *)address - names[i].address);
        if (offset < names[i].size) {
            if (offset)
                snprintf(here, sizeof text[0], "%s+%zu", names[i].name, offset);
            else
                snprintf(here, sizeof text[0], "%s", names[i].name);
            return here;
        }
    }
    if (address == NULL)
        return "";
    snprintf(here, sizeof text[0], "arena+%zu", (size_t)((const unsigned char *)address - arena));
    return here;
}

const char *machine_thread_name(int thread) {
    static char text[4][64];
    static int turn;
    char *here = text[turn++ % 4];
    if (thread < 0)
        return "time";
    snprintf(here, sizeof text[0], "%s/%d", M->names[thread], thread);
    return here;
}

const char *machine_kind_name(int kind) {
    static const char *const kinds[] = {"load",       "store",       "relaxed rmw", "rmw",   "lock",
                                        "park",       "wake up",     "wake",        "start", "pause",
                                        "membarrier", "store waits", "wait for",    "ended"};
    return kinds[kind];
}
