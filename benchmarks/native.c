/* What the native cases need: producers, subscribers that do next to nothing, and floors: the least that a
 * thread would have to do. No GIL, no Python. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>
#include <time.h>

#include "tocsin.h"

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#else
#define PAUSE() __asm__ volatile("" ::: "memory")
#endif

/* A producer that met a full queue tries again after so many pauses, and lets others have its core. */
enum { FULL_PAUSES = 64 };

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void doze(uint64_t ns) {
    const struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    nanosleep(&time, NULL);
}

static void spin(uint64_t ns) {
    uint64_t until = now() + ns;
    while (now() < until)
        PAUSE();
}

/* -- many events ------------------------------------------------------------------------------------ */

struct arrivals {
    uint64_t left;
    uint64_t ended;  /* when the last one came, in ns of the monotonic clock; 0: not yet */
    uint64_t stamps; /* the sum of all timestamps: each header has been read */
};

int arrive(void *context, const tocsin_event *event) {
    struct arrivals *arrivals = context;
    arrivals->stamps += event->timestamp;
    if (--arrivals->left == 0)
        __atomic_store_n(&arrivals->ended, now(), __ATOMIC_RELEASE);
    return 0;
}

int ignore(void *context, const tocsin_event *event) {
    (void)context;
    (void)event;
    return 0;
}

/* Notify n times, of `count` payloads in turn, each until there is room; when it began, or an error. */
int64_t produce(tocsin_producer *producer, uint64_t n, uint8_t event, const char *payloads, uint32_t count,
                uint32_t size, uint64_t timestamp) {
    uint64_t began = now();
    uint32_t turn = 0;
    for (uint64_t i = 0; i < n; i++) {
        int error;
        while ((error = tocsin_notify(producer, event, payloads + (uint64_t)turn * size, size, timestamp))) {
            if (error != -ENOBUFS)
                return error;
            for (int pause = 0; pause < FULL_PAUSES; pause++)
                PAUSE();
            sched_yield();
        }
        if (++turn == count)
            turn = 0;
    }
    return (int64_t)began;
}

/* Wait until the last one came: the time from `began`, or -1 after `patience` ns. */
int64_t await_arrivals(struct arrivals *arrivals, uint64_t began, uint64_t patience) {
    uint64_t ended;
    while ((ended = __atomic_load_n(&arrivals->ended, __ATOMIC_ACQUIRE)) == 0) {
        if (now() - began > patience)
            return -1;
        doze(20000);
    }
    return (int64_t)(ended - began);
}

/* Notify until told to stop, room or not; how many were accepted, or an error. */
int64_t flood(tocsin_producer *producer, uint8_t event, const char *payload, uint32_t size,
              const uint32_t *stop) {
    int64_t accepted = 0;
    while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
        int error = tocsin_notify(producer, event, payload, size, TOCSIN_NOW);
        if (error && error != -ENOBUFS)
            return error;
        accepted += !error;
    }
    return accepted;
}

/* -- lone events ------------------------------------------------------------------------------------ */

struct lone {
    uint64_t arrived; /* counted up by the subscriber, native or Python */
    uint64_t *waits;  /* ns from just before notify to the subscriber's first line */
};

int arrive_alone(void *context, const tocsin_event *event) {
    struct lone *lone = context;
    lone->waits[lone->arrived] = now() - event->timestamp;
    __atomic_store_n(&lone->arrived, lone->arrived + 1, __ATOMIC_RELEASE);
    return 0;
}

/* Notify n times, each `gap` ns or up to a half more after the one before has arrived. The gap is slept
 * or spun away. 0; an error; or 1 if one did not arrive within `patience` ns. */
int64_t send_alone(tocsin_producer *producer, uint64_t n, uint8_t event, const char *payload, uint32_t size,
                   const struct lone *lone, uint64_t gap, int asleep, uint64_t patience) {
    for (uint64_t i = 0; i < n; i++) {
        uint64_t began, ns = gap + i * 7919 % (gap / 2);
        if (asleep)
            doze(ns);
        else
            spin(ns);
        began = now();
        int error = tocsin_notify(producer, event, payload, size, began);
        if (error)
            return error;
        while (__atomic_load_n(&lone->arrived, __ATOMIC_ACQUIRE) <= i) {
            if (now() - began > patience)
                return 1;
            if (asleep)
                doze(20000);
            else
                PAUSE();
        }
    }
    return 0;
}

/* -- floors ----------------------------------------------------------------------------------------- */

/* Keep a core busy with nothing until told to stop. */
void burn(const uint32_t *stop) {
    while (!__atomic_load_n(stop, __ATOMIC_RELAXED))
        ;
}

struct flag {
    uint64_t n, sent, seen;
    uint64_t *waits;
};

static void *watch_flag(void *argument) {
    struct flag *flag = argument;
    for (uint64_t i = 0, sent; i < flag->n; i++) {
        while ((sent = __atomic_load_n(&flag->sent, __ATOMIC_ACQUIRE)) == 0)
            ;
        flag->waits[i] = now() - sent;
        __atomic_store_n(&flag->sent, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&flag->seen, i + 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

/* Raise a flag n times, `gap` ns or up to a half more apart, for a thread that does nothing but look at it.
 */
int64_t raise_flags(uint64_t n, uint64_t gap, uint64_t *waits) {
    struct flag flag = {n, 0, 0, waits};
    pthread_t watcher;
    if (pthread_create(&watcher, NULL, watch_flag, &flag))
        return -EAGAIN;
    for (uint64_t i = 0; i < n; i++) {
        spin(gap + i * 7919 % (gap / 2));
        __atomic_store_n(&flag.sent, now(), __ATOMIC_RELEASE);
        while (__atomic_load_n(&flag.seen, __ATOMIC_ACQUIRE) <= i)
            PAUSE();
    }
    pthread_join(watcher, NULL);
    return 0;
}

static int call_came(void *argument) {
    struct lone *lone = argument;
    uint64_t arrived = lone->arrived;
    lone->waits[arrived] = now() - lone->waits[arrived];
    __atomic_store_n(&lone->arrived, arrived + 1, __ATOMIC_RELEASE);
    return 0;
}

typedef int (*adder)(int (*)(void *), void *);

struct asker {
    adder add;
    struct lone *lone;
    sem_t wanted;
    int ended;
};

static void *ask_when_woken(void *argument) {
    struct asker *asker = argument;
    for (;;) {
        while (sem_wait(&asker->wanted))
            ;
        if (asker->ended)
            return NULL;
        asker->add(call_came, asker->lone);
    }
}

static int call_at_once(int (*function)(void *), void *argument) { return function(argument); }

/* Ask the interpreter n times for a call on its main thread, by Py_AddPendingCall, `gap` ns or more apart;
 * without it (NULL) whoever would ask makes the call. over_thread: a thread that sleeps is woken to ask.
 * 0; an error; or 1 if a call did not come within `patience` ns. */
int64_t ask_for_calls(adder add, uint64_t n, uint64_t gap, struct lone *lone, int over_thread,
                      uint64_t patience) {
    struct asker asker = {.add = add ? add : call_at_once, .lone = lone};
    pthread_t thread;
    int late = 0;
    if (over_thread && sem_init(&asker.wanted, 0, 0))
        return -errno;
    if (over_thread && pthread_create(&thread, NULL, ask_when_woken, &asker)) {
        sem_destroy(&asker.wanted);
        return -EAGAIN;
    }
    for (uint64_t i = 0; i < n && !late; i++) {
        spin(gap + i * 7919 % (gap / 2));
        uint64_t began = lone->waits[i] = now();
        if (over_thread)
            sem_post(&asker.wanted);
        else
            asker.add(call_came, lone);
        while (__atomic_load_n(&lone->arrived, __ATOMIC_ACQUIRE) <= i && !late) {
            late = now() - began > patience;
            PAUSE();
        }
    }
    if (over_thread) {
        asker.ended = 1;
        sem_post(&asker.wanted);
        pthread_join(thread, NULL);
        sem_destroy(&asker.wanted);
    }
    return late;
}

/* Read n lines of 64 bytes, of `count` in turn, far apart; the ns that it took. */
int64_t read_lines(const uint64_t *lines, uint64_t n, uint64_t count) {
    uint64_t began = now(), sum = 0;
    for (uint64_t i = 0; i < n; i++)
        sum += __atomic_load_n(&lines[i * 7919 % count * 8], __ATOMIC_RELAXED);
    return (int64_t)(now() - began) + (int64_t)(sum & 1);
}

/* Write n records of 16 bytes and a payload of 32 into a ring, one behind the other, with so many locked
 * instructions for each; the ns that it took. */
int64_t write_records(char *ring, uint64_t size, uint64_t n, const char *payload, int locked) {
    uint64_t began = now(), at = 0, word = 0;
    for (uint64_t i = 0; i < n; i++) {
        for (int j = 0; j < locked; j++)
            __atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
        const uint64_t header[2] = {began, i};
        memcpy(ring + at, header, sizeof header);
        memcpy(ring + at + sizeof header, payload, 32);
        if ((at += 48) + 48 > size)
            at = 0;
    }
    return (int64_t)(now() - began);
}

/* Copy n such records from a ring, one behind the other, into five columns with places for `count`, which are
 * filled again and again; the ns that it took. */
int64_t copy_columns(const char *ring, uint64_t size, uint64_t n, char *columns, uint64_t count) {
    uint64_t began = now(), from = 0, at = 0, *words = (uint64_t *)(columns + 32 * count);
    for (uint64_t i = 0; i < n; i++) {
        memcpy(columns + 32 * at, ring + from + 16, 32);
        words[at] = 32 * (at + 1);
        memcpy(words + count + at, ring + from, 8);
        words[2 * count + at] = (unsigned char)ring[from + 16];
        words[3 * count + at] = (unsigned char)ring[from + 14];
        at = at + 1 == count ? 0 : at + 1;
        if ((from += 48) + 48 > size)
            from = 0;
    }
    return (int64_t)(now() - began);
}
