"""flush() and drain(): what they wait for, and what raises instead of waiting for itself."""

import threading
from collections.abc import Callable

import pytest

from helpers import PATIENCE, Crew, eventually
from tocsin import Work, WorkQueue
from works import Held, inside


def test_flush_waits_for_the_run_that_is_owed_and_not_for_later_ones(queue: WorkQueue) -> None:
    stop = threading.Event()

    def again() -> None:
        if not stop.is_set():
            queue.queue(work)

    work = Work(again)
    queue.queue(work)
    for _ in range(20):
        work.flush(PATIENCE)  # in vain, if later runs prolonged it
        queue.flush(PATIENCE)
    stop.set()


def test_flush_while_running_and_owed_waits_for_both(queue: WorkQueue, held: Held) -> None:
    queue.queue(held.work)
    held.await_entry()
    queue.queue(held.work)
    runs: list[int] = []
    crew = Crew(lambda: (held.work.flush(PATIENCE), runs.append(held.runs)))
    held.go.release()
    held.await_entry()
    assert runs == []
    held.go.release()
    crew.join()
    assert runs == [2]


def test_flush_answers_whether_it_waited(queue: WorkQueue, held: Held) -> None:
    queue.queue(held.work)
    held.await_entry()
    with pytest.raises(TimeoutError):
        held.work.flush(0.01)
    with pytest.raises(TimeoutError):
        queue.flush(0.01)
    held.go.release()
    assert held.work.flush(PATIENCE) in (True, False)
    eventually(lambda: not held.work.running)
    assert held.work.flush(PATIENCE) is False
    assert queue.flush(PATIENCE) is None


def test_flush_of_a_cancelled_work_returns(queue: WorkQueue) -> None:
    work = Work(print)
    queue.freeze()
    queue.queue(work)
    crew = Crew(lambda: work.flush(PATIENCE))
    work.cancel()
    crew.join()


def test_drain_waits_for_works_that_works_queued(queue: WorkQueue) -> None:
    log: list[int] = []

    def link(n: int) -> Work:
        def function() -> None:
            log.append(n)
            if n < 20:
                assert queue.queue(link(n + 1)) is True

        return Work(function)

    queue.queue(link(0))
    queue.drain(PATIENCE)
    assert log == list(range(21))


def test_while_drained_only_its_own_works_may_queue(queue: WorkQueue, held: Held) -> None:
    queue.queue(held.work)
    held.await_entry()
    crew = Crew(lambda: queue.drain(PATIENCE))
    other = Work(lambda: None)

    def is_refused() -> bool:
        try:
            queue.queue(other)
        except RuntimeError:
            return True
        return False

    eventually(is_refused)
    eventually(lambda: not other.pending)  # not left pending for ever
    held.go.release()
    crew.join()
    assert queue.queue(other) is True


@pytest.mark.parametrize("name", ["flush", "drain", "close"])
def test_waiting_for_the_queue_inside_its_function_raises(queue: WorkQueue, name: str) -> None:
    for _ in range(2):
        assert isinstance(inside(queue, getattr(queue, name)), RuntimeError)
    assert inside(queue, lambda: None) is None


@pytest.mark.parametrize("name", ["flush", "cancel_sync"])
def test_waiting_for_a_work_inside_itself_raises(queue: WorkQueue, name: str) -> None:
    errors: list[BaseException] = []

    def function() -> None:
        try:
            getattr(work, name)()
        except RuntimeError as error:
            errors.append(error)

    work = Work(function)
    queue.queue(work)
    work.flush(PATIENCE)
    assert len(errors) == 1


def test_flushing_another_work_inside_an_ordered_queue_raises(
    make_queue: Callable[..., WorkQueue],
) -> None:
    queue = make_queue(ordered=True)
    other = Work(lambda: None)

    def action() -> None:
        queue.queue(other)
        other.flush()

    assert isinstance(inside(queue, action), RuntimeError)


def test_flushing_another_work_inside_a_function_is_fine(queue: WorkQueue) -> None:
    ran: list[int] = []
    other = Work(lambda: ran.append(1))

    def action() -> None:
        queue.queue(other)
        other.flush(PATIENCE)
        assert ran == [1]

    assert inside(queue, action) is None


@pytest.mark.parametrize("name", ["flush", "drain"])
def test_a_run_in_progress_that_has_armed_itself_again_is_waited_for(queue: WorkQueue, name: str) -> None:
    entered, go = threading.Event(), threading.Event()
    ended: list[None] = []

    def function() -> None:
        queue.queue_delayed(work, 1000)
        entered.set()
        go.wait(PATIENCE)
        ended.append(None)

    work = Work(function)
    queue.queue(work)
    assert entered.wait(PATIENCE)
    with pytest.raises(TimeoutError):
        getattr(queue, name)(0.01)
    go.set()
    getattr(queue, name)(PATIENCE)
    assert ended == [None]
    assert work.cancel()
