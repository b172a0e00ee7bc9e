"""Every kind of object used by many threads at once: what each of them can rely on, whatever the others do.

Plain pytest runs each of these once, which shows only that they are right. The row of tests.verify runs each
on several threads together, by pytest-run-parallel, and without a GIL where such a Python is there.
"""

import itertools
import threading
from functools import cache
from typing import Any

import pytest
import tests.endings.programs  # noqa: F401  # plants what the check says

import tocsin
from helpers import MOTOR, PATIENCE

NUMBERS = itertools.count(1)  # a new one for each run on each thread: nobody shares a source
PAIR = tocsin.Protocol(0x92, "pair", {"of": tocsin.EventType(0, {"who": "u4", "n": "u4"}, source="who")})
FREE = list(range(0xA0, 0xF0))  # ids of protocols that nobody has registered
EVENTS = 50


@pytest.fixture(autouse=True)
def queue_start() -> int:
    """Leave the counters of queues alone: the fixture of this name for all tests is not made for threads."""
    return 0


@cache
def made() -> tuple[Any, list[tuple[int, int]]]:
    pipeline = tocsin.Pipeline()
    pipeline.register(PAIR, MOTOR)
    heard: list[tuple[int, int]] = []
    pipeline.subscribe(PAIR.of, lambda event: heard.append(event.report))
    return pipeline, heard


LOCK = threading.Lock()


def shared() -> tuple[Any, list[tuple[int, int]]]:
    """Return the one pipeline of all threads, and what its subscriber has heard."""
    with LOCK:
        return made()


def notify(pipeline: Any, me: int) -> None:
    for n in range(EVENTS):
        assert pipeline.notify(PAIR.of, PAIR.of.pack(me, n), timeout=PATIENCE)


def of_mine(heard: list[tuple[int, int]], me: int) -> list[int]:
    return [n for who, n in list(heard) if who == me]


def test_what_a_thread_notifies_is_heard_in_its_order() -> None:
    (pipeline, heard), me = shared(), next(NUMBERS)
    notify(pipeline, me)
    assert pipeline.flush(PATIENCE)
    assert of_mine(heard, me) == list(range(EVENTS))


@pytest.mark.parametrize("batch", [False, True])
def test_a_subscription_hears_its_own_source_until_it_is_cancelled(batch: bool) -> None:
    (pipeline, _), me = shared(), next(NUMBERS)
    got: list[int] = []
    one = (lambda batch: got.extend(event.report.n for event in batch)) if batch else None
    subscription = pipeline.subscribe(
        PAIR.of, one or (lambda event: got.append(event.report.n)), source=me, batch=batch
    )
    assert subscription in pipeline.subscriptions
    notify(pipeline, me)
    assert pipeline.flush(PATIENCE)
    assert subscription.cancel(timeout=PATIENCE)
    notify(pipeline, me)
    assert pipeline.flush(PATIENCE)
    assert (got, subscription.state) == (list(range(EVENTS)), "cancelled")


@pytest.mark.parametrize("overflow", ["drop_newest", "drop_oldest", "latest", "block"])
def test_a_channel_has_what_came_and_books_that_balance(overflow: str) -> None:
    (pipeline, _), me = shared(), next(NUMBERS)
    options = {"timeout": PATIENCE} if overflow == "block" else {}
    with pipeline.channel(PAIR.of, source=me, overflow=overflow, **options) as channel:
        notify(pipeline, me)
        assert pipeline.flush(PATIENCE)
        got = [event.report.n for event in channel.get_batch(timeout=PATIENCE)]
    assert got == (list(range(EVENTS)) if overflow != "latest" else [EVENTS - 1])
    books = channel.stats()
    assert books.offered == EVENTS == books.delivered + books.dropped + books.conflated + books.pending


@pytest.mark.native_only("it has native producers")
def test_a_producer_of_each_thread_writes_in_its_order() -> None:
    (pipeline, heard), me = shared(), next(NUMBERS)
    with pipeline.producer(PAIR) as producer:
        for n in range(EVENTS):
            producer.notify(0, (me, n))
    assert pipeline.flush(PATIENCE)
    assert of_mine(heard, me) == list(range(EVENTS))


def test_protocols_come_and_go() -> None:
    pipeline, _ = shared()
    protocol = tocsin.Protocol(FREE.pop(), "goes", {"tick": tocsin.EventType(0, {"n": "u8"})})
    got: list[int] = []
    subscription = pipeline.subscribe(protocol.tick, lambda event: got.append(event.report.n))
    pipeline.register(protocol)
    assert protocol in pipeline.protocols
    assert pipeline.notify(protocol.tick, (7,))
    assert pipeline.unregister(protocol, timeout=PATIENCE)
    assert (got, subscription.state) == ([7], "pending")
    assert subscription.cancel()
    FREE.append(protocol.id)


def test_freezes_looks_and_flushes_cross() -> None:
    (pipeline, heard), me = shared(), next(NUMBERS)
    for _ in range(5):
        pipeline.freeze()
        notify(pipeline, me)
        pipeline.stats(), repr(pipeline), pipeline.now(), pipeline.lingering, pipeline.subscriptions
        pipeline.thaw()
        pipeline.flush(0.001)
    while not pipeline.flush(0.01):
        pipeline.thaw()  # another thread has frozen it
    assert of_mine(heard, me) == list(range(EVENTS)) * 5


def test_events_and_batches_read_the_same_for_all() -> None:
    for event in kept()[0], kept()[1][0]:
        assert (event.report, event.payload) == ((1, 2), PAIR.of.pack(1, 2))
        assert (event.source, event.lost, event.type, event.key.source) == (1, 0, PAIR.of, 1)
    assert [bytes(kept()[1].payload(0))] == [PAIR.of.pack(1, 2)]


@cache
def kept() -> tuple[Any, Any]:
    events: list[Any] = []
    with tocsin.Pipeline(workers=0) as pipeline:
        pipeline.register(PAIR)
        pipeline.subscribe(PAIR.of, lambda event: events.append(event))
        pipeline.subscribe(PAIR.of, lambda batch: events.append(batch), batch=True)
        pipeline.notify(PAIR.of, (1, 2))
    return events[0], events[1]


@cache
def workqueue() -> tocsin.WorkQueue:
    return tocsin.WorkQueue("shared", workers=2)


def test_works_move_between_queues() -> None:
    with LOCK:
        queue = workqueue()
    runs: list[int] = []
    work = tocsin.Work(lambda: runs.append(1))
    for n in range(10):
        with tocsin.WorkQueue("own") as own:
            assert own.queue(work)
        assert len(runs) == 2 * n + 1
        assert queue.queue_delayed(work, 0)
        work.flush(PATIENCE)
        assert len(runs) == 2 * n + 2
        assert not work.cancel_sync(PATIENCE)


def test_a_pipeline_of_each_thread_begins_and_ends() -> None:
    got: list[int] = []
    with tocsin.Pipeline(workers=1) as pipeline:
        pipeline.register(MOTOR)
        pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
        assert pipeline.notify(MOTOR.tick, (1,))
    assert got == [1]
