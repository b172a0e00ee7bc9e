/* What the native cases need: a producer flat out, and a subscriber that counts. */
#include <time.h>

#include "tocsin.h"

struct arrivals {
    uint64_t left;
    uint64_t ended; /* when the last one came, in ns of the monotonic clock; 0: not yet */
};

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

int arrive(void *context, const tocsin_event *event) {
    struct arrivals *arrivals = context;
    (void)event;
    if (--arrivals->left == 0)
        __atomic_store_n(&arrivals->ended, now(), __ATOMIC_RELEASE);
    return 0;
}

int ignore(void *context, const tocsin_event *event) {
    (void)context;
    (void)event;
    return 0;
}

/* Notify n times; when it began, or the error of the first refusal. */
int64_t produce(tocsin_producer *producer, uint64_t n, uint8_t event, const void *payload, uint32_t size,
                uint64_t timestamp) {
    uint64_t began = now();
    for (uint64_t i = 0; i < n; i++) {
        int error = tocsin_notify(producer, event, payload, size, timestamp);
        if (error)
            return error;
    }
    return (int64_t)began;
}

/* Wait until the last one came: the time from `began`, or -1 after `patience` ns. */
int64_t await_arrivals(struct arrivals *arrivals, uint64_t began, uint64_t patience) {
    const struct timespec moment = {0, 20000};
    uint64_t ended;
    while ((ended = __atomic_load_n(&arrivals->ended, __ATOMIC_ACQUIRE)) == 0) {
        if (now() - began > patience)
            return -1;
        nanosleep(&moment, NULL);
    }
    return (int64_t)(ended - began);
}
