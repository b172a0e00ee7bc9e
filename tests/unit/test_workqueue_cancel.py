"""Work.cancel() and cancel_sync(): what is dropped, what is waited for, what is refused."""

import pytest

from helpers import PATIENCE, Crew, eventually
from tocsin import Work, WorkQueue
from works import Held


def test_cancel_drops_the_run_that_is_owed(queue: WorkQueue) -> None:
    ran: list[int] = []
    work = Work(lambda: ran.append(1))
    queue.freeze()
    queue.queue(work)
    assert work.cancel() is True
    assert not work.pending
    assert work.cancel() is False
    queue.thaw()
    queue.flush(PATIENCE)
    assert ran == []


def test_cancel_drops_a_delayed_run(queue: WorkQueue) -> None:
    work = Work(print)
    queue.queue_delayed(work, 10_000)
    assert work.cancel() is True
    assert not work.pending


def test_cancelled_and_queued_again_it_runs_once(queue: WorkQueue) -> None:
    ran: list[int] = []
    work = Work(lambda: ran.append(1))
    queue.freeze()
    for _ in range(5):
        assert queue.queue(work) is True
        assert work.cancel() is True
    assert queue.queue(work) is True
    queue.thaw()
    work.flush(PATIENCE)
    queue.flush(PATIENCE)
    assert ran == [1]


def test_cancel_leaves_the_run_in_progress_alone(queue: WorkQueue, held: Held) -> None:
    queue.queue(held.work)
    held.await_entry()
    assert held.work.cancel() is False
    queue.queue(held.work)
    assert held.work.cancel() is True
    held.go.release(2)
    queue.flush(PATIENCE)
    assert held.runs == 1


def test_cancel_sync_waits_for_the_run_in_progress(queue: WorkQueue, held: Held) -> None:
    queue.queue(held.work)
    held.await_entry()
    with pytest.raises(TimeoutError):
        held.work.cancel_sync(0.01)
    answers: list[tuple[bool, bool]] = []
    crew = Crew(lambda: answers.append((held.work.cancel_sync(), held.work.running)))
    held.go.release()
    crew.join()
    assert answers == [(False, False)]  # it was not pending


def test_cancel_sync_tells_whether_a_run_was_owed(queue: WorkQueue, held: Held) -> None:
    queue.queue(held.work)
    held.await_entry()
    queue.queue(held.work)
    answers: list[bool] = []
    crew = Crew(lambda: answers.append(held.work.cancel_sync()))
    eventually(lambda: not held.work.pending)
    held.go.release()
    crew.join()
    assert answers == [True]
    assert held.runs == 1


def test_kicks_are_refused_while_cancel_sync_waits_and_taken_afterwards(queue: WorkQueue, held: Held) -> None:
    queue.queue(held.work)
    held.await_entry()
    crew = Crew(held.work.cancel_sync)
    # It refuses from some moment on; a kick before that moment is cancelled with the rest.
    eventually(lambda: queue.queue(held.work) is False and not held.work.pending)
    assert queue.queue_delayed(held.work, 1) is False
    held.go.release()
    crew.join()
    assert held.runs == 1
    held.go.release()
    assert queue.queue(held.work) is True
    held.work.flush(PATIENCE)
    assert held.runs == 2


def test_a_work_that_queues_itself_cannot_escape_cancel_sync(queue: WorkQueue) -> None:
    runs = [0]

    def again() -> None:
        runs[0] += 1
        queue.queue(work)

    work = Work(again)
    for _ in range(20):
        queue.queue(work)
        eventually(lambda: runs[0] > 3)
        work.cancel_sync(PATIENCE)
        assert (work.pending, work.running) == (False, False)
        after = runs[0]
        queue.flush(PATIENCE)
        assert runs[0] == after
        runs[0] = 0


def test_a_work_that_delays_itself_cannot_escape_cancel_sync(queue: WorkQueue) -> None:
    work = Work(lambda: queue.queue_delayed(work, 0.0001))
    for _ in range(20):
        queue.queue(work)
        work.cancel_sync(PATIENCE)
        assert (work.pending, work.running) == (False, False)
