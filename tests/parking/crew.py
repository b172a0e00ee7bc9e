"""Threads that use one queue, and the one who watches that none of them sleeps on work.

Somebody is asleep when he waits in the queue, what he waits for is there, and for a while nothing has moved:
every thread has been asleep in the kernel, and none has been awake between two looks. A thread that was woken
can run, however slow the machine is, and so is none of those.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tocsin.compat import queue, standard

LOOK = 0.005  # seconds
STILL = 60  # looks in a row
DEADLINE = 30.0  # seconds for whatever a scene waits for


class Failed(Exception):
    """What a check has found, after the check's name."""

    def __init__(self, check: str, what: str) -> None:
        super().__init__(f"FAILED {check}: {what}")


def waiting(q: Any) -> tuple[int, int, int]:
    """Return how many wait in get, put and join, of a queue that has moved on both of its paths."""
    counts = standard.waiting(q)
    if q.is_compiled:
        return counts
    getters, putters, joiners = (one + other for one, other in zip(counts, q.waiting(), strict=True))
    return getters, putters, joiners


class Crew:
    """Run threads until all have ended."""

    def __init__(self, q: Any) -> None:
        self.q = q
        self.threads: list[threading.Thread] = []
        self.errors: list[BaseException] = []

    def add(self, function: Callable[..., object], *arguments: object) -> None:
        """Start a thread; a ShutDown ends it, anything else that it raises is a failure."""

        def run() -> None:
            try:
                function(*arguments)
            except queue.ShutDown:
                pass
            except BaseException as error:
                self.errors.append(error)

        thread = threading.Thread(target=run, name=getattr(function, "__name__", "?"), daemon=True)
        self.threads.append(thread)
        thread.start()

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until the condition holds; nobody may be asleep meanwhile."""
        until = time.monotonic() + DEADLINE
        still, before = 0, 0
        while not condition():
            if self.errors:
                raise Failed("error", repr(self.errors[0]))
            if time.monotonic() > until:
                raise Failed("deadline", self.state())
            time.sleep(LOOK if still else 0.0002)
            used = self.ticks()
            still = still + 1 if used == before and self.could_go_on() else 0
            before = used
            if still > STILL:
                raise Failed("asleep", self.state())

    def until_parked(self, getters: int = 0, putters: int = 0, joiners: int = 0) -> None:
        """Wait until so many threads wait in each kind of call, and sleep in the kernel."""
        self.wait(lambda: self.has_parked(getters, putters, joiners))

    def has_parked(self, *counts: int) -> bool:
        return waiting(self.q) == counts and self.are_asleep()

    def finish(self) -> None:
        """Wait until all threads have ended."""
        self.wait(lambda: not any(thread.is_alive() for thread in self.threads))
        if self.errors:
            raise Failed("error", repr(self.errors[0]))

    def could_go_on(self) -> bool:
        """Return whether somebody waits for what is there."""
        q = self.q
        getters, putters, joiners = waiting(q)
        over = q.is_shutdown
        return bool(
            (getters and (over or q.qsize()))
            or (putters and (over or not q.full()))
            or (joiners and not q.unfinished_tasks)
        )

    def are_asleep(self) -> bool:
        return all(state == "S" for state, _ in self.in_kernel())

    def ticks(self) -> int:
        """Return a number that grows whenever one of the threads runs; or a new one while one can run."""
        seen = self.in_kernel()
        if any(state != "S" for state, _ in seen):
            return time.monotonic_ns()
        return sum(switches for _, switches in seen)

    def switches(self) -> int:
        """Return how often the threads have gone to sleep."""
        return sum(switches for _, switches in self.in_kernel())

    def in_kernel(self) -> list[tuple[str, int]]:
        """Return of each living thread its state, and how often it has gone to sleep."""
        found = []
        for thread in self.threads:
            try:
                text = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
            except OSError:
                continue
            told = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
            found.append((told["State"].split()[0], int(told["voluntary_ctxt_switches"])))
        return found

    def state(self) -> str:
        q = self.q
        names = ", ".join(thread.name for thread in self.threads if thread.is_alive())
        return (
            f"{q.qsize()} items of {q.maxsize}, {q.unfinished_tasks} unfinished, over: {q.is_shutdown}; "
            f"{waiting(q)} wait in get, put and join; alive: {names}"
        )
