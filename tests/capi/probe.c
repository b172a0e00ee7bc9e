/* What the tests of the native API call: subscribers that note what they see, and writers in threads.
 * tests/probe.py mirrors the structs.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <tocsin.h>

static void sleep_ns(int64_t ns) {
    struct timespec time = {ns / 1000000000, ns % 1000000000};

    nanosleep(&time, NULL);
}

int probe_notify(tocsin_producer *producer, uint8_t event, const void *payload, uint32_t size,
                 uint64_t timestamp) {
    return tocsin_notify(producer, event, payload, size, timestamp);
}

/* -- subscribers ------------------------------------------------------------------------------- */

struct note {
    uint64_t timestamp, source, lost, address;
    uint32_t size;
    uint8_t protocol, event;
    uint16_t reserved;
    uint32_t tag;
    uint8_t payload[68];
};

struct notebook {
    _Atomic uint32_t count;
    uint32_t capacity;
    struct note notes[1024];
};

struct recorder {
    struct notebook *book;
    uint32_t tag;
    int result;
};

/* Note the event with the recorder's tag, and return its result. */
int probe_record(void *context, const tocsin_event *event) {
    struct recorder *recorder = context;
    struct notebook *book = recorder->book;
    uint32_t at = atomic_load(&book->count);

    if (at < book->capacity) {
        struct note *note = &book->notes[at];

        note->timestamp = event->timestamp;
        note->source = event->source;
        note->lost = event->lost;
        note->address = (uintptr_t)event->payload;
        note->size = event->size;
        note->protocol = event->protocol;
        note->event = event->event;
        note->reserved = event->reserved;
        note->tag = recorder->tag;
        if (event->size <= sizeof note->payload)
            memcpy(note->payload, event->payload, event->size);
    }
    atomic_store(&book->count, at + 1);
    return recorder->result;
}

struct gate {
    _Atomic uint32_t entered, open, left;
};

/* Stay inside until the gate is opened. */
int probe_hold(void *context, const tocsin_event *event) {
    struct gate *gate = context;

    (void)event;
    atomic_fetch_add(&gate->entered, 1);
    while (!atomic_load(&gate->open))
        sleep_ns(100000);
    atomic_fetch_add(&gate->left, 1);
    return 0;
}

struct pair {
    uint32_t source, number;
};

struct echo {
    tocsin_producer *producer;
    int error;
};

/* Notify the event's successor, with number - 1, from inside the subscriber. */
int probe_echo(void *context, const tocsin_event *event) {
    struct echo *echo = context;
    struct pair pair;

    memcpy(&pair, event->payload, sizeof pair);
    if (pair.number-- == 0)
        return 0;
    echo->error |= tocsin_notify(echo->producer, event->event, &pair, sizeof pair, TOCSIN_NOW);
    return 0;
}

struct orders {
    uint32_t next[16];
    uint32_t misplaced;
    _Atomic uint32_t events;
};

/* See whether each source numbers its events 0, 1, 2... */
int probe_check_order(void *context, const tocsin_event *event) {
    struct orders *orders = context;
    struct pair pair;

    memcpy(&pair, event->payload, sizeof pair);
    if (pair.source >= 16 || pair.number != orders->next[pair.source]++)
        orders->misplaced++;
    atomic_fetch_add(&orders->events, 1);
    return 0;
}

/* -- writers ----------------------------------------------------------------------------------- */

struct writer {
    tocsin_producer *producer;
    uint32_t source, count;
    int error;
    pthread_t thread;
};

static void *write_all(void *argument) {
    struct writer *writer = argument;

    for (uint32_t i = 0; i < writer->count && writer->error == 0;) {
        struct pair pair = {writer->source, i};
        int error = tocsin_notify(writer->producer, 0, &pair, sizeof pair, TOCSIN_NOW);

        if (error == 0)
            i++;
        else if (error == -ENOBUFS)
            sched_yield();
        else
            writer->error = error;
    }
    return NULL;
}

/* Have `writers` threads notify `count` events each, as sources 0, 1...; 0, or what went wrong. */
int probe_write(tocsin_producer *producer, uint32_t writers, uint32_t count) {
    struct writer all[16];
    int error = 0;

    for (uint32_t i = 0; i < writers; i++) {
        all[i] = (struct writer){.producer = producer, .source = i, .count = count};
        if (pthread_create(&all[i].thread, NULL, write_all, &all[i]) != 0)
            return EAGAIN;
    }
    for (uint32_t i = 0; i < writers; i++) {
        pthread_join(all[i].thread, NULL);
        error |= all[i].error;
    }
    return error;
}

static struct {
    tocsin_producer *producer;
    uint32_t source;
    uint32_t number;
} on_signal;

static void handle_signal(int signal) {
    struct pair pair = {on_signal.source, on_signal.number};

    (void)signal;
    if (tocsin_notify(on_signal.producer, 0, &pair, sizeof pair, TOCSIN_NOW) == 0)
        on_signal.number++;
}

/* As probe_write() with one writer, which a signal handler interrupts to notify as source 1 at least
 * `signals` times; how often it did, or what went wrong. */
int probe_write_interrupted(tocsin_producer *producer, uint32_t count, uint32_t signals) {
    struct writer writer = {.producer = producer, .source = 0, .count = count};
    struct sigaction action, before;

    on_signal.producer = producer;
    on_signal.source = 1;
    on_signal.number = 0;
    memset(&action, 0, sizeof action);
    action.sa_handler = handle_signal;
    sigaction(SIGUSR2, &action, &before);
    if (pthread_create(&writer.thread, NULL, write_all, &writer) != 0)
        return -EAGAIN;
    for (uint32_t i = 0; i < signals; i++) {
        pthread_kill(writer.thread, SIGUSR2); /* joinable: its id is valid though it may have ended */
        sleep_ns(20000);
    }
    pthread_join(writer.thread, NULL);
    sigaction(SIGUSR2, &before, NULL);
    return writer.error ? writer.error : (int)on_signal.number;
}

/* -- without the GIL --------------------------------------------------------------------------- */

struct witness {
    _Atomic uint32_t native_calls; /* by probe_witness() */
    _Atomic uint32_t python_calls; /* by a Python subscriber */
    uint32_t accepted, native_seen, python_seen;
};

int probe_witness(void *context, const tocsin_event *event) {
    (void)event;
    atomic_fetch_add(&((struct witness *)context)->native_calls, 1);
    return 0;
}

/* Notify, sleep, and look at what has arrived. Called with the GIL held, all the time. */
uint32_t probe_notify_and_sleep(tocsin_producer *producer, struct witness *witness, uint32_t count,
                                uint32_t ms) {
    for (uint32_t i = 0; i < count; i++) {
        struct pair pair = {i % 4, i};

        witness->accepted += tocsin_notify(producer, 0, &pair, sizeof pair, TOCSIN_NOW) == 0;
    }
    sleep_ns(ms * INT64_C(1000000));
    witness->native_seen = atomic_load(&witness->native_calls);
    witness->python_seen = atomic_load(&witness->python_calls);
    return witness->native_seen;
}
