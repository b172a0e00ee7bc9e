/* tocsin: the native API, for C11 and C++17. One header, one function, nothing to link.
 *
 * Python opens a producer and hands its address over; native code gives events to it:
 *
 *     producer = pipeline.producer(MOTOR)            # Python
 *     start_driver(producer.address)
 *
 *     struct limit limit = {3, 9000};                // C
 *     int error = tocsin_notify(producer, 0, &limit, sizeof limit, TOCSIN_NOW);
 *
 * A handle stays valid memory until its pipeline and every handle of it were released; closed, it
 * answers -ESHUTDOWN.
 */
#ifndef TOCSIN_H
#define TOCSIN_H

#include <errno.h>
#include <stdint.h>

#ifndef ESHUTDOWN /* Windows has it among its sockets only; Python's errno.ESHUTDOWN is the same number */
#define ESHUTDOWN 10058
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define TOCSIN_ABI_VERSION 1

/* As a timestamp: the pipeline's clock is read inside the call. */
#define TOCSIN_NOW UINT64_MAX

/* In the result of a subscriber: the chain of this event ends here. */
#define TOCSIN_STOP 0x8000

/* What a subscriber is called with; it lives until the subscriber returns. */
typedef struct tocsin_event {
    uint64_t timestamp;  /* ns of the pipeline's clock */
    uint64_t source;     /* the payload's source field; 0 if the event has none */
    uint64_t lost;       /* events of the queue refused since the last one this subscriber saw */
    const void *payload; /* little-endian, aligned to 16 bytes */
    uint32_t size;       /* bytes of payload */
    uint8_t protocol;
    uint8_t event;
    uint16_t reserved;
} tocsin_event;

/* A native subscriber. Runs on a worker of the pipeline without the GIL; not on two at once for one
 * protocol. 0, or a value with TOCSIN_STOP in it. */
typedef int (*tocsin_subscriber)(void *context, const tocsin_event *event);

typedef struct tocsin_producer tocsin_producer;

typedef struct tocsin_functions {
    uint32_t abi_version;
    uint32_t size; /* of this table, so that a later one can be longer */
    int (*notify)(tocsin_producer *producer, uint8_t event, const void *payload, uint32_t size,
                  uint64_t timestamp);
} tocsin_functions;

struct tocsin_producer {
    const tocsin_functions *functions;
    /* what follows is private */
};

/* Hand an event over: 0 accepted; -EINVAL no such event, or a payload that it can't have; -ENOBUFS no
 * room (counted as refused); -EBUSY another producer has the protocol for itself; -ESHUTDOWN closed.
 *
 * Any thread, without the GIL; from one thread at a time with an exclusive producer. Copies the
 * payload, which must not change meanwhile; does not allocate, takes no lock, and makes no system call but
 * the wake of a sleeping worker. So a C signal handler may call it too, with a shared producer - on Linux;
 * with TOCSIN_PORTABLE=1 the wake takes a mutex. */
static inline int tocsin_notify(tocsin_producer *producer, uint8_t event, const void *payload, uint32_t size,
                                uint64_t timestamp) {
    return producer->functions->notify(producer, event, payload, size, timestamp);
}

#ifdef __cplusplus
}
#endif
#endif
