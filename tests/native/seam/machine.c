/* The machine behind the explorer headers: threads, sleep, and the moment of the interrupt.
 *
 * A thread is a coroutine. It runs until it parks on a bell whose count is still what it read, and goes on
 * when the count has changed: time-outs never expire here, so whatever is delivered was delivered without
 * the help of a clock. Locks are a flag: who finds one taken lets the others run until it is free.
 *
 * Before each shared access seam_step() counts, and at the chosen one it calls `event`: as an interrupt does,
 * on top of the code that it interrupted, which stands still until `event` returns. If `event` itself calls
 * machine_run() the other threads move on while the interrupted one stands: another processor.
 */
#include "machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <tocsin/_core/atomic.h>
#include <tocsin/_core/thread.h>

enum { MAX_TASKS = 16, STACK = 128 * 1024, MANY_STEPS = 1000000 };
enum { FREE, READY, PARKED, BLOCKED, INSIDE };

typedef struct {
    ucontext_t context;
    thread_function function;
    void *argument;
    int state;
    const bell_t *bell;
    uint32_t seen;
    const lock_t *lock;
    char *stack;
} task_t;

static task_t tasks[MAX_TASKS];
static task_t *current;     /* the coroutine that runs, or NULL: the program */
static ucontext_t *resumer; /* who goes on when `current` parks */

static long steps; /* since machine_reset() */
static long countdown;
static int armed_where;
static int is_armed;
static void (*armed_event)(void);
static long next_countdown; /* 0: nothing follows */
static void (*next_event)(void);
static int in_event;
static task_t *event_task; /* on top of whom the event runs */
static void (*tracer)(const void *word);

long seam_blocks;
uint64_t seam_now;

void seam_fail(const char *check, const char *format, ...) {
    va_list arguments;
    printf("FAILED %s: ", check);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
    _Exit(1);
}

void seam_step(const void *word) {
    if (++steps > MANY_STEPS)
        seam_fail("endless", "%ld accesses and no sleep", steps);
    if (tracer)
        tracer(word);
    if (is_armed && armed_where == (current ? IN_THREADS : IN_PROGRAM) && --countdown == 0) {
        is_armed = 0;
        in_event = 1;
        event_task = current;
        armed_event();
        in_event = 0;
        if (next_countdown)
            machine_arm(armed_where, next_countdown, next_event);
    }
}

void machine_trace(void (*function)(const void *word)) { tracer = function; }

void machine_arm(int where, long k, void (*event)(void)) {
    armed_where = where;
    countdown = k;
    armed_event = event;
    is_armed = 1;
    next_countdown = 0;
}

void machine_then(long k, void (*event)(void)) {
    next_countdown = k;
    next_event = event;
}

int machine_disarm(void) {
    int reached = !is_armed;
    is_armed = 0;
    return reached;
}

/* -- threads ---------------------------------------------------------------------------------- */

void machine_reset(void) {
    for (int i = 0; i < MAX_TASKS; i++)
        tasks[i].state = FREE;
    current = NULL;
    seam_now = 0;
    steps = 0;
}

static void task_main(void) {
    current->function(current->argument);
    current->state = FREE;
    swapcontext(&current->context, resumer);
}

int thread_start(const char *name, thread_function function, void *argument) {
    task_t *task = tasks;
    (void)name;
    while (task < tasks + MAX_TASKS && task->state != FREE)
        task++;
    if (task == tasks + MAX_TASKS)
        seam_fail("machine", "too many threads");
    if (task->stack == NULL)
        task->stack = malloc(STACK);
    task->function = function;
    task->argument = argument;
    getcontext(&task->context);
    task->context.uc_stack.ss_sp = task->stack;
    task->context.uc_stack.ss_size = STACK;
    makecontext(&task->context, task_main, 0);
    task->state = READY;
    return 0;
}

uint64_t thread_self(void) { return current ? (uint64_t)(current - tasks) + 1 : 1000; }

static int may_go_on(const task_t *task) {
    return task->state == READY || (task->state == PARKED && task->bell->count.word != task->seen) ||
           (task->state == BLOCKED && !task->lock->held);
}

void machine_run(void) {
    ucontext_t here;
    ucontext_t *const before = resumer;
    task_t *const caller = current;
    for (int moved = 1; moved;) {
        moved = 0;
        for (task_t *task = tasks; task < tasks + MAX_TASKS; task++)
            if (may_go_on(task)) {
                moved = 1;
                task->state = INSIDE;
                current = task;
                resumer = &here;
                swapcontext(&here, &task->context);
                current = caller;
                resumer = before;
            }
    }
}

static void let_others_run(int state) {
    current->state = state;
    swapcontext(&current->context, resumer);
}

void seam_lock(lock_t *lock) {
    while (lock->held) {
        if (current == NULL || (in_event && current == event_task))
            seam_fail("no-lock", "a writer, or an interrupt, would wait for a lock");
        current->lock = lock;
        let_others_run(BLOCKED);
    }
    lock->held = 1;
}

void seam_park(bell_t *bell, uint32_t seen, int64_t timeout) {
    (void)timeout;
    if (bell->count.word != seen)
        return;
    if (current == NULL) { /* the program waits: let the threads work */
        machine_run();
        return;
    }
    current->bell = bell;
    current->seen = seen;
    let_others_run(PARKED);
}
