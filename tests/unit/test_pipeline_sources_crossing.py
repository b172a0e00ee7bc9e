"""Switching sources while others do: two threads at one source, and a set_enabled that calls the pipeline."""

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from helpers import MOTOR, PUMP, Crew, Names, Switch, eventually, off, on


class Gate:
    """A set_enabled that stays inside at a source until it is let go."""

    def __init__(self, at: int) -> None:
        self.switch = Switch()
        self.at = at
        self.entered = threading.Event()
        self.go = threading.Event()

    def __call__(self, event: Any, source: int, on: bool) -> None:
        self.switch(event, source, on)
        if source == self.at and on:
            self.entered.set()
            assert self.go.wait(60)


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    return make_pipeline()


def test_a_second_subscriber_waits_until_the_source_is_on(pipeline: Any) -> None:
    gate = Gate(at=3)
    pipeline.register(MOTOR, set_enabled=gate)
    order: list[str] = []

    def first() -> None:
        pipeline.subscribe(MOTOR.limit, print, source=3)

    def second() -> None:
        gate.entered.wait(60)
        pipeline.subscribe(MOTOR.limit, repr, source=3)
        order.append("second is back")

    crew = Crew(first, second)
    assert gate.entered.wait(60)
    eventually(lambda: pipeline._turns.waiting)
    order.append("let go")
    gate.go.set()
    crew.join()
    assert order == ["let go", "second is back"]
    assert gate.switch.take() == on(3)


def test_cancelling_never_waits_for_another_threads_command(pipeline: Any) -> None:
    gate = Gate(at=3)
    pipeline.register(MOTOR, set_enabled=gate)
    subscription = pipeline.subscribe(MOTOR.limit, print, source=1)
    crew = Crew(lambda: pipeline.subscribe(MOTOR.limit, print, source=3))
    assert gate.entered.wait(60)
    assert subscription.cancel() is True
    assert gate.switch.take() == [*on(1), *on(3)]  # whoever is inside does it when it comes back
    gate.go.set()
    crew.join()
    assert gate.switch.take() == off(1)


def test_a_subscription_cancelled_while_it_is_switched_on_is_switched_off_again(pipeline: Any) -> None:
    gate = Gate(at=1)
    pipeline.register(MOTOR, num_sources=3, set_enabled=gate)
    crew = Crew(lambda: pipeline.subscribe(MOTOR.limit, print))
    assert gate.entered.wait(60)
    (subscription,) = pipeline.subscriptions
    assert subscription.state == "active"
    subscription.cancel()
    gate.go.set()
    crew.join()
    assert gate.switch.take() == [*on(0, 1, 2), *off(0, 1, 2)]


def test_a_protocol_unregistered_while_a_source_is_switched_on_waits_and_switches_it_off(
    pipeline: Any,
) -> None:
    gate = Gate(at=1)
    pipeline.register(MOTOR, num_sources=2, set_enabled=gate)
    subscribing = Crew(lambda: pipeline.subscribe(MOTOR.limit, print))
    assert gate.entered.wait(60)
    leaving = Crew(lambda: pipeline.unregister(MOTOR))
    eventually(lambda: pipeline._turns.waiting)
    assert pipeline.unregister(MOTOR, timeout=0) is False
    gate.go.set()
    subscribing.join()
    leaving.join()
    assert gate.switch.take() == [*on(0, 1), *off(0, 1)]
    (subscription,) = pipeline.subscriptions
    assert subscription.state == "pending"


def test_one_protocol_does_not_wait_for_anothers_command(pipeline: Any) -> None:
    gate, switch = Gate(at=3), Switch()
    pipeline.register(MOTOR, set_enabled=gate)
    pipeline.register(PUMP, set_enabled=switch)
    crew = Crew(lambda: pipeline.subscribe(MOTOR.limit, print, source=3))
    assert gate.entered.wait(60)
    pipeline.subscribe(PUMP.limit, print, source=3)
    assert switch.take() == on(3)
    gate.go.set()
    crew.join()


def test_events_flow_while_a_source_is_switched(pipeline: Any) -> None:
    gate = Gate(at=3)
    pipeline.register(MOTOR, set_enabled=gate)
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
    crew = Crew(lambda: pipeline.subscribe(MOTOR.limit, print, source=3))
    assert gate.entered.wait(60)
    assert pipeline.notify(MOTOR.tick, (5,))
    assert pipeline.flush(60)
    assert got == [5]
    assert pipeline.stats().protocols[0x80].delivered == 1
    gate.go.set()
    crew.join()


def test_closing_leaves_the_rest_to_who_is_inside_a_command_when_time_is_over(pipeline: Any) -> None:
    gate = Gate(at=3)
    pipeline.register(MOTOR, set_enabled=gate)
    pipeline.subscribe(MOTOR.limit, print, source=1)
    crew = Crew(lambda: pipeline.subscribe(MOTOR.limit, print, source=3))
    assert gate.entered.wait(60)
    pipeline.close(timeout=0)
    assert gate.switch.take() == [*on(1), *on(3)]
    gate.go.set()
    crew.join()
    assert sorted(gate.switch.take()) == sorted([*off(1), *off(3)])


def test_what_was_left_to_a_command_that_is_interrupted_is_done_by_the_next_close(pipeline: Any) -> None:
    def set_enabled(event: Any, source: int, on: bool) -> None:
        switch(event, source, on)
        if not on and source == 1:
            Crew(lambda: pipeline.close(timeout=0)).join()
            raise KeyboardInterrupt

    switch = Switch()
    pipeline.register(MOTOR, set_enabled=set_enabled)
    subscription = pipeline.subscribe(MOTOR.limit, print, source=1)
    pipeline.subscribe(MOTOR.limit, print, source=2)
    with pytest.raises(KeyboardInterrupt):
        subscription.cancel()
    assert switch.take() == [*on(1), *on(2), *off(1)]
    pipeline.close()
    assert switch.take() == off(2)


def test_who_comes_to_his_turn_after_the_end_switches_nothing_on(pipeline: Any) -> None:
    """A subscriber may wait for his turn behind the one who unregisters the protocol."""
    switch = Switch()
    pipeline.register(MOTOR, set_enabled=switch)
    registration = pipeline._registrations[0x80]
    assert registration.sources.close(list, pipeline._tell, None)
    subscription = pipeline.subscribe(MOTOR.limit, print)
    assert switch.take() == []
    assert pipeline.unregister(MOTOR)
    assert switch.take() == []
    assert subscription.state == "pending"


# -- a set_enabled that calls the pipeline ----------------------------------------------------------


def inside(pipeline: Any, deed: Callable[[], object]) -> Any:
    """Return what a deed inside set_enabled returned or raised."""
    came: list[Any] = []

    def set_enabled(event: Any, source: int, on: bool) -> None:
        if on and not came:
            try:
                came.append(deed())
            except Exception as error:
                came.append(error)

    pipeline.register(MOTOR, set_enabled=set_enabled)
    pipeline.subscribe(MOTOR.limit, repr, source=3)
    return came[0]


def test_notify_stats_and_looking_work_inside(pipeline: Any) -> None:
    def deed() -> object:
        repr(pipeline)
        assert pipeline.protocols == (MOTOR,)
        assert len(pipeline.subscriptions) == 1
        assert pipeline.notify(MOTOR.limit, (3, 1))
        return pipeline.stats().protocols[0x80].accepted

    assert inside(pipeline, deed) == 1


def test_subscribing_to_the_same_protocol_inside_would_wait_for_itself(pipeline: Any) -> None:
    error = inside(pipeline, lambda: pipeline.subscribe(MOTOR.tick, print))
    assert isinstance(error, RuntimeError)
    assert "inside set_enabled" in str(error)
    assert len(pipeline.subscriptions) == 1  # the outer one


def test_subscribing_to_another_protocol_inside_works(pipeline: Any) -> None:
    switch = Switch()
    pipeline.register(PUMP, set_enabled=switch)
    subscription = inside(pipeline, lambda: pipeline.subscribe(PUMP.tick, print))
    assert subscription.state == "active"
    assert switch.take() == on("ALL", event="tick")


def test_registering_another_protocol_inside_works(pipeline: Any) -> None:
    switch = Switch()
    waiting = pipeline.subscribe(PUMP.tick, print)
    assert inside(pipeline, lambda: pipeline.register(PUMP, set_enabled=switch)) is None
    assert waiting.state == "active"
    assert switch.take() == on("ALL", event="tick")


def test_cancelling_inside_works_and_is_done_afterwards(pipeline: Any) -> None:
    commands: list[str] = []

    def set_enabled(event: Any, source: int, on: bool) -> None:
        commands.append(f"{event.name} {on}")
        if event.name == "tick" and on:
            assert victim.cancel() is False  # it doesn't wait
            assert victim.state == "cancelled"
        commands.append("back")

    pipeline.register(MOTOR, set_enabled=set_enabled)
    victim = pipeline.subscribe(MOTOR.limit, print)
    pipeline.subscribe(MOTOR.tick, print)
    assert commands == ["limit True", "back", "tick True", "back", "limit False", "back"]


@pytest.mark.parametrize("what", ["flush", "close", "unregister"])
def test_what_waits_for_all_raises_inside(pipeline: Any, what: str) -> None:
    arguments = [MOTOR] if what == "unregister" else []
    error = inside(pipeline, lambda: getattr(pipeline, what)(*arguments))
    assert isinstance(error, RuntimeError)
    assert f"{what}() inside set_enabled" in str(error)
    assert pipeline.notify(MOTOR.limit, (3, 1))


def test_two_protocols_that_wait_for_each_other_are_told_so(pipeline: Any) -> None:
    """Each one's set_enabled subscribes to the other: one thread gets an error instead of both hanging."""
    both = threading.Barrier(2)
    errors: list[RuntimeError] = []

    def crosses(other: Any) -> Callable[..., None]:
        def set_enabled(event: Any, source: int, on: bool) -> None:
            if not on or event.name != "limit":
                return
            both.wait(60)
            try:
                pipeline.subscribe(other.tick, print)
            except RuntimeError as error:
                errors.append(error)

        return set_enabled

    pipeline.register(MOTOR, set_enabled=crosses(PUMP))
    pipeline.register(PUMP, set_enabled=crosses(MOTOR))
    Crew(
        lambda: pipeline.subscribe(MOTOR.limit, print),
        lambda: pipeline.subscribe(PUMP.limit, print),
    ).join()
    assert len(errors) == 1
    assert len(pipeline.subscriptions) == 3


def test_subscribing_and_cancelling_inside_a_callback_switches(pipeline: Any) -> None:
    switch = Switch()
    names = Names()
    pipeline.register(MOTOR, num_sources=2, set_enabled=switch)

    @pipeline.subscribe(MOTOR.tick)
    def change(event: Any) -> None:
        with pipeline.subscribe(MOTOR.limit, names.make("inner"), source=1):
            pass

    switch.take()
    pipeline.notify(MOTOR.tick, (1,))
    assert pipeline.flush(60)
    assert switch.take() == [*on(1), *off(1)]


# -- many at once -----------------------------------------------------------------------------------


@pytest.mark.stress
def test_many_threads_at_few_sources_leave_each_as_its_last_command_said(pipeline: Any) -> None:
    """Commands of one protocol never overlap, alternate for each source, and end with off."""
    state: dict[tuple[str, int], bool] = {}
    wrong: list[str] = []
    alone = threading.Lock()

    def set_enabled(event: Any, source: int, on: bool) -> None:
        if not alone.acquire(blocking=False):
            wrong.append("two commands at once")
            return
        with_what = (event.name, source)
        if state.get(with_what, False) is on:
            wrong.append(f"{with_what} is {on} already")
        refuses = on and random.random() < 0.1
        if not refuses:
            state[with_what] = on
        alone.release()
        if refuses:
            raise OSError("not now")

    def work(seed: int) -> None:
        choose = random.Random(seed)
        for _ in range(150):
            event = choose.choice((MOTOR.limit, MOTOR.tick))
            source = choose.choice((0, 1, tocsin.ALL))
            try:
                subscription = pipeline.subscribe(event, lambda event: None, source=source)
            except tocsin.SourceError:
                continue
            if choose.random() < 0.1:
                pipeline.notify(MOTOR.tick, (1,))
            subscription.cancel()

    pipeline.register(MOTOR, num_sources=2, set_enabled=set_enabled)
    Crew(*(lambda seed=seed: work(seed) for seed in range(4))).join()
    assert wrong == []
    assert state
    assert not any(state.values())
    assert pipeline.subscriptions == ()
