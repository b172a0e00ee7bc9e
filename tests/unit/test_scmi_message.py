"""Messages from outside: a notification comes in, anything else is named, and the next good one arrives."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tocsin
from helpers import MOTOR, books_of
from scmi_vectors import BY_ID, VALID, VECTORS
from tocsin import scmi

GOOD = bytes.fromhex(BY_ID["power-on"]["message_hex"])
KNOWING = (
    scmi.BASE,
    scmi.POWER,
    scmi.system(2),
    scmi.perf({domain: {} for domain in range(4)}),
    scmi.CLOCK,
    scmi.sensor({1: 0, 8: 3}),
    scmi.RESET,
    scmi.POWERCAP,
)
MALFORMED = {
    "short-header-0": (scmi.MessageError, "0 bytes; an SCMI message has at least 4"),
    "short-header-2": (scmi.MessageError, "2 bytes; an SCMI message has at least 4"),
    "type-command": (scmi.MessageError, "a command or its response"),
    "type-delayed-response": (scmi.MessageError, "a delayed response"),
    "vendor-protocol-80": (tocsin.UnknownEventError, "protocol 0x80"),
    "unknown-event-255": (tocsin.UnknownEventError, "event 255"),
    "pinctrl-any": (tocsin.UnknownEventError, "protocol 0x19"),
    "base-count-5-but-2-reports": (tocsin.PayloadError, "24 bytes; its count of 5 needs 48"),
    "base-count-1-payload-12": (tocsin.PayloadError, "12 bytes; its count of 1 needs 16"),
    "sensor-update-empty": (tocsin.PayloadError, "0 bytes"),
    "sensor-update-3-axes-declared-1-sent": (tocsin.PayloadError, "has 3 axes"),
    "sensor-update-not-multiple": (tocsin.PayloadError, "27 bytes"),
    "system-v2-platform-12-bytes": (tocsin.PayloadError, "12 bytes; it must have 16"),
    "perf-limits-unknown-domain": (tocsin.PayloadError, "domain 99"),
    # Accepted, as the vectors allow.
    "base-8200-bytes-count-1023": None,
    "power-domain-1ffff": None,
}


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline(workers=0)
    pipeline.register(*KNOWING)
    return pipeline


@pytest.mark.parametrize("vector", VECTORS["malformed"], ids=lambda vector: vector["id"])
def test_malformed(pipeline: Any, vector: dict[str, Any]) -> None:
    got: list[Any] = []
    pipeline.subscribe([*KNOWING], got.append)
    message = bytes.fromhex(vector["message_hex"])
    assert len(message) == vector["length"]
    short = vector["id"].endswith(("-empty", "-short-by-4"))
    expected = MALFORMED.get(vector["id"], (tocsin.PayloadError, "bytes") if short else "unheard of")
    before = pipeline.stats()
    if expected is None:
        assert scmi.notify_message(pipeline, message) is True
    else:
        error, words = expected
        with pytest.raises(error, match=words):
            scmi.notify_message(pipeline, message)
        counted = error is tocsin.UnknownEventError
        assert pipeline.stats().unknown == before.unknown + counted
        invalid = sum(books.invalid for books in pipeline.stats().protocols.values())
        assert invalid == (error is tocsin.PayloadError)
    assert scmi.notify_message(pipeline, GOOD)
    pipeline.flush()
    assert len(got) == 1 + (expected is None)
    assert ("power", 2) in [(event.type.protocol.name, event.source) for event in got]


def test_the_largest_base_error_has_1023_reports(pipeline: Any) -> None:
    (vector,) = (each for each in VECTORS["malformed"] if each["id"] == "base-8200-bytes-count-1023")
    got: list[Any] = []
    pipeline.subscribe(scmi.BASE.error, lambda event: got.append(event.report))
    assert scmi.notify_message(pipeline, bytes.fromhex(vector["message_hex"]))
    pipeline.flush()
    assert (got[0].cmd_count, len(got[0].reports)) == (1023, 1023)


def test_a_source_of_more_than_16_bits_reaches_all_and_nobody_else(pipeline: Any) -> None:
    (vector,) = (each for each in VECTORS["malformed"] if each["id"] == "power-domain-1ffff")
    to_all: list[Any] = []
    to_one: list[Any] = []
    pipeline.subscribe(scmi.POWER.state_changed, to_all.append)
    pipeline.subscribe(scmi.POWER.state_changed, to_one.append, source=0xFFFE)
    scmi.notify_message(pipeline, bytes.fromhex(vector["message_hex"]))
    pipeline.flush()
    assert [event.report.domain_id for event in to_all] == [0x1FFFF]
    assert to_one == []


def test_lenient_protocols_take_both_forms_of_system_power(make_pipeline: Callable[..., Any]) -> None:
    pipeline, got = make_pipeline(workers=0), []
    pipeline.register(*scmi.PROTOCOLS)
    pipeline.subscribe(scmi.SYSTEM.power_state, lambda event: got.append(event.report))
    for name in ("system-v1-graceful-shutdown", "system-v2-graceful-shutdown-timeout"):
        assert scmi.notify_message(pipeline, bytes.fromhex(BY_ID[name]["message_hex"]))
    pipeline.flush()
    assert [report.timeout for report in got] == [0, 30000]


def test_only_what_is_registered_comes_in(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline(workers=0)
    pipeline.register(scmi.SENSOR)
    for vector in VALID:
        message = bytes.fromhex(vector["message_hex"])
        if vector["protocol_id"] == scmi.SENSOR.id:
            assert scmi.notify_message(pipeline, message) is True
        else:
            with pytest.raises(tocsin.UnknownEventError, match="the protocol is not registered"):
                scmi.notify_message(pipeline, message)
    others = sum(vector["protocol_id"] != scmi.SENSOR.id for vector in VALID)
    assert pipeline.stats().unknown == others
    pipeline.flush()


def test_a_vendor_protocol_of_the_users_own_comes_in(make_pipeline: Callable[..., Any]) -> None:
    pipeline, got = make_pipeline(workers=0), []
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.limit, lambda event: got.append(event.report))
    header = int(scmi.Header(MOTOR.limit.id, 3, MOTOR.id, token=77)).to_bytes(4, "little")
    assert scmi.notify_message(pipeline, header + MOTOR.limit.pack(3, 9000))
    pipeline.flush()
    assert got == [(3, 9000)]


@pytest.mark.parametrize("extra", [0x3FF << 18, 0xF << 28])
def test_token_and_reserved_bits_mean_nothing(pipeline: Any, extra: int) -> None:
    word = int.from_bytes(GOOD[:4], "little") | extra
    assert scmi.notify_message(pipeline, word.to_bytes(4, "little") + GOOD[4:]) is True
    pipeline.flush()


def test_no_room_is_false_and_waiting_is_possible(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline(workers=0)
    pipeline.register(scmi.POWER, queue_size=1024)
    taken = sum(scmi.notify_message(pipeline, GOOD) for _ in range(100))
    assert 0 < taken < 100
    assert books_of(pipeline, scmi.POWER).refused == 100 - taken
    assert scmi.notify_message(pipeline, GOOD, timeout=0.001) is False
    pipeline.flush()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: memoryview(data).cast("I")])
def test_any_buffer_is_a_message(pipeline: Any, kind: Callable[[bytes], Any]) -> None:
    assert scmi.notify_message(pipeline, kind(GOOD)) is True
    pipeline.flush()


@pytest.mark.parametrize("thing", [None, "0057", 5, (1, GOOD), [GOOD]])
def test_what_is_no_buffer_is_named(pipeline: Any, thing: Any) -> None:
    with pytest.raises(TypeError, match=f"bytes-like object, not {type(thing).__name__}"):
        scmi.notify_message(pipeline, thing)


def test_closed_pipeline(pipeline: Any) -> None:
    pipeline.close()
    for name in ("power-on", "sensor-update-3-axes"):
        with pytest.raises(tocsin.ClosedError):
            scmi.notify_message(pipeline, bytes.fromhex(BY_ID[name]["message_hex"]))


@pytest.mark.parametrize("fields", [(256, 3, 1), (0, 4, 1), (0, 3, 256), (0, 3, 1, 1024), (-1, 3, 1)])
def test_header_refuses_what_does_not_fit(fields: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="is not in 0"):
        int(scmi.Header(*fields))


@given(word=st.integers(0, 2**32 - 1))
def test_header_is_its_word_without_the_reserved_bits(word: int) -> None:
    assert int(scmi.Header.from_int(word)) == word & 0x0FFF_FFFF


notifications = st.builds(
    lambda protocol, event, token, payload: (
        int(scmi.Header(event, 3, protocol, token)).to_bytes(4, "little") + payload
    ),
    st.integers(0x0F, 0x1A),
    st.sampled_from([0, 1, 2, 255]),
    st.integers(0, 1023),
    st.one_of(
        st.binary(max_size=80),
        st.sampled_from([bytes.fromhex(vector["payload_hex"]) for vector in VALID]),
    ),
)


@given(messages=st.lists(st.one_of(st.binary(max_size=64), notifications), max_size=20))
@settings(max_examples=300, deadline=None)
@pytest.mark.parametrize("protocols", [scmi.PROTOCOLS, KNOWING], ids=["plain", "knowing"])
def test_any_bytes_are_delivered_or_refused_by_name(protocols: Any, messages: list[bytes]) -> None:
    got: list[Any] = []
    failures: list[Any] = []
    refused: list[str] = []
    accepted = 0
    with tocsin.Pipeline(workers=0, on_error=failures.append) as pipeline:
        pipeline.register(*protocols)
        pipeline.subscribe([*protocols], lambda event: got.append(event.report))
        for message in messages:
            try:
                accepted += scmi.notify_message(pipeline, message)
            except tocsin.TocsinError as error:
                refused.append(str(error))
        accepted += scmi.notify_message(pipeline, GOOD)
        pipeline.flush()
    assert failures == []
    assert "" not in refused
    assert len(got) == accepted == len(messages) + 1 - len(refused)
    assert (1, 2, 0) in got
