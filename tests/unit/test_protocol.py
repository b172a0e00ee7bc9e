"""Declarations: what an EventType packs, unpacks and refuses, and what makes protocols equal."""

import copy
import ctypes
import json
import math
import pickle
import struct
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import PayloadError
from tocsin.key import Key
from tocsin.protocol import EventType, Protocol
from tocsin.types import i4, i8, u4, u8


class Limit(NamedTuple):
    motor: u4
    rpm: i4


class Reading(NamedTuple):
    value: i8
    timestamp: u8


class Update(NamedTuple):
    agent_id: u4
    sensor_id: u4
    readings: tuple[Reading, ...] = ()


class Reports(NamedTuple):
    agent_id: u4
    error_status: u4
    reports: tuple[u8, ...]


class PowerState(NamedTuple):
    agent_id: u4
    flags: u4
    system_state: u4
    timeout: u4 = 0


class Tag(NamedTuple):
    name: Annotated[bytes, "S8"]
    position: Annotated[tuple[float, ...], "3f4"]


class Padded(ctypes.LittleEndianStructure):
    _fields_ = [("kind", ctypes.c_uint8), ("motor", ctypes.c_uint32), ("rpm", ctypes.c_int16)]


class Motor(Protocol):
    limit = EventType(0, Limit, source="motor")
    tag = EventType(7, Tag)
    raw = EventType(200, max_size=16)


class Sensor(Protocol):
    update = EventType(1, Update, source="sensor_id", max_size=1016)


MOTOR = Motor(0x80)
SENSOR = Sensor(0x15)

UPDATES = [
    EventType(1, Update, source="sensor_id", max_size=1016),
    EventType(
        1,
        {"agent_id": "u4", "sensor_id": "u4", "readings": [{"value": "i8", "timestamp": "u8"}]},
        source="sensor_id",
        max_size=1016,
    ),
]
BASE_ERRORS = [
    EventType(0, Reports, count=("error_status", 0x3FF), max_size=8200),
    EventType(
        0,
        {"agent_id": "u4", "error_status": "u4", "reports": ["u8"]},
        count=("error_status", 0x3FF),
        max_size=8200,
    ),
]
POWER_STATES = [
    EventType(0, PowerState),
    EventType(0, {"agent_id": "u4", "flags": "u4", "system_state": "u4", "timeout": ("u4", 0)}),
]

# ------------------------------------------------------------------------- the vectors of SCMI

SCMI = json.loads((Path(__file__).parents[1] / "vectors" / "scmi.json").read_text())
MALFORMED = {each["id"]: bytes.fromhex(each["message_hex"])[4:] for each in SCMI["malformed"]}


def vectors(event: str) -> list[Any]:
    found = [each for each in SCMI["vectors"] if each["event"] == event]
    assert found
    return [pytest.param(each, id=each["id"]) for each in found]


@pytest.mark.parametrize("event_type", UPDATES)
@pytest.mark.parametrize("vector", vectors("SENSOR_UPDATE"))
def test_sensor_updates_agree_with_the_vectors(event_type: EventType[Any], vector: Any) -> None:
    payload, expected = bytes.fromhex(vector["payload_hex"]), vector["expect"]["report"]
    report = event_type.unpack(payload)
    assert [reading._asdict() for reading in report.readings] == expected["readings"]
    assert (report.agent_id, report.sensor_id) == (expected["agent_id"], expected["sensor_id"])
    assert event_type.source_of(payload) == vector["expect"]["src_id"]
    assert event_type.pack(report) == event_type.pack(report._asdict()) == payload


@pytest.mark.parametrize("event_type", BASE_ERRORS)
@pytest.mark.parametrize("vector", vectors("BASE_ERROR_EVENT"))
def test_base_errors_agree_with_the_vectors(event_type: EventType[Any], vector: Any) -> None:
    payload, expected = bytes.fromhex(vector["payload_hex"]), vector["expect"]["report"]
    report = event_type.unpack(payload)
    assert list(report.reports) == expected["reports"]
    assert report.error_status & 0x3FF == expected["cmd_count"]
    assert bool(report.error_status >> 31) == expected["fatal"]
    assert event_type.pack(report) == payload
    assert event_type.source_of(payload) == vector["expect"]["src_id"] == 0


@pytest.mark.parametrize("event_type", POWER_STATES)
@pytest.mark.parametrize("vector", vectors("SYSTEM_POWER_STATE_NOTIFIER"))
def test_system_power_states_agree_with_the_vectors(event_type: EventType[Any], vector: Any) -> None:
    payload, expected = bytes.fromhex(vector["payload_hex"]), vector["expect"]["report"]
    report = event_type.unpack(payload)
    assert report._asdict().items() <= expected.items()
    assert event_type.pack(*report[: len(payload) // 4]) == payload


@pytest.mark.parametrize(
    ("event_types", "name"),
    [
        (UPDATES, "sensor-update-empty"),
        (UPDATES, "sensor-update-not-multiple"),
        (BASE_ERRORS, "base-count-5-but-2-reports"),
        (BASE_ERRORS, "base-count-1-payload-12"),
        (POWER_STATES, "system-v2-empty"),
    ],
)
def test_malformed_vectors_are_refused_by_size(event_types: list[EventType[Any]], name: str) -> None:
    payload = MALFORMED[name]
    for event_type in event_types:
        for door in (event_type.unpack, event_type.check_size, event_type.source_of):
            with pytest.raises(PayloadError, match=f"{len(payload)} bytes; "):
                door(payload)


def test_a_payload_longer_than_its_count_loses_the_surplus() -> None:
    payload = MALFORMED["base-8200-bytes-count-1023"]
    assert len(payload) == 8200
    for event_type in BASE_ERRORS:
        assert len(event_type.unpack(payload).reports) == 1023
        with pytest.raises(PayloadError, match="8201 bytes; at most 8200"):
            event_type.unpack(payload + b"\0")


def test_every_size_that_is_not_the_layouts_is_refused() -> None:
    domain = EventType(0, {"agent_id": "u4", "domain_id": "u4", "state": "u4"}, source="domain_id")
    for name, payload in MALFORMED.items():
        if name.startswith(("power-short", "power-empty", "reset-", "sensor-trip-")):
            with pytest.raises(PayloadError, match=f"{len(payload)} bytes; it must have 12"):
                domain.unpack(payload)
    assert domain.source_of(MALFORMED["power-domain-1ffff"]) == 0x1FFFF  # nobody but ALL can hear it


# --------------------------------------------------------------------------------- round trips

SCALARS: dict[str, st.SearchStrategy[Any]] = {
    **{f"u{n}": st.integers(0, (1 << 8 * n) - 1) for n in (1, 2, 4, 8)},
    **{f"i{n}": st.integers(-1 << 8 * n - 1, (1 << 8 * n - 1) - 1) for n in (1, 2, 4, 8)},
    **{f"f{n}": st.floats(width=8 * n, allow_nan=False) for n in (2, 4, 8)},  # type: ignore[dict-item, arg-type]
    "b1": st.booleans(),
    "S5": st.binary(max_size=5).map(lambda value: value.rstrip(b"\0")),
}
SCALARS |= {f"3{text}": st.tuples(*[SCALARS[text]] * 3) for text in ("u1", "f4", "i8", "b1", "S5")}
TEXTS = st.sampled_from(sorted(SCALARS))


@st.composite
def layouts(draw: st.DrawFn) -> tuple[dict[str, Any], list[Any]]:
    """Return a mapping of up to seven fields and values that fit it."""
    texts = draw(st.lists(TEXTS, max_size=7))
    fields = {f"f{n}": text for n, text in enumerate(texts)}
    return fields, [draw(SCALARS[text]) for text in texts]


@given(layouts())
def test_packed_fields_come_back(case: tuple[dict[str, Any], list[Any]]) -> None:
    fields, values = case
    event_type = EventType(0, fields)
    payload = event_type.pack(tuple(values))
    report = event_type.unpack(payload)
    assert tuple(report) == tuple(values)
    assert event_type.pack(**dict(zip(fields, values, strict=True))) == payload
    assert event_type.pack(report) == payload
    assert event_type.unpack(bytearray(payload)) == event_type.unpack(memoryview(payload)) == report
    assert event_type.fields == fields
    for size in {len(payload) - 1, len(payload) + 1} - {-1}:
        with pytest.raises(PayloadError, match=f"{size} bytes; it must have {len(payload)}"):
            event_type.unpack(bytes(size))


@given(layouts())
def test_numpy_reads_the_same_bytes(case: tuple[dict[str, Any], list[Any]]) -> None:
    numpy = pytest.importorskip("numpy")
    fields, values = case
    event_type = EventType(0, fields)
    payload = event_type.pack(*values) if len(values) != 1 else event_type.pack(tuple(values))
    assert event_type.dtype.itemsize == len(payload) == event_type.rule.fixed_size
    if fields:
        assert numpy.array(tuple(values), event_type.dtype).tobytes() == payload
        record = numpy.frombuffer(payload, event_type.dtype)[0]
        for name, value in zip(fields, values, strict=True):
            assert numpy.array_equal(record[name], value)
        assert tuple(EventType(0, event_type.dtype).fields) == tuple(fields)
        assert EventType(0, event_type.dtype).pack(tuple(values)) == payload


@given(layouts(), layouts().filter(lambda case: bool(case[0])), st.integers(0, 5))
def test_repeated_fields_come_back(fixed: Any, item: Any, count: int) -> None:
    fields, values = fixed
    event_type = EventType(0, {**fields, "n": "u2", "items": [item[0]]}, count="n")
    payload = event_type.pack((*values, 0, [tuple(item[1])] * count))
    report = event_type.unpack(payload)
    assert report.n == count == len(report.items)
    assert all(tuple(each) == tuple(item[1]) for each in report.items)
    assert event_type.pack(report) == payload
    assert event_type.unpack(payload + b"surplus") == report
    with pytest.raises(PayloadError, match=f"{len(payload) - 1} bytes"):
        event_type.unpack(payload[:-1])


@given(st.sampled_from([*UPDATES, *BASE_ERRORS, *POWER_STATES]), st.binary(max_size=64))
def test_any_bytes_either_unpack_or_are_refused(event_type: EventType[Any], data: bytes) -> None:
    try:
        event_type.check_size(data)
    except PayloadError:
        with pytest.raises(PayloadError):
            event_type.unpack(data)
    else:
        event_type.unpack(data)


def test_trailing_fields_may_be_absent() -> None:
    for event_type in POWER_STATES:
        assert event_type.rule.sizes == (12, 16)
        assert event_type.unpack(struct.pack("<3I", 1, 2, 3)) == (1, 2, 3, 0)
        assert len(event_type.pack(1, 2, 3)) == 12
        assert len(event_type.pack(1, 2, 3, timeout=4)) == 16
        with pytest.raises(PayloadError, match="14 bytes; it must have 12 or 16"):
            event_type.unpack(bytes(14))
    two = EventType(0, {"a": "u1", "b": ("u2", 7), "c": ("u1", 8)})
    assert two.rule.sizes == (1, 3, 4)
    assert two.pack(a=1, c=2) == b"\1\7\0\2"
    assert two.unpack(b"\1\2\0") == (1, 2, 8)


def test_an_event_without_fields_has_no_byte() -> None:
    for event_type in (EventType(0, {}), EventType(0, max_size=0)):
        assert event_type.rule.sizes == (0,)
        with pytest.raises(PayloadError, match="1 bytes; it must have 0"):
            event_type.check_size(b"x")


def test_raw_bytes_are_their_report() -> None:
    assert MOTOR.raw.pack(bytearray(b"abc")) == MOTOR.raw.unpack(memoryview(b"abc")) == b"abc"
    assert EventType(0).max_size is None
    assert EventType(0).rule.max_size == 0
    with pytest.raises(PayloadError, match=r"motor\.raw: 17 bytes; it must have 0\.\.16"):
        MOTOR.raw.pack(bytes(17))
    with pytest.raises(PayloadError, match="5 is not bytes-like"):
        MOTOR.raw.pack(5)
    with pytest.raises(TypeError, match="no fields"):
        _ = MOTOR.raw.dtype


def test_report_makes_the_report() -> None:
    speed = EventType(0, Limit, report=lambda limit: abs(limit.rpm))
    assert speed.unpack(speed.pack(3, -9000)) == 9000


def test_reports_are_what_was_declared() -> None:
    assert type(MOTOR.limit.unpack(bytes(8))) is Limit
    assert type(SENSOR.update.unpack(bytes(24)).readings[0]) is Reading
    assert MOTOR.tag.unpack(MOTOR.tag.pack(b"left", (1, 2, 3))) == (b"left", (1.0, 2.0, 3.0))
    generated = Protocol(1, "p", {"trip_point": UPDATES[1]}).trip_point.unpack(bytes(24))
    assert repr(generated).startswith("TripPoint(agent_id=0, sensor_id=0, readings=(Item(value=0")
    again = pickle.loads(pickle.dumps(generated))
    assert again == generated
    assert type(again) is type(generated)


def test_a_subclass_of_a_named_tuple_keeps_its_new() -> None:
    class Checked(Limit):
        def __new__(cls, motor: int, rpm: int) -> "Checked":
            return super().__new__(cls, motor, abs(rpm))

    assert EventType(0, Checked).unpack(struct.pack("<Ii", 3, -5)).rpm == 5


# ---------------------------------------------------------------------------- ctypes and NumPy


def test_a_structure_keeps_its_own_layout() -> None:
    event_type = EventType(0, Padded, source="motor")
    payload = bytes(Padded(1, 70000, -3))
    assert event_type.pack(1, 2, rpm=-3) == bytes(Padded(1, 2, -3))
    assert event_type.pack(Padded(1, 70000, -3)) == payload
    report = event_type.unpack(payload)
    assert (type(report), report.kind, report.motor, report.rpm) == (Padded, 1, 70000, -3)
    assert event_type.rule[:1] == (12,)
    assert (event_type.rule.source_offset, event_type.rule.source_width) == (4, 4)
    assert event_type.source_of(payload) == 70000
    assert event_type.fields == {"kind": "u1", "motor": "u4", "rpm": "i2"}
    assert event_type.dtype.itemsize == 12


def test_a_structures_report_is_a_copy() -> None:
    memory = bytearray(12)
    report = EventType(0, Padded).unpack(memory)
    memory[:] = b"\xff" * 12
    assert report.motor == 0


def test_nested_structures_arrays_and_bit_fields_are_checked() -> None:
    class Deep(ctypes.Structure):
        _fields_ = [
            ("inner", Padded),
            ("row", ctypes.c_int16 * 3),
            ("low", ctypes.c_uint32, 3),
            ("real", ctypes.c_float),
            ("text", ctypes.c_char * 4),
        ]

    event_type = EventType(0, Deep)
    report = event_type.unpack(event_type.pack((1, 2, 3), (4, 5, 6), low=7, text=b"ab"))
    assert (report.inner.rpm, list(report.row), report.low, report.text) == (3, [4, 5, 6], 7, b"ab")
    for fields, words in [
        ({"inner": (256, 2, 3)}, "inner.kind=256 does not fit u1: 0..255"),
        ({"row": (1, 40000)}, "row[1]=40000 does not fit i2: -32768..32767"),
        ({"row": (1, 2, 3, 4)}, "row has 4 values; 3i2 has 3"),
        ({"low": 8}, "low=8 does not fit u4:3: 0..7"),
        ({"low": 1.5}, "low=1.5 is not an integer"),
        ({"real": 1e300}, "real=1e+300 does not fit f4"),
        ({"text": b"abcde"}, "text=b'abcde' does not fit"),
        ({"other": 1}, "there is no field 'other'"),
    ]:
        with pytest.raises(PayloadError) as caught:
            event_type.pack(**fields)
        assert words in str(caught.value)


@pytest.mark.parametrize(
    "kind",
    [
        ctypes.py_object,
        ctypes.c_char_p,
        ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_int),
        ctypes.CFUNCTYPE(None),
    ],
)
def test_addresses_are_no_payload(kind: Any) -> None:
    inner = type("Inner", (ctypes.Structure,), {"_fields_": [("address", kind * 2)]})
    outer = type("Outer", (ctypes.Structure,), {"_fields_": [("inner", inner)]})
    with pytest.raises(TypeError, match=r"inner\.address.* is an address"):
        EventType(0, outer)


def test_a_dtype_keeps_its_own_layout() -> None:
    numpy = pytest.importorskip("numpy")
    dtype = numpy.dtype([("motor", "<u2"), ("rpm", ">i4"), ("row", "<f4", 2)], align=True)
    event_type = EventType(0, dtype, source="motor")
    payload = event_type.pack(3, -9000, (1, 2))
    report = event_type.unpack(payload)
    assert (report["motor"], report["rpm"], list(report["row"])) == (3, -9000, [1, 2])
    assert event_type.pack(report) == payload
    assert event_type.source_of(payload) == 3
    assert event_type.dtype == dtype
    for values, words in [
        ((70000, 0, (0, 0)), "motor=70000 does not fit u2: 0..65535"),
        ((1.5, 0, (0, 0)), "motor=1.5 does not fit u2: 0..65535"),
        ((0, 0, (0, 1e300)), "row=(0, 1e+300) does not fit f4"),
        ((0, 0), "field row is missing"),
    ]:
        with pytest.raises(PayloadError) as caught:
            event_type.pack(values)
        assert words in str(caught.value)
    with pytest.raises(ValueError, match="source field rpm is >i4"):
        EventType(0, dtype, source="rpm")


def test_numpy_is_imported_by_nobody_but_the_user() -> None:
    program = (
        "import sys; from tocsin.protocol import EventType, Protocol;"
        "e = Protocol(1, 'p', {'e': EventType(0, {'a': 'u4'})}).e; e.unpack(e.pack(1));"
        "sys.exit('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)})
    assert done.returncode == 0


# ------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("fields", "values", "words"),
    [
        ({"a": "u2"}, (70000,), "a=70000 does not fit u2 (0..65535)"),
        ({"a": "u2"}, (-1,), "a=-1 does not fit u2 (0..65535)"),
        ({"a": "i1"}, (128,), "a=128 does not fit i1 (-128..127)"),
        ({"a": "u8"}, (1 << 64,), "does not fit u8 (0..18446744073709551615)"),
        ({"a": "u8"}, (10**5000,), "a=<int> does not fit u8"),
        ({"a": "u4"}, (1.5,), "a=1.5 is not an integer (u4: 0..4294967295)"),
        ({"a": "u4"}, (None,), "a=None is not an integer"),
        ({"a": "f4"}, (1e300,), "a=1e+300 does not fit f4: -3.4028235e+38..3.4028235e+38"),
        ({"a": "f2"}, (65536,), "a=65536 does not fit f2: -65504..65504"),
        ({"a": "f8"}, ("x",), "a='x' is not a number (f8: "),
        ({"a": "S2"}, (b"abc",), "a=b'abc' has 3 bytes; S2 holds 2"),
        ({"a": "S2"}, ("ab",), "a='ab' is not bytes (S2: at most 2 bytes)"),
        ({"a": "3u1"}, ((1, 2),), "a has 2 values; 3u1 has 3"),
        ({"a": "3u1"}, ((1, 2, 256),), "a=256 does not fit u1 (0..255)"),
        ({"a": "3u1"}, (7,), "a=7 is not a sequence of 3 (3u1)"),
        ({"a": "u1", "b": "u1"}, (1,), "field b is missing; the fields are a, b"),
        ({"a": "u1"}, (1, 2), "2 values; there are 1 fields: a"),
        ({"a": ["u1"]}, ((1, 256),), "a[1]=256 does not fit u1 (0..255)"),
        ({"a": ["u1"]}, (5,), "a=5 is not a sequence of items"),
        ({"a": [{"b": "u1"}]}, (((1,), (256,)),), "a[1].b=256 does not fit u1 (0..255)"),
        ({"a": [{"b": "u1"}]}, (((1,), (2, 3)),), "a[1]: 2 values; there are 1 fields: b"),
        ({"a": [{"b": "u1"}]}, ((1,),), "a[0]=1 is not a tuple or mapping of b"),
    ],
)
def test_what_does_not_fit_names_field_value_and_limit(fields: Any, values: Any, words: str) -> None:
    event_type = Protocol(9, "nine", {"e": EventType(0, fields)}).e
    with pytest.raises(PayloadError) as caught:
        event_type.pack(tuple(values))
    assert str(caught.value).startswith("nine.e: ")
    assert words in str(caught.value)


def test_keywords_are_checked() -> None:
    with pytest.raises(PayloadError, match="no field 'speed'"):
        MOTOR.limit.pack(motor=1, rpm=2, speed=3)
    with pytest.raises(PayloadError, match="motor is given twice: 1 and 2"):
        MOTOR.limit.pack(1, motor=2)
    other = namedtuple("other", "x y")
    with pytest.raises(PayloadError, match="report of other fields; these are motor, rpm"):
        MOTOR.limit.pack(other(1, 2))


def test_a_count_is_filled_in_or_must_agree() -> None:
    base = BASE_ERRORS[1]
    fatal = 1 << 31
    assert base.unpack(base.pack(0, fatal, [1, 2])).error_status == fatal | 2
    assert base.pack(0, fatal | 2, [1, 2]) == base.pack(0, fatal, [1, 2])
    with pytest.raises(PayloadError, match="error_status counts 3 items; there are 2"):
        base.pack(0, 3, [1, 2])
    with pytest.raises(PayloadError, match="1024 items; error_status can count 1023"):
        base.pack(0, 0, range(1024))
    with pytest.raises(PayloadError, match="1032 bytes; at most 1016"):
        UPDATES[0].pack(0, 0, [Reading(0, 0)] * 64)


@pytest.mark.parametrize(
    ("fields", "options", "error", "words"),
    [
        ({"a": ">u4"}, {}, ValueError, "field a: '>u4': payloads are little-endian"),
        ({"a": "u3"}, {}, ValueError, "field a: 'u3' is not one of"),
        ({"a": "(2,3)u4"}, {}, ValueError, "field a: '(2,3)u4'"),
        ({"a": "0u4"}, {}, ValueError, "field a: '0u4' has no element"),
        ({"a": "S0"}, {}, ValueError, "field a: 'S0' has no length"),
        ({"a": 4}, {}, TypeError, "field a: 4 is not a NumPy type string"),
        ({"a": "99999999u8"}, {}, ValueError, "at most 16777215"),
        ({"a": ["u4", "u4"]}, {}, TypeError, "field a"),
        ({"a": ["u4"], "b": "u4"}, {}, ValueError, "field a repeats, so it must be the last one"),
        ({"a": [{}]}, {}, ValueError, "field a: an item has no bytes"),
        ({"a": [{"b": ["u4"]}]}, {}, ValueError, "field a"),
        ({"a": ("u4", 0), "b": "u4"}, {}, ValueError, "field b follows one that can be absent"),
        ({"a": ("u4", 0), "b": ["u4"]}, {}, ValueError, "field a can be absent"),
        ({"a": ("u1", 256)}, {}, ValueError, "a=256 does not fit u1 (0..255)"),
        ({"_a": "u4"}, {}, ValueError, "_a"),
        ({"class": "u4"}, {}, ValueError, "class"),
        ({1: "u4"}, {}, TypeError, "must be a str, not 1"),
        ({"a": "u4"}, {"source": "b"}, ValueError, "source field 'b' is not among"),
        ({"a": "f4"}, {"source": "a"}, ValueError, "source field a is f4"),
        ({"a": ("u4", 0)}, {"source": "a"}, ValueError, "every payload has: none"),
        ({"a": ["u4"]}, {"source": "a"}, ValueError, "source field 'a' is not among"),
        ({"a": "u4"}, {"source": 0}, TypeError, "source must be the name of a field, not 0"),
        ({"a": "u4"}, {"count": "a"}, ValueError, "count 'a' needs a repeated last field"),
        ({"a": "u1", "b": ["u1"]}, {"count": ("a", 256)}, ValueError, "not in 0..255"),
        ({"a": "u1", "b": ["u1"]}, {"count": ("a", 6)}, ValueError, "mask of count is 0x6"),
        ({"a": "u1", "b": ["u1"]}, {"count": 5}, TypeError, "not 5"),
        ({"a": "u1", "b": ["u1"]}, {"max_size": 1}, ValueError, "have 2 bytes"),
        ({"a": "u1"}, {"max_size": 9}, ValueError, "these fields have 1 bytes"),
        (None, {"max_size": 1 << 24}, ValueError, "0..16777215"),
        (None, {"max_size": 1.5}, TypeError, "max_size must be an int"),
        (None, {"source": "a"}, ValueError, "raw bytes have no fields"),
        ([("a", "u4")], {}, TypeError, "fields must be a mapping"),
        (int, {}, TypeError, "fields must be a mapping"),
        (namedtuple("bare", "a"), {}, TypeError, "field a: None has no layout"),
        (NamedTuple("Wide", [("a", int)]), {}, TypeError, "field a: int has no layout"),
        ({"a": "u4"}, {"report": 5}, TypeError, "report must be a function"),
        (Padded, {"count": "kind"}, ValueError, "no repeated part"),
        (Padded, {"source": "x"}, ValueError, "kind, motor, rpm"),
    ],
)
def test_declarations_that_cannot_work_are_refused(
    fields: Any, options: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as caught:
        EventType(0, fields, **options)
    assert words in str(caught.value)


@pytest.mark.parametrize(("id", "error"), [(256, ValueError), (-1, ValueError), (True, TypeError)])
def test_event_and_protocol_ids_are_bytes(id: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="event id"):
        EventType(id)
    with pytest.raises(error, match="protocol id"):
        Motor(id)


# ------------------------------------------------------------------------------------ protocols


def test_events_are_bound_in_the_order_of_declaration() -> None:
    assert MOTOR.events == (MOTOR.limit, MOTOR.tag, MOTOR.raw)
    assert [event.name for event in MOTOR.events] == ["limit", "tag", "raw"]
    assert (MOTOR.id, MOTOR.name, MOTOR.limit.protocol) == (0x80, "motor", MOTOR)
    assert MOTOR.raw.code == 0x80C80000
    assert vars(MOTOR)["limit"] is MOTOR.limit is not Motor.limit
    assert (Motor.limit.protocol, Motor.limit.code) == (None, -1)
    assert Motor(0x81, "left").limit.code == 0x81000000


def test_a_bound_event_has_keys() -> None:
    assert MOTOR.limit.key() == Key(0x80, 0)
    assert MOTOR.limit.key(3) == MOTOR.limit.key(source=3) == Key(0x80, 0, 3)
    with pytest.raises(TypeError, match=r"limit .* is not bound; take it from an instance"):
        Motor.limit.key()


def test_repr_says_what_it_is() -> None:
    assert repr(MOTOR.limit) == "<EventType motor.limit 0x80/0 Limit(motor: u4, rpm: i4)>"
    assert repr(MOTOR) == "<Motor motor 0x80 events: limit, tag, raw>"
    assert repr(UPDATES[1]).endswith("readings: [value: i8, timestamp: u8])>")
    assert repr(POWER_STATES[1]).endswith("timeout: u4 = 0)>")


def test_both_forms_make_equal_protocols() -> None:
    events = {
        "other_name": EventType(200, max_size=16),
        "limit": EventType(0, {"motor": "u4", "rpm": "i4"}, source="motor"),
        "tag": EventType(7, {"name": "S8", "position": "(3,)f4"}),
    }
    generated = Protocol(0x80, "engine", events)
    assert generated == MOTOR
    assert hash(generated) == hash(MOTOR)
    assert generated.limit == MOTOR.limit
    assert generated != Motor(0x81)
    events["limit"] = EventType(0, {"motor": "u4", "rpm": "u4"}, source="motor")
    assert Protocol(0x80, "engine", events) != MOTOR
    assert MOTOR != 0x80


def test_a_subclass_adds_and_replaces_events() -> None:
    class Servo(Motor):
        angle = EventType(1, {"degrees": "f4"})
        raw = EventType(201)

    servo = Servo(0x82)
    assert [(event.name, event.id) for event in servo.events] == [
        ("limit", 0),
        ("tag", 7),
        ("raw", 201),
        ("angle", 1),
    ]
    assert servo.name == "servo"


def test_ids_and_names_are_unique_and_free() -> None:
    with pytest.raises(ValueError, match="Twice: event id 0 is used twice, by a and b"):
        type("Twice", (Protocol,), {"a": EventType(0), "b": EventType(0)})
    with pytest.raises(ValueError, match="event id 7 is used twice, by tag and more"):
        Motor(0x80, "motor", {"more": EventType(7)})
    for name in ("id", "name", "events", "_private", "not a name"):
        with pytest.raises(ValueError, match="can't be called"):
            Protocol(1, "p", {name: EventType(0)})
    with pytest.raises(ValueError, match="can't be called 'events'"):
        type("Taken", (Protocol,), {"events": EventType(0)})
    with pytest.raises(ValueError, match="would hide an attribute of Protocol"):
        Protocol(1, "p", {"__eq__": EventType(0)})
    with pytest.raises(TypeError, match="events map names to EventTypes"):
        Protocol(1, "p", {"a": Limit})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="must be a str"):
        Protocol(1, 2)  # type: ignore[arg-type]


GENERATED = Protocol(0x90, "generated", {"update": UPDATES[1], "base": BASE_ERRORS[1]})


@pytest.mark.parametrize("protocol", [MOTOR, SENSOR, GENERATED])
@pytest.mark.parametrize("again", [lambda thing: pickle.loads(pickle.dumps(thing)), copy.deepcopy])
def test_protocols_and_events_pickle(protocol: Protocol, again: Any) -> None:
    other = again(protocol)
    assert other == protocol
    assert hash(other) == hash(protocol)
    assert type(other) is type(protocol)
    assert other.name == protocol.name
    for event in protocol.events:
        copied = again(event)
        assert copied == event
        assert hash(copied) == hash(event)
        assert (copied.name, copied.code, copied.rule) == (event.name, event.code, event.rule)
        assert copied.protocol == protocol


@pytest.mark.parametrize("event_type", [*UPDATES, *BASE_ERRORS, *POWER_STATES, EventType(3, Padded)])
def test_templates_pickle(event_type: EventType[Any]) -> None:
    copied = pickle.loads(pickle.dumps(event_type))
    assert copied == event_type
    assert (copied.rule, copied.fields) == (event_type.rule, event_type.fields)


@pytest.mark.parametrize("value", [0, 65534, 65535, 70000, (1 << 64) - 1])
def test_the_source_is_the_unsigned_number_in_its_field(value: int) -> None:
    event_type = EventType(0, {"pad": "u1", "source": "u8"}, source="source")
    assert event_type.source_of(event_type.pack(0, value)) == value
    signed = EventType(0, {"source": "i2"}, source="source")
    assert signed.source_of(signed.pack((-1,))) == 0xFFFF
    assert EventType(0, {"a": "u1"}).source_of(b"\5") == 0


def test_one_field_takes_one_value() -> None:
    event_type = EventType(0, {"a": "f8"})
    assert event_type.unpack(event_type.pack(math.pi)).a == math.pi
    assert EventType(0, {"a": ["u1"]}).pack([1, 2]) == b"\1\2"
