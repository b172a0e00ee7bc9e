"""Freezing and closing a WorkQueue, functions that raise, and lifetimes."""

import gc
import logging
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from helpers import PATIENCE, Crew, assert_ends_well, eventually
from tocsin import Work, WorkQueue
from works import Held


def test_frozen_no_run_begins_and_those_in_progress_go_on(queue: WorkQueue, held: Held) -> None:
    ran: list[int] = []
    other = Work(lambda: ran.append(1))
    queue.queue(held.work)
    held.await_entry()
    queue.freeze()
    queue.queue(held.work)
    queue.queue(other)
    held.go.release(2)
    eventually(lambda: not held.work.running)
    with pytest.raises(TimeoutError):
        other.flush(0.02)
    assert (ran, held.runs, held.work.pending) == ([], 1, True)
    queue.thaw()
    queue.flush(PATIENCE)
    assert (ran, held.runs) == ([1], 2)


@pytest.mark.parametrize("name", ["flush", "drain"])
def test_waiting_for_a_frozen_queue_needs_a_timeout(queue: WorkQueue, name: str) -> None:
    queue.freeze()
    queue.queue(Work(lambda: None))
    with pytest.raises(TimeoutError):
        getattr(queue, name)(0.01)
    with pytest.raises(RuntimeError, match="frozen"):
        getattr(queue, name)()


def test_close_runs_what_is_owed_and_refuses_afterwards(queue: WorkQueue) -> None:
    ran: list[int] = []
    works = [Work(lambda n=n: ran.append(n)) for n in range(20)]
    delayed = Work(lambda: ran.append(99))
    for work in works:
        queue.queue(work)
    queue.queue_delayed(delayed, 10_000)
    queue.close()
    assert ran == list(range(20))
    assert not delayed.pending
    for call in (queue.queue, lambda w: queue.queue_delayed(w, 1)):
        with pytest.raises(tocsin.ClosedError):
            call(works[0])
    queue.close()


def test_closing_a_frozen_queue_does_not_hang(make_queue: Callable[..., WorkQueue]) -> None:
    queue = make_queue()
    ran: list[int] = []
    queue.freeze()
    queue.queue(Work(lambda: ran.append(1)))
    crew = Crew(queue.close)
    crew.join()
    assert ran == [1]


def test_leaving_the_with_block_closes() -> None:
    ran: list[int] = []
    with WorkQueue("test", workers=2) as queue:
        for n in range(10):
            queue.queue(Work(lambda n=n: ran.append(n)))
    assert sorted(ran) == list(range(10))
    with pytest.raises(tocsin.ClosedError):
        queue.queue(Work(print))


def test_a_function_that_raises_is_logged_and_harms_nobody(
    queue: WorkQueue, caplog: pytest.LogCaptureFixture
) -> None:
    def bad() -> None:
        raise ZeroDivisionError("on purpose")

    def worse() -> None:
        raise SystemExit(4)

    ran: list[int] = []
    for work in (Work(bad), Work(worse), Work(lambda: ran.append(1))):
        queue.queue(work)
        work.flush(PATIENCE)
    assert ran == [1]
    assert [(record.name, record.levelno) for record in caplog.records] == [("tocsin", logging.ERROR)] * 2
    assert "bad" in caplog.records[0].getMessage()
    assert caplog.records[0].exc_info is not None


def test_a_queued_work_is_kept_until_it_ran(queue: WorkQueue) -> None:
    ran: list[int] = []
    queue.freeze()
    for n in range(200):
        queue.queue(Work(lambda n=n: ran.append(n)))
    gc.collect()
    queue.thaw()
    queue.flush(PATIENCE)
    assert ran == list(range(200))


def test_works_that_ran_are_let_go(queue: WorkQueue) -> None:
    alive: weakref.WeakSet[Any] = weakref.WeakSet()

    class Function:
        def __call__(self) -> None:
            pass

    for _ in range(500):
        function = Function()
        alive.add(function)
        queue.queue(Work(function))
        queue.flush(PATIENCE)
    del function
    gc.collect()
    assert len(alive) < 200


def test_dropping_queue_and_works_in_any_state_is_harmless() -> None:
    code = """
import gc, threading
from tocsin import Work, WorkQueue
for n in range(60):
    queue = WorkQueue("q", workers=2)
    works = [Work(lambda: None) for _ in range(20)]
    if n % 3 == 1:
        queue.freeze()
    for work in works:
        queue.queue(work)
    queue.queue_delayed(Work(print), 1000)
    for work in works[::2]:
        work.cancel()
    if n % 2:
        del queue, works, work
    else:
        del works, work, queue
    gc.collect()
print("done", end="")
"""
    assert assert_ends_well(code) == "done"


def test_a_hung_function_does_not_hold_the_exit_up() -> None:
    code = """
import threading
from tocsin import Work, WorkQueue
entered = threading.Event()
queue = WorkQueue("q")
queue.queue(Work(lambda: (entered.set(), threading.Event().wait())))
assert entered.wait(60)
print("exit", end="")
"""
    assert assert_ends_well(code) == "exit"
