"""What the tests of workqueues share."""

import threading
from collections.abc import Callable

from helpers import PATIENCE, eventually
from tocsin import Work, WorkQueue


class Task:
    """A work that counts its runs and can be held inside."""

    def __init__(self, name: str = "task", log: list[str] | None = None) -> None:
        self.runs = 0
        self.inside = 0
        self.most_inside = 0
        self.log = log
        self.name = name
        self.entered = threading.Semaphore(0)
        self.go = threading.Semaphore(1_000_000)
        self.after: Callable[[], object] | None = None
        self.work = Work(self)

    def hold(self) -> "Task":
        self.go = threading.Semaphore(0)
        return self

    def __call__(self) -> None:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        self.runs += 1
        if self.log is not None:
            self.log.append(self.name)
        self.entered.release()
        self.go.acquire(timeout=PATIENCE)
        self.inside -= 1
        if self.after is not None:
            self.after()

    def await_entry(self) -> None:
        assert self.entered.acquire(timeout=PATIENCE), f"{self.name} never ran"


class Held:
    """A work that stays inside until it is let go."""

    def __init__(self) -> None:
        self.entered, self.go = threading.Semaphore(0), threading.Semaphore(0)
        self.runs = 0
        self.work = Work(self)

    def __call__(self) -> None:
        self.runs += 1
        self.entered.release()
        self.go.acquire(timeout=PATIENCE)

    def await_entry(self) -> None:
        assert self.entered.acquire(timeout=PATIENCE)


def inside(queue: WorkQueue, action: Callable[[], object]) -> BaseException | None:
    """Run an action inside a function of the queue; return what it raised."""
    raised: list[BaseException | None] = []

    def function() -> None:
        try:
            action()
            raised.append(None)
        except BaseException as error:
            raised.append(error)

    queue.queue(Work(function))
    eventually(lambda: raised)
    return raised[0]
