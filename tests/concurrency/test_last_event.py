"""The last event before a silence is delivered, wherever the worker is when it comes.

Each event here is alone: the next one is notified only after it was delivered, so no later event
could push it out. That fails at the first event that is stranded, with the state of the pipeline.
"""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from helpers import MOTOR, PATIENCE, STARTS, Crew, books_of

TIMES = 20_000

pytestmark = pytest.mark.stress


class Line:
    """Notify one event at a time and wait for it."""

    def __init__(self, pipeline: Any, *, batch: bool) -> None:
        self.pipeline = pipeline
        self.delivered: queue.SimpleQueue[int] = queue.SimpleQueue()
        put = self.delivered.put
        if batch:
            pipeline.subscribe(MOTOR.tick, lambda b: [put(int(n)) for n in b.array["n"]], batch=True)
        else:
            pipeline.subscribe(MOTOR.tick, lambda event: put(event.report.n))

    def await_delivery(self, n: int) -> None:
        try:
            assert self.delivered.get(timeout=PATIENCE) == n
        except queue.Empty:
            pytest.fail(f"event {n} is stranded: {self.pipeline.stats()}")


@pytest.fixture(params=[False, True], ids=["event", "batch"])
def line(make_pipeline: Callable[..., Any], request: pytest.FixtureRequest) -> Line:
    pipeline = make_pipeline()
    pipeline.register(MOTOR)
    return Line(pipeline, batch=request.param)


def times(line: Line) -> range:
    return range(TIMES)


def test_worker_asleep(line: Line) -> None:
    for n in times(line):
        assert line.pipeline.notify(MOTOR.tick, (n,))
        line.await_delivery(n)
        time.sleep(0.00005)  # most of the time it is asleep by then
    books = books_of(line.pipeline)
    assert books.delivered == TIMES
    assert books.wakeups > TIMES // 10  # or this test was about something else


def test_worker_leaving(line: Line) -> None:
    for n in times(line):
        assert line.pipeline.notify(MOTOR.tick, (n,))
        line.await_delivery(n)  # its callback has not even returned
    assert line.pipeline.flush(PATIENCE)
    assert books_of(line.pipeline).delivered == TIMES


def test_worker_running(line: Line) -> None:
    """Each second event comes from another thread while the callback of the one before waits."""
    wanted: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    notified: queue.SimpleQueue[bool] = queue.SimpleQueue()
    pipeline = line.pipeline

    def other_thread() -> None:
        while (n := wanted.get(timeout=PATIENCE)) is not None:
            notified.put(pipeline.notify(MOTOR.tick, (n,)))

    def callback(event: Any) -> None:
        if event.report.n % 2 == 0:
            wanted.put(event.report.n + 1)
            assert notified.get(timeout=PATIENCE)

    pipeline.subscribe(MOTOR.tick, callback)
    crew = Crew(other_thread)
    try:
        for n in range(0, TIMES, 2):
            assert pipeline.notify(MOTOR.tick, (n,))
            line.await_delivery(n)
            line.await_delivery(n + 1)
    finally:
        wanted.put(None)
        crew.join()
    assert books_of(pipeline).callback_errors == 0


def test_worker_anywhere(line: Line) -> None:
    """From two threads in turn, after pauses of every length."""
    turns: list[queue.SimpleQueue[int]] = [queue.SimpleQueue(), queue.SimpleQueue()]
    pause = 0

    def turn(me: int) -> None:
        nonlocal pause
        while (n := turns[me].get(timeout=PATIENCE)) < TIMES:
            for _ in range(pause):
                threading.get_ident()
            pause = (pause + 7) % 400
            assert line.pipeline.notify(MOTOR.tick, (n,))
            line.await_delivery(n)
            turns[1 - me].put(n + 1)
        turns[1 - me].put(n)

    crew = Crew(lambda: turn(0), lambda: turn(1))
    turns[0].put(0)
    crew.join()
    assert books_of(line.pipeline).delivered == TIMES


@pytest.mark.parametrize("queue_start", STARTS, indirect=True)
def test_with_the_ring_wrapping_all_the_time(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, queue_size=1024)
    got: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    pipeline.subscribe(MOTOR.raw, lambda event: got.put(event.payload))
    for n in range(3000):
        payload = bytes([n % 256]) * (n * 31 % 490)
        assert pipeline.notify(MOTOR.raw, payload)
        try:
            assert got.get(timeout=PATIENCE) == payload
        except queue.Empty:
            pytest.fail(f"event {n} is stranded: {pipeline.stats()}")
        assert pipeline.flush(PATIENCE)


def test_while_the_only_subscriber_comes_and_goes(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR)
    got: queue.SimpleQueue[int] = queue.SimpleQueue()
    for n in range(0, 6000, 2):
        with pipeline.subscribe(MOTOR.tick, lambda event: got.put(event.report.n)):
            assert pipeline.notify(MOTOR.tick, (n,))
            try:
                came = got.get(timeout=PATIENCE)
                while came != n:  # what was left for nobody may still be offered
                    assert came == n - 1
                    came = got.get(timeout=PATIENCE)
            except queue.Empty:
                pytest.fail(f"event {n} is stranded: {pipeline.stats()}")
        assert pipeline.notify(MOTOR.tick, (n + 1,))  # for nobody
    assert pipeline.flush(PATIENCE)
    books = books_of(pipeline)
    assert books.delivered + books.unclaimed == 6000
    assert books.delivered >= 3000
