/* A signal handler in C that notifies, on top of whatever the thread that it interrupts is doing. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

#include "tocsin.h"

static tocsin_producer *producer;
static atomic_ullong accepted, refused, wrong;

static void on_alarm(int number) {
    int before = errno;
    uint64_t n = atomic_load(&accepted);
    int answer = tocsin_notify(producer, 1, &n, sizeof n, TOCSIN_NOW);
    (void)number;
    atomic_fetch_add(answer == 0 ? &accepted : answer == -ENOBUFS ? &refused : &wrong, 1);
    errno = before;
}

__attribute__((visibility("default"))) void alarm_start(tocsin_producer *whom, int microseconds) {
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    struct itimerval every = {{0, microseconds}, {0, microseconds}};
    producer = whom;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
}

__attribute__((visibility("default"))) void alarm_stop(unsigned long long *counts) {
    struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
    signal(SIGALRM, SIG_IGN);
    counts[0] = atomic_load(&accepted);
    counts[1] = atomic_load(&refused);
    counts[2] = atomic_load(&wrong);
}
