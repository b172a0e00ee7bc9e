"""What the wire does not say: frequencies, axes, versions. A payload that contradicts them is refused."""

from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from helpers import books_of
from tocsin import scmi
from tocsin.testing import make_event

TABLE = {500: 500_000_000, 1000: 1_000_000_000}


def pipeline_of(make_pipeline: Callable[..., Any], protocol: Any) -> tuple[Any, list[Any]]:
    got: list[Any] = []
    pipeline = make_pipeline(workers=0)
    pipeline.register(protocol)
    pipeline.subscribe(protocol, lambda event: got.append(event.report))
    return pipeline, got


def message(event: Any, payload: bytes) -> bytes:
    return int(scmi.Header(event.id, 3, event.protocol.id)).to_bytes(4, "little") + payload


def test_limits_get_both_frequencies_or_none() -> None:
    event = scmi.perf({2: TABLE}).limits_changed
    for high, low, frequencies in [
        (1000, 500, (10**9, 5 * 10**8)),
        (1001, 500, (0, 0)),
        (1000, 501, (0, 0)),
    ]:
        assert event.unpack(event.pack(0, 2, high, low)) == (0, 2, high, low, *frequencies)


def test_each_domain_has_its_own_table() -> None:
    event = scmi.perf({0: {1: 10}, 1: {1: 20}, 2: {}}).level_changed
    found = [event.unpack(event.pack(0, domain, 1)).performance_level_freq for domain in range(3)]
    assert found == [10, 20, 0]


def test_the_table_is_copied() -> None:
    table = {1: 10}
    event = scmi.perf({0: table}).level_changed
    table[1] = 99
    assert event.unpack(event.pack(0, 0, 1)).performance_level_freq == 10


@pytest.mark.parametrize(
    ("protocol", "name", "fields", "reason"),
    [
        (scmi.perf({0: {}, 3: {}}), "limits_changed", (0, 99, 1, 1), "domain 99 is none of the 2 known"),
        (scmi.perf({0: {}, 3: {}}), "level_changed", (0, 2, 1), "domain 2 is none"),
        (scmi.sensor({8: 3}), "update", (0, 7, [(1, 1)]), "sensor 7 is none of the 1 known"),
        (scmi.sensor({8: 3}), "update", (0, 8, [(1, 1)] * 2), "sensor 8 has 3 axes; readings came for 2"),
    ],
)
def test_contradiction_is_refused_and_counted(
    make_pipeline: Callable[..., Any], protocol: Any, name: str, fields: Any, reason: str
) -> None:
    pipeline, got = pipeline_of(make_pipeline, protocol)
    event = getattr(protocol, name)
    payload = getattr(type(protocol)(protocol.id), name).pack(*fields)  # packed without the context
    for n, attempt in enumerate(
        [
            lambda: pipeline.notify(event, fields),
            lambda: scmi.notify_message(pipeline, message(event, payload)),
        ],
        1,
    ):
        with pytest.raises(tocsin.PayloadError, match=reason):
            attempt()
        assert books_of(pipeline, protocol).invalid == n
    with pytest.raises(tocsin.PayloadError, match=reason):
        event.unpack(payload)
    with pytest.raises(tocsin.PayloadError, match=reason):
        event.pack(*fields)
    pipeline.flush()
    assert (got, books_of(pipeline, protocol).accepted) == ([], 0)


def test_contradiction_that_came_as_bytes_raises_when_the_report_is_asked_for() -> None:
    event = make_event(scmi.sensor({8: 3}).update, bytes(24))
    assert "no report: sensor.update: sensor 0 is none" in repr(event)
    with pytest.raises(tocsin.PayloadError):
        _ = event.report


@pytest.mark.parametrize(("axes", "came", "reported"), [(0, 1, 1), (1, 1, 1), (2, 5, 2), (63, 63, 63)])
def test_a_sensor_reports_as_many_readings_as_it_has_axes(
    make_pipeline: Callable[..., Any], axes: int, came: int, reported: int
) -> None:
    protocol = scmi.sensor({8: axes})
    pipeline, got = pipeline_of(make_pipeline, protocol)
    readings = [(n, n) for n in range(came)]
    payload = scmi.SENSOR.update.pack(0, 8, readings)
    assert scmi.notify_message(pipeline, message(protocol.update, payload))
    pipeline.flush()
    assert got == [(0, 8, reported, tuple(readings[:reported]))]


def test_an_update_without_a_reading_is_none() -> None:
    for protocol in (scmi.SENSOR, scmi.sensor({8: 0})):
        with pytest.raises(tocsin.PayloadError, match="8 bytes; at least 24 are needed"):
            protocol.update.pack(0, 8, [])


def test_trip_points_come_from_any_sensor(make_pipeline: Callable[..., Any]) -> None:
    protocol = scmi.sensor({})
    pipeline, got = pipeline_of(make_pipeline, protocol)
    assert pipeline.notify(protocol.trip_point, (0, 5, 0x10002))
    pipeline.flush()
    assert got == [(0, 5, 0x10002, 2, "positive")]


def test_each_version_of_system_power_has_its_size(make_pipeline: Callable[..., Any]) -> None:
    for version, size, other in [(1, 12, 16), (2, 16, 12), (0xFFFF, 16, 12)]:
        protocol = scmi.system(version)
        pipeline, got = pipeline_of(make_pipeline, protocol)
        assert scmi.notify_message(pipeline, message(protocol.power_state, bytes(size)))
        with pytest.raises(tocsin.PayloadError, match=f"{other} bytes; it must have {size}"):
            scmi.notify_message(pipeline, message(protocol.power_state, bytes(other)))
        pipeline.flush()
        assert len(got) == books_of(pipeline, protocol).invalid == 1


def test_subscribing_by_the_plain_name_gives_the_registered_report(make_pipeline: Callable[..., Any]) -> None:
    pipeline, got = make_pipeline(workers=0), []
    pipeline.register(scmi.perf({0: TABLE}))
    pipeline.subscribe(scmi.PERF.level_changed, lambda event: got.append(event.report))
    pipeline.notify(scmi.PERF.level_changed, (1, 0, 500))
    pipeline.flush()
    assert got == [(1, 0, 500, 500_000_000)]


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: scmi.perf(None), TypeError, "must map domains"),
        (lambda: scmi.perf({0: 5}), TypeError, "domain 0: 5 is no mapping"),
        (lambda: scmi.perf({-1: {}}), ValueError, "domain"),
        (lambda: scmi.perf({"a": {}}), TypeError, "domain"),
        (lambda: scmi.perf({0: {1 << 32: 1}}), ValueError, "level"),
        (lambda: scmi.perf({0: {1: 1.5}}), TypeError, "frequency"),
        (lambda: scmi.sensor([8]), TypeError, "must map sensors"),
        (lambda: scmi.sensor({8: 64}), ValueError, "axes"),
        (lambda: scmi.sensor({8: None}), TypeError, "axes"),
        (lambda: scmi.sensor({1 << 32: 1}), ValueError, "sensor"),
        (lambda: scmi.system(0), ValueError, "version 0"),
        (lambda: scmi.system(0x20000), ValueError, "version"),
        (lambda: scmi.system("2"), TypeError, "version"),
    ],
)
def test_a_wrong_context_is_named(make: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()
