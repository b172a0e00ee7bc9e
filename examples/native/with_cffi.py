"""A producer and two subscribers by cffi, which compiles against tocsin.h: layouts are checked, not copied.

The C subscriber ends the chain for what is of no interest, so the Python one behind it, which takes the GIL
for every call, is seldom called. Without a compiler cffi does what ctypes_only.py does.
"""

from typing import Any, NamedTuple

from building import folder, import_library
from cffi import FFI

import tocsin
from tocsin.types import i4, u4


class Reading(NamedTuple):
    sensor: u4
    millidegrees: i4


class Thermal(tocsin.Protocol):
    reading = tocsin.EventType(0, Reading, source="sensor")


THERMAL = Thermal(0x82)

ffi = FFI()
ffi.cdef("""
    typedef struct { uint64_t source, lost; const void *payload; ...; } tocsin_event;
    typedef struct tocsin_producer tocsin_producer;
    struct reading { uint32_t sensor; int32_t millidegrees; };

    uint32_t produce(tocsin_producer *producer, uint32_t count);
    int pass_hot(void *limit, const tocsin_event *event);
    extern "Python" int on_hot(void *context, const tocsin_event *event);
""")
ffi.set_source(
    "_thermal",
    """
    #include <tocsin.h>

    struct reading { uint32_t sensor; int32_t millidegrees; };

    static uint32_t produce(tocsin_producer *producer, uint32_t count) {
        uint32_t accepted = 0;
        for (uint32_t i = 0; i < count; i++) {
            struct reading reading = { i % 7, i % 4000 == 1234 ? 95500 : 40000 };
            accepted += tocsin_notify(producer, 0, &reading, sizeof reading, TOCSIN_NOW) == 0;
        }
        return accepted;
    }

    static int pass_hot(void *limit, const tocsin_event *event) {
        const struct reading *reading = event->payload;
        return reading->millidegrees > *(int32_t *)limit ? 0 : TOCSIN_STOP;
    }
    """,
    include_dirs=[tocsin.get_include()],
)
library: Any = import_library("_thermal", ffi.compile(tmpdir=str(folder())))
ffi, lib = library.ffi, library.lib


@ffi.def_extern()
def on_hot(context: Any, event: Any) -> int:
    reading = ffi.cast("const struct reading *", event.payload)
    hot: list[str] = ffi.from_handle(context)
    hot.append(f"sensor {event.source}: {reading.millidegrees / 1000} degrees")
    return 0


def address(thing: Any) -> int:
    return int(ffi.cast("uintptr_t", thing))


hot: list[str] = []
limit, handle = ffi.new("int32_t *", 90_000), ffi.new_handle(hot)  # cffi frees what nobody holds

with tocsin.Pipeline() as pipeline:
    pipeline.register(THERMAL)
    of_c, of_python = ffi.addressof(lib, "pass_hot"), lib.on_hot
    pipeline.subscribe_native(THERMAL.reading, address(of_c), address(limit), priority=1)
    pipeline.subscribe_native(THERMAL.reading, address(of_python), address(handle))
    with pipeline.producer(THERMAL) as producer:
        print(lib.produce(ffi.cast("tocsin_producer *", producer.address), 10_000), "accepted")

print(*hot, sep="\n")
