/* A level meter in an audio callback: code that must not wait hands over one event per block.
 *
 * cc -O2 -shared -fPIC -I"$(python -c 'import tocsin; print(tocsin.get_include())')" meter.c -o meter.so
 */
#include <stdint.h>

#include <tocsin.h>

struct level {
    uint32_t channel;
    float peak;
};

/* Called by the sound card's thread with a block of samples; no GIL, no allocation, no lock. */
int on_audio(void *producer, const float *block, uint32_t frames, uint32_t channel) {
    struct level level = {channel, 0.0f};

    for (uint32_t i = 0; i < frames; i++)
        if (block[i] > level.peak)
            level.peak = block[i];
    return tocsin_notify((tocsin_producer *)producer, 0, &level, sizeof level, TOCSIN_NOW);
}
