"""Delayed works: on a timer, made due, taken back."""

import time
from itertools import pairwise
from typing import Any

import pytest

from helpers import PATIENCE
from tocsin import WorkQueue
from works import Task


def test_a_delayed_work_is_pending_and_runs_when_its_time_has_come(queue: WorkQueue) -> None:
    task = Task()
    assert queue.queue_delayed(task.work, 0.01) is True
    assert queue.queue_delayed(task.work, 0) is False
    task.await_entry()
    task.work.flush(PATIENCE)
    assert task.runs == 1
    assert not task.work.pending


def test_a_delay_of_0_queues_at_once(queue: WorkQueue) -> None:
    task = Task()
    assert queue.queue_delayed(task.work, 0) is True
    task.work.flush(PATIENCE)
    assert task.runs == 1


def test_delayed_works_run_in_the_order_of_their_times(queue: WorkQueue) -> None:
    delays = (0.12, 0.04, 0.08, 0.0)
    dues: dict[float, tuple[float, float]] = {}
    order: list[float] = []
    while order != sorted(delays):  # unless this thread was held up so long that they crossed
        log: list[str] = []
        tasks = {delay: Task(str(delay), log) for delay in delays}
        for delay, task in tasks.items():
            before = time.monotonic()
            queue.queue_delayed(task.work, delay)
            dues[delay] = (before + delay, time.monotonic() + delay)
        for task in tasks.values():
            task.await_entry()
        apart = all(dues[a][1] < dues[b][0] for a, b in pairwise(sorted(delays)))
        order = sorted(delays) if apart else []
    assert log == ["0.0", "0.04", "0.08", "0.12"]


def test_modify_delayed_tells_whether_a_run_was_owed(queue: WorkQueue) -> None:
    task = Task()
    assert queue.modify_delayed(task.work, 1000) is False  # idle
    assert task.work.pending
    assert queue.modify_delayed(task.work, 2000) is True  # on a timer
    assert queue.modify_delayed(task.work, 0) is True  # made due
    task.await_entry()
    queue.flush(PATIENCE)
    queue.freeze()
    queue.queue(task.work)
    assert queue.modify_delayed(task.work, 1000) is True  # taken back from the queue
    queue.thaw()
    queue.flush(PATIENCE)
    assert (task.runs, task.work.pending) == (1, True)
    assert task.work.cancel() is True


def test_a_delayed_kick_while_running_gives_one_more_run(queue: WorkQueue) -> None:
    task = Task().hold()
    queue.queue(task.work)
    task.await_entry()
    assert queue.queue_delayed(task.work, 0.005) is True
    assert queue.queue(task.work) is False
    task.go.release(2)
    task.await_entry()
    queue.flush(PATIENCE)
    assert task.runs == 2


def test_flushing_a_delayed_work_makes_it_due(queue: WorkQueue) -> None:
    task = Task()
    queue.queue_delayed(task.work, 10_000)
    assert task.work.flush(PATIENCE) is True
    assert task.runs == 1


def test_the_queues_flush_does_not_wait_for_delayed_works(queue: WorkQueue) -> None:
    task = Task()
    queue.queue_delayed(task.work, 10_000)
    queue.flush(PATIENCE)
    assert task.work.pending
    assert task.work.cancel() is True


@pytest.mark.parametrize("delay", [-1, float("nan"), float("inf"), "soon", None])
def test_a_delay_out_of_range_is_refused(queue: WorkQueue, delay: Any) -> None:
    task = Task()
    for call in (queue.queue_delayed, queue.modify_delayed):
        with pytest.raises((TypeError, ValueError)):
            call(task.work, delay)
    assert not task.work.pending
