"""subscribe(main_thread=True): calls between two bytecodes of the main thread, in the middle of its work."""

import ctypes
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tocsin
from helpers import (
    MOTOR,
    PATIENCE,
    STARTS,
    Crew,
    Hold,
    assert_ends_well,
    books_of,
    busy_until,
    eventually,
)

pytestmark = [
    pytest.mark.native_only("subscribe(main_thread=True)"),
    pytest.mark.parametrize("queue_start", STARTS, indirect=True),
]


@pytest.fixture
def failures() -> list[Any]:
    return []


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any], failures: list[Any]) -> Any:
    pipeline = make_pipeline(on_error=failures.append)
    pipeline.register(MOTOR)
    return pipeline


@pytest.fixture
def stepwise(make_pipeline: Callable[..., Any], failures: list[Any]) -> Any:
    pipeline = make_pipeline(workers=0, on_error=failures.append)
    pipeline.register(MOTOR)
    return pipeline


@pytest.fixture
def full_table() -> Iterator[None]:
    """Fill the interpreter's table of pending calls, from C so that it doesn't empty it in between."""
    put = ctypes.pythonapi.Py_AddPendingCall
    nothing = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(lambda _: 0)
    put.argtypes = [type(nothing), ctypes.c_void_p]
    stop = threading.Event()

    def fill() -> None:
        while not stop.is_set():
            put(nothing, None)

    crew = Crew(fill)
    yield
    stop.set()
    crew.join()


def test_it_is_called_on_the_main_thread_while_that_computes(pipeline: Any) -> None:
    got: list[Any] = []
    subscription = pipeline.subscribe(
        MOTOR.tick, lambda event: got.append((event.report.n, threading.get_ident())), main_thread=True
    )
    for n in range(500):
        assert pipeline.notify(MOTOR.tick, (n,))
    busy_until(lambda: len(got) == 500)
    assert got == [(n, threading.main_thread().ident) for n in range(500)]
    assert subscription.stats().calls == 500
    assert subscription.stats().slowest_ns > 0
    assert "main_thread" in repr(subscription)
    assert subscription.callback is not subscription.channel


def test_events_of_another_thread_arrive_too(pipeline: Any) -> None:
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n), main_thread=True)
    crew = Crew(lambda: [pipeline.notify(MOTOR.tick, (n,)) for n in range(900)])
    busy_until(lambda: len(got) == 900)
    crew.join()
    assert got == list(range(900))


def test_flush_on_the_main_thread_has_called_what_was_accepted(pipeline: Any, stepwise: Any) -> None:
    for each in (pipeline, stepwise):
        got: list[int] = []
        each.subscribe(MOTOR.tick, lambda event, got=got: got.append(event.report.n), main_thread=True)
        for n in range(300):
            each.notify(MOTOR.tick, (n,))
        assert each.flush() is True
        assert got == list(range(300))


def test_close_on_the_main_thread_delivers_first(pipeline: Any) -> None:
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n), main_thread=True)
    for n in range(1000):
        pipeline.notify(MOTOR.tick, (n,))
    assert pipeline.close() is True
    assert len(got) == 1000
    assert books_of(pipeline).delivered == 1000


def test_close_on_another_thread_leaves_the_rest_to_the_main_thread(pipeline: Any) -> None:
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n), main_thread=True)
    closed = threading.Event()

    def work() -> None:
        for n in range(1000):
            pipeline.notify(MOTOR.tick, (n,))
        assert pipeline.close() is True
        closed.set()

    crew = Crew(work)
    busy_until(closed.is_set)
    busy_until(lambda: len(got) == 1000)
    crew.join()


def test_what_has_no_room_is_dropped_and_told(stepwise: Any) -> None:
    losses: list[int] = []
    subscription = stepwise.subscribe(MOTOR.tick, lambda event: losses.append(event.lost), main_thread=True)
    crew = Crew(lambda: ([stepwise.notify(MOTOR.tick, (n,)) for n in range(2000)], stepwise._flush(None)))
    stepwise.freeze()  # so that no boundary of ours comes in between
    stepwise.thaw()
    crew.join()
    stepwise.flush()
    stepwise.notify(MOTOR.tick, (1,))
    stepwise.flush()
    stats = subscription.channel.stats()
    assert stats.offered == stats.delivered + stats.dropped == 2001
    assert sum(losses) == stats.dropped
    assert subscription.stats().calls == stats.delivered


def test_a_raising_callable_harms_nobody(pipeline: Any, failures: list[Any]) -> None:
    got: list[int] = []

    def callback(event: Any) -> None:
        got.append(event.report.n)
        raise ValueError(f"{event.report.n}")

    subscription = pipeline.subscribe(MOTOR.tick, callback, main_thread=True)
    for n in range(3):
        pipeline.notify(MOTOR.tick, (n,))
    pipeline.flush()
    assert got == [0, 1, 2]
    assert [str(failure.exception) for failure in failures] == ["0", "1", "2"]
    assert [(failure.subscription, failure.event.report.n) for failure in failures] == [
        (subscription, n) for n in range(3)
    ]
    assert (subscription.stats().errors, books_of(pipeline).callback_errors) == (3, 3)


def test_an_interrupt_goes_to_the_program(pipeline: Any, failures: list[Any]) -> None:
    got: list[int] = []

    def callback(event: Any) -> None:
        got.append(event.report.n)
        if event.report.n == 1:
            raise KeyboardInterrupt

    pipeline.subscribe(MOTOR.tick, callback, main_thread=True)

    pipeline.freeze()
    for n in range(3):
        pipeline.notify(MOTOR.tick, (n,))

    def go_on() -> None:
        pipeline.thaw()
        busy_until(lambda: False)

    with pytest.raises(KeyboardInterrupt):
        go_on()
    busy_until(lambda: got == [0, 1, 2])
    assert len(failures) == 1


def test_stop_and_priority_have_no_effect(pipeline: Any) -> None:
    got: list[str] = []

    def first(event: Any) -> Any:
        got.append("first")
        return tocsin.STOP

    pipeline.subscribe(MOTOR.tick, first, main_thread=True, priority=10)
    pipeline.subscribe(MOTOR.tick, lambda event: got.append("second"), main_thread=True)
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.flush()
    assert sorted(got) == ["first", "second"]


def test_calls_are_never_nested(pipeline: Any) -> None:
    depth = 0
    deepest = 0
    problems: list[Exception] = []

    def callback(event: Any) -> None:
        nonlocal depth, deepest
        depth += 1
        deepest = max(deepest, depth)
        if event.report.n < 50:
            pipeline.notify(MOTOR.tick, (event.report.n + 50,))
        for _ in range(200):  # bytecode boundaries, each of which the next call could take
            pass
        try:
            pipeline.flush()
        except RuntimeError as error:
            problems.append(error)
        depth -= 1

    first = pipeline.subscribe(MOTOR.tick, callback, main_thread=True)
    second = pipeline.subscribe(MOTOR.tick, lambda event: callback(event), main_thread=True)
    for n in range(50):
        pipeline.notify(MOTOR.tick, (n,))
        if n % 10 == 0:
            pipeline.flush()
    busy_until(lambda: first.stats().calls == second.stats().calls == 150)
    assert deepest == 1
    assert len(problems) == 300


def test_cancelling_on_the_main_thread_ends_it_at_once(pipeline: Any) -> None:
    got: list[int] = []
    subscription = pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n), main_thread=True)
    for n in range(1000):
        pipeline.notify(MOTOR.tick, (n,))
    assert subscription.cancel() is True
    so_far = len(got)
    pipeline.flush()
    for _ in range(10_000):
        pass
    assert len(got) == so_far
    assert subscription.state == "cancelled"


def test_a_callable_may_cancel_itself(pipeline: Any) -> None:
    got: list[int] = []

    def callback(event: Any) -> None:
        got.append(event.report.n)
        assert subscription.cancel() is False  # it is running

    subscription = pipeline.subscribe(MOTOR.tick, callback, main_thread=True)
    for n in range(3):
        pipeline.notify(MOTOR.tick, (n,))
    pipeline.flush()
    assert got == [0]


def test_cancelling_on_another_thread_waits_for_a_running_call(pipeline: Any) -> None:
    inside = threading.Event()
    order: list[str] = []

    def callback(event: Any) -> None:
        inside.set()
        busy_until(lambda: order == ["cancelling"])
        time.sleep(0.01)
        order.append("returned")

    subscription = pipeline.subscribe(MOTOR.tick, callback, main_thread=True)

    def cancel() -> None:
        assert inside.wait(PATIENCE)
        assert subscription.cancel(timeout=0) is False
        order.append("cancelling")
        assert subscription.cancel() is True
        order.append("cancelled")

    crew = Crew(cancel)
    pipeline.notify(MOTOR.tick, (1,))
    busy_until(inside.is_set)
    crew.join()
    assert order == ["cancelling", "returned", "cancelled"]


def test_frozen_it_begins_no_call(pipeline: Any) -> None:
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n), main_thread=True)
    pipeline.freeze()
    for n in range(5):
        pipeline.notify(MOTOR.tick, (n,))
    for _ in range(10_000):
        pass
    assert got == []
    pipeline.thaw()
    busy_until(lambda: got == [0, 1, 2, 3, 4])


def test_a_freeze_inside_a_call_holds_the_next_one_back(stepwise: Any) -> None:
    got: list[int] = []

    def callback(event: Any) -> None:
        got.append(event.report.n)
        stepwise.freeze()

    stepwise.subscribe(MOTOR.tick, callback, main_thread=True)
    for n in range(2):
        stepwise.notify(MOTOR.tick, (n,))
    assert stepwise.flush() is False
    assert got == [0]
    stepwise.thaw()
    busy_until(lambda: got == [0, 1])


def test_a_full_table_of_the_interpreter_is_tried_again(pipeline: Any, full_table: None) -> None:
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n), main_thread=True)
    for n in range(200):
        pipeline.notify(MOTOR.tick, (n,))
        time.sleep(0)
    busy_until(lambda: len(got) == 200)


def test_a_main_thread_that_waits_in_c_gets_them_afterwards(pipeline: Any) -> None:
    got: list[int] = []
    subscription = pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n), main_thread=True)
    seen: list[int] = []

    def work() -> None:
        for n in range(1500):
            pipeline.notify(MOTOR.tick, (n,))
        assert pipeline.flush()
        seen.append(len(got))

    crew = Crew(work)
    for thread in crew.threads:
        thread.join()  # one call in C
    assert seen[0] <= 1500
    busy_until(lambda: len(got) == subscription.channel.stats().delivered >= 1024)


def test_it_runs_in_the_middle_of_a_signal_handler_free_wait(pipeline: Any) -> None:
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n), main_thread=True)
    channel = pipeline.channel(MOTOR.tick)

    def interrupt(number: int, frame: Any) -> None:
        pipeline.notify(MOTOR.tick, (2,))

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        assert channel.get(timeout=PATIENCE).report.n == 2
    finally:
        signal.signal(signal.SIGALRM, before)
    busy_until(lambda: got == [2])


def test_late_binding_and_unregistering(pipeline: Any) -> None:
    got: list[int] = []
    pipeline.unregister(MOTOR)
    subscription = pipeline.subscribe((0x80, 1), lambda event: got.append(event.report.n), main_thread=True)
    assert subscription.state == "pending"
    for n in range(3):
        pipeline.register(MOTOR)
        pipeline.notify(MOTOR.tick, (n,))
        pipeline.unregister(MOTOR)
    busy_until(lambda: got == [0, 1, 2])
    assert subscription.stats().calls == 3


def test_a_dropped_pipeline_calls_nothing_more(make_hold: Callable[[], Hold]) -> None:
    got: list[int] = []
    pipeline = tocsin.Pipeline()
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n), main_thread=True)
    del pipeline
    for _ in range(10_000):
        pass
    assert got == []


def test_refusals(pipeline: Any) -> None:
    with pytest.raises(ValueError, match="batch=True or main_thread=True"):
        pipeline.subscribe(MOTOR.tick, print, batch=True, main_thread=True)

    async def later(event: Any) -> None:
        pass

    with pytest.raises(TypeError, match="coroutine"):
        pipeline.subscribe(MOTOR.tick, later, main_thread=True)
    with pytest.raises(TypeError, match="priority"):
        pipeline.subscribe(MOTOR.tick, print, priority="high", main_thread=True)

    @pipeline.subscribe(MOTOR.tick, main_thread=True)
    def once(event: Any) -> None:
        pass

    with pytest.raises(ValueError, match="subscribed"):
        pipeline.subscribe(MOTOR.tick, once, main_thread=True)
    assert len(pipeline.subscriptions) == 1


def test_the_interpreters_end_is_harmless() -> None:
    code = """
import tocsin
class Job(tocsin.Protocol):
    done = tocsin.EventType(0, {"n": "u4"})
JOB = Job(3)
pipeline = tocsin.Pipeline()
pipeline.register(JOB)
got = []
pipeline.subscribe(JOB.done, lambda event: print(event.report.n), main_thread=True)
pipeline.subscribe(JOB.done, lambda event: None)
for n in range(3):
    pipeline.notify(JOB.done, (n,))
"""
    assert assert_ends_well(code) == "0\n1\n2\n"


def test_books_balance_when_cancelled_with_events_queued(pipeline: Any) -> None:
    subscription = pipeline.subscribe(MOTOR.tick, lambda event: None, main_thread=True)
    pipeline.freeze()
    for n in range(10):
        pipeline.notify(MOTOR.tick, (n,))
    pipeline.thaw()
    subscription.cancel()
    pipeline.flush()
    stats = subscription.channel.stats()
    assert stats.offered == stats.delivered + stats.dropped + stats.pending
    eventually(lambda: books_of(pipeline).accepted == 10)
