"""flush(): what it waits for, and when it refuses."""

import threading
from collections.abc import Callable
from typing import Any

import numpy
import pytest

from helpers import MOTOR, PATIENCE, PUMP, Crew, Hold, assert_ends_well, books_of


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, PUMP)
    return pipeline


def test_flush_of_an_empty_pipeline_returns_at_once(make_pipeline: Callable[..., Any]) -> None:
    for workers in (0, 1, 2):
        pipeline = make_pipeline(workers=workers)
        assert pipeline.flush() is True
        pipeline.register(MOTOR)
        assert pipeline.flush() is True
        assert pipeline.flush(0) is True


def test_when_flush_returns_every_call_has_returned(pipeline: Any) -> None:
    calls: list[int] = []
    returned: list[int] = []

    def callback(event: Any) -> None:
        calls.append(event.report.n)
        threading.Event().wait(0.002)
        returned.append(event.report.n)

    batched: list[int] = []
    pipeline.subscribe([MOTOR.tick, PUMP.tick], callback)
    pipeline.subscribe(MOTOR.tick, lambda b: batched.extend(b.array["n"].tolist()), batch=True)
    for n in range(20):
        pipeline.notify((MOTOR, PUMP)[n % 2].tick, (n,))
    assert pipeline.flush() is True
    assert sorted(calls) == sorted(returned) == list(range(20))
    assert batched == list(range(0, 20, 2))


def test_flush_passes_events_that_nobody_wants(pipeline: Any) -> None:
    pipeline.notify_many(MOTOR.tick, numpy.arange(1000, dtype="<u8"))
    assert pipeline.flush(PATIENCE) is True
    assert books_of(pipeline).unclaimed == 1000


def test_later_events_do_not_prolong_a_flush(pipeline: Any) -> None:
    stop = threading.Event()

    def feed(event: Any) -> None:  # the queue is never empty again
        if not stop.is_set():
            pipeline.notify(MOTOR.tick, event.payload)
            pipeline.notify(MOTOR.tick, event.payload)

    pipeline.subscribe(MOTOR.tick, feed)
    pipeline.notify(MOTOR.tick, (1,))
    answers = [pipeline.flush(PATIENCE) for _ in range(5)]
    stop.set()
    assert answers == [True] * 5


@pytest.mark.parametrize("timeout", [0, 0.01])
def test_a_flush_that_takes_too_long_answers_false(
    pipeline: Any, make_hold: Callable[[], Hold], timeout: float
) -> None:
    hold = make_hold()
    pipeline.subscribe(MOTOR.tick, hold)
    pipeline.notify(MOTOR.tick, (1,))
    hold.await_entry()
    assert pipeline.flush(timeout) is False
    hold.go.set()
    assert pipeline.flush(PATIENCE) is True


def test_several_threads_may_flush_at_once(pipeline: Any, make_hold: Callable[[], Hold]) -> None:
    hold = make_hold()
    pipeline.subscribe(MOTOR.tick, hold)
    pipeline.notify(MOTOR.tick, (1,))
    hold.await_entry()
    answers: list[bool] = []
    crew = Crew(*[lambda: answers.append(pipeline.flush(PATIENCE))] * 8)
    hold.go.set()
    crew.join()
    assert answers == [True] * 8


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("name", ["flush", "close"])
@pytest.mark.parametrize("batch", [False, True])
def test_flush_and_close_inside_a_callback_are_errors(
    make_pipeline: Callable[..., Any], workers: int, name: str, batch: bool
) -> None:
    pipeline = make_pipeline(workers=workers)
    pipeline.register(MOTOR)
    errors: list[Any] = []

    def callback(event: Any) -> None:
        for timeout in (None, 0, 1):
            with pytest.raises(RuntimeError, match=f"{name}.*inside a callback") as caught:
                getattr(pipeline, name)(timeout)
            errors.append(caught.value)

    pipeline.subscribe(MOTOR.tick, callback, batch=batch)
    pipeline.notify(MOTOR.tick, (1,))
    assert pipeline.flush(PATIENCE)
    assert len(errors) == 3
    assert pipeline.notify(MOTOR.tick, (1,))  # nothing was closed


def test_flushing_another_pipeline_inside_a_callback_is_fine(
    make_pipeline: Callable[..., Any],
) -> None:
    pipeline, other = make_pipeline(), make_pipeline()
    pipeline.register(MOTOR)
    other.register(PUMP)
    got: list[int] = []
    other.subscribe(PUMP.tick, lambda event: got.append(event.report.n))

    @pipeline.subscribe(MOTOR.tick)
    def pass_on(event: Any) -> None:
        other.notify(PUMP.tick, event.payload)
        assert other.flush(PATIENCE)
        assert got[-1] == event.report.n

    for n in range(5):
        pipeline.notify(MOTOR.tick, (n,))
    assert pipeline.flush(PATIENCE)
    assert got == [0, 1, 2, 3, 4]
    assert books_of(pipeline).callback_errors == 0


@pytest.mark.parametrize("timeout", [-1, float("nan"), "soon", "5", b"5", [1]])
def test_a_timeout_that_is_none_is_refused(pipeline: Any, timeout: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        pipeline.flush(timeout)


def test_a_signal_handler_runs_while_flush_waits() -> None:
    code = """
import signal, threading
from helpers import MOTOR, PATIENCE
import tocsin
go = threading.Event()
pipeline = tocsin.Pipeline()
pipeline.register(MOTOR)
pipeline.subscribe(MOTOR.tick, lambda event: go.wait(PATIENCE))
pipeline.notify(MOTOR.tick, (1,))
def handler(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.1)
try:
    pipeline.flush()
except KeyboardInterrupt:
    print("interrupted", end="")
go.set()
pipeline.close()
"""
    assert assert_ends_well(code) == "interrupted"
