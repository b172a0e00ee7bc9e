/* What channelparts.pyx gives to the scenes of channels. */
#ifndef CHANNELS_H
#define CHANNELS_H

#include <stdint.h>

#include "world.h"

enum { DROP_NEWEST, DROP_OLDEST, LATEST, BLOCK }; /* OVERFLOW_* */
enum { IS_EMPTY, IS_READY, IS_OVER };             /* LOOK_* */
enum { PAYLOAD_BYTES = 40 };

typedef struct {
    uint64_t offered, delivered, dropped, conflated, pending, capacity, high_water, waits;
} tally_t;

typedef struct {
    uint64_t number; /* how many had been taken or pushed out by then */
    uint32_t size;
    uint64_t lost;
} taken_t;

extern void *channel_make(int overflow, uint64_t capacity, uint64_t timeout, int is_locked);
extern void channel_describe(void *channel);
extern int channel_listen_to(void *channel, void *queue, uint64_t size, uint64_t start, uint32_t largest);
extern void *channel_subscribe(void *channel, void *queue, int in_both_chains);
extern void channel_leave(void *queue, void *subscriber, int in_both_chains);
extern int channel_take(void *channel, void *payload, taken_t *taken);
extern int channel_sleep(void *channel);
extern void channel_end(void *channel);
extern int channel_give_up(void *channel);
extern uint32_t channel_sleepers(void *channel);
extern void *doorbell_make(int descriptor);
extern int doorbell_look(void *channel, void *doorbell);
extern void doorbell_silence(void *channel, void *doorbell);
extern void doorbell_free(void *doorbell);
extern int channel_books(void *channel, tally_t *tally);
extern uint64_t channel_waits(void *channel);
extern void channel_free(void *channel);

#endif
