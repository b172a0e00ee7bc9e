"""workers=0: flush() delivers, in the caller, in an order that nothing but the program decides.

The situations are those in which an event can come while the worker is somewhere in particular:
idle, about to run, running, between its last look and its end, and gone.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import tocsin
from helpers import MOTOR, PUMP, STARTS, Crew, assert_ends_well, books_of

pytestmark = pytest.mark.parametrize("queue_start", STARTS, indirect=True)


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, PUMP)
    return pipeline


@pytest.fixture
def got(pipeline: Any) -> list[tuple[str, int]]:
    events: list[tuple[str, int]] = []

    @pipeline.subscribe([MOTOR.tick, PUMP.tick])
    def note(event: Any) -> None:
        events.append((event.type.protocol.name, event.report.n))

    return events


def test_nothing_is_delivered_before_flush(pipeline: Any, got: list[Any]) -> None:
    for n in range(100):
        pipeline.notify(MOTOR.tick, (n,))
    books = books_of(pipeline)
    assert (got, books.pending, books.delivered) == ([], 100, 0)
    assert pipeline.stats().workers == 0
    pipeline.flush()
    assert got == [("motor", n) for n in range(100)]


def test_callbacks_run_on_the_thread_that_flushes(pipeline: Any) -> None:
    threads: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: threads.append(threading.get_ident()))
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.flush()
    pipeline.notify(MOTOR.tick, (2,))
    flusher: list[int] = []
    Crew(lambda: (flusher.append(threading.get_ident()), pipeline.flush())).join()
    assert threads == [threading.get_ident(), *flusher]


def test_protocols_take_turns_in_the_order_of_their_first_event(pipeline: Any, got: list[Any]) -> None:
    order = []
    for first, second in ((PUMP, MOTOR), (MOTOR, PUMP)):
        for n in range(3):
            pipeline.notify(first.tick, (n,))
            pipeline.notify(second.tick, (n,))
        order += [(protocol.name, n) for protocol in (first, second) for n in range(3)]
        pipeline.flush()
    assert got == order


def test_the_order_across_protocols_does_not_depend_on_time(pipeline: Any, got: list[Any]) -> None:
    pipeline.subscribe(MOTOR.tick, lambda event: threading.Event().wait(0.003))
    for n in range(3):
        pipeline.notify(MOTOR.tick, (n,))
        pipeline.notify(PUMP.tick, (n,))
    pipeline.flush()
    assert got == [(name, n) for name in ("motor", "pump") for n in range(3)]


# ---------------------------------------------------------------------------------- the situations


def test_the_room_that_callbacks_find_does_not_depend_on_how_long_they_take(
    make_pipeline: Callable[..., Any],
) -> None:
    def found(seconds: float) -> list[bool]:
        pipeline = make_pipeline(workers=0)
        pipeline.register(MOTOR, queue_size=4096)
        room: list[bool] = []

        @pipeline.subscribe(MOTOR.tick)
        def refill(event: Any) -> None:
            if seconds:
                time.sleep(seconds)
            if len(room) < 200:
                room.append(pipeline.notify(MOTOR.tick, (event.report.n,)))

        while pipeline.notify(MOTOR.tick, (0,)):
            pass
        pipeline.flush()
        return room

    assert found(0.0001) == found(0)


def test_worker_idle_the_event_is_all_there_is(pipeline: Any, got: list[Any]) -> None:
    for n in range(5):
        pipeline.notify(MOTOR.tick, (n,))
        assert pipeline.flush()
        assert got[-1] == ("motor", n)


def test_worker_about_to_run_one_run_covers_both(pipeline: Any, got: list[Any]) -> None:
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.notify(MOTOR.tick, (2,))
    before = books_of(pipeline).activations
    pipeline.flush()
    assert got == [("motor", 1), ("motor", 2)]
    assert books_of(pipeline).activations - before <= 2


def test_worker_running_the_event_is_delivered_in_the_same_flush_after_those_before_it(
    pipeline: Any, got: list[Any]
) -> None:
    @pipeline.subscribe(MOTOR.tick, priority=1)
    def follow(event: Any) -> None:
        if event.report.n < 10:
            assert pipeline.notify(MOTOR.tick, (event.report.n + 10,))

    pipeline.notify(MOTOR.tick, (1,))
    pipeline.notify(MOTOR.tick, (2,))
    assert pipeline.flush()
    assert [n for _, n in got] == [1, 2, 11, 12]


def test_worker_in_its_last_event_the_next_needs_no_later_one(pipeline: Any, got: list[Any]) -> None:
    left = 500

    @pipeline.subscribe(MOTOR.tick)
    def last_word(event: Any) -> None:
        nonlocal left
        if left:  # called last in the chain of the only event there is
            left -= 1
            pipeline.notify(MOTOR.tick, (event.report.n + 1,))

    pipeline.notify(MOTOR.tick, (0,))
    for _ in range(501):
        pipeline.flush()
    assert [n for _, n in got] == list(range(501))


def test_worker_gone_the_event_kicks_a_new_run(pipeline: Any, got: list[Any]) -> None:
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.flush()
    runs = books_of(pipeline).activations
    pipeline.flush()
    assert books_of(pipeline).activations == runs  # nobody runs for nothing
    pipeline.notify(MOTOR.tick, (2,))
    pipeline.flush()
    assert [n for _, n in got] == [1, 2]
    assert books_of(pipeline).activations > runs


def test_another_thread_notifies_while_the_worker_is_inside(pipeline: Any, got: list[Any]) -> None:
    @pipeline.subscribe(MOTOR.tick)
    def wait_for_the_other(event: Any) -> None:
        if event.report.n < 20:
            Crew(lambda: pipeline.notify(MOTOR.tick, (event.report.n + 1,))).join()

    pipeline.notify(MOTOR.tick, (0,))
    for _ in range(21):
        pipeline.flush()
    assert [n for _, n in got] == list(range(21))


def test_an_event_for_another_protocol_from_a_callback_is_not_lost(pipeline: Any, got: list[Any]) -> None:
    @pipeline.subscribe([MOTOR.tick, PUMP.tick])
    def to_and_fro(event: Any) -> None:
        other = PUMP if event.protocol == MOTOR.id else MOTOR
        if event.report.n < 50:
            pipeline.notify(other.tick, (event.report.n + 1,))

    pipeline.notify(MOTOR.tick, (0,))
    for _ in range(51):
        pipeline.flush()
    assert [n for _, n in got] == list(range(51))


def test_the_first_python_subscriber_comes_while_events_wait(pipeline: Any) -> None:
    for n in range(3):
        pipeline.notify(MOTOR.tick, (n,))
    numbers: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: numbers.append(event.report.n))
    pipeline.notify(MOTOR.tick, (3,))
    pipeline.flush()
    assert numbers[-1] == 3
    assert numbers == list(range(4 - len(numbers), 4))


def test_coming_and_going_of_the_only_subscriber_loses_nothing(pipeline: Any) -> None:
    expected = []
    numbers: list[int] = []
    for n in range(200):
        if n % 3 == 0:
            pipeline.flush()
            subscription = pipeline.subscribe(MOTOR.tick, lambda e: numbers.append(e.report.n))
        pipeline.notify(MOTOR.tick, (n,))
        if n % 2:
            pipeline.flush()
        if n % 3 == 1:
            pipeline.flush()
            subscription.cancel()
        if n % 3 != 2:
            expected.append(n)
    pipeline.flush()
    assert numbers == expected
    books = books_of(pipeline)
    assert (books.delivered, books.unclaimed) == (len(expected), 200 - len(expected))


# ------------------------------------------------------------------------------------------ limits


@pytest.mark.parametrize("timeout", [0, 0.05])
def test_a_callback_that_feeds_itself_cannot_hold_flush_for_ever(queue_start: int, timeout: float) -> None:
    code = f"""
from helpers import MOTOR
import tocsin
tocsin.Pipeline._queue_start = {queue_start}
pipeline = tocsin.Pipeline(workers=0)
pipeline.register(MOTOR)
feed = lambda event: pipeline.notify(MOTOR.tick, (1,))
subscription = pipeline.subscribe(MOTOR.tick, feed)
pipeline.notify(MOTOR.tick, (0,))
pipeline.flush({timeout})
subscription.cancel()
assert pipeline.flush()
print("returned", end="")
"""
    assert assert_ends_well(code, timeout=20) == "returned"


def test_close_delivers_in_the_caller(pipeline: Any, got: list[Any]) -> None:
    pipeline.notify_many(MOTOR.tick, numpy.arange(10_000, dtype="<u8"))
    assert pipeline.close() is True
    assert got == [("motor", n) for n in range(10_000)]


def test_two_threads_may_flush_at_once(pipeline: Any, got: list[Any]) -> None:
    pipeline.notify_many(MOTOR.tick, numpy.arange(5000, dtype="<u8"))
    answers: list[bool] = []
    Crew(*[lambda: answers.append(pipeline.flush(60))] * 3).join()
    assert answers == [True] * 3
    assert got == [("motor", n) for n in range(5000)]


def test_events_come_with_the_timestamps_that_they_were_given(pipeline: Any) -> None:
    stamps: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: stamps.append(event.timestamp))
    for stamp in (5, 3, 2**63):
        pipeline.notify(MOTOR.tick, (0,), stamp)
    pipeline.flush()
    assert stamps == [5, 3, 2**63]
    assert isinstance(pipeline.stats(), tocsin.PipelineStats)
