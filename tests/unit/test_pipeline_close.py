"""close(): everything accepted is delivered, or counted as abandoned when the time runs out."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import tocsin
import tocsin.backend
from helpers import MOTOR, PATIENCE, PUMP, Crew, Hold, books_of, eventually


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, PUMP)
    return pipeline


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_close_delivers_all_that_was_accepted(make_pipeline: Callable[..., Any], workers: int) -> None:
    pipeline = make_pipeline(workers=workers)
    pipeline.register(MOTOR, PUMP)
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda batch: got.extend(batch.array["n"].tolist()), batch=True)
    pipeline.subscribe(PUMP.tick, lambda event: got.append(event.report.n))
    pipeline.notify_many(MOTOR.tick, numpy.arange(50_000, dtype="<u8"))
    pipeline.notify_many(PUMP.tick, numpy.arange(50_000, 51_000, dtype="<u8"))
    assert pipeline.close() is True
    assert sorted(got) == list(range(51_000))
    stats = pipeline.stats()
    assert stats.workers == 0
    assert {books.pending for books in stats.protocols.values()} == {0}
    assert {books.abandoned for books in stats.protocols.values()} == {0}


def test_closing_again_is_harmless(pipeline: Any) -> None:
    assert [pipeline.close() for _ in range(3)] == [True] * 3
    assert pipeline.close(0) is True
    assert pipeline.close(timeout=1) is True


def test_several_threads_may_close_at_once(pipeline: Any, make_hold: Callable[[], Hold]) -> None:
    hold = make_hold()
    pipeline.subscribe(MOTOR.tick, hold)
    for n in range(3):
        pipeline.notify(MOTOR.tick, (n,))
    hold.await_entry()
    answers: list[bool] = []
    crew = Crew(*[lambda: answers.append(pipeline.close())] * 4)
    hold.go.set()
    crew.join()
    assert answers == [True] * 4
    assert books_of(pipeline).delivered == 3


def test_leaving_the_with_block_delivers() -> None:
    got: list[int] = []
    with tocsin.Pipeline() as pipeline:
        pipeline.register(MOTOR)
        pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
        for n in range(1000):
            pipeline.notify(MOTOR.tick, (n,))
    assert got == list(range(1000))
    with pytest.raises(tocsin.ClosedError):
        pipeline.notify(MOTOR.tick, (1,))


def test_leaving_the_with_block_by_an_exception_delivers_too_and_passes_it_on() -> None:
    got: list[int] = []

    def leave() -> None:
        with tocsin.Pipeline() as pipeline:
            pipeline.register(MOTOR)
            pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
            pipeline.notify(MOTOR.tick, (1,))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        leave()
    assert got == [1]


def test_leaving_the_with_block_by_an_exception_does_not_wait_for_a_hung_callback(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold]
) -> None:
    pipeline, hold = make_pipeline(), make_hold()
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.tick, hold)

    def leave() -> None:
        with pipeline:
            pipeline.notify(MOTOR.tick, (1,))
            hold.await_entry()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        leave()
    assert not hold.go.is_set()


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("timeout", [0, 0.05])
def test_a_hung_callback_is_left_alone_and_the_rest_is_abandoned(
    pipeline: Any,
    make_hold: Callable[[], Hold],
    books: Callable[[Any], None],
    batch: bool,
    timeout: float,
) -> None:
    hold = make_hold()
    subscription = pipeline.subscribe(MOTOR.tick, hold, batch=batch)
    pipeline.notify(MOTOR.tick, (0,))
    hold.await_entry()
    for n in range(1, 10):
        pipeline.notify(MOTOR.tick, (n,))
    assert pipeline.close(timeout) is False
    counts = books_of(pipeline)
    books(pipeline)
    assert (counts.delivered, counts.abandoned, counts.pending) == (0, 9, 1)
    hold.go.set()
    eventually(lambda: pipeline.stats().workers == 0, pipeline.stats)
    books(pipeline)
    counts = books_of(pipeline)
    assert (counts.delivered, counts.abandoned, counts.pending) == (1, 9, 0)
    assert (len(hold.calls), subscription.stats().calls) == (1, 1)


def test_a_hung_batch_of_many_balances_while_it_hangs_and_afterwards(
    pipeline: Any, make_hold: Callable[[], Hold], books: Callable[[Any], None]
) -> None:
    hold = make_hold()
    pipeline.subscribe(MOTOR.tick, hold, batch=True)
    pipeline.freeze()
    pipeline.notify_many(MOTOR.tick, numpy.arange(20, dtype="<u8"))
    pipeline.thaw()
    hold.await_entry()
    size = len(hold.calls[0])
    assert pipeline.close(0.02) is False
    books(pipeline)
    hold.go.set()
    eventually(lambda: pipeline.stats().workers == 0, pipeline.stats)
    books(pipeline)
    counts = books_of(pipeline)
    assert (counts.delivered, counts.abandoned, counts.pending) == (size, 20 - size, 0)


def test_events_of_a_batch_that_was_not_called_any_more_are_abandoned(
    pipeline: Any, make_hold: Callable[[], Hold]
) -> None:
    hold = make_hold()
    late: list[Any] = []
    pipeline.subscribe(MOTOR.tick, hold, batch=True)
    pipeline.subscribe(MOTOR.limit, late.append, batch=True)
    pipeline.freeze()
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.notify(MOTOR.limit, (1, 1))
    pipeline.thaw()
    hold.await_entry()
    assert pipeline.close(0.02) is False
    hold.go.set()
    eventually(lambda: pipeline.stats().workers == 0, pipeline.stats)
    counts = books_of(pipeline)
    assert late == []
    assert (counts.delivered, counts.abandoned, counts.unclaimed) == (1, 1, 0)


@pytest.mark.skipif(
    tocsin.backend.name != "python", reason="of the core the explorer shows it: close/abandon-python"
)
def test_an_event_whose_call_was_about_to_begin_is_abandoned(
    pipeline: Any, make_hold: Callable[[], Hold], monkeypatch: pytest.MonkeyPatch
) -> None:
    import tocsin.pure.stage

    hold, make_event = make_hold(), tocsin.pure.stage.event_of

    def hold_and_make(*arguments: Any) -> Any:
        hold(None)
        return make_event(*arguments)

    got: list[Any] = []
    pipeline.subscribe(MOTOR.tick, got.append)
    monkeypatch.setattr(tocsin.pure.stage, "event_of", hold_and_make)
    pipeline.notify(MOTOR.tick, (1,))
    hold.await_entry()
    assert pipeline.close(0.02) is False
    hold.go.set()
    eventually(lambda: pipeline.stats().workers == 0, pipeline.stats)
    counts = books_of(pipeline)
    assert (got, counts.delivered, counts.abandoned, counts.unclaimed) == ([], 0, 1, 0)


def test_the_rest_of_the_chain_is_not_called_after_the_hung_one_returns(
    pipeline: Any, make_hold: Callable[[], Hold]
) -> None:
    hold = make_hold()
    got: list[Any] = []
    pipeline.subscribe(MOTOR.tick, hold, priority=1)
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event))
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event), source=0)
    pipeline.subscribe(MOTOR.tick, lambda batch: got.append(batch), batch=True)
    pipeline.notify(MOTOR.tick, (0,))
    hold.await_entry()
    assert pipeline.close(0.02) is False
    hold.go.set()
    eventually(lambda: pipeline.stats().workers == 0, pipeline.stats)
    assert got == []
    assert books_of(pipeline).delivered == 1


def test_one_protocol_that_hangs_leaves_the_others_to_be_delivered(
    pipeline: Any, make_hold: Callable[[], Hold]
) -> None:
    hold = make_hold()
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, hold)
    pipeline.subscribe(PUMP.tick, lambda event: got.append(event.report.n))
    pipeline.notify(MOTOR.tick, (0,))
    hold.await_entry()
    for n in range(100):
        pipeline.notify(PUMP.tick, (n,))
    eventually(lambda: len(got) == 100)
    assert pipeline.close(0.02) is False
    assert books_of(pipeline, PUMP).delivered == 100


def test_after_time_ran_out_closing_again_answers_false_at_once(
    pipeline: Any, make_hold: Callable[[], Hold]
) -> None:
    hold = make_hold()
    pipeline.subscribe(MOTOR.tick, hold)
    for n in range(3):
        pipeline.notify(MOTOR.tick, (n,))
    hold.await_entry()
    assert pipeline.close(0.02) is False
    answers: list[bool] = []
    crew = Crew(lambda: answers.append(pipeline.close()))
    crew.join()
    hold.go.set()
    crew = Crew(lambda: answers.append(pipeline.close()))
    crew.join()
    assert answers == [False, False]
    assert books_of(pipeline).abandoned == 2


def test_a_flush_that_waits_ends_when_the_rest_is_abandoned(
    pipeline: Any, make_hold: Callable[[], Hold]
) -> None:
    hold = make_hold()
    pipeline.subscribe(MOTOR.tick, hold)
    for n in range(3):
        pipeline.notify(MOTOR.tick, (n,))
    hold.await_entry()
    answers: list[bool] = []
    crew = Crew(lambda: answers.append(pipeline.flush()))
    assert pipeline.close(0.02) is False
    crew.join()
    assert answers == [False]


def test_a_flush_after_the_rest_was_abandoned_answers_false_at_once(
    pipeline: Any, make_hold: Callable[[], Hold]
) -> None:
    hold = make_hold()
    pipeline.subscribe(MOTOR.tick, hold)
    for n in range(3):
        pipeline.notify(MOTOR.tick, (n,))
    hold.await_entry()
    assert pipeline.close(0.02) is False
    hold.go.set()
    answers: list[bool] = []
    Crew(lambda: answers.append(pipeline.flush())).join()
    assert answers == [False]


def test_close_refuses_before_it_waits(pipeline: Any, make_hold: Callable[[], Hold]) -> None:
    hold = make_hold()
    pipeline.subscribe(MOTOR.tick, hold)
    pipeline.notify(MOTOR.tick, (0,))
    hold.await_entry()
    crew = Crew(pipeline.close)

    def is_refused() -> bool:
        try:
            pipeline.notify(MOTOR.tick, (1,))
        except tocsin.ClosedError:
            return True
        return False

    eventually(is_refused)
    hold.go.set()
    crew.join()
    assert books_of(pipeline).delivered == books_of(pipeline).accepted


@pytest.mark.parametrize("timeout", [-1, float("nan"), "soon"])
def test_a_timeout_that_is_none_closes_nothing(pipeline: Any, timeout: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        pipeline.close(timeout)
    assert pipeline.notify(MOTOR.tick, (1,))


def test_stats_and_subscriptions_can_be_read_after_close(pipeline: Any) -> None:
    subscription = pipeline.subscribe(MOTOR.tick, lambda event: None)
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.close()
    assert subscription.stats().calls == 1
    assert subscription.cancel(timeout=PATIENCE) is True
    assert pipeline.protocols == (MOTOR, PUMP)
    assert pipeline.now() > 0
