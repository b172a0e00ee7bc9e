"""Cancelling and changing subscriptions, also in the middle of the event that is being delivered."""

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from helpers import MOTOR, PATIENCE, PUMP, Crew, Hold, books_of, eventually


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, PUMP)
    return pipeline


def tick(pipeline: Any, *numbers: int) -> None:
    for n in numbers:
        pipeline.notify(MOTOR.tick, (n,))
    pipeline.flush()


def test_no_call_starts_after_cancel(pipeline: Any) -> None:
    got: list[int] = []
    subscription = pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
    tick(pipeline, 1)
    pipeline.notify(MOTOR.tick, (2,))  # queued before, not delivered after
    assert subscription.cancel() is True
    tick(pipeline, 3)
    assert got == [1]
    assert subscription.state == "cancelled"
    assert pipeline.subscriptions == ()
    assert (books_of(pipeline).delivered, books_of(pipeline).unclaimed) == (1, 2)


def test_cancelling_again_is_harmless(pipeline: Any) -> None:
    subscription = pipeline.subscribe(MOTOR.tick, lambda event: None)
    assert [subscription.cancel() for _ in range(3)] == [True] * 3
    pipeline.close()
    assert subscription.cancel() is True


def test_leaving_the_with_block_cancels(pipeline: Any) -> None:
    got: list[Any] = []
    with pipeline.subscribe(MOTOR.tick, lambda event: got.append(event)) as subscription:
        tick(pipeline, 1)
        assert subscription.state == "active"
    tick(pipeline, 2)
    assert (len(got), subscription.state) == (1, "cancelled")


def test_a_subscriber_may_cancel_itself(pipeline: Any) -> None:
    got: list[int] = []

    def once(event: Any) -> None:
        got.append(event.report.n)
        subscription.cancel()

    after: list[int] = []
    subscription = pipeline.subscribe(MOTOR.tick, once)
    pipeline.subscribe(MOTOR.tick, lambda event: after.append(event.report.n))
    tick(pipeline, 1, 2, 3)
    assert (got, after) == ([1], [1, 2, 3])


def test_a_subscriber_cancelled_by_an_earlier_one_misses_that_event_already(
    pipeline: Any,
) -> None:
    got: list[str] = []
    pipeline.subscribe(MOTOR.tick, lambda event: victim.cancel(), priority=1)
    victim = pipeline.subscribe(MOTOR.tick, lambda event: got.append("victim"))
    pipeline.subscribe(MOTOR.tick, lambda event: got.append("last"), source=0)
    tick(pipeline, 1, 2)
    assert got == ["last", "last"]


def test_a_batch_subscriber_cancelled_during_the_look_gets_no_batch(pipeline: Any) -> None:
    got: list[Any] = []
    victim = pipeline.subscribe(MOTOR.tick, lambda batch: got.append(batch), batch=True)
    pipeline.subscribe(MOTOR.limit, lambda event: victim.cancel())
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.notify(MOTOR.limit, (1, 1))
    pipeline.flush()
    assert got == []
    assert (books_of(pipeline).delivered, books_of(pipeline).unclaimed) == (1, 1)


def test_each_collected_event_is_classified_by_its_own_call(pipeline: Any) -> None:
    pipeline.subscribe(MOTOR.tick, lambda batch: victim.cancel(), batch=True)
    victim = pipeline.subscribe(MOTOR.limit, lambda batch: None, batch=True)
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.notify(MOTOR.limit, (1, 1))
    pipeline.flush()
    assert (books_of(pipeline).delivered, books_of(pipeline).unclaimed) == (1, 1)


def test_a_subscription_made_in_a_callback_counts_from_the_next_event(pipeline: Any) -> None:
    got: list[tuple[str, int]] = []

    def first(event: Any) -> None:
        got.append(("first", event.report.n))
        if event.report.n == 1:
            pipeline.subscribe(MOTOR.tick, lambda e: got.append(("late", e.report.n)))
            pipeline.subscribe(MOTOR.tick, lambda e: got.append(("early", e.report.n)), priority=1)

    pipeline.subscribe(MOTOR.tick, first)
    tick(pipeline, 1, 2)
    assert got == [("first", 1), ("early", 2), ("first", 2), ("late", 2)]


def test_a_subscription_to_the_source_made_in_a_callback_of_all_counts_from_the_next_event(
    pipeline: Any,
) -> None:
    got: list[tuple[str, int]] = []

    def first(event: Any) -> None:
        got.append(("first", event.report.rpm))
        if event.report.rpm == 1:
            pipeline.subscribe(MOTOR.limit, lambda e: got.append(("late", e.report.rpm)), source=3)

    pipeline.subscribe(MOTOR.limit, first)
    for rpm in (1, 2):
        pipeline.notify(MOTOR.limit, (3, rpm))
    pipeline.flush()
    assert got == [("first", 1), ("first", 2), ("late", 2)]


def test_a_subscription_to_another_chain_made_in_a_callback_works_too(pipeline: Any) -> None:
    got: list[Any] = []

    def first(event: Any) -> None:
        if not got:
            got.append("subscribed")
            pipeline.subscribe([MOTOR.limit, PUMP.tick], lambda e: got.append((e.key, e.report)))

    pipeline.subscribe(MOTOR.tick, first)
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.notify(MOTOR.limit, (1, 1))
    pipeline.flush()
    pipeline.notify(PUMP.tick, (2,))
    pipeline.flush()
    assert [str(type(part).__name__) for part in got] == ["str", "tuple", "tuple"]


def test_of_the_events_queued_before_a_subscription_a_suffix_is_offered(pipeline: Any) -> None:
    got: list[int] = []
    for n in range(5):
        pipeline.notify(MOTOR.tick, (n,))
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
    tick(pipeline, 5, 6)
    assert got == list(range(7 - len(got), 7))
    assert {5, 6} <= set(got)


def test_dropping_a_subscription_does_not_cancel_it(pipeline: Any) -> None:
    got: list[Any] = []
    subscription = pipeline.subscribe(MOTOR.tick, lambda event: got.append(event))
    dropped = weakref.ref(subscription)
    del subscription
    gc.collect()
    tick(pipeline, 1)
    assert len(got) == 1
    assert dropped() in pipeline.subscriptions


class Callback:
    def __call__(self, event: Any) -> None:
        pass


def test_a_callback_is_held_until_it_is_cancelled_and_released_then(pipeline: Any) -> None:
    callback = Callback()
    alive = weakref.ref(callback)
    subscription = pipeline.subscribe([MOTOR.tick, PUMP], callback)
    del callback
    gc.collect()
    tick(pipeline, 1)
    assert alive() is not None
    subscription.cancel()
    assert alive() is None


@pytest.mark.parametrize("batch", [False, True])
def test_a_callback_that_cancels_itself_is_released_after_its_call(
    make_pipeline: Callable[..., Any], batch: bool
) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR)

    class Once:
        def __call__(self, event: Any) -> None:
            (subscription,) = pipeline.subscriptions
            subscription.cancel()

    callback = Once()
    alive = weakref.ref(callback)
    pipeline.subscribe(MOTOR.tick, callback, batch=batch)
    del callback
    tick(pipeline, 1)
    eventually(lambda: alive() is None)


def test_callbacks_are_released_when_the_pipeline_goes(make_pipeline: Callable[..., Any]) -> None:
    import tocsin

    callback = Callback()
    alive = weakref.ref(callback)
    pipeline = tocsin.Pipeline()
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.tick, callback)
    pipeline.notify(MOTOR.tick, (1,))
    del callback, pipeline
    gc.collect()
    eventually(lambda: gc.collect() is None or alive() is None)


def test_a_subscription_may_outlive_its_pipeline(make_pipeline: Callable[..., Any]) -> None:
    import tocsin

    pipeline = tocsin.Pipeline(workers=0)
    pipeline.register(MOTOR)
    subscription = pipeline.subscribe(MOTOR.tick, lambda event: None)
    del pipeline
    gc.collect()
    assert subscription.stats().calls == 0
    assert "0x80" in repr(subscription)
    assert subscription.cancel() is True
    assert subscription.state == "cancelled"


# ----------------------------------------------------------------------------- with workers at work


def test_cancel_waits_for_the_call_that_is_running(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold]
) -> None:
    pipeline, hold = make_pipeline(), make_hold()
    pipeline.register(MOTOR)
    left = threading.Event()

    def callback(event: Any) -> None:
        hold(event)
        left.set()

    subscription = pipeline.subscribe(MOTOR.tick, callback)
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.notify(MOTOR.tick, (2,))
    hold.await_entry()
    assert subscription.cancel(timeout=0.02) is False
    assert subscription.cancel(wait=False) is False
    answers: list[tuple[bool, bool]] = []
    crew = Crew(lambda: answers.append((subscription.cancel(), left.is_set())))
    hold.go.set()
    crew.join()
    assert answers == [(True, True)]
    assert pipeline.flush(60)
    assert len(hold.calls) == 1


def test_cancel_inside_a_callback_of_the_pipeline_never_waits(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold]
) -> None:
    pipeline, hold = make_pipeline(), make_hold()
    pipeline.register(MOTOR, PUMP)
    hung = pipeline.subscribe(PUMP.tick, hold)
    answers: list[bool] = []
    pipeline.subscribe(MOTOR.tick, lambda event: answers.append(hung.cancel()))
    pipeline.notify(PUMP.tick, (1,))
    hold.await_entry()
    pipeline.notify(MOTOR.tick, (1,))
    eventually(lambda: answers)
    assert answers == [False]


def test_cancel_does_not_wait_for_other_subscribers(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold]
) -> None:
    pipeline, hold = make_pipeline(), make_hold()
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.tick, hold)
    other = pipeline.subscribe(MOTOR.tick, lambda event: None)
    pipeline.notify(MOTOR.tick, (1,))
    hold.await_entry()
    assert other.cancel(timeout=60) is True


@pytest.mark.parametrize("timeout", [-1, float("nan"), "soon"])
def test_a_timeout_that_is_none_is_refused(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold], timeout: Any
) -> None:
    pipeline, hold = make_pipeline(), make_hold()
    pipeline.register(MOTOR)
    subscription = pipeline.subscribe(MOTOR.tick, hold)
    pipeline.notify(MOTOR.tick, (1,))
    hold.await_entry()
    with pytest.raises((TypeError, ValueError)):
        subscription.cancel(timeout=timeout)


def test_a_subscription_that_cancelled_itself_is_let_go_with_its_last_error(
    make_pipeline: Callable[..., Any],
) -> None:
    pipeline = make_pipeline(on_error=lambda failure: None)
    pipeline.register(MOTOR)
    gone = []

    class Local:
        pass

    def subscribe() -> None:
        def once(event: Any) -> None:
            local = Local()
            gone.append(weakref.ref(local))
            subscriptions.pop().cancel()
            raise ValueError("with a traceback, which has our locals")

        subscriptions = [pipeline.subscribe(MOTOR.tick, once)]
        gone.append(weakref.ref(subscriptions[0]))

    subscribe()
    pipeline.notify(MOTOR.tick, (1,))
    assert pipeline.flush(PATIENCE)
    eventually(lambda: gc.collect() >= 0 and all(reference() is None for reference in gone))
    assert len(gone) == 2


def test_a_subscribe_that_was_interrupted_leaves_nothing(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR)

    class Interrupting(dict[Any, Any]):
        def __setitem__(self, key: Any, value: Any) -> None:
            raise KeyboardInterrupt

    usual, pipeline._by_key = pipeline._by_key, Interrupting()
    with pytest.raises(KeyboardInterrupt):
        pipeline.subscribe([MOTOR.tick, MOTOR.raw], print)
    pipeline._by_key = usual
    assert pipeline.subscriptions == ()
    pipeline.subscribe([MOTOR.tick, MOTOR.raw], print)


def test_a_cancel_that_was_interrupted_can_be_repeated(make_pipeline: Callable[..., Any]) -> None:
    switched: list[bool] = []
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, set_enabled=lambda event, source, on: switched.append(on))
    subscription = pipeline.subscribe([MOTOR.tick, MOTOR.raw], print)

    class Interrupting(dict[Any, Any]):
        def pop(self, *arguments: Any) -> Any:
            raise KeyboardInterrupt

    usual, pipeline._subscriptions = pipeline._subscriptions, Interrupting()
    with pytest.raises(KeyboardInterrupt):
        subscription.cancel()
    pipeline._subscriptions = usual
    assert subscription.cancel()
    assert subscription.state == "cancelled"
    assert pipeline.subscriptions == ()
    assert switched == [True, True, False, False]
