"""The native API without a compiler: tocsin_notify and a subscriber through ctypes.

For trying things out. The calls look native, but ctypes takes the GIL for each one of the subscriber;
pipeline.subscribe() takes it once for many events.
"""

import ctypes
import errno
from typing import NamedTuple

import tocsin
from tocsin.types import i4, u4


class Limit(NamedTuple):
    motor: u4
    rpm: i4


class Motor(tocsin.Protocol):
    limit = tocsin.EventType(0, Limit, source="motor")


class NativeEvent(ctypes.Structure):
    """tocsin_event of tocsin.h."""

    _fields_ = (
        ("timestamp", ctypes.c_uint64),
        ("source", ctypes.c_uint64),
        ("lost", ctypes.c_uint64),
        ("payload", ctypes.c_void_p),
        ("size", ctypes.c_uint32),
        ("protocol", ctypes.c_uint8),
        ("event", ctypes.c_uint8),
        ("reserved", ctypes.c_uint16),
    )


Subscriber = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(NativeEvent))
Notify = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,  # the producer's address
    ctypes.c_uint8,  # the event's id
    ctypes.c_char_p,  # payload,
    ctypes.c_uint32,  # and its size
    ctypes.c_uint64,  # ns, or TOCSIN_NOW
)
TOCSIN_NOW = 2**64 - 1
MOTOR = Motor(0x80)


def on_limit(context: int | None, event: "ctypes._Pointer[NativeEvent]") -> int:
    """Read the payload in place: it lives until we return."""
    payload = ctypes.string_at(event.contents.payload or 0, event.contents.size)
    print(f"context {context}, source {event.contents.source}: {MOTOR.limit.unpack(payload)}")
    return 0


with tocsin.Pipeline() as pipeline:
    pipeline.register(MOTOR)
    pipeline.subscribe_native(MOTOR.limit, Subscriber(on_limit), 42)
    producer = pipeline.producer(MOTOR)
    notify = Notify(producer.function)
    for size in (8, 7):
        error = notify(producer.address, 0, MOTOR.limit.pack(3, 9000), size, TOCSIN_NOW)
        pipeline.flush()
        print(f"{size} bytes:", f"-{errno.errorcode[-error]}" if error else "accepted")

error = notify(producer.address, 0, MOTOR.limit.pack(3, 9000), 8, TOCSIN_NOW)
print(f"closed: -{errno.errorcode[-error]}")  # the handle outlives its pipeline
