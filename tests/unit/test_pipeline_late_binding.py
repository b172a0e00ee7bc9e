"""Subscriptions that are there before their protocol: pending, then active or purged."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from helpers import MOTOR, PUMP, Motor, Names, Switch, eventually, on


@pytest.fixture
def failures() -> list[Any]:
    return []


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any], failures: list[Any]) -> Any:
    return make_pipeline(workers=0, on_error=failures.append)


def test_a_subscription_waits_for_its_protocol(pipeline: Any) -> None:
    got: list[Any] = []
    subscription = pipeline.subscribe(MOTOR.limit, got.append, source=3)
    assert subscription.state == "pending"
    assert " pending " in repr(subscription)
    assert pipeline.subscriptions == (subscription,)
    with pytest.raises(tocsin.UnknownEventError):
        pipeline.notify(MOTOR.limit, (3, 1))
    pipeline.register(MOTOR)
    assert subscription.state == "active"
    for source in (3, 4, 3):
        pipeline.notify(MOTOR.limit, (source, 1))
    pipeline.flush()
    assert [event.source for event in got] == [3, 3]
    assert subscription.stats().calls == 2


def test_every_way_to_name_an_event_can_wait(pipeline: Any) -> None:
    names = Names()
    pipeline.subscribe(tocsin.Key(0x80, 1), names.make("key"))
    pipeline.subscribe((0x80, 1), names.make("pair"))
    pipeline.subscribe(MOTOR, names.make("protocol"))
    pipeline.subscribe([MOTOR.tick, PUMP.tick], names.make("list"))

    @pipeline.subscribe(MOTOR.tick)
    def decorated(event: Any) -> None:
        names.append("decorated")

    pipeline.register(MOTOR)
    assert names.of(pipeline, MOTOR.tick, (1,)) == ["key", "pair", "protocol", "list", "decorated"]


def test_order_is_by_priority_and_then_by_age_as_if_all_had_been_there(pipeline: Any) -> None:
    names = Names()
    pipeline.subscribe(MOTOR.tick, names.make("first"))
    pipeline.subscribe(MOTOR.tick, names.make("urgent"), priority=5)
    pipeline.subscribe(MOTOR.tick, names.make("second"))
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.tick, names.make("late"))
    assert names.of(pipeline, MOTOR.tick, (1,)) == ["urgent", "first", "second", "late"]


@pytest.mark.native_only("subscribe_native")
def test_native_and_batch_subscriptions_wait_too(pipeline: Any) -> None:
    import ctypes

    function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    calls: list[int] = []
    native = pipeline.subscribe_native(MOTOR.tick, function(lambda context, event: calls.append(1) or 0))
    batches: list[int] = []
    batch = pipeline.subscribe(MOTOR.tick, lambda batch: batches.append(len(batch)), batch=True)
    assert native.state == batch.state == "pending"
    pipeline.register(MOTOR)
    pipeline.notify_many(MOTOR.tick, bytes(24))
    pipeline.flush()
    assert (len(calls), batches) == (3, [3])


def test_one_part_of_several_makes_it_active_and_the_others_follow(pipeline: Any) -> None:
    got: list[int] = []
    subscription = pipeline.subscribe([MOTOR.tick, PUMP.tick], lambda event: got.append(event.protocol))
    assert subscription.state == "pending"
    pipeline.register(PUMP)
    assert subscription.state == "active"
    pipeline.notify(PUMP.tick, (1,))
    pipeline.register(MOTOR)
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.flush()
    assert sorted(got) == [0x80, 0x81]


def test_an_event_that_the_protocol_lacks_purges_and_on_error_hears(
    pipeline: Any, failures: list[Any]
) -> None:
    subscription = pipeline.subscribe((0x80, 77), print)
    pipeline.register(MOTOR)
    assert subscription.state == "purged"
    assert " purged " in repr(subscription)
    assert pipeline.subscriptions == ()
    (failure,) = failures
    assert failure.subscription is subscription
    assert failure.event is None
    assert isinstance(failure.exception, tocsin.UnknownEventError)
    assert "Key(protocol=0x80, event=77, source=ALL)" in str(failure.exception)
    assert subscription.cancel() is True
    assert subscription.state == "purged"
    pipeline.subscribe(MOTOR.tick, print)  # the callback was let go of: it is on no key any more


def test_a_purged_callback_is_let_go(pipeline: Any) -> None:
    import weakref

    class Owner:
        def hear(self, event: Any) -> None:
            pass

    owner = Owner()
    gone = weakref.ref(owner)
    subscription = pipeline.subscribe((0x80, 77), owner.hear)
    pipeline._tell = lambda error, subscription: None  # the failure would keep it
    pipeline.register(MOTOR)
    del owner
    assert gone() is None
    assert subscription.callback is None


def test_of_several_keys_only_those_that_the_protocol_lacks_are_given_up(
    pipeline: Any, failures: list[Any]
) -> None:
    names = Names()
    mixed = pipeline.subscribe([(0x80, 77), MOTOR.tick, (0x81, 78)], names.make("mixed"))
    pipeline.register(MOTOR)
    assert mixed.state == "active"
    assert names.of(pipeline, MOTOR.tick, (1,)) == ["mixed"]
    pipeline.register(PUMP)
    assert mixed.state == "active"
    assert [type(failure.exception) for failure in failures] == [tocsin.UnknownEventError] * 2
    assert names.of(pipeline, MOTOR.tick, (1,)) == ["mixed"]
    mixed.cancel()
    assert names.of(pipeline, MOTOR.tick, (1,)) == []


def test_the_last_part_that_is_given_up_purges(pipeline: Any, failures: list[Any]) -> None:
    both = pipeline.subscribe([(0x80, 77), (0x81, 78)], print)
    pipeline.register(MOTOR)
    assert both.state == "pending"
    pipeline.register(PUMP)
    assert both.state == "purged"
    assert len(failures) == 2


def test_a_pending_subscription_can_be_cancelled(pipeline: Any) -> None:
    names = Names()
    with pipeline.subscribe(MOTOR.tick, names.make("it")) as subscription:
        assert subscription.state == "pending"
    assert subscription.state == "cancelled"
    assert subscription.cancel() is True
    pipeline.register(MOTOR)
    assert names.of(pipeline, MOTOR.tick, (1,)) == []
    assert pipeline.subscriptions == ()


def test_the_same_callback_twice_is_refused_while_pending(pipeline: Any) -> None:
    pipeline.subscribe(MOTOR.tick, print)
    with pytest.raises(ValueError, match=r"subscribed to .* already"):
        pipeline.subscribe(MOTOR.tick, print)
    pipeline.register(MOTOR)
    with pytest.raises(ValueError, match=r"subscribed to .* already"):
        pipeline.subscribe(MOTOR.tick, print)


def test_closing_with_pending_subscriptions_is_no_trouble(pipeline: Any) -> None:
    subscription = pipeline.subscribe(MOTOR.tick, print)
    assert pipeline.close() is True
    assert subscription.state == "pending"
    assert subscription.cancel() is True


def test_sources_are_switched_on_when_the_protocol_comes(pipeline: Any) -> None:
    switch = Switch()
    pipeline.subscribe(MOTOR.limit, print, source=1)
    pipeline.subscribe(MOTOR.limit, repr, source=1)
    assert switch.take() == []
    pipeline.register(MOTOR, num_sources=3, set_enabled=switch)
    assert switch.take() == on(1)


def test_late_and_refused_by_every_source_is_purged_and_told(pipeline: Any, failures: list[Any]) -> None:
    names = Names()
    subscription = pipeline.subscribe(MOTOR.limit, names.make("refused"))
    other = pipeline.subscribe(MOTOR.tick, names.make("other"))
    switch = Switch(lambda source, on: on)
    pipeline.register(MOTOR, num_sources=2, set_enabled=switch)
    assert switch.take() == [*on(0, 1), *on(0, 1, event="tick")]
    assert (subscription.state, other.state) == ("purged", "purged")
    assert [failure.subscription for failure in failures] == [subscription, other]
    assert isinstance(failures[0].exception, tocsin.SourceError)
    assert isinstance(failures[0].exception.__cause__, OSError)
    assert names.of(pipeline, MOTOR.limit, (0, 0)) == []
    assert pipeline.stats().protocols[0x80].unclaimed == 1


def test_late_and_refused_by_some_sources_is_active_and_told(pipeline: Any, failures: list[Any]) -> None:
    subscription = pipeline.subscribe(MOTOR.limit, print)
    pipeline.register(MOTOR, num_sources=3, set_enabled=Switch(lambda source, on: source == 1))
    assert subscription.state == "active"
    assert list(subscription.failed_sources) == [1]
    (failure,) = failures
    assert isinstance(failure.exception, tocsin.SourceError)
    assert failure.exception.__cause__ is subscription.failed_sources[1]


def test_a_refused_part_leaves_the_others_alone(pipeline: Any, failures: list[Any]) -> None:
    names = Names()
    both = pipeline.subscribe([MOTOR.tick, PUMP.tick], names.make("both"))
    pipeline.register(PUMP)
    pipeline.register(MOTOR, set_enabled=Switch(lambda source, on: True))
    assert both.state == "active"
    assert len(failures) == 1
    assert names.of(pipeline, PUMP.tick, (1,)) == ["both"]
    assert names.of(pipeline, MOTOR.tick, (1,)) == []


def test_without_on_error_the_log_hears(
    make_pipeline: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = make_pipeline(workers=0)
    pipeline.subscribe((0x80, 77), print)
    with caplog.at_level(logging.ERROR, "tocsin"):
        pipeline.register(MOTOR)
    assert "purged" in caplog.text
    assert "event 77" in caplog.text


def test_what_on_error_raises_harms_neither_register_nor_the_others(
    make_pipeline: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_error(failure: Any) -> None:
        raise KeyError("on_error")

    raised: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda info: raised.append(info.exc_value))
    pipeline = make_pipeline(workers=0, on_error=on_error)
    pipeline.subscribe((0x80, 77), print)
    names = Names()
    pipeline.subscribe(MOTOR.tick, names.make("other"))
    pipeline.register(MOTOR)
    assert names.of(pipeline, MOTOR.tick, (1,)) == ["other"]
    assert [type(error) for error in raised] == [KeyError]


def test_an_event_notified_as_soon_as_it_can_be_is_offered(make_pipeline: Callable[..., Any]) -> None:
    """The chains are complete before the first event is let in."""
    pipeline = make_pipeline()
    for _ in range(50):
        got: list[int] = []
        subscription = pipeline.subscribe(MOTOR.tick, lambda event, got=got: got.append(event.report.n))
        sent = threading.Event()

        def notify(sent: threading.Event = sent) -> None:
            while not sent.is_set():
                try:
                    pipeline.notify(MOTOR.tick, (7,))
                except tocsin.UnknownEventError:
                    continue
                sent.set()

        thread = threading.Thread(target=notify)
        thread.start()
        pipeline.register(MOTOR, queue_size=1024)
        eventually(sent.is_set)
        thread.join()
        assert pipeline.unregister(MOTOR)
        assert got == [7]
        subscription.cancel()


def test_all_or_none_is_registered_also_if_a_subscription_waits(pipeline: Any) -> None:
    subscription = pipeline.subscribe(MOTOR.tick, print)
    big = tocsin.Protocol(0x82, "big", {"huge": tocsin.EventType(0, max_size=600)})
    with pytest.raises(ValueError, match=r"big\.huge"):
        pipeline.register(MOTOR, big, queue_size=1024)
    assert subscription.state == "pending"
    assert pipeline.protocols == ()


def test_another_protocol_of_the_same_id_binds_by_what_it_has(pipeline: Any, failures: list[Any]) -> None:
    other = tocsin.Protocol(0x80, "other", {"only": tocsin.EventType(1, {"n": "u8"})})
    names = Names()
    tick = pipeline.subscribe(MOTOR.tick, names.make("tick"))
    limit = pipeline.subscribe(MOTOR.limit, names.make("limit"))
    pipeline.register(other)
    assert (tick.state, limit.state) == ("active", "purged")
    assert names.of(pipeline, other.only, (1,)) == ["tick"]


def test_a_state_machine_of_one_subscription(pipeline: Any) -> None:
    subscription = pipeline.subscribe(MOTOR.tick, print)
    states = [subscription.state]
    for _ in range(2):
        pipeline.register(Motor(0x80))
        states.append(subscription.state)
        pipeline.unregister(MOTOR)
        states.append(subscription.state)
    subscription.cancel()
    assert [*states, subscription.state] == ["pending", *["active", "pending"] * 2, "cancelled"]
