"""What type checkers know of a declaration; checked by mypy --strict and pyright, never run."""

import ctypes
from typing import Any, NamedTuple, assert_type

from tocsin.key import Key
from tocsin.protocol import EventType, Protocol
from tocsin.types import i4, u4


class Limit(NamedTuple):
    motor: u4
    rpm: i4


class Frame(ctypes.Structure):
    _fields_ = [("motor", ctypes.c_uint32)]


def speed(limit: Limit) -> float:
    return limit.rpm / 60


class Motor(Protocol):
    limit = EventType(0, Limit, source="motor")
    frame = EventType(1, Frame)
    raw = EventType(2, max_size=64)
    loose = EventType(3, {"motor": "u4"})
    fast = EventType(4, Limit, report=speed)
    text = EventType(5, report=bytes.decode)
    hidden = EventType(6, {"motor": "u4"}, report=lambda fields: int(fields.motor))


MOTOR = Motor(0x80)

assert_type(MOTOR, Motor)
assert_type(MOTOR.limit, EventType[Limit])
assert_type(MOTOR.limit.unpack(b""), Limit)
assert_type(MOTOR.limit.unpack(b"").rpm, int)
assert_type(MOTOR.limit.key(3), Key)
assert_type(MOTOR.limit.pack(Limit(motor=3, rpm=9000)), bytes)
assert_type(MOTOR.frame, EventType[Frame])
assert_type(MOTOR.raw, EventType[bytes])
assert_type(MOTOR.loose, EventType[Any])
assert_type(MOTOR.fast, EventType[float])
assert_type(MOTOR.text, EventType[str])
assert_type(MOTOR.hidden, EventType[int])

GENERATED = Protocol(0x81, "motor", {"limit": MOTOR.limit})
assert_type(GENERATED.limit, EventType[Any])

_ = MOTOR.limt  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
EventType(0, Limit, sauce="motor")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
