"""notify(): every way to name an event, to give a payload, and to say when."""

import array
import ctypes
import time
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import tocsin
from helpers import MOTOR, Limit, Motor


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR)
    return pipeline


@pytest.fixture
def got(pipeline: Any) -> list[tocsin.Event[Any]]:
    events: list[tocsin.Event[Any]] = []
    pipeline.subscribe(MOTOR, lambda event: events.append(event))
    return events


class Rate(ctypes.LittleEndianStructure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("n", ctypes.c_uint64),)


class Id:
    def __init__(self, number: int) -> None:
        self.number = number

    def __index__(self) -> int:
        return self.number


EIGHT = bytes([1, 2, 3, 4, 5, 6, 7, 8])
EIGHT_AS_INT = int.from_bytes(EIGHT, "little")


@pytest.mark.parametrize(
    "event",
    [
        MOTOR.tick,
        Motor(0x80).tick,
        MOTOR.tick.key(),
        tocsin.Key(0x80, 1),
        tocsin.Key.from_int(0x8001FFFF),
        (0x80, 1),
        (numpy.uint8(0x80), numpy.int64(1)),
        (Id(0x80), Id(1)),
    ],
    ids=["type", "equal type", "its key", "key", "from_int", "tuple", "numpy", "index"],
)
def test_an_event_can_be_named_in_every_form(pipeline: Any, got: list[Any], event: Any) -> None:
    assert pipeline.notify(event, EIGHT) is True
    assert pipeline.flush()
    assert [(e.protocol, e.event, e.payload) for e in got] == [(0x80, 1, EIGHT)]
    assert got[0].type is MOTOR.tick


def noncontiguous() -> memoryview:
    return memoryview(bytes(byte for pair in zip(EIGHT, EIGHT, strict=True) for byte in pair))[::2]


@pytest.mark.parametrize(
    "payload",
    [
        EIGHT,
        bytearray(EIGHT),
        memoryview(EIGHT),
        noncontiguous(),
        memoryview(EIGHT).cast("I"),
        memoryview(EIGHT).cast("B", [2, 4]),
        array.array("B", EIGHT),
        array.array("Q", [EIGHT_AS_INT]),
        Rate(EIGHT_AS_INT),
        (ctypes.c_uint8 * 8)(*EIGHT),
        ctypes.c_uint64(EIGHT_AS_INT),
        numpy.frombuffer(EIGHT, "u1"),
        numpy.frombuffer(EIGHT, "<u8"),
        numpy.frombuffer(EIGHT, "u1").reshape(2, 4).T.copy().T,
        numpy.frombuffer(EIGHT, "<u8")[0],
        numpy.frombuffer(EIGHT, [("n", "<u8")])[0],
        numpy.frombuffer(EIGHT + bytes(8), "<u8")[::2],
        MOTOR.tick.unpack(EIGHT),
        (EIGHT_AS_INT,),
        {"n": EIGHT_AS_INT},
        EIGHT_AS_INT,
    ],
    ids=[
        *("bytes", "bytearray", "memoryview", "strided", "ints", "grid", "array", "wide array"),
        *("structure", "ctypes array", "ctypes int", "np bytes", "np u8", "np fortran", "np scalar"),
        *("np void", "np strided", "report", "tuple", "mapping", "int"),
    ],
)
def test_a_payload_can_have_every_form(pipeline: Any, got: list[Any], payload: Any) -> None:
    assert pipeline.notify(MOTOR.tick, payload)
    pipeline.flush()
    assert got[0].payload == EIGHT


def test_a_numpy_integer_is_its_bytes_and_not_that_many_zeros(pipeline: Any, got: list[Any]) -> None:
    pipeline.notify(MOTOR.raw, numpy.uint32(4))
    pipeline.flush()
    assert got[0].payload == b"\4\0\0\0"


def test_a_named_tuple_is_packed_as_the_report_that_it_is(pipeline: Any, got: list[Any]) -> None:
    pipeline.notify(MOTOR.limit, Limit(3, -9000))
    pipeline.notify(MOTOR.limit, (3, -9000))
    pipeline.flush()
    assert [event.report for event in got] == [Limit(3, -9000)] * 2
    assert {event.payload for event in got} == {MOTOR.limit.pack(3, -9000)}


def test_a_payload_is_copied_before_notify_returns(pipeline: Any, got: list[Any]) -> None:
    payload = bytearray(EIGHT)
    pipeline.notify(MOTOR.tick, payload)
    payload[:] = bytes(8)
    payload.extend(b"more")  # nothing holds on to the buffer
    pipeline.flush()
    assert got[0].payload == EIGHT


def test_a_payload_never_goes_to_a_protocol_that_came_while_it_was_packed(make_pipeline: Any) -> None:
    class Other(tocsin.Protocol):
        word = tocsin.EventType(1, {"z": "u8"})

    class Number:
        def __index__(self) -> int:
            pipeline.unregister(MOTOR)
            pipeline.register(other)
            pipeline.subscribe(other, got.append)
            return 1

    pipeline, other = make_pipeline(workers=0), Other(MOTOR.id)
    got: list[Any] = []
    pipeline.register(MOTOR)
    with pytest.raises(tocsin.UnknownEventError, match="not registered"):
        pipeline.notify(MOTOR.tick, (Number(),))
    pipeline.flush()
    assert got == []


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 63, 64, 65, 100, 4096, 1 << 20])
def test_a_payload_of_any_size_arrives_as_it_was(pipeline: Any, got: list[Any], size: int) -> None:
    payload = bytes(n % 251 for n in range(size))
    for _ in range(3):
        assert pipeline.notify(MOTOR.raw, payload)
    pipeline.flush()
    assert [event.payload for event in got] == [payload] * 3


@pytest.mark.parametrize("queue_start", [0, 2**32 - 64, 2**64 - 64], indirect=True)
def test_records_of_mixed_sizes_go_round_the_ring_many_times(
    make_pipeline: Callable[..., Any],
) -> None:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, queue_size=1024)
    got: list[bytes] = []
    pipeline.subscribe(MOTOR.raw, lambda event: got.append(event.payload))
    sent = [bytes([n % 256]) * (n * 37 % 480) for n in range(500)]
    for payload in sent:
        while not pipeline.notify(MOTOR.raw, payload):
            pipeline.flush()
    pipeline.flush()
    assert got == sent


# ------------------------------------------------------------------------------------- timestamps


def test_a_timestamp_is_the_time_of_the_notify(pipeline: Any, got: list[Any]) -> None:
    before = pipeline.now()
    pipeline.notify(MOTOR.tick, EIGHT)
    after = pipeline.now()
    pipeline.flush()
    assert before <= got[0].timestamp <= after


@pytest.mark.parametrize("timestamp", [0, 1, 2**63, 2**64 - 2, numpy.uint64(7), Id(9)])
def test_an_explicit_timestamp_is_kept(pipeline: Any, got: list[Any], timestamp: Any) -> None:
    pipeline.notify(MOTOR.tick, EIGHT, timestamp)
    pipeline.notify(MOTOR.tick, EIGHT, timestamp=timestamp)
    pipeline.flush()
    assert [event.timestamp for event in got] == [timestamp.__index__()] * 2


@pytest.mark.parametrize("timestamp", [-1, 2**64, 10**30])
def test_a_timestamp_out_of_range_is_refused(
    pipeline: Any, got: list[Any], timestamp: int, books: Callable[[Any], None]
) -> None:
    with pytest.raises((ValueError, OverflowError)):
        pipeline.notify(MOTOR.tick, EIGHT, timestamp)
    pipeline.notify(MOTOR.tick, EIGHT)
    pipeline.flush()
    assert len(got) == 1
    books(pipeline)


@pytest.mark.parametrize("timestamp", [-1, 2**64])
def test_the_error_names_a_timestamp_out_of_range(pipeline: Any, timestamp: int) -> None:
    with pytest.raises(ValueError, match=str(timestamp)):
        pipeline.notify(MOTOR.tick, EIGHT, timestamp)


@pytest.mark.parametrize(
    "timestamp",
    ["x", b"1", [], 1.5, numpy.float64(3)],
)
def test_a_timestamp_that_is_no_integer_is_refused(pipeline: Any, timestamp: Any) -> None:
    with pytest.raises(TypeError):
        pipeline.notify(MOTOR.tick, EIGHT, timestamp)


@pytest.mark.parametrize(
    ("clock", "read"),
    [
        ("monotonic", time.monotonic_ns),
        ("boottime", lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME)),
        ("realtime", time.time_ns),
    ],
)
def test_each_clock_is_the_one_that_it_says(
    make_pipeline: Callable[..., Any], clock: str, read: Callable[[], int]
) -> None:
    pipeline = make_pipeline(workers=0, clock=clock)
    pipeline.register(MOTOR)
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.timestamp))
    first = read()
    assert first <= pipeline.now() <= read()
    pipeline.notify(MOTOR.tick, EIGHT)
    pipeline.notify_many(MOTOR.tick, EIGHT)
    last = read()
    pipeline.flush()
    assert first <= got[0] <= got[1] <= last
