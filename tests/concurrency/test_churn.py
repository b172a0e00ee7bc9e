"""Subscribing and cancelling while events flow: nothing that is owed is missed, nothing comes late."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from helpers import MOTOR, PATIENCE, Crew, books_of, eventually

pytestmark = pytest.mark.stress


class Flood:
    """A thread that notifies ticks; what began and what is done can be read at any moment."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline
        self.begun = self.done = -1  # the last tick whose notify() began, and returned
        self.stop = threading.Event()
        self.crew = Crew(self.run)

    def run(self) -> None:
        n = 0
        while not self.stop.is_set():
            self.begun = n
            assert self.pipeline.notify(MOTOR.tick, (n,), timeout=PATIENCE)
            self.done = n
            n += 1

    def end(self) -> None:
        self.stop.set()
        self.crew.join()


@pytest.mark.parametrize("batch", [False, True])
def test_every_event_accepted_after_subscribe_returned_is_offered(
    make_pipeline: Callable[..., Any], batch: bool
) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, queue_size=1 << 16)
    flood = Flood(pipeline)

    def churn() -> None:
        for _ in range(60):
            got: list[int] = []

            def callback(event: Any, got: list[int] = got) -> None:
                got.extend(event.array["n"].tolist() if batch else [event.report.n])

            subscription = pipeline.subscribe(MOTOR.tick, callback, batch=batch)
            first = flood.begun + 1
            eventually(lambda first=first: flood.done > first + 20)
            last = flood.done
            assert pipeline.flush(PATIENCE)
            subscription.cancel(timeout=PATIENCE)
            after = len(got)
            assert got == list(range(got[0], got[0] + after)), "a gap, or out of order"
            assert got[0] <= first
            assert got[-1] >= last
            subscription.cancel()
            assert len(got) == after, "called after cancel() had returned"

    try:
        Crew(churn, churn, churn).join()
    finally:
        flood.end()
    assert pipeline.flush(PATIENCE)
    assert books_of(pipeline).callback_errors == 0


def test_no_call_is_running_or_starts_after_cancel_returned(
    make_pipeline: Callable[..., Any],
) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, queue_size=1 << 16)
    flood = Flood(pipeline)

    def churn() -> None:
        for _ in range(200):
            state = {"over": False, "late": 0, "inside": 0, "calls": 0}

            def callback(event: Any, state: dict[str, Any] = state) -> None:
                state["inside"] += 1
                state["calls"] += 1
                state["late"] += state["over"]
                state["inside"] -= 1

            subscription = pipeline.subscribe(MOTOR.tick, callback)
            eventually(lambda state=state: state["calls"])
            assert subscription.cancel(timeout=PATIENCE)
            assert state["inside"] == 0
            state["over"] = True
            assert state["late"] == 0

    try:
        Crew(churn, churn).join()
    finally:
        flood.end()
    assert pipeline.flush(PATIENCE)


def test_chains_that_change_all_the_time_call_the_constant_ones_for_every_event(
    make_pipeline: Callable[..., Any],
) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, queue_size=1 << 16)
    first: list[int] = []
    last: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: first.append(event.report.n), priority=9)
    pipeline.subscribe(MOTOR.tick, lambda event: last.append(event.report.n), priority=-9)
    flood = Flood(pipeline)

    def churn(source: Any) -> None:
        for n in range(400):
            with pipeline.subscribe(
                MOTOR.tick, lambda event: None, priority=n % 17 - 8, batch=n % 3 == 0, **source
            ):
                pass

    try:
        Crew(lambda: churn({}), lambda: churn({}), lambda: churn({"source": 0})).join()
    finally:
        flood.end()
    assert pipeline.flush(PATIENCE)
    assert first == last == list(range(flood.done + 1))


def test_subscribers_that_cancel_themselves_in_a_flood(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, queue_size=1 << 16)
    flood = Flood(pipeline)
    once: list[int] = []

    def add(n: int) -> None:
        def callback(event: Any) -> None:
            once.append(n)
            box[0].cancel()

        box: list[Any] = []
        ready = threading.Event()

        def guarded(event: Any) -> None:
            if ready.is_set():
                callback(event)

        box.append(pipeline.subscribe(MOTOR.tick, guarded))
        ready.set()

    try:
        for n in range(300):
            add(n)
        eventually(lambda: len(once) == 300, lambda: (len(once), pipeline.stats()))
    finally:
        flood.end()
    assert sorted(once) == list(range(300))
    assert pipeline.subscriptions == ()
