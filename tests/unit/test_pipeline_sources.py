"""Switching sources: one command at the first and at the last subscriber, and what is refused."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from helpers import MOTOR, PUMP, Names, Switch, off, on


@pytest.fixture
def failures() -> list[Any]:
    return []


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any], failures: list[Any]) -> Any:
    return make_pipeline(workers=0, on_error=failures.append)


def test_one_command_at_the_first_and_at_the_last_of_a_source(pipeline: Any) -> None:
    switch = Switch()
    pipeline.register(MOTOR, set_enabled=switch)
    one = pipeline.subscribe(MOTOR.limit, print, source=3)
    assert switch.take() == on(3)
    two = pipeline.subscribe(MOTOR.limit, repr, source=3)
    other = pipeline.subscribe(MOTOR.limit, repr, source=4)
    assert switch.take() == on(4)
    one.cancel()
    one.cancel()
    assert switch.take() == []
    two.cancel()
    other.cancel()
    assert switch.take() == off(3, 4)


def test_where_the_number_of_sources_is_not_known_all_is_one_of_its_own(pipeline: Any) -> None:
    switch = Switch()
    pipeline.register(MOTOR, set_enabled=switch)
    every = pipeline.subscribe(MOTOR.limit, print)
    single = pipeline.subscribe(MOTOR.limit, print, source=65534)
    assert switch.take() == [*on(tocsin.ALL), *on(65534)]
    every.cancel()
    single.cancel()
    assert switch.take() == [*off("ALL"), *off(65534)]


def test_set_enabled_gets_the_bound_event_type_and_all_itself(pipeline: Any) -> None:
    seen: list[Any] = []
    pipeline.register(MOTOR, set_enabled=lambda event, source, on: seen.append((event, source, on)))
    pipeline.subscribe((0x80, 0), print).cancel()
    assert seen[0][0] is seen[1][0] is MOTOR.limit
    assert [(source is tocsin.ALL, on) for _, source, on in seen] == [(True, True), (True, False)]


def test_each_event_and_each_protocol_counts_for_itself(pipeline: Any) -> None:
    switch, other = Switch(), Switch()
    pipeline.register(MOTOR, num_sources=1, set_enabled=switch)
    pipeline.register(PUMP, num_sources=1, set_enabled=other)
    both = pipeline.subscribe([MOTOR.limit, MOTOR.tick, PUMP.tick], print)
    pipeline.subscribe(MOTOR.tick, repr)
    assert switch.take() == [*on(0), *on(0, event="tick")]
    assert other.take() == on(0, event="tick")
    both.cancel()
    assert switch.take() == off(0)
    assert other.take() == off(0, event="tick")


def test_all_with_some_refused_succeeds_and_only_what_is_on_is_switched_off(pipeline: Any) -> None:
    switch = Switch(lambda source, on: on and source in (1, 3))
    pipeline.register(MOTOR, num_sources=4, set_enabled=switch)
    subscription = pipeline.subscribe(MOTOR.limit, print)
    assert switch.take() == on(0, 1, 2, 3)
    assert subscription.state == "active"
    assert {source: str(error) for source, error in subscription.failed_sources.items()} == {
        1: "source 1 is stuck",
        3: "source 3 is stuck",
    }
    subscription.cancel()
    assert switch.take() == off(0, 2)


def test_a_source_that_failed_once_is_tried_again_by_the_next_subscriber(pipeline: Any) -> None:
    stuck = {1}
    switch = Switch(lambda source, on: source in stuck)
    pipeline.register(MOTOR, num_sources=2, set_enabled=switch)
    first = pipeline.subscribe(MOTOR.limit, print)
    stuck.clear()
    switch.take()
    second = pipeline.subscribe(MOTOR.limit, repr)
    assert switch.take() == on(1)
    assert second.failed_sources == {}
    second.cancel()
    assert switch.take() == off(1)
    first.cancel()
    assert switch.take() == off(0)


def test_refused_by_every_source_is_an_error_and_leaves_nothing(pipeline: Any, failures: list[Any]) -> None:
    switch = Switch(lambda source, on: True)
    pipeline.register(MOTOR, num_sources=3, set_enabled=switch)
    names = Names()
    with pytest.raises(tocsin.SourceError, match=r"all 3 sources were refused.*source 0 is stuck") as raised:
        pipeline.subscribe(MOTOR.limit, names.make("it"))
    assert isinstance(raised.value.__cause__, OSError)
    assert switch.take() == on(0, 1, 2)
    assert pipeline.subscriptions == ()
    assert names.of(pipeline, MOTOR.limit, (0, 0)) == []
    assert failures == []


def test_refused_on_one_of_several_protocols_leaves_nothing_on_the_others(pipeline: Any) -> None:
    good, bad = Switch(), Switch(lambda source, on: True)
    pipeline.register(MOTOR, set_enabled=good)
    pipeline.register(PUMP, set_enabled=bad)
    names = Names()
    with pytest.raises(tocsin.SourceError):
        pipeline.subscribe([MOTOR.tick, PUMP.tick, (0x90, 0)], names.make("it"))
    assert good.take() == [*on("ALL", event="tick"), *off("ALL", event="tick")]
    assert bad.take() == on("ALL", event="tick")
    assert names.of(pipeline, MOTOR.tick, (1,)) == []
    assert pipeline.subscriptions == ()


def test_a_refused_one_does_not_disturb_who_is_there(pipeline: Any) -> None:
    stuck: set[int] = set()
    switch = Switch(lambda source, on: source in stuck)
    pipeline.register(MOTOR, num_sources=2, set_enabled=switch)
    names = Names()
    pipeline.subscribe(MOTOR.limit, names.make("there"), source=0)
    stuck.update((0, 1))
    with pytest.raises(tocsin.SourceError):
        pipeline.subscribe(MOTOR.limit, names.make("refused"), source=1)
    assert names.of(pipeline, MOTOR.limit, (0, 0)) == ["there"]
    assert names.of(pipeline, MOTOR.limit, (1, 0)) == []


@pytest.mark.parametrize("function", [None, Switch()])
def test_a_source_beyond_the_last_is_refused_with_the_limit(pipeline: Any, function: Any) -> None:
    pipeline.register(MOTOR, num_sources=3, set_enabled=function)
    with pytest.raises(tocsin.SourceError, match=r"motor\.limit.* 0\.\.2, not 3"):
        pipeline.subscribe(MOTOR.limit, print, source=3)
    assert pipeline.subscriptions == ()
    pipeline.subscribe(MOTOR.limit, print, source=2)


def test_an_event_from_a_source_beyond_the_last_reaches_all(pipeline: Any) -> None:
    pipeline.register(MOTOR, num_sources=3)
    names = Names()
    pipeline.subscribe(MOTOR.limit, names.make("all"))
    assert names.of(pipeline, MOTOR.limit, (9, 0)) == ["all"]


def test_support_is_asked_once_for_each_source_when_registering(pipeline: Any) -> None:
    asked: list[tuple[str, int]] = []

    def is_supported(event: Any, source: int) -> bool:
        asked.append((event.name, source))
        return not (event.name == "limit" and source == 1)

    switch = Switch()
    protocol = tocsin.Protocol(0x80, "m", {"limit": tocsin.EventType(0), "tick": tocsin.EventType(1)})
    pipeline.register(protocol, num_sources=2, set_enabled=switch, is_supported=is_supported)
    assert asked == [("limit", 0), ("limit", 1), ("tick", 0), ("tick", 1)]
    subscription = pipeline.subscribe(protocol, print)
    assert switch.take() == [*on(0), *on(0, 1, event="tick")]
    assert list(subscription.failed_sources) == [1]
    assert "not supported" in str(subscription.failed_sources[1])
    with pytest.raises(tocsin.SourceError, match="not supported from source 1"):
        pipeline.subscribe(protocol.limit, repr, source=1)
    assert len(asked) == 4
    assert switch.take() == []


def test_an_event_without_any_supported_source_is_refused(pipeline: Any) -> None:
    pipeline.register(MOTOR, num_sources=2, is_supported=lambda event, source: event.name != "tick")
    with pytest.raises(tocsin.SourceError, match="not supported"):
        pipeline.subscribe(MOTOR.tick, print)
    pipeline.subscribe(MOTOR.limit, print)


def test_without_a_number_of_sources_support_is_asked_once_for_each_event_with_all(pipeline: Any) -> None:
    asked: list[Any] = []
    pipeline.register(MOTOR, is_supported=lambda event, source: asked.append(source))
    assert asked == [tocsin.ALL] * len(MOTOR.events)
    for source in (3, tocsin.ALL):
        with pytest.raises(tocsin.SourceError, match="not supported"):
            pipeline.subscribe(MOTOR.tick, print, source=source)


def test_an_error_of_is_supported_registers_nothing(pipeline: Any) -> None:
    subscription = pipeline.subscribe(MOTOR.tick, print)
    with pytest.raises(ZeroDivisionError):
        pipeline.register(PUMP, MOTOR, is_supported=lambda event, source: 1 // 0)
    assert pipeline.protocols == ()
    assert subscription.state == "pending"


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"num_sources": 0}, ValueError, "num_sources 0"),
        ({"num_sources": -1}, ValueError, "num_sources"),
        ({"num_sources": 65536}, ValueError, "65535"),
        ({"num_sources": 1.5}, TypeError, "num_sources"),
        ({"num_sources": True}, TypeError, "num_sources"),
        ({"num_sources": "3"}, TypeError, "num_sources"),
        ({"set_enabled": 5}, TypeError, "set_enabled must be a plain function"),
        ({"is_supported": [print]}, TypeError, "is_supported must be a plain function"),
    ],
)
def test_options_out_of_range_are_refused(
    pipeline: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        pipeline.register(MOTOR, **options)
    assert pipeline.protocols == ()


def test_a_coroutine_function_is_refused(pipeline: Any) -> None:
    async def set_enabled(event: Any, source: int, on: bool) -> None:
        pass

    with pytest.raises(TypeError, match="plain function"):
        pipeline.register(MOTOR, set_enabled=set_enabled)


def test_as_many_sources_as_can_be_named(pipeline: Any) -> None:
    switch = Switch()
    pipeline.register(MOTOR, num_sources=65535, set_enabled=switch)
    subscription = pipeline.subscribe(MOTOR.limit, print)
    assert switch.take() == on(*range(65535))
    subscription.cancel()
    assert switch.take() == off(*range(65535))


def test_an_error_when_switching_off_is_told_and_never_raised(pipeline: Any, failures: list[Any]) -> None:
    switch = Switch(lambda source, on: not on)
    pipeline.register(MOTOR, num_sources=2, set_enabled=switch)
    subscription = pipeline.subscribe(MOTOR.limit, print)
    assert subscription.cancel() is True
    assert [str(failure.exception) for failure in failures] == ["source 0 is stuck", "source 1 is stuck"]
    assert {failure.subscription for failure in failures} == {subscription}
    switch.refuse = lambda source, on: False
    switch.take()
    pipeline.subscribe(MOTOR.limit, print)  # it counts as off: tried again from the beginning
    assert switch.take() == on(0, 1)


def test_what_stops_the_thread_is_raised_and_gives_back_what_was_on(pipeline: Any) -> None:
    def set_enabled(event: Any, source: int, on: bool) -> None:
        switch(event, source, on)
        if on and source == 2:
            raise KeyboardInterrupt

    switch = Switch()
    pipeline.register(MOTOR, num_sources=4, set_enabled=set_enabled)
    with pytest.raises(KeyboardInterrupt):
        pipeline.subscribe(MOTOR.limit, print)
    assert switch.take() == [*on(0, 1, 2), *off(0, 1)]
    assert pipeline.subscriptions == ()
    pipeline.subscribe(MOTOR.limit, print, source=0)  # the turn was given up
    assert switch.take() == on(0)


def test_an_interrupted_switching_off_goes_on_with_the_next_turn(pipeline: Any) -> None:
    interrupts = [True]

    def set_enabled(event: Any, source: int, on: bool) -> None:
        switch(event, source, on)
        if not on and source == 0 and interrupts:
            interrupts.clear()
            raise KeyboardInterrupt

    switch = Switch()
    pipeline.register(MOTOR, num_sources=3, set_enabled=set_enabled)
    subscription = pipeline.subscribe(MOTOR.limit, print)
    switch.take()
    with pytest.raises(KeyboardInterrupt):
        subscription.cancel()
    assert switch.take() == off(0)
    pipeline.subscribe(MOTOR.tick, print)
    assert switch.take() == [*on(0, 1, 2, event="tick"), *off(1, 2)]


def test_the_first_events_of_a_source_are_not_missed(pipeline: Any) -> None:
    """A device may send its state in answer to being switched on."""

    def set_enabled(event: Any, source: int, on: bool) -> None:
        if on:
            pipeline.notify(event, (source, 1))

    pipeline.register(MOTOR, num_sources=2, set_enabled=set_enabled)
    got: list[int] = []
    pipeline.subscribe(MOTOR.limit, lambda event: got.append(event.source))
    pipeline.flush()
    assert got == [0, 1]


def test_closing_switches_off_after_the_last_event(pipeline: Any) -> None:
    order: list[str] = []
    pipeline.register(
        MOTOR, num_sources=2, set_enabled=lambda event, source, on: order.append(f"{source} {on}")
    )
    subscription = pipeline.subscribe(MOTOR.limit, lambda event: order.append("event"))
    pipeline.notify(MOTOR.limit, (0, 0))
    assert pipeline.close() is True
    assert order == ["0 True", "1 True", "event", "0 False", "1 False"]
    subscription.cancel()
    pipeline.close()
    assert len(order) == 5


def test_closing_that_ran_out_of_time_switches_off_as_well(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Any]
) -> None:
    pipeline, hold, switch = make_pipeline(), make_hold(), Switch()
    pipeline.register(MOTOR, set_enabled=switch)
    pipeline.subscribe(MOTOR.tick, hold)
    pipeline.notify(MOTOR.tick, (1,))
    hold.await_entry()
    assert pipeline.close(timeout=0) is False
    assert switch.take() == [*on("ALL", event="tick"), *off("ALL", event="tick")]


def test_an_error_when_switching_off_at_close_is_told(pipeline: Any, failures: list[Any]) -> None:
    pipeline.register(MOTOR, set_enabled=Switch(lambda source, on: not on))
    subscription = pipeline.subscribe(MOTOR.tick, print)
    assert pipeline.close() is True
    assert [failure.subscription for failure in failures] == [subscription]


def test_dropping_the_pipeline_switches_off() -> None:
    switch = Switch()
    pipeline = tocsin.Pipeline(workers=0)
    pipeline.register(MOTOR, num_sources=1, set_enabled=switch)
    pipeline.subscribe(MOTOR.limit, print)
    del pipeline
    assert switch.take() == [*on(0), *off(0)]


def test_set_enabled_runs_on_the_thread_that_subscribes_or_cancels(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline()
    threads: list[int] = []
    pipeline.register(MOTOR, set_enabled=lambda event, source, on: threads.append(threading.get_ident()))

    @pipeline.subscribe(MOTOR.limit)
    def cancel_other(event: Any) -> None:
        other.cancel()
        threads.append(threading.get_ident())

    other = pipeline.subscribe(MOTOR.tick, print)
    pipeline.notify(MOTOR.limit, (1, 1))
    assert pipeline.flush(60)
    here = threading.get_ident()
    assert threads[:2] == [here, here]
    assert threads[2] == threads[3] != here
