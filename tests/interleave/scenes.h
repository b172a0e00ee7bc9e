/* All scenes, by file. */
#ifndef SCENES_H
#define SCENES_H

#include "explorer.h"

extern const scene_t *const litmus_scenes[];
extern const scene_t *const works_scenes[];
extern const scene_t *const events_scenes[];
extern const scene_t *const channels_scenes[];
extern const scene_t *const parking_scenes[];

#endif
