/* An audio callback of PortAudio's shape, and a sound card to call it that needs no sound card: a thread that
 * delivers 64 frames of stereo at 48 kHz, one block every 1.333 ms, and counts the blocks that came late.
 *
 * cc -O2 -shared -fPIC -pthread -I"$(python -c 'import tocsin; print(tocsin.get_include())')"
 *     soundcard.c -o soundcard.so
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <tocsin.h>

/* -- the callback: all that a program with a real card needs ------------------------------------- */

struct time_info { /* as PaStreamCallbackTimeInfo */
    double input, current, output;
};

struct level {
    float left, right;
};

static float louder(float peak, float sample) {
    const float loud = sample < 0 ? -sample : sample;

    return loud > peak ? loud : peak;
}

/* Pass the block through and hand over how loud it was. 0: go on. */
int on_block(const void *input, void *output, unsigned long frames, const struct time_info *time,
             unsigned long flags, void *user) {
    const float *sample = input;
    struct level level = {0.0f, 0.0f};

    for (unsigned long i = 0; i < frames; i++) {
        level.left = louder(level.left, sample[2 * i]);
        level.right = louder(level.right, sample[2 * i + 1]);
    }
    memcpy(output, input, frames * 2 * sizeof(float));
    /* What it answers is of no use here: an event that found no room is counted. */
    tocsin_notify((tocsin_producer *)user, 0, &level, sizeof level, TOCSIN_NOW);
    (void)time, (void)flags;
    return 0;
}

/* -- the card ------------------------------------------------------------------------------------ */

enum { RATE = 48000, FRAMES = 64 };

/* Python's; `done` is set last. */
struct card {
    uint32_t blocks; /* to play */
    uint32_t late;   /* callbacks that returned after the next block was due */
    uint64_t longest_ns;
    uint32_t is_real_time; /* the system gave us SCHED_FIFO */
    _Atomic uint32_t done;
    void *producer;
    pthread_t thread;
};

static int64_t now(void) {
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void sleep_until(int64_t ns) {
    struct timespec time = {ns / 1000000000, ns % 1000000000};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) != 0)
        ;
}

/* Due from the start, not from the block before: what comes late doesn't make the others late. */
static int64_t due(int64_t start, uint64_t block) {
    return start + (int64_t)(block * FRAMES * UINT64_C(1000000000) / RATE);
}

static void *play(void *argument) {
    struct card *card = argument;
    const struct sched_param priority = {.sched_priority = 10};
    float input[2 * FRAMES], output[2 * FRAMES];

    for (int i = 0; i < FRAMES; i++) { /* 750 Hz, less of it to the right */
        input[2 * i] = (float)(i - FRAMES / 2) / FRAMES;
        input[2 * i + 1] = input[2 * i] / 2;
    }
    card->is_real_time = pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority) == 0;
    const int64_t start = now();
    for (uint64_t block = 0; block < card->blocks; block++) {
        sleep_until(due(start, block));
        const int64_t began = now();
        const struct time_info time = {(double)began * 1e-9, (double)began * 1e-9, (double)began * 1e-9};
        on_block(input, output, FRAMES, &time, 0, card->producer);
        const int64_t ended = now();
        if ((uint64_t)(ended - began) > card->longest_ns)
            card->longest_ns = (uint64_t)(ended - began);
        card->late += ended > due(start, block + 1);
    }
    atomic_store(&card->done, 1);
    return NULL;
}

int card_start(struct card *card) { return pthread_create(&card->thread, NULL, play, card); }
void card_stop(struct card *card) { pthread_join(card->thread, NULL); }
