"""WorkQueue and Work: pending, running, one more run, order and limits."""

import threading
from collections.abc import Callable

import pytest

from helpers import PATIENCE, Crew, eventually
from tocsin import Work, WorkQueue
from works import Task


def test_a_new_work_is_idle() -> None:
    work = Work(print)
    assert (work.pending, work.running) == (False, False)
    assert work.flush() is False
    assert work.cancel() is False
    assert work.cancel_sync() is False
    assert "idle" in repr(work)


def test_a_queued_work_runs_once(queue: WorkQueue) -> None:
    task = Task()
    assert queue.queue(task.work) is True
    task.work.flush(PATIENCE)
    assert task.runs == 1
    assert (task.work.pending, task.work.running) == (False, False)


def test_a_pending_work_is_not_queued_again(queue: WorkQueue) -> None:
    task = Task()
    queue.freeze()
    assert [queue.queue(task.work) for _ in range(5)] == [True, False, False, False, False]
    assert (task.work.pending, task.work.running) == (True, False)
    assert "pending" in repr(task.work)
    queue.thaw()
    task.work.flush(PATIENCE)
    assert task.runs == 1


def test_pending_is_cleared_before_the_run(queue: WorkQueue) -> None:
    seen: list[tuple[bool, bool]] = []
    work = Work(lambda: seen.append((work.pending, work.running)))
    queue.queue(work)
    work.flush(PATIENCE)
    assert seen == [(False, True)]


def test_kicked_while_running_it_runs_once_more(queue: WorkQueue) -> None:
    task = Task().hold()
    queue.queue(task.work)
    task.await_entry()
    assert (task.work.pending, task.work.running) == (False, True)
    assert [queue.queue(task.work) for _ in range(10)] == [True] + [False] * 9
    assert (task.work.pending, task.work.running) == (True, True)
    task.go.release(5)
    task.work.flush(PATIENCE)
    assert (task.runs, task.most_inside) == (2, 1)


def test_a_work_may_queue_itself_and_others_get_their_turn(queue: WorkQueue) -> None:
    log: list[str] = []
    mine, other = Task("mine", log), Task("other", log)

    def again() -> None:
        if mine.runs == 1:
            queue.queue(other.work)
        if mine.runs < 5:
            assert queue.queue(mine.work) is True

    mine.after = again
    queue.queue(mine.work)
    eventually(lambda: mine.runs == 5 and other.runs == 1, lambda: log)
    queue.flush(PATIENCE)
    assert log.index("other") <= 2


def test_a_work_is_never_inside_twice(make_queue: Callable[..., WorkQueue]) -> None:
    queue = make_queue(workers=8)
    task = Task()
    counted: list[int] = []

    def kick() -> None:
        counted.append(sum(queue.queue(task.work) for _ in range(2000)))

    Crew(kick, kick, kick).join()
    queue.flush(PATIENCE)
    assert task.most_inside == 1
    assert 0 < task.runs <= sum(counted)


def test_what_was_written_before_the_kick_is_seen_by_a_run_after_it(
    make_queue: Callable[..., WorkQueue],
) -> None:
    queue = make_queue(workers=2)
    box = [0]
    seen = [0]

    def look() -> None:
        seen[0] = box[0]

    work = Work(look)
    for n in range(1, 5001):
        box[0] = n
        queue.queue(work)  # whatever it answers
        if n % 50 == 0:
            eventually(lambda n=n: seen[0] == n, lambda: (seen, box, work))


def test_different_works_run_side_by_side(make_queue: Callable[..., WorkQueue]) -> None:
    queue = make_queue(workers=3)
    tasks = [Task().hold() for _ in range(3)]
    for task in tasks:
        queue.queue(task.work)
    for task in tasks:
        task.await_entry()
    assert all(task.work.running for task in tasks)
    for task in tasks:
        task.go.release()


def test_more_workers_start_when_all_are_stuck(make_queue: Callable[..., WorkQueue]) -> None:
    queue = make_queue(workers=1)
    stuck = [Task().hold() for _ in range(5)]
    for task in stuck:
        queue.queue(task.work)
    for task in stuck:
        task.await_entry()
    free = Task()
    queue.queue(free.work)
    free.await_entry()
    for task in stuck:
        task.go.release()


def test_works_begin_in_the_order_in_which_they_were_queued(queue: WorkQueue) -> None:
    log: list[str] = []
    tasks = [Task(str(n), log) for n in range(50)]
    queue.freeze()
    for task in tasks:
        queue.queue(task.work)
    queue.thaw()
    queue.flush(PATIENCE)
    assert log == [str(n) for n in range(50)]


def test_an_ordered_queue_runs_one_at_a_time_in_order(
    make_queue: Callable[..., WorkQueue],
) -> None:
    queue = make_queue(workers=4, ordered=True)
    log: list[str] = []
    inside, most = 0, 0

    def step(name: str) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        threading.Event().wait(0.001)
        log.append(name)
        inside -= 1

    works = [Work(lambda n=n: step(str(n))) for n in range(30)]
    for work in works:
        queue.queue(work)
    queue.flush(PATIENCE)
    assert log == [str(n) for n in range(30)]
    assert most == 1


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_max_active_limits_how_many_run_at_once(make_queue: Callable[..., WorkQueue], limit: int) -> None:
    queue = make_queue(workers=6, max_active=limit)
    tasks = [Task(str(n)).hold() for n in range(6)]
    for task in tasks:
        queue.queue(task.work)
    for task in tasks[:limit]:
        task.await_entry()
    for n, task in enumerate(tasks):
        assert [t.runs for t in tasks] == [1] * min(limit + n, 6) + [0] * max(0, 6 - limit - n)
        assert all(waiting.work.pending for waiting in tasks[limit + n :])
        task.go.release()
        if limit + n < 6:
            tasks[limit + n].await_entry()
    queue.flush(PATIENCE)
