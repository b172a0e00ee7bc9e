/* Tell callgrind when a scene begins and ends. Without callgrind these do nothing. */
#include <valgrind/callgrind.h>

/* Count from zero. The first time this ends the quick start without counting; it is never switched off
 * again, since callgrind's sums don't survive that. */
void scene_begins(void) {
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
}

/* Write what was counted since the scene began, under this name. */
void scene_ends(const char *name) { CALLGRIND_DUMP_STATS_AT(name); }
