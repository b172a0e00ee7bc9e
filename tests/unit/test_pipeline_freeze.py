"""freeze() and thaw(): no call begins in between, and nothing is lost."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from helpers import MOTOR, PATIENCE, PUMP, Crew, Hold, books_of, eventually
from tocsin.pure.equeue import EventsQueue


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, PUMP)
    return pipeline


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_frozen_accepts_but_calls_nobody(make_pipeline: Callable[..., Any], workers: int) -> None:
    pipeline = make_pipeline(workers=workers)
    pipeline.register(MOTOR)
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
    pipeline.freeze()
    for n in range(3):
        assert pipeline.notify(MOTOR.tick, (n,))
    assert pipeline.flush(0.02) is False
    assert got == []
    assert books_of(pipeline).pending == 3
    pipeline.thaw()
    assert pipeline.flush(PATIENCE) is True
    assert got == [0, 1, 2]


@pytest.mark.parametrize("workers", [0, 2])
def test_flush_of_a_frozen_pipeline_needs_a_timeout(make_pipeline: Callable[..., Any], workers: int) -> None:
    pipeline = make_pipeline(workers=workers)
    pipeline.register(MOTOR)
    pipeline.freeze()
    with pytest.raises(RuntimeError, match="frozen"):
        pipeline.flush()
    assert pipeline.flush(0) is True  # nothing to wait for
    pipeline.thaw()
    assert pipeline.flush() is True


def test_freezing_twice_is_thawed_once_and_thawing_again_is_harmless(pipeline: Any) -> None:
    got: list[Any] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event))
    pipeline.freeze()
    pipeline.freeze()
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.thaw()
    pipeline.thaw()
    assert pipeline.flush(PATIENCE)
    assert len(got) == 1


def test_frozen_in_the_middle_of_a_chain_its_rest_comes_after_the_thaw(
    pipeline: Any, make_hold: Callable[[], Hold]
) -> None:
    hold = make_hold()
    order: list[str] = []
    pipeline.subscribe(MOTOR.tick, hold, priority=1)
    pipeline.subscribe(MOTOR.tick, lambda event: order.append(f"second {event.report.n}"))
    pipeline.subscribe(MOTOR.tick, lambda event: order.append(f"source {event.report.n}"), source=0)
    for n in range(3):
        pipeline.notify(MOTOR.tick, (n,))
    hold.await_entry()
    pipeline.freeze()
    hold.go.set()
    assert pipeline.flush(0.05) is False
    assert (len(hold.calls), order) == (1, [])
    pipeline.thaw()
    assert pipeline.flush(PATIENCE)
    assert order == [f"{word} {n}" for n in range(3) for word in ("second", "source")]
    assert len(hold.calls) == 3
    assert books_of(pipeline).delivered == 3


def test_frozen_in_the_middle_of_a_run_the_next_event_waits(
    pipeline: Any, make_hold: Callable[[], Hold]
) -> None:
    hold = make_hold()
    pipeline.subscribe(MOTOR.tick, hold)
    for n in range(5):
        pipeline.notify(MOTOR.tick, (n,))
    hold.await_entry()
    pipeline.freeze()
    hold.go.set()
    eventually(lambda: books_of(pipeline).delivered == 1)
    assert pipeline.flush(0.05) is False
    assert [event.report.n for event in hold.calls] == [0]
    pipeline.thaw()
    assert pipeline.flush(PATIENCE)
    assert [event.report.n for event in hold.calls] == [0, 1, 2, 3, 4]


def test_frozen_before_a_batch_is_called_it_is_called_once_after_the_thaw(
    pipeline: Any, make_hold: Callable[[], Hold]
) -> None:
    hold = make_hold()
    batched: list[int] = []
    pipeline.subscribe(MOTOR.limit, hold)
    pipeline.subscribe(MOTOR.tick, lambda b: batched.extend(b.array["n"].tolist()), batch=True)
    pipeline.freeze()
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.notify(MOTOR.limit, (1, 1))
    pipeline.notify(MOTOR.tick, (2,))
    pipeline.thaw()
    hold.await_entry()
    pipeline.freeze()
    hold.go.set()
    assert pipeline.flush(0.05) is False
    assert 2 not in batched
    assert books_of(pipeline).accepted == 3
    pipeline.thaw()
    assert pipeline.flush(PATIENCE)
    assert batched == [1, 2]
    assert books_of(pipeline).delivered == 3


@pytest.mark.parametrize("second", [False, True])
def test_freezing_inside_a_callback_without_workers_does_not_hang(
    make_pipeline: Callable[..., Any], second: bool
) -> None:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR)
    got: list[int] = []
    freezer = pipeline.subscribe(MOTOR.tick, lambda event: pipeline.freeze())
    if second:
        pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.notify(MOTOR.tick, (2,))
    crew = Crew(lambda: pipeline.flush(0.05))
    crew.join()
    freezer.cancel(timeout=PATIENCE)
    pipeline.thaw()
    assert pipeline.flush(PATIENCE)
    assert 2 in got or not second


def test_freeze_from_a_callback_holds_the_next_event_back(pipeline: Any) -> None:
    got: list[int] = []

    @pipeline.subscribe(MOTOR.tick)
    def callback(event: Any) -> None:
        got.append(event.report.n)
        pipeline.freeze()

    for n in range(3):
        pipeline.notify(MOTOR.tick, (n,))
    for n in range(3):
        eventually(lambda n=n: books_of(pipeline).delivered == n + 1)
        assert got == list(range(n + 1))
        pipeline.thaw()
    assert pipeline.flush(PATIENCE)


def test_closing_a_frozen_pipeline_delivers(pipeline: Any) -> None:
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
    pipeline.freeze()
    for n in range(3):
        pipeline.notify(MOTOR.tick, (n,))
    assert pipeline.close() is True
    assert got == [0, 1, 2]


def test_freezing_a_closed_pipeline_is_an_error(pipeline: Any) -> None:
    pipeline.close()
    with pytest.raises(tocsin.ClosedError):
        pipeline.freeze()
    assert pipeline.flush() is True


def test_a_batch_kept_over_a_freeze_goes_with_a_subscription_cancelled_meanwhile(
    make_pipeline: Callable[..., Any],
) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR)
    got: list[int] = []
    frozen = threading.Event()

    @pipeline.subscribe(MOTOR.tick)
    def freeze(event: Any) -> None:
        if event.report.n == 0:  # a slow run may end before the others, and call
            pipeline.freeze()
            frozen.set()

    for _ in range(3):
        subscription = pipeline.subscribe(MOTOR.tick, lambda batch: got.append(len(batch)), batch=True)
        pipeline.notify_many(MOTOR.tick, b"".join(n.to_bytes(8, "little") for n in range(3)))
        assert frozen.wait(PATIENCE)
        subscription.cancel()
        pipeline.subscribe(MOTOR.raw, print).cancel()  # whatever is over is let go of here
        frozen.clear()
        pipeline.thaw()
        assert pipeline.flush(PATIENCE)
    assert got == []
    assert books_of(pipeline).delivered == 9


def test_what_was_called_before_a_freeze_counts_as_delivered_if_the_end_comes_instead_of_a_thaw(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold]
) -> None:
    pipeline = make_pipeline(workers=1, max_workers=1)
    pipeline.register(MOTOR, PUMP)
    hold, hang = make_hold(), make_hold()
    batches: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda batch: batches.append(len(batch)), batch=True, priority=1)
    pipeline.subscribe(MOTOR.tick, hold)
    pipeline.subscribe(PUMP.tick, hang)
    for n in range(3):
        pipeline.notify(MOTOR.tick, (n,))
    hold.await_entry()
    pipeline.notify(PUMP.tick, (0,))  # whose turn comes before the rest of the other
    pipeline.freeze()
    hold.go.set()
    eventually(lambda: books_of(pipeline).activations)
    assert books_of(pipeline).pending == 3
    assert pipeline.close(timeout=0) is False
    hang.go.set()
    eventually(lambda: not pipeline.stats().workers)
    assert (len(hold.calls), batches) == (1, [])
    books = books_of(pipeline)
    assert (books.delivered, books.unclaimed, books.abandoned, books.pending) == (1, 0, 2, 0)


def test_what_the_end_has_counted_is_not_counted_again_by_a_run_that_begins_behind_it() -> None:
    """In the twin in plain Python: its worker has taken the work, and the end is faster."""
    queue = EventsQueue(1024, 0, lambda: 0, [])
    for number in range(2):
        queue.put(0, bytes([number]), None)
        queue.take(queue.in_)
    queue.keep(delivered=1, unclaimed=0)
    queue.abandon()
    queue.begin_run()
    queue.settle(delivered=1, unclaimed=0, abandoned=1)
    queue.end_run(was_empty=True)
    books = queue.books()
    assert [books[name] for name in ("accepted", "delivered", "abandoned", "pending")] == [2, 1, 1, 0]
