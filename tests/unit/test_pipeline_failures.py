"""Callables that raise: counted, reported, and nobody else notices."""

import gc
import logging
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from helpers import MOTOR, PATIENCE, assert_ends_well, books_of
from tocsin import failure


class Oops(Exception):
    pass


def oops(event: Any) -> None:
    raise Oops("on purpose")


@pytest.fixture
def failures() -> list[tocsin.Failure]:
    return []


@pytest.fixture(params=[0, 2], ids=["no workers", "workers"])
def pipeline(
    make_pipeline: Callable[..., Any],
    failures: list[tocsin.Failure],
    request: pytest.FixtureRequest,
) -> Any:
    pipeline = make_pipeline(workers=request.param, on_error=failures.append)
    pipeline.register(MOTOR)
    return pipeline


def tick(pipeline: Any, *numbers: int) -> None:
    for n in numbers:
        pipeline.notify(MOTOR.tick, (n,))
    assert pipeline.flush(PATIENCE)


def test_a_raising_callback_harms_nobody_and_is_counted(
    pipeline: Any, failures: list[tocsin.Failure]
) -> None:
    got: list[int] = []
    bad = pipeline.subscribe(MOTOR.tick, oops)
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
    tick(pipeline, 1, 2, 3)
    assert got == [1, 2, 3]
    stats = bad.stats()
    assert (stats.calls, stats.errors) == (3, 3)
    assert isinstance(stats.last_error, Oops)
    books = books_of(pipeline)
    assert (books.callback_errors, books.delivered) == (3, 3)
    assert [type(failure.exception) for failure in failures] == [Oops] * 3
    assert [failure.event.report.n for failure in failures] == [1, 2, 3]
    assert all(failure.subscription is bad for failure in failures)
    assert failures[0].exception.__traceback__ is not None


def test_a_raising_batch_callable_is_reported_with_its_batch(
    pipeline: Any, failures: list[tocsin.Failure]
) -> None:
    bad = pipeline.subscribe(MOTOR.tick, oops, batch=True)
    tick(pipeline, 1, 2)
    told = [event.report.n for failure in failures for event in failure.event]
    assert told == [1, 2]
    assert bad.stats().errors == len(failures) == books_of(pipeline).callback_errors
    assert books_of(pipeline).delivered == 2


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), Oops()])
def test_whatever_is_raised_is_caught(
    pipeline: Any, failures: list[tocsin.Failure], error: BaseException
) -> None:
    def raise_it(event: Any) -> None:
        raise error

    got: list[Any] = []
    pipeline.subscribe(MOTOR.tick, raise_it)
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event))
    tick(pipeline, 1)
    assert [failure.exception for failure in failures] == [error]
    assert len(got) == 1


def test_on_error_runs_on_the_thread_of_the_callback(make_pipeline: Callable[..., Any]) -> None:
    threads: list[int] = []
    pipeline = make_pipeline(on_error=lambda failure: threads.append(threading.get_ident()))
    pipeline.register(MOTOR)

    @pipeline.subscribe(MOTOR.tick)
    def callback(event: Any) -> None:
        threads.append(threading.get_ident())
        raise Oops

    tick(pipeline, 1)
    assert threads[0] == threads[1] != threading.get_ident()


def test_on_error_that_raises_goes_to_the_unraisable_hook(
    make_pipeline: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: told.append(args.exc_value))

    def on_error(failure: tocsin.Failure) -> None:
        raise ZeroDivisionError

    pipeline = make_pipeline(on_error=on_error)
    pipeline.register(MOTOR)
    got: list[Any] = []
    pipeline.subscribe(MOTOR.tick, oops)
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event))
    tick(pipeline, 1, 2)
    assert [type(error) for error in told] == [ZeroDivisionError] * 2
    assert len(got) == 2
    assert books_of(pipeline).callback_errors == 2


def test_on_error_may_use_the_pipeline(
    make_pipeline: Callable[..., Any], failures: list[tocsin.Failure]
) -> None:
    def on_error(failure: tocsin.Failure) -> None:
        failures.append(failure)
        failure.subscription.cancel()
        pipeline.notify(MOTOR.raw, b"it failed")

    pipeline = make_pipeline(on_error=on_error)
    pipeline.register(MOTOR)
    got: list[bytes] = []
    pipeline.subscribe(MOTOR.raw, lambda event: got.append(event.payload))
    pipeline.subscribe(MOTOR.tick, oops)
    tick(pipeline, 1, 2, 3)
    assert pipeline.flush(PATIENCE)
    assert (len(failures), got) == (1, [b"it failed"])


def test_a_callback_that_cancels_itself_and_raises_is_reported(
    pipeline: Any, failures: list[tocsin.Failure]
) -> None:
    def callback(event: Any) -> None:
        subscription.cancel()
        raise Oops

    subscription = pipeline.subscribe(MOTOR.tick, callback)
    tick(pipeline, 1, 2)
    assert len(failures) == 1
    assert subscription.stats().errors == 1


def test_the_default_is_the_logger_at_most_once_a_second_per_subscription(
    make_pipeline: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR)

    def other(event: Any) -> None:
        raise Oops

    monkeypatch.setattr(failure, "LOG_INTERVAL", 3600.0)
    pipeline.subscribe(MOTOR.tick, oops)
    pipeline.subscribe(MOTOR.tick, other)
    tick(pipeline, *range(10))
    assert len(caplog.records) == 2  # one a subscription
    for record, name in zip(caplog.records, ("oops", "other"), strict=True):
        assert (record.name, record.levelno) == ("tocsin", logging.ERROR)
        assert name in record.getMessage()
        assert "motor.tick" in record.getMessage()
        assert record.exc_info is not None
        assert record.exc_info[0] is Oops
    monkeypatch.setattr(failure, "LOG_INTERVAL", 0.0)
    tick(pipeline, 10)
    assert len(caplog.records) == 4
    assert all("9 more" in record.getMessage() for record in caplog.records[2:])
    assert books_of(pipeline).callback_errors == 22


def test_a_failure_keeps_neither_callback_nor_event_alive_for_long(
    make_pipeline: Callable[..., Any], failures: list[tocsin.Failure]
) -> None:
    class Callback:
        def __call__(self, event: Any) -> None:
            raise Oops

    pipeline = make_pipeline(workers=0, on_error=lambda failure: None)
    pipeline.register(MOTOR)
    callback = Callback()
    alive = weakref.ref(callback)
    subscription = pipeline.subscribe(MOTOR.tick, callback)
    tick(pipeline, 1)
    subscription.cancel()
    del subscription, callback
    gc.collect()
    assert alive() is None


def test_errors_at_interpreter_exit_are_reported_and_the_status_is_0() -> None:
    code = """
from helpers import MOTOR
import tocsin
told = []
def on_error(failure):
    told.append(failure)
    print(type(failure.exception).__name__, end=" ")
pipeline = tocsin.Pipeline(on_error=on_error)
pipeline.register(MOTOR)
pipeline.freeze()
def bad(event):
    raise ZeroDivisionError
pipeline.subscribe(MOTOR.tick, bad)
pipeline.notify(MOTOR.tick, (1,))
pipeline.notify(MOTOR.tick, (2,))
"""
    assert assert_ends_well(code) == "ZeroDivisionError ZeroDivisionError "


def test_slow_calls_show_in_the_stats(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR)
    slow = pipeline.subscribe(MOTOR.tick, lambda event: threading.Event().wait(0.02))
    never = pipeline.subscribe(MOTOR.raw, lambda event: None)
    tick(pipeline, 1, 2)
    assert slow.stats().slowest_ns >= 20_000_000
    assert never.stats() == tocsin.SubscriptionStats(0, 0, None, 0)
