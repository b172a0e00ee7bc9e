/* What else can cross the path of an event, on the shipped text, at every point where it can happen.
 *
 *   writers     a writer interrupted by another one, or standing still while the workers go on
 *   changes     subscribing and cancelling anywhere in a run, just when its time is over: what was accepted
 * is still disposed of, and a new subscriber sees a suffix of what lay there frozen      freezing anywhere in
 * a run: no call begins; thawing delivers, also anywhere waiting     a wait for a flush, for room or for a
 * turn ends without the help of a clock, whether it is the waiter or the worker that stands still at any
 * point
 */
#include "situations.h"

#include <stddef.h>

extern int thread_start(const char *name, void (*function)(void *), void *argument);
extern uint64_t seam_now;

static void only_others(void) { machine_run(); }

static void writers_with(int stages, int writers, void (*event)(void), int awake) {
    for (long k = 1, reached = 1; reached; k++, points++) {
        scene_begin(stages, writers, 2);
        if (awake)
            machine_run();
        machine_arm(IN_PROGRAM, k, event);
        scene_put(0, 0);
        scene_put(0, 0);
        reached = machine_disarm();
        machine_run();
        scene_check_delivered("writers");
        scene_end();
    }
}

void writers(int stages, int how) {
    for (int awake = 0; awake < 2; awake++) {
        writers_with(stages, how, only_others, awake);
        if (how == SHARED)
            for (others_run = 0; others_run < 2; others_run++)
                writers_with(stages, how, interrupt, awake);
    }
    others_run = 0;
}

static int change; /* 0, 1: cancel in that stage; 2, 3: subscribe */

static void do_change(void) {
    int stage = change & 1;
    seam_now += 2000000; /* and the run has used up its time */
    if (change < 2) {
        scene_cancel(0, stage);
    } else {
        scene_subscribe(0, stage);
        scene.queues[0].is_new[stage] = 1;
    }
    if (others_run)
        machine_run();
}

/* The change at access k; if j > 0, the last event j accesses later, else after all is quiet. */
static int changes_at(int stages, int how, long k, long j) {
    books_t books;
    int reached;
    scene_begin(stages, how, 1);
    machine_run();
    for (int i = 0; i < 4; i++)
        scene_put(0, 0);
    machine_arm(IN_THREADS, k, do_change);
    if (j)
        machine_then(j, interrupt);
    machine_run();
    reached = machine_disarm();
    queue_books(scene.queues[0].queue, &books);
    if (books.pending != 0)
        seam_fail("changes", "k=%ld, j=%ld: %llu events are stranded", k, j,
                  (unsigned long long)books.pending);
    if (!j) {
        scene_put(0, 0);
        machine_run();
        scene_check_delivered("changes");
    }
    scene_end();
    points++;
    return reached;
}

void changes(int stages, int how) {
    for (change = 0; change < 4; change++) {
        int stage = change & 1, present = stages == BOTH_STAGES || stage == (stages == PYTHON_ONLY);
        if (present != (change < 2))
            continue;
        for (others_run = 0; others_run < 2; others_run++) {
            for (long k = 1; changes_at(stages, how, k, 0); k++) {
            }
            for (long k = 1, last = 0; !last; k++) {
                long j = 1;
                while (changes_at(stages, how, k, j))
                    j++;
                last = j == 1;
            }
        }
    }
    others_run = 0;
}

/* -- freezing --------------------------------------------------------------------------------- */

static uint64_t calls_at_freeze;

static uint64_t calls(void) { return scene.queues[0].calls[0] + scene.queues[0].calls[1]; }

static void freeze(void) {
    world_freeze(scene.world);
    calls_at_freeze = calls();
    if (others_run)
        machine_run();
}

static void thaw(void *unused) {
    (void)unused;
    world_thaw(scene.world);
}

/* On a thread of its own, since it may have to wait for a lock of the one that was interrupted. */
static void thaw_soon(void) {
    thread_start("thaw", thaw, NULL);
    machine_run();
}

/* Frozen at one access and thawed at a later one, both in the same run. */
static void frozen_for_a_moment(int stages, int how) {
    for (long k = 1, last = 0; !last; k++)
        for (long j = 1, reached = 1; reached; j++, points++) {
            scene_begin(stages, how, 1);
            machine_run();
            scene_put(0, 0);
            scene_put(0, 0);
            machine_arm(IN_THREADS, k, freeze);
            machine_then(j, thaw_soon);
            machine_run();
            reached = machine_disarm();
            last = !reached && j == 1;
            if (!reached)
                world_thaw(scene.world);
            machine_run();
            scene_check_delivered("frozen");
            scene_end();
        }
}

void frozen(int stages, int how) {
    for (others_run = 0; others_run < 2; others_run++)
        for (long k = 1, reached = 1; reached; k++, points++) {
            scene_begin(stages, how, 1);
            machine_run();
            for (int i = 0; i < 3; i++)
                scene_put(0, 0);
            machine_arm(IN_THREADS, k, freeze);
            machine_run();
            reached = machine_disarm();
            /* What had looked at the switch before it was thrown may call each of its subscribers once. */
            if (reached && calls() > calls_at_freeze + 1)
                seam_fail("frozen", "k=%ld: %llu calls began", k,
                          (unsigned long long)(calls() - calls_at_freeze));
            calls_at_freeze = calls();
            scene_put(0, 0);
            machine_run();
            if (reached && calls() != calls_at_freeze)
                seam_fail("frozen", "k=%ld: a call of an event that came while frozen", k);
            world_thaw(scene.world);
            machine_run();
            scene_check_delivered("frozen");
            scene_end();
        }
    others_run = 0;
    frozen_for_a_moment(stages, how);
}

/* -- waiting ---------------------------------------------------------------------------------- */

static int waiter_is_back;

static void wait_for_flush(void *raw) {
    uint64_t goal = queue_target(raw);
    while (!queue_await(raw, goal, -1)) {
    }
    if (scene.queues[0].accepted[0] != scene.queues[0].seen[scene.stages != NATIVE_ONLY][0])
        seam_fail("waiting", "flushed, and not all was delivered");
    waiter_is_back = 1;
}

static void wait_for_room(void *raw) {
    uint32_t payload[128] = {3, 3, 1, 0};
    if (queue_notify_waiting(raw, payload, 496, -1) != 0)
        seam_fail("waiting", "an empty queue has no room");
    waiter_is_back = 1;
}

static void wait_for_turn(void *raw) {
    queue_await_turn(raw, 0, -1);
    queue_await_turn(raw, 1, -1);
    waiter_is_back = 1;
}

void waiting(int stages, int how) {
    void (*const waits[])(void *) = {wait_for_flush, wait_for_turn, wait_for_room};
    for (int i = 0; i < (how == EXCLUSIVE ? 2 : 3); i++)
        for (long k = 1, reached = 1; reached; k++, points++) {
            scene_begin(stages, how, 1);
            machine_run();
            while (scene_put(0, 0)) {
            }
            waiter_is_back = 0;
            scene.writes_itself = i == 2;
            thread_start("waiter", waits[i], scene.queues[0].queue);
            machine_arm(IN_THREADS, k, only_others);
            machine_run();
            reached = machine_disarm();
            if (!waiter_is_back)
                seam_fail("waiting", "k=%ld: the waiter still sleeps (wait %d)", k, i);
            if (i != 2)
                scene_check_delivered("waiting");
            scene_end();
        }
}
