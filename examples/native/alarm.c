/* A subscriber in C: counts over-temperatures and ends the chain of all others. It runs on a native worker
 * of the pipeline, without the GIL, also while Python is busy.
 *
 * cc -O2 -shared -fPIC -I"$(python -c 'import tocsin; print(tocsin.get_include())')" alarm.c -o alarm.so
 */
#include <stdint.h>
#include <string.h>

#include <tocsin.h>

struct reading {
    uint32_t sensor;
    int32_t millidegrees;
};

/* Python's, as the context. Two runs for one protocol are never at the same time: plain fields will do. */
struct alarm {
    int32_t limit;
    uint32_t alarms;
    uint64_t readings;
    uint64_t lost;
};

int alarm_on_reading(void *context, const tocsin_event *event) {
    struct alarm *alarm = context;
    struct reading reading;

    memcpy(&reading, event->payload, sizeof reading);
    alarm->readings++;
    alarm->lost += event->lost;
    if (reading.millidegrees <= alarm->limit)
        return TOCSIN_STOP; /* of no interest to whoever comes behind us */
    alarm->alarms++;
    return 0;
}
