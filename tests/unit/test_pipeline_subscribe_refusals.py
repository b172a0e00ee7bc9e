"""Subscribing: callbacks, keys and options that are refused, and that leave nothing behind."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from helpers import MOTOR, PUMP, Motor, Names, books_of


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, PUMP)
    return pipeline


class Owner:
    def __init__(self) -> None:
        self.got: list[Any] = []

    def hear(self, event: Any) -> None:
        self.got.append(event)

    __call__ = hear


def test_the_same_callback_twice_on_one_key_is_refused(pipeline: Any) -> None:
    owner = Owner()

    def function(event: Any) -> None:
        pass

    for callback in (function, owner.hear, owner, owner.got.append, print):
        pipeline.subscribe(MOTOR.tick, callback)
        with pytest.raises(ValueError, match=r"subscribed to .* already"):
            pipeline.subscribe(MOTOR.tick, callback, priority=3, batch=True)
        with pytest.raises(ValueError, match=r"subscribed to .* already"):
            pipeline.subscribe([MOTOR.raw, MOTOR.tick], callback)
    callbacks = len(pipeline.subscriptions)
    with pytest.raises(ValueError, match=r"subscribed to .* already"):
        pipeline.subscribe(MOTOR.tick, owner.hear)  # a new bound method, but the same
    with pytest.raises(ValueError, match=r"subscribed to .* already"):
        pipeline.subscribe(MOTOR.tick, owner.got.append)
    assert len(pipeline.subscriptions) == callbacks


def test_the_same_callback_on_other_keys_or_of_other_objects_is_fine(pipeline: Any) -> None:
    one, other = Owner(), Owner()
    pipeline.subscribe(MOTOR.limit, one.hear)
    pipeline.subscribe(MOTOR.limit, other.hear)
    pipeline.subscribe(MOTOR.limit, one.hear, source=1)
    pipeline.subscribe(MOTOR.tick, one.hear)
    pipeline.subscribe(PUMP.limit, one.hear)
    pipeline.notify(MOTOR.limit, (1, 0))
    pipeline.flush()
    assert (len(one.got), len(other.got)) == (2, 1)


def test_after_cancelling_the_same_callback_may_subscribe_again(pipeline: Any) -> None:
    names = Names()
    callback = names.make("it")
    for _ in range(3):
        subscription = pipeline.subscribe(MOTOR.tick, callback)
        assert names.of(pipeline, MOTOR.tick, (1,)) == ["it"]
        subscription.cancel()
    assert names.of(pipeline, MOTOR.tick, (1,)) == []


async def coroutine(event: Any) -> None:
    pass


async def generator(event: Any) -> Any:
    yield event


class Awaited:
    async def __call__(self, event: Any) -> None:
        pass

    hear = __call__


@pytest.mark.parametrize(
    "callback",
    [coroutine, functools.partial(coroutine), Awaited().hear, Awaited(), generator],
    ids=["function", "partial", "method", "object", "generator"],
)
def test_a_coroutine_function_is_refused(pipeline: Any, callback: Any) -> None:
    with pytest.raises(TypeError, match="coroutine"):
        pipeline.subscribe(MOTOR.tick, callback)
    with pytest.raises(TypeError, match="coroutine"):
        pipeline.subscribe(MOTOR.tick)(callback)


@pytest.mark.parametrize(
    ("event", "options", "error", "words"),
    [
        ((0x80, 4), {}, tocsin.UnknownEventError, "no event 4"),
        ([MOTOR.tick, (0x80, 4)], {}, tocsin.UnknownEventError, "no event 4"),
        (Motor.tick, {}, TypeError, "not bound"),
        (None, {}, TypeError, "an event is"),
        ("tick", {}, TypeError, "an event is"),
        ((1, 2, 3), {}, TypeError, "an event is"),
        ((256, 0), {}, ValueError, r"0\.\.255"),
        ([], {}, ValueError, None),
        (MOTOR.tick, {"source": 65535}, ValueError, "ALL"),
        (MOTOR.tick, {"source": -1}, ValueError, "65534"),
        (MOTOR.tick, {"source": "x"}, TypeError, "source"),
        (MOTOR.tick, {"source": None}, TypeError, "source"),
        (MOTOR.tick, {"priority": 2**31}, ValueError, "2147483648"),
        (MOTOR.tick, {"priority": 0.5}, TypeError, "0.5"),
        (MOTOR.tick, {"priority": None}, TypeError, "None"),
        (MOTOR.tick, {"priority": True}, TypeError, "True"),
    ],
)
def test_a_subscription_that_cannot_be_leaves_nothing_behind(
    pipeline: Any, event: Any, options: dict[str, Any], error: type[Exception], words: str | None
) -> None:
    names = Names()
    with pytest.raises(error, match=words):
        pipeline.subscribe(event, names.make("it"), **options)
    assert pipeline.subscriptions == ()
    assert names.of(pipeline, MOTOR.tick, (1,)) == []


@pytest.mark.parametrize("callback", [5, "print", [print], MOTOR.tick])
def test_what_cannot_be_called_is_refused(pipeline: Any, callback: Any) -> None:
    with pytest.raises(TypeError, match="callable"):
        pipeline.subscribe(MOTOR.tick, callback)


def test_a_closed_pipeline_takes_no_subscription(pipeline: Any) -> None:
    pipeline.close()
    with pytest.raises(tocsin.ClosedError, match="closed"):
        pipeline.subscribe(MOTOR.tick, print)
    with pytest.raises(tocsin.ClosedError, match="closed"):
        pipeline.register(Motor(0x90))


def test_events_that_nobody_wants_are_unclaimed(pipeline: Any) -> None:
    pipeline.subscribe(MOTOR.limit, lambda event: None, source=3)
    for source in (3, 4, 5):
        pipeline.notify(MOTOR.limit, (source, 0))
    pipeline.notify(MOTOR.tick, (0,))
    pipeline.flush()
    books = books_of(pipeline)
    assert (books.accepted, books.delivered, books.unclaimed) == (4, 1, 3)


def test_a_repr_of_a_subscription_says_what_it_hears(pipeline: Any) -> None:
    def on_limit(event: Any) -> None:
        pass

    subscription = pipeline.subscribe(MOTOR.limit, on_limit, source=3, priority=2)
    for word in ("active", "3", "priority=2", "on_limit"):
        assert word in repr(subscription)
    subscription.cancel()
    assert "cancelled" in repr(subscription)
