/* A native thread that notifies for ever: a driver that nobody stops, not even the end of the interpreter. */
#include <pthread.h>
#include <stddef.h>
#include <tocsin.h>

static void *flood(void *producer) {
    uint32_t payload[2] = {1, 2};
    for (;;)
        tocsin_notify((tocsin_producer *)producer, 0, payload, sizeof payload, TOCSIN_NOW);
    return NULL;
}

int flood_start(void *producer) {
    pthread_t thread;
    return pthread_create(&thread, NULL, flood, producer);
}
