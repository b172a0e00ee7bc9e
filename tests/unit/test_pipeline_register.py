"""Registering protocols: what queue sizes do, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from helpers import MOTOR, PUMP, TICK_BYTES, Motor, books_of

GIB = 1 << 30


def fill(pipeline: Any, event: Any) -> int:
    """Return how many events of 8 bytes go in until one is refused."""
    accepted = 0
    while pipeline.notify(event, bytes(8)):
        accepted += 1
    return accepted


def test_a_new_pipeline_knows_no_protocol(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline(workers=0)
    assert pipeline.protocols == ()
    assert dict(pipeline.stats().protocols) == {}


def test_protocols_are_listed_in_the_order_of_registration(
    make_pipeline: Callable[..., Any],
) -> None:
    pipeline = make_pipeline(workers=0)
    pipeline.register(PUMP)
    pipeline.register(MOTOR)
    assert pipeline.protocols == (PUMP, MOTOR)


@pytest.mark.parametrize(
    ("size", "capacity"), [(1024, 1024), (1025, 2048), (1500, 2048), (2048, 2048), (5000, 8192)]
)
def test_a_queue_size_is_rounded_up_to_a_power_of_two(
    make_pipeline: Callable[..., Any], size: int, capacity: int
) -> None:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, queue_size=size)
    assert fill(pipeline, MOTOR.tick) == capacity // TICK_BYTES


def test_the_default_queue_has_4_mib(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR)
    records = (4 << 20) // TICK_BYTES
    assert pipeline.notify_many(MOTOR.tick, bytes(8 * (records + 1))) == records


@pytest.mark.parametrize("size", [0, 1, 1023, GIB + 1, 2**40, -1])
def test_a_queue_size_out_of_range_is_refused(make_pipeline: Callable[..., Any], size: int) -> None:
    pipeline = make_pipeline(workers=0)
    with pytest.raises(ValueError, match=str(GIB)):
        pipeline.register(MOTOR, queue_size=size)
    assert pipeline.protocols == ()


@pytest.mark.parametrize("size", [1024.0, "1024", None, True])
def test_a_queue_size_that_is_no_integer_is_refused(make_pipeline: Callable[..., Any], size: object) -> None:
    with pytest.raises(TypeError, match="queue_size"):
        make_pipeline(workers=0).register(MOTOR, queue_size=size)


def test_a_queue_of_1_gib_costs_no_memory_before_it_is_used(
    make_pipeline: Callable[..., Any],
) -> None:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, queue_size=GIB)
    assert pipeline.notify(MOTOR.tick, (1,))
    assert pipeline.flush()


def test_a_protocol_is_registered_once(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR)
    with pytest.raises(ValueError, match="0x80 is registered already"):
        pipeline.register(MOTOR)


def test_another_protocol_of_the_same_id_is_refused(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR)
    with pytest.raises(ValueError, match="0x80 is registered already"):
        pipeline.register(tocsin.Protocol(0x80, "other", {"e": tocsin.EventType(0)}))


def test_several_at_once_are_registered_all_or_none(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline(workers=0)
    big = tocsin.Protocol(0x82, "big", {"huge": tocsin.EventType(0, max_size=600)})
    with pytest.raises(ValueError, match=r"big\.huge"):
        pipeline.register(MOTOR, PUMP, big, queue_size=1024)
    with pytest.raises(ValueError, match="registered already"):
        pipeline.register(PUMP, MOTOR, Motor(0x81))
    with pytest.raises(TypeError, match="Protocol"):
        pipeline.register(PUMP, "motor")
    assert pipeline.protocols == ()
    pipeline.register(MOTOR, PUMP, big)
    assert pipeline.protocols == (MOTOR, PUMP, big)


@pytest.mark.parametrize("given", [None, 0x80, "motor", Motor, MOTOR.limit, [MOTOR]])
def test_only_protocols_can_be_registered(make_pipeline: Callable[..., Any], given: object) -> None:
    with pytest.raises(TypeError, match="instances of Protocol"):
        make_pipeline(workers=0).register(given)


@pytest.mark.parametrize(("size", "fits"), [(496, True), (497, False), (512, False)])
def test_an_event_may_take_half_of_its_queue(
    make_pipeline: Callable[..., Any], size: int, fits: bool
) -> None:
    pipeline = make_pipeline(workers=0)
    protocol = tocsin.Protocol(0x82, "big", {"huge": tocsin.EventType(0, max_size=size)})
    if not fits:
        with pytest.raises(ValueError, match="1024"):
            pipeline.register(protocol, queue_size=1024)
        return
    pipeline.register(protocol, queue_size=1024)
    got: list[bytes] = []
    pipeline.subscribe(protocol.huge, lambda event: got.append(event.payload))
    for n in range(9):
        assert pipeline.notify(protocol.huge, bytes([n]) * size)
        pipeline.flush()
    assert got == [bytes([n]) * size for n in range(9)]


def test_an_event_without_limit_is_limited_by_its_queue(
    make_pipeline: Callable[..., Any],
) -> None:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, queue_size=1024)
    assert pipeline.notify(MOTOR.raw, bytes(496))
    with pytest.raises(tocsin.PayloadError, match=r"497 bytes.* 496"):
        pipeline.notify(MOTOR.raw, bytes(497))
    assert books_of(pipeline).invalid == 1


def test_all_256_protocols_and_events_can_be_used(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline(workers=0)
    events = {f"e{n}": tocsin.EventType(n, max_size=8) for n in range(256)}
    protocols = [tocsin.Protocol(n, f"p{n}", events) for n in range(256)]
    pipeline.register(*protocols, queue_size=16 << 10)
    got: list[tuple[int, int]] = []
    pipeline.subscribe(list(protocols), lambda event: got.append((event.protocol, event.event)))
    for protocol in range(256):
        assert pipeline.notify((protocol, 255 - protocol), b"")
    pipeline.flush()
    assert sorted(got) == [(n, 255 - n) for n in range(256)]


def test_registering_works_while_events_flow(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR)
    got: list[int] = []

    @pipeline.subscribe(MOTOR.tick)
    def register_the_other(event: Any) -> None:
        if PUMP not in pipeline.protocols:
            pipeline.register(PUMP)
            pipeline.subscribe(PUMP.tick, lambda event: got.append(event.report.n))
        pipeline.notify(PUMP.tick, event.payload)

    for n in range(10):
        pipeline.notify(MOTOR.tick, (n,))
    assert pipeline.flush(60)
    assert pipeline.flush(60)
    assert got == list(range(10))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"workers": -1}, ValueError, "workers"),
        ({"workers": 1.5}, TypeError, "workers"),
        ({"workers": 3, "max_workers": 2}, ValueError, "max_workers 2"),
        ({"max_workers": 0}, ValueError, "max_workers 0"),
        ({"clock": "sundial"}, ValueError, "sundial"),
        ({"kick": "hard"}, ValueError, "auto, membarrier, atomic, not 'hard'"),
        ({"on_error": 5}, TypeError, "on_error"),
        ({"exit_timeout": -1}, ValueError, "exit_timeout"),
        ({"exit_timeout": float("nan")}, ValueError, "exit_timeout"),
        ({"exit_timeout": "x"}, TypeError, "str|x"),
        ({"colour": "red"}, TypeError, "colour"),
    ],
)
def test_options_of_a_pipeline_out_of_range_are_refused(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        tocsin.Pipeline(**options)


def test_a_repr_names_state_protocols_and_subscriptions(
    make_pipeline: Callable[..., Any],
) -> None:
    pipeline = make_pipeline(workers=0, name="alarm")
    pipeline.register(MOTOR, PUMP)
    pipeline.subscribe(MOTOR.tick, print)
    assert repr(pipeline) == "<Pipeline alarm open: motor, pump; 1 subscriptions>"
    pipeline.freeze()
    assert "frozen" in repr(pipeline)
    pipeline.close()
    assert "closed" in repr(pipeline)
