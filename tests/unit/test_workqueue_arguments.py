"""What a WorkQueue and a Work refuse, and what they say of themselves."""

from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from helpers import PATIENCE, eventually
from tocsin import Work, WorkQueue
from works import Task


@pytest.mark.parametrize("work", [None, 5, print, "work", Work])
def test_only_works_can_be_queued(queue: WorkQueue, work: Any) -> None:
    for call in (
        lambda: queue.queue(work),
        lambda: queue.queue_delayed(work, 0),
        lambda: queue.queue_delayed(work, 1),
        lambda: queue.modify_delayed(work, 1),
    ):
        with pytest.raises(TypeError):
            call()


@pytest.mark.parametrize("function", [None, 5, "print"])
def test_a_work_needs_a_function(function: Any) -> None:
    with pytest.raises(TypeError, match="function"):
        Work(function)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"name": 5}, TypeError),
        ({"name": "x", "workers": 0}, ValueError),
        ({"name": "x", "workers": 33}, ValueError),
        ({"name": "x", "workers": "2"}, TypeError),
        ({"name": "x", "max_active": -1}, ValueError),
        ({"name": "x", "max_active": 65536}, ValueError),
        ({"name": "x", "max_active": 2, "ordered": True}, ValueError),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], error: Any) -> None:
    with pytest.raises(error):
        WorkQueue(**options)


def test_a_busy_work_cannot_change_its_queue(make_queue: Callable[..., WorkQueue]) -> None:
    one, other = make_queue("one"), make_queue("other")
    task = Task().hold()
    one.queue(task.work)
    task.await_entry()
    for call in (other.queue, lambda w: other.queue_delayed(w, 1)):
        with pytest.raises(RuntimeError, match="one"):
            call(task.work)
    task.go.release()
    task.work.flush(PATIENCE)
    eventually(lambda: not task.work.running)
    task.go.release()
    other.queue(task.work)
    task.await_entry()


def test_reprs_say_what_is_going_on(make_queue: Callable[..., WorkQueue]) -> None:
    queue = make_queue("alarms", ordered=True)
    assert repr(queue) == "<WorkQueue alarms ordered>"
    queue.freeze()
    assert "frozen" in repr(queue)
    assert queue.frozen
    queue.thaw()
    assert not queue.frozen


def test_the_exceptions_are_exported() -> None:
    assert issubclass(tocsin.ClosedError, RuntimeError)
