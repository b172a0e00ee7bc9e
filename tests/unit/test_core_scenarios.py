"""The core scenarios of vectors/scmi.json, each against our API; differences from the kernel are told."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tocsin
from helpers import Names, Switch, off, on

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "scmi.json"
SCENARIOS = {scenario["id"]: scenario for scenario in json.loads(VECTORS.read_text())["core_scenarios"]}

PERF = tocsin.Protocol(0x13, "perf", {"limits": tocsin.EventType(0, {"domain": "u4"}, source="domain")})
POWER = tocsin.Protocol(0x11, "power", {"state": tocsin.EventType(0, {"domain": "u4"}, source="domain")})
RESET = tocsin.Protocol(0x16, "reset", {"issued": tocsin.EventType(0, {"domain": "u4"}, source="domain")})

PLAYED: dict[str, Callable[..., None]] = {}


def plays(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def note(function: Callable[..., None]) -> Callable[..., None]:
        PLAYED[name] = function
        return function

    return note


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    return make_pipeline(workers=0, on_error=lambda failure: None)


def limits(*commands: list[str]) -> list[str]:
    return [command.replace("limit:", "limits:") for part in commands for command in part]


@plays("two-all-users")
def test_two_users_of_all(pipeline: Any) -> None:
    switch = Switch()
    pipeline.register(PERF, num_sources=3, set_enabled=switch)
    a = pipeline.subscribe(PERF.limits, print)
    assert switch.take() == limits(on(0, 1, 2))
    b = pipeline.subscribe(PERF.limits, repr)
    assert switch.take() == []
    a.cancel()
    assert switch.take() == []
    b.cancel()
    assert switch.take() == limits(off(0, 1, 2))


@plays("specific-then-all")
def test_one_source_then_all(pipeline: Any) -> None:
    switch = Switch()
    pipeline.register(PERF, num_sources=3, set_enabled=switch)
    b = pipeline.subscribe(PERF.limits, repr, source=1)
    assert switch.take() == limits(on(1))
    a = pipeline.subscribe(PERF.limits, print)
    assert switch.take() == limits(on(0, 2))
    b.cancel()
    assert switch.take() == []
    a.cancel()
    assert switch.take() == limits(off(0, 1, 2))


@plays("all-total-failure")
def test_every_source_refused(pipeline: Any) -> None:
    switch = Switch(lambda source, on: True)
    pipeline.register(PERF, num_sources=3, set_enabled=switch)
    names = Names()
    with pytest.raises(tocsin.SourceError):
        pipeline.subscribe(PERF.limits, names.make("A"))
    assert switch.take() == limits(on(0, 1, 2))
    assert names.of(pipeline, PERF.limits, (1,)) == []


@plays("unknown-event")
def test_an_event_that_the_protocol_lacks(pipeline: Any) -> None:
    switch = Switch()
    pipeline.register(POWER, num_sources=3, set_enabled=switch)
    with pytest.raises(tocsin.UnknownEventError):
        pipeline.subscribe((0x11, 1), print)
    assert switch.take() == []


@plays("pending-purged")
def test_a_pending_one_that_turns_out_unknown_tells_its_owner(make_pipeline: Callable[..., Any]) -> None:
    told: list[Any] = []
    pipeline = make_pipeline(workers=0, on_error=told.append)
    switch = Switch()
    a = pipeline.subscribe((0x16, 7), print)
    pipeline.register(RESET, num_sources=1, set_enabled=switch)
    assert a.state == "purged"
    assert [failure.subscription for failure in told] == [a]
    assert switch.take() == []
    assert a.cancel() is True  # not an error: there is nothing left to do


@plays("unregister-unknown-block")
def test_nobody_can_take_away_what_another_has(pipeline: Any) -> None:
    """There is no call that could: one cancels a Subscription of one's own, and again is harmless."""
    switch = Switch()
    names = Names()
    pipeline.register(PERF, num_sources=1, set_enabled=switch)
    pipeline.subscribe(PERF.limits, names.make("A"))
    b = pipeline.subscribe(PERF.limits, names.make("B"))
    switch.take()
    for _ in range(3):
        b.cancel()
    assert switch.take() == []
    assert names.of(pipeline, PERF.limits, (0,)) == ["A"]


@plays("dispatch-order")
def test_all_comes_first_then_priority_then_age(pipeline: Any) -> None:
    names = Names()
    pipeline.register(PERF)
    pipeline.subscribe(PERF.limits, names.make("A"))
    pipeline.subscribe(PERF.limits, names.make("B"), priority=10)
    pipeline.subscribe(PERF.limits, names.make("C"), source=2, priority=100)
    pipeline.subscribe(PERF.limits, names.make("D"))
    assert names.of(pipeline, PERF.limits, (2,)) == ["B", "A", "D", "C"]
    assert names.of(pipeline, PERF.limits, (1,)) == ["B", "A", "D"]


@plays("header-before-payload")
def test_a_record_is_never_seen_in_part(pipeline: Any) -> None:
    """A record becomes visible by one store, so there is no run between header and payload.

    The explorer's scene notify/native-locked has a worker look at each instant of a notify().
    """
    names = Names()
    pipeline.register(PERF)
    pipeline.subscribe(PERF.limits, names.make("A"))
    pipeline.flush()
    pipeline.notify(PERF.limits, (1,))
    pipeline.flush()
    pipeline.flush()
    assert names == ["A"]


@plays("unknown-event-in-queue")
def test_an_unknown_event_never_comes_into_the_queue(pipeline: Any) -> None:
    names = Names()
    pipeline.register(PERF)
    pipeline.subscribe(PERF.limits, names.make("A"))
    with pytest.raises(tocsin.UnknownEventError):
        pipeline.notify((0x13, 9), b"")
    pipeline.notify(PERF.limits, (1,))
    pipeline.flush()
    assert names == ["A"]
    assert pipeline.stats().unknown == 1


@plays("after-exit")
def test_closing_delivers_what_was_queued_and_refuses_the_rest(pipeline: Any) -> None:
    names = Names()
    pipeline.register(PERF)
    pipeline.subscribe(PERF.limits, names.make("A"))
    for _ in range(3):
        pipeline.notify(PERF.limits, (1,))
    assert pipeline.close() is True
    assert names == ["A"] * 3
    with pytest.raises(tocsin.ClosedError):
        pipeline.notify(PERF.limits, (1,))
    assert pipeline.stats().closed == 1


@pytest.mark.slow
@plays("no-lost-last-event")
def test_the_last_event_needs_no_later_one(make_pipeline: Callable[..., Any]) -> None:
    """A million events in bursts; after each burst the last one arrives without a further kick."""
    pipeline = make_pipeline()
    protocol = tocsin.Protocol(0x13, "p", {"n": tocsin.EventType(0, {"n": "u8"})})
    pipeline.register(protocol, queue_size=1 << 20)
    got: list[int] = []
    last = threading.Event()
    goal = [0]

    def hear(batch: Any) -> None:
        got.extend(int.from_bytes(event.payload, "little") for event in batch)
        if got[-1] == goal[0]:
            last.set()

    pipeline.subscribe(protocol.n, hear, batch=True)
    sent = 0
    burst = 1
    while sent < 1_000_000:
        last.clear()
        goal[0] = sent + burst - 1
        payloads = b"".join(n.to_bytes(8, "little") for n in range(sent, sent + burst))
        assert pipeline.notify_many(protocol.n, payloads) == burst
        assert last.wait(60), f"the last of {sent + burst} events lies there"
        sent += burst
        burst = burst * 7 % 20011 + 1  # from one to thousands, in no order
    assert got == list(range(sent))


def test_every_scenario_is_played() -> None:
    assert set(PLAYED) == set(SCENARIOS)
