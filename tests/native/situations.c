/* The situations of the mail, on the shipped stages, at every point where they can happen.
 *
 * "The interrupt" is the shipped notify function, called before the k-th shared access of whoever is
 * interrupted, for k = 1, 2, ... until there is no such access any more: so every gap between two accesses
 * is tried, from the start of the threads to their sleep. Nothing in here loops over a queue, keeps a flag
 * or has a fifo of its own: workers are worker_main() of the core, and time never helps.
 *
 *   idle        an event while the worker sleeps: the kick is queued and wakes
 *   running     an event in the middle of a run: this run or one further handles it
 *   owed        a kick while a run is owed: not queued again, one run handles both
 *   leaving     an event after "the queue is empty", before the worker has left: one further run
 *   empty       the superfluous run: harmless and counted
 *   poweroff    the last event ever, anywhere: delivered without another one
 *   twice       two events, at every pair of points
 *
 * crossings.c goes on with what the mail doesn't speak of. One command runs one situation, with one choice of
 * stages (native, both, python) and of writers (locked, shared, exclusive): situations idle both shared
 */
#include "situations.h"

#include <stdio.h>
#include <string.h>

int target, others_run;
long points;
static int first_stage; /* whom a writer kicks */

void interrupt(void) {
    scene_put(target, 1);
    if (others_run)
        machine_run();
}

static void begin(int stages, int writers, int workers) {
    scene_begin(stages, writers, workers);
    first_stage = stages == PYTHON_ONLY;
}

/* -- the mail --------------------------------------------------------------------------------- */

static void idle(int stages, int writers) {
    books_t books;
    begin(stages, writers, 1);
    machine_run();
    scene_put(0, 0);
    queue_books(scene.queues[0].queue, &books);
    if (books.wakeups != 1 || !(queue_word(scene.queues[0].queue, first_stage) & WORD_PENDING))
        seam_fail("idle", "%llu workers were woken", (unsigned long long)books.wakeups);
    machine_run();
    scene_check_delivered("idle");
    if (queue_kick(scene.queues[0].queue, first_stage) != KICK_WOKE)
        seam_fail("idle", "a kick of a sleeping stage was not queued");
    machine_run();
    scene_end();
    points++;
}

static void owed(int stages, int writers) {
    queue_scene_t *q = &scene.queues[0];
    begin(stages, writers, 1);
    machine_run();
    scene_put(0, 0);
    if (queue_kick(q->queue, first_stage) != KICK_WAS_OWED)
        seam_fail("owed", "a second run was queued beside one that had not begun");
    scene_put(0, 0);
    scene_put(0, 1);
    machine_run();
    scene_check_delivered("owed");
    if (q->runs[first_stage] != 1)
        seam_fail("owed", "%llu runs for what one run covers", (unsigned long long)q->runs[first_stage]);
    scene_end();
    points++;
}

static void running(int stages, int writers) {
    queue_scene_t *q = &scene.queues[0];
    for (long k = 1, reached = 1; reached; k++, points++) {
        begin(stages, writers, 1);
        machine_run();
        scene_put(0, 0);
        machine_arm(IN_THREADS, k, interrupt);
        machine_run();
        reached = machine_disarm();
        scene_check_delivered("running");
        if (q->runs[first_stage] > 2)
            seam_fail("running", "k=%ld: %llu runs for two events", k,
                      (unsigned long long)q->runs[first_stage]);
        scene_end();
    }
}

/* Where the last look at the counter lies in an undisturbed run, and where the run is over. */
static long steps, last_look, left;

static void trace(const void *word) {
    queue_scene_t *q = &scene.queues[0];
    uint64_t state = 0;
    steps++;
    memcpy(&state, queue_stage(q->queue, first_stage), sizeof state); /* the word, unannounced */
    if (state & WORD_RUNNING)
        left = steps;
    if (state & WORD_RUNNING && word == queue_in(q->queue))
        last_look = steps;
}

static void leaving(int stages, int writers) {
    queue_scene_t *q = &scene.queues[0];
    steps = last_look = left = 0;
    for (long k = 0; k <= left; k++) {
        begin(stages, writers, 1);
        machine_run();
        scene_put(0, 0);
        if (k == 0)
            machine_trace(trace);
        else
            machine_arm(IN_THREADS, k, interrupt);
        machine_run();
        machine_trace(NULL);
        machine_disarm();
        scene_check_delivered("leaving");
        if (k > last_look && last_look && q->runs[first_stage] != 2)
            seam_fail("leaving", "k=%ld: %llu runs", k, (unsigned long long)q->runs[first_stage]);
        scene_end();
        if (k == 0)
            k = last_look;
        else
            points++;
    }
    if (points == 0)
        seam_fail("leaving", "there was no such moment");
}

static void empty(int stages, int writers) {
    queue_scene_t *q = &scene.queues[0];
    long found = 0;
    for (long k = 1, reached = 1; reached; k++, points++) {
        books_t books;
        begin(stages, writers, 1);
        machine_run();
        scene_put(0, 0);
        machine_arm(IN_THREADS, k, interrupt);
        machine_run();
        reached = machine_disarm();
        scene_check_delivered("empty");
        queue_books(q->queue, &books);
        if (books.activations != q->runs[0] + q->runs[1] ||
            (stages != PYTHON_ONLY && books.empty_activations != q->empty_runs[0] + q->empty_runs[1]))
            seam_fail("empty", "k=%ld: %llu activations, %llu empty; seen were %llu and %llu", k,
                      (unsigned long long)books.activations, (unsigned long long)books.empty_activations,
                      (unsigned long long)(q->runs[0] + q->runs[1]),
                      (unsigned long long)(q->empty_runs[0] + q->empty_runs[1]));
        found += books.empty_activations != 0;
        scene_end();
    }
    if (found == 0)
        seam_fail("empty", "it never happened");
}

static void poweroff_with(int stages, int writers, int earlier, int workers) {
    for (long k = 1, reached = 1; reached; k++, points++) {
        begin(stages, writers, workers);
        if (earlier & 4) /* else the threads are still to begin */
            machine_run();
        for (int i = 0; i < (earlier & 3); i++)
            scene_put(0, 0);
        machine_arm(IN_THREADS, k, interrupt);
        machine_run();
        reached = machine_disarm();
        scene_check_delivered("poweroff");
        scene_end();
    }
}

static void poweroff(int stages, int writers) {
    for (target = 0; target < 2; target++)
        for (others_run = 0; others_run < 2; others_run++)
            for (int earlier = 0; earlier < 8; earlier++)
                poweroff_with(stages, writers, earlier, 1 + others_run);
    target = others_run = 0;
}

static void twice(int stages, int writers) {
    for (long k = 1, last = 0; !last; k++)
        for (long j = 1, reached = 1; reached; j++, points++) {
            begin(stages, writers, 2);
            machine_run();
            scene_put(0, 0);
            machine_arm(IN_THREADS, k, interrupt);
            machine_then(j, interrupt);
            machine_run();
            reached = machine_disarm();
            last = !reached && j == 1;
            scene_check_delivered("twice");
            scene_end();
        }
}

/* -- the program ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    void (*run)(int stages, int writers);
} situations[] = {
    {"idle", idle},     {"owed", owed},         {"running", running}, {"leaving", leaving},
    {"empty", empty},   {"poweroff", poweroff}, {"writers", writers}, {"changes", changes},
    {"frozen", frozen}, {"waiting", waiting},   {"twice", twice},
};

static int find(const char *const *names, int n, const char *name) {
    int i = 0;
    while (i < n && strcmp(names[i], name) != 0)
        i++;
    return i;
}

int main(int argc, char **argv) {
    static const char *const stages[] = {"native", "both", "python"};
    static const char *const ways[] = {"locked", "shared", "exclusive"};
    int stage = argc == 4 ? find(stages, 3, argv[2]) : 3;
    int way = argc == 4 ? find(ways, 3, argv[3]) : 3;
    for (size_t i = 0; stage < 3 && way < 3 && i < sizeof situations / sizeof *situations; i++)
        if (strcmp(situations[i].name, argv[1]) == 0) {
            situations[i].run(stage, way);
            printf("%s: %ld points\n", argv[1], points);
            return 0;
        }
    fprintf(stderr, "usage: situations NAME native|both|python locked|shared|exclusive\n");
    return 2;
}
