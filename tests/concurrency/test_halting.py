"""Whatever halts a pipeline or a queue, nothing begins after it has returned, and nothing accepted is lost.

Two threads must meet within a few instructions: so each of these goes on for a while.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tocsin
from helpers import MOTOR, PATIENCE, Crew, Hold, eventually

pytestmark = pytest.mark.stress

SECONDS = 1.0
WATCH = 0.003  # seconds in which a call that should not begin would begin


def rounds() -> Iterator[int]:
    """Count from 0 until the time is over."""
    until = time.monotonic() + SECONDS
    return itertools.takewhile(lambda n: time.monotonic() < until, itertools.count())


@pytest.mark.parametrize("halt", ["freeze", "close", "drop"])
def test_no_call_begins_after_a_halt(halt: str) -> None:
    for _ in rounds():
        pipeline: Any = tocsin.Pipeline()
        pipeline.register(MOTOR)
        subscription = pipeline.subscribe(MOTOR.tick, lambda event: None)
        pipeline.notify_many(MOTOR.tick, bytes(8 * 50_000))
        eventually(lambda subscription=subscription: subscription.stats().calls > 50)
        if halt == "freeze":
            pipeline.freeze()
        elif halt == "close":
            pipeline.close(0)
        else:
            del pipeline
            subscription.cancel()
        calls = subscription.stats().calls
        time.sleep(WATCH)
        assert subscription.stats().calls == calls, f"a call began after {halt}"
        if halt == "freeze":
            pipeline.close(0)


def test_cancel_of_a_pipeline_that_has_gone_knows_of_a_running_call() -> None:
    pipeline: Any = tocsin.Pipeline()
    pipeline.register(MOTOR)
    hold = Hold()
    subscription = pipeline.subscribe(MOTOR.tick, hold)
    pipeline.notify(MOTOR.tick, (1,))
    hold.await_entry()
    del pipeline
    assert not subscription.cancel()
    hold.go.set()
    eventually(subscription.cancel)


def test_each_of_several_closers_learns_that_everything_was_delivered() -> None:
    for _ in rounds():
        pipeline = tocsin.Pipeline(workers=0)
        ready = threading.Barrier(2)
        closed: list[bool] = []

        def close(
            pipeline: Any = pipeline, ready: threading.Barrier = ready, closed: list[bool] = closed
        ) -> None:
            ready.wait(PATIENCE)
            closed.append(pipeline.close(PATIENCE))

        Crew(close, close).join()
        assert closed == [True, True]


IDLE = 2000  # works that a queue remembers: so a look at all of them takes a while
CHAIN = 40


def chain(queue: tocsin.WorkQueue, accepted: list[int], ran: list[int]) -> None:
    """Queue a work that queues another, and so on; `accepted` has those that the queue took."""

    def step(n: int) -> None:
        ran.append(n)
        if n < CHAIN:
            following = tocsin.Work(lambda: step(n + 1))
            try:
                if queue.queue(following):
                    accepted.append(n + 1)
            except tocsin.ClosedError:
                pass

    queue.queue(tocsin.Work(lambda: step(0)))


def remembering(make_queue: Callable[..., tocsin.WorkQueue]) -> tuple[tocsin.WorkQueue, list[tocsin.Work]]:
    queue = make_queue(workers=2)
    queue.freeze()
    idle = [tocsin.Work(lambda: None) for _ in range(IDLE)]
    for work in idle:
        queue.queue(work)
    queue.thaw()
    queue.drain(PATIENCE)
    return queue, idle


def test_drain_waits_for_what_works_queue_while_it_looks(
    make_queue: Callable[..., tocsin.WorkQueue],
) -> None:
    queue, _idle = remembering(make_queue)
    for _ in rounds():
        ran: list[int] = []
        chain(queue, [], ran)
        queue.drain(PATIENCE)
        assert ran == list(range(CHAIN + 1))


def test_close_runs_all_that_was_accepted(make_queue: Callable[..., tocsin.WorkQueue]) -> None:
    for _ in rounds():
        queue, _idle = remembering(make_queue)
        ran: list[int] = []
        accepted = [0]
        chain(queue, accepted, ran)
        queue.close(PATIENCE)
        # Sorted: a work may run before the one that queued it has noted it.
        eventually(lambda ran=ran, accepted=accepted: sorted(ran) == sorted(accepted))


def test_closing_a_queue_leaves_works_alone_that_have_moved(
    make_queue: Callable[..., tocsin.WorkQueue],
) -> None:
    target = make_queue("target")
    for _ in rounds():
        queue = make_queue("first")
        works = [tocsin.Work(lambda: None) for _ in range(100)]
        for work in works:
            queue.queue(work)
        queue.drain(PATIENCE)
        ready = threading.Barrier(2)

        def move(works: list[tocsin.Work] = works, ready: threading.Barrier = ready) -> None:
            ready.wait(PATIENCE)
            for work in works:
                target.queue_delayed(work, 1000)

        def close(queue: tocsin.WorkQueue = queue, ready: threading.Barrier = ready) -> None:
            ready.wait(PATIENCE)
            queue.close(PATIENCE)

        Crew(move, close).join()
        assert all(work.pending for work in works)
        assert all(work.cancel() for work in works)


def test_an_exclusive_producer_in_several_threads_keeps_every_record_whole(
    make_pipeline: Callable[..., Any],
) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, queue_size=1 << 14)
    torn: list[bytes] = []
    pipeline.subscribe(
        MOTOR.raw, lambda event: torn.append(event.payload) if len(set(event.payload)) > 1 else None
    )
    with pipeline.producer(MOTOR, exclusive=True) as producer:

        def write(number: int) -> None:
            for _ in rounds():
                producer.notify(MOTOR.raw.id, bytes([number]) * (17 + 100 * number))

        Crew(lambda: write(0), lambda: write(1)).join()
    assert pipeline.flush(PATIENCE)
    assert torn == []
