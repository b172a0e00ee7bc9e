"""The catalogue of SCMI notifications: every vector comes out as it says, by every way in."""

import pickle
from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from scmi_vectors import BY_ID, VALID, as_json, event_of, plain_protocol, protocol_of
from tocsin import scmi
from tocsin.testing import make_event

each_vector = pytest.mark.parametrize("vector", VALID, ids=lambda vector: vector["id"])


@each_vector
def test_report(vector: dict[str, Any]) -> None:
    event = event_of(protocol_of(vector), vector["event_id"])
    assert as_json(event.unpack(bytes.fromhex(vector["payload_hex"]))) == vector["expect"]["report"]


@each_vector
def test_message_arrives(vector: dict[str, Any], make_pipeline: Callable[..., Any]) -> None:
    pipeline, got = make_pipeline(workers=0), []
    protocol = protocol_of(vector)
    pipeline.register(protocol)
    pipeline.subscribe(protocol, got.append)
    assert scmi.notify_message(pipeline, bytes.fromhex(vector["message_hex"]), 535334421000) is True
    pipeline.flush()
    (event,) = got
    expect = vector["expect"]
    assert as_json(event.report) == expect["report"]
    assert (event.protocol, event.event) == (vector["protocol_id"], vector["event_id"])
    assert (event.source, event.timestamp) == (expect["src_id"], 535334421000)
    assert event.payload.hex() == vector["payload_hex"]
    if "key_src" in expect:
        assert int(event.key) == int(expect["key_src"], 16)
        assert int(event.type.key()) == int(expect["key_all"], 16)


@each_vector
def test_plain_protocol_differs_in_frequencies_only(vector: dict[str, Any]) -> None:
    event = event_of(plain_protocol(vector["protocol_id"]), vector["event_id"])
    report = as_json(event.unpack(bytes.fromhex(vector["payload_hex"])))
    expected = {
        name: 0 if name.endswith("_freq") else value for name, value in vector["expect"]["report"].items()
    }
    assert report == expected


@pytest.mark.parametrize(
    "vector", [vector for vector in VALID if "header" in vector], ids=lambda vector: vector["id"]
)
def test_header(vector: dict[str, Any]) -> None:
    spelled = vector["header"]
    header = scmi.Header.from_int(spelled["raw"])
    assert header._asdict() == {name: spelled[name] for name in scmi.Header._fields}
    assert int(header) == spelled["raw"]


def test_the_catalogue_is_what_was_promised() -> None:
    ids = [(protocol.name, protocol.id) for protocol in scmi.PROTOCOLS]
    assert ids == [
        ("base", 0x10),
        ("power", 0x11),
        ("system", 0x12),
        ("perf", 0x13),
        ("clock", 0x14),
        ("sensor", 0x15),
        ("reset", 0x16),
        ("powercap", 0x18),
    ]
    events = {
        scmi.BASE: ["error"],
        scmi.POWER: ["state_changed", "state_change_requested"],
        scmi.SYSTEM: ["power_state"],
        scmi.PERF: ["limits_changed", "level_changed"],
        scmi.CLOCK: ["rate_changed", "rate_change_requested"],
        scmi.SENSOR: ["trip_point", "update"],
        scmi.RESET: ["issued"],
        scmi.POWERCAP: ["cap_changed", "measurements_changed"],
    }
    assert tuple(events) == scmi.PROTOCOLS
    for protocol, names in events.items():
        assert [event.name for event in protocol.events] == names
        assert [event.id for event in protocol.events] == list(range(len(names)))


def test_every_event_has_a_vector() -> None:
    covered = {(vector["protocol_id"], vector["event_id"]) for vector in VALID}
    assert covered == {(protocol.id, event.id) for protocol in scmi.PROTOCOLS for event in protocol.events}


SIZES = {
    "base.error": (8, 8200),
    "power.state_changed": (12, 12),
    "power.state_change_requested": (12, 12),
    "system.power_state": (12, 16),
    "perf.limits_changed": (16, 16),
    "perf.level_changed": (12, 12),
    "clock.rate_changed": (16, 16),
    "clock.rate_change_requested": (16, 16),
    "sensor.trip_point": (12, 12),
    "sensor.update": (24, 1016),
    "reset.issued": (12, 12),
    "powercap.cap_changed": (16, 16),
    "powercap.measurements_changed": (12, 12),
}


def test_no_other_size_is_accepted(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline(workers=0)
    pipeline.register(*scmi.PROTOCOLS)
    for protocol in scmi.PROTOCOLS:
        for event in protocol.events:
            sizes = [size for size in range(1100) if fits(pipeline, event, size)]
            sizes += [size for size in (8199, 8200, 8201) if fits(pipeline, event, size)]
            assert (min(sizes), max(sizes)) == SIZES[f"{protocol.name}.{event.name}"]
            if event is scmi.SENSOR.update:
                assert sizes == list(range(24, 1017, 16))
            elif event is scmi.SYSTEM.power_state:
                assert sizes == [12, 16]


def fits(pipeline: Any, event: Any, size: int) -> bool:
    """Return whether a payload of zeros is accepted, by the core and by unpack() alike."""
    try:
        event.unpack(bytes(size))
        fits = True
    except tocsin.PayloadError:
        fits = False
    invalid = pipeline.stats().protocols[event.protocol.id].invalid
    try:
        assert pipeline.notify(event, bytes(size)) is fits
    except tocsin.PayloadError:
        assert not fits
        assert pipeline.stats().protocols[event.protocol.id].invalid == invalid + 1
    pipeline.flush()
    return fits


@pytest.mark.parametrize(
    ("flags", "state", "timeout"),
    [(1, 0, 30000), (0, 0, 0), (1, 1, 0), (3, 0, 30000), (2, 0, 0), (1, 0x8000_0000, 0)],
)
def test_only_a_graceful_shutdown_has_a_timeout(flags: int, state: int, timeout: int) -> None:
    payload = scmi.SYSTEM.power_state.pack(1, flags, state, 30000)
    for protocol in (scmi.SYSTEM, scmi.system(2)):
        report = protocol.power_state.unpack(payload)
        assert report == (1, flags, bool(flags & 1), state, timeout)


def test_surplus_after_the_counted_errors_is_ignored() -> None:
    payload = scmi.BASE.error.pack(1, 0, (7, 8))
    assert scmi.BASE.error.unpack(payload + bytes(5)).reports == (7, 8)
    reserved = bytes.fromhex("01000000 02fcff7f") + payload[8:]
    assert scmi.BASE.error.unpack(reserved) == (1, False, 2, (7, 8))


def test_reports_have_names_for_type_checkers_and_for_people() -> None:
    event = make_event(scmi.SENSOR.update, bytes.fromhex(BY_ID["sensor-update-3-axes"]["payload_hex"]))
    assert isinstance(event.report, scmi.SensorUpdate)
    assert event.report.readings[0] == scmi.Reading(value=-9720, timestamp=1656582870000000000)
    assert repr(event).startswith("<Event sensor.update source=8 ")


@pytest.mark.parametrize(
    "protocol",
    [
        *scmi.PROTOCOLS,
        scmi.perf({0: {1: 10}}),
        scmi.sensor({8: 3}),
        scmi.system(1),
        scmi.system(3),
    ],
    ids=repr,
)
def test_protocols_and_events_pickle(protocol: Any) -> None:
    copy = pickle.loads(pickle.dumps(protocol))
    assert copy == protocol
    assert type(copy) is type(protocol)
    for event, again in zip(protocol.events, copy.events, strict=True):
        assert (event.min_size, event.max_size) == (again.min_size, again.max_size)
        assert pickle.loads(pickle.dumps(event)) == event
        payload = bytes(event.min_size)
        assert outcome(again, payload) == outcome(event, payload)


def outcome(event: Any, payload: bytes) -> object:
    try:
        return event.unpack(payload)
    except tocsin.PayloadError as error:
        return str(error)
