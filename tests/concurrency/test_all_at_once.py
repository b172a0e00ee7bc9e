"""The whole Python API from several threads at once: nothing is lost, torn or freed under somebody's feet.

With a GIL most of this is a matter of course; on free-threaded builds each of these is somebody's lock.
"""

import functools
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tocsin
from helpers import MOTOR, PATIENCE, PUMP, Crew, Motor, books_of, eventually

pytestmark = pytest.mark.stress

SECONDS = 1.0  # that a test goes on whose bugs need two threads at the same place


def rounds() -> Iterator[int]:
    """Count from 0 until the time is over."""
    until = time.monotonic() + SECONDS
    return itertools.takewhile(lambda n: time.monotonic() < until, itertools.count())


def fill(pipeline: Any, protocols: list[Any], count: int) -> None:
    """Have all workers begin at once, with `count` ticks in each protocol."""
    pipeline.freeze()
    for protocol in protocols:
        assert pipeline.notify_many(protocol.tick, bytes(8 * count)) == count
    pipeline.thaw()
    assert pipeline.flush(PATIENCE)


def test_one_subscription_on_several_workers_counts_each_call(make_pipeline: Callable[..., Any]) -> None:
    protocols = [Motor(n, f"m{n}") for n in range(4)]
    pipeline = make_pipeline()
    pipeline.register(*protocols)
    subscription = pipeline.subscribe(protocols, lambda event: None)
    filled = 0
    for _ in rounds():
        fill(pipeline, protocols, 20_000)
        filled += 20_000
    assert subscription.stats().calls == 4 * filled
    assert all(books_of(pipeline, protocol).delivered == filled for protocol in protocols)


def test_one_subscription_on_several_workers_counts_each_error(make_pipeline: Callable[..., Any]) -> None:
    protocols = [Motor(n, f"m{n}") for n in range(4)]
    failures: list[None] = []  # filled by several workers; append() is one step
    pipeline = make_pipeline(on_error=lambda failure: failures.append(None))
    pipeline.register(*protocols)

    def fail(event: Any) -> None:
        raise ValueError(event.protocol)

    subscription = pipeline.subscribe(protocols, fail)
    filled = 0
    for _ in rounds():
        fill(pipeline, protocols, 1000)
        filled += 1000
    stats = subscription.stats()
    assert stats.calls == stats.errors == len(failures) == 4 * filled
    assert isinstance(stats.last_error, ValueError)
    assert all(books_of(pipeline, protocol).callback_errors == filled for protocol in protocols)


class Tally:
    """What one thread's calls of notify() came to."""

    def __init__(self) -> None:
        self.accepted = self.refused = self.late = 0

    def notify(self, pipeline: Any, protocol: Any, n: int) -> bool:
        """Notify a tick; False once the pipeline is closed."""
        try:
            if pipeline.notify(protocol.tick, (n,)):
                self.accepted += 1
            else:
                self.refused += 1
        except tocsin.ClosedError:
            self.late += 1
            return False
        return True


@pytest.mark.parametrize("batch", [False, True])
def test_everything_while_it_is_closed_leaves_exact_books(
    make_pipeline: Callable[..., Any], books: Callable[[Any], None], batch: bool
) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, PUMP, queue_size=1 << 14)
    heard: list[int] = []  # filled by several workers; append() is one step
    constant = pipeline.subscribe(
        [MOTOR, PUMP], lambda part: heard.append(len(part) if batch else 1), batch=batch
    )
    tallies = [Tally() for _ in range(3)]
    ready = threading.Barrier(7)

    def produce(tally: Tally, protocol: Any) -> None:
        ready.wait(PATIENCE)
        n = 0
        while tally.notify(pipeline, protocol, n):
            n += 1

    def churn(number: int) -> None:
        ready.wait(PATIENCE)
        try:
            while True:
                subscription = pipeline.subscribe(
                    [MOTOR, PUMP], lambda part: None, priority=number, batch=number % 2 == 0
                )
                subscription.stats()
                assert subscription.cancel(timeout=PATIENCE)
                assert subscription.callback is None
        except tocsin.ClosedError:
            pass

    def look() -> None:
        ready.wait(PATIENCE)
        while "closed" not in repr(pipeline):
            assert constant in pipeline.subscriptions
            assert set(pipeline.protocols) >= {MOTOR, PUMP}
            books(pipeline)

    def extend() -> None:
        ready.wait(PATIENCE)
        try:
            for n in range(60):
                pipeline.register(Motor(n, f"m{n}"), queue_size=1024)
                if not tallies[2].notify(pipeline, Motor(n), n):
                    break
                with pipeline.producer(MOTOR) as producer:
                    assert "Producer" in repr(producer)
        except tocsin.ClosedError:
            pass

    crew = Crew(
        lambda: produce(tallies[0], MOTOR),
        lambda: produce(tallies[1], PUMP),
        lambda: churn(1),
        lambda: churn(2),
        look,
        extend,
    )
    ready.wait(PATIENCE)
    eventually(lambda: all(tally.accepted > 3000 for tally in tallies[:2]), pipeline.stats)
    closed: list[bool] = []
    Crew(*[lambda: closed.append(pipeline.close(PATIENCE))] * 2).join()
    crew.join()

    stats = pipeline.stats()
    assert closed == [True, True]
    assert sum(tally.accepted for tally in tallies) == sum(each.accepted for each in stats.protocols.values())
    assert sum(tally.refused for tally in tallies) == sum(each.refused for each in stats.protocols.values())
    assert stats.closed == sum(tally.late for tally in tallies)
    assert sum(heard) == sum(stats.protocols[protocol.id].delivered for protocol in (MOTOR, PUMP))
    assert constant.stats().calls == len(heard)
    assert all(each.pending == each.abandoned == 0 for each in stats.protocols.values())


@pytest.mark.parametrize("threads", [0, 3])
def test_a_subscription_cancelled_in_a_flood_is_never_called_again(
    make_pipeline: Callable[..., Any], threads: int
) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, PUMP, queue_size=1 << 14)
    over = threading.Event()
    heard: list[tuple[list[None], int]] = []  # the calls of each, and how many when cancel() had returned

    def produce(protocol: Any) -> None:
        while not over.is_set():
            pipeline.notify(protocol.tick, (0,))

    def cancel(subscription: Any, calls: list[None]) -> None:
        assert subscription.cancel(timeout=PATIENCE)
        heard.append((calls, len(calls)))
        assert len(calls) == subscription.stats().calls

    producers = Crew(lambda: produce(MOTOR), lambda: produce(PUMP))
    try:
        for n in rounds():
            calls: list[None] = []
            subscription = pipeline.subscribe(
                [MOTOR, PUMP], lambda part, calls=calls: calls.append(None), batch=n % 3 == 0
            )
            eventually(lambda calls=calls: calls)
            work = functools.partial(cancel, subscription, calls)
            Crew(*[work] * threads).join() if threads else work()
    finally:
        over.set()
        producers.join()
    assert pipeline.flush(PATIENCE)
    assert [len(calls) - before for calls, before in heard] == [0] * len(heard), "called after cancel()"


def test_pipelines_are_made_and_dropped_by_several_threads(make_pipeline: Callable[..., Any]) -> None:
    def churn() -> None:
        for n in range(60):
            pipeline = tocsin.Pipeline(workers=n % 3)
            pipeline.register(MOTOR, PUMP, queue_size=1024)
            pipeline.subscribe([MOTOR, PUMP], lambda part: None, batch=n % 2 == 0)
            pipeline.notify(MOTOR.tick, (n,))
            pipeline.notify(PUMP.tick, (n,))
            if n % 5 == 0:
                assert pipeline.close(PATIENCE)

    Crew(churn, churn, churn).join()


def test_the_payload_of_an_event_is_read_by_several_threads(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR)
    events: list[Any] = []
    pipeline.subscribe(MOTOR.tick, events.append)
    fill(pipeline, [MOTOR], 10_000)
    ready = threading.Barrier(3)

    def read() -> None:
        ready.wait(PATIENCE)
        assert {event.payload for event in events} == {bytes(8)}

    Crew(read, read, read).join()


def test_each_work_that_several_threads_queue_and_drop_runs_once(
    make_queue: Callable[..., tocsin.WorkQueue],
) -> None:
    queue = make_queue(workers=2)
    ran: list[int] = []

    def queue_some(first: int) -> None:
        for n in range(first, first + 3000):  # the queue alone keeps them
            assert queue.queue(tocsin.Work(lambda n=n: ran.append(n)))

    Crew(lambda: queue_some(0), lambda: queue_some(3000), lambda: queue_some(6000)).join()
    queue.drain(PATIENCE)
    assert sorted(ran) == list(range(9000))


def test_works_that_wander_between_queues_run_as_often_as_they_were_queued(
    make_queue: Callable[..., tocsin.WorkQueue],
) -> None:
    queues = [make_queue("one"), make_queue("other")]
    runs = [0] * 8  # each added to by its work, which never runs twice at once

    def add(n: int) -> None:
        runs[n] += 1

    works = [tocsin.Work(lambda n=n: add(n)) for n in range(8)]
    queued: list[int] = []

    def wander(number: int) -> None:
        for n in range(2000):
            work = works[n % 8]
            try:
                if queues[(n + number) % 2].queue(work):
                    queued.append(n % 8)
            except RuntimeError:  # busy on the other queue
                work.flush(PATIENCE)
            if n % 50 == 0:
                work.cancel_sync(PATIENCE) and queued.remove(n % 8)

    Crew(lambda: wander(0), lambda: wander(1), lambda: wander(1)).join()
    for queue in queues:
        queue.drain(PATIENCE)
    assert runs == [queued.count(n) for n in range(8)]
