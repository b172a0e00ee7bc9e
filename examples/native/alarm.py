"""A subscriber in C (alarm.c) in front of one in Python: only what matters costs a call of Python."""

import ctypes
from typing import NamedTuple

from building import build

import tocsin
from tocsin.types import i4, u4


class Reading(NamedTuple):
    sensor: u4
    millidegrees: i4


class Thermal(tocsin.Protocol):
    reading = tocsin.EventType(0, Reading, source="sensor")


class Alarm(ctypes.Structure):
    """struct alarm of alarm.c."""

    _fields_ = (
        ("limit", ctypes.c_int32),
        ("alarms", ctypes.c_uint32),
        ("readings", ctypes.c_uint64),
        ("lost", ctypes.c_uint64),
    )


THERMAL = Thermal(0x82)
library = ctypes.CDLL(str(build("alarm.c")))
alarm = Alarm(limit=90_000)


def on_alarm(event: tocsin.Event[Reading]) -> None:
    print(f"sensor {event.source}: {event.report.millidegrees / 1000} degrees")


with tocsin.Pipeline() as pipeline:
    pipeline.register(THERMAL)
    pipeline.subscribe(THERMAL.reading, on_alarm)
    pipeline.subscribe_native(THERMAL.reading, library.alarm_on_reading, ctypes.addressof(alarm), priority=1)
    for number in range(10_000):
        hot = number in (1234, 5678)
        pipeline.notify(THERMAL.reading, Reading(number % 8, 95_500 if hot else 40_000))

print(f"{alarm.readings} readings, {alarm.alarms} alarms, {alarm.lost} lost")
