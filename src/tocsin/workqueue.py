"""Workqueues, usable alone: functions that run on worker threads, once per kick and never twice at once.

After the kernel's workqueues: a work is *pending* from queue() until the instant before it runs, so a kick
that comes while it runs gives exactly one more run.
"""

from __future__ import annotations

from tocsin import backend, exit, forks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

__all__ = ["Work", "WorkQueue"]


class Work(backend.WorkCore):
    """A function without arguments, to be run by a WorkQueue: ``Work(function)``.

    It is never run by two workers at once. An exception of it goes to the logger "tocsin".
    """

    def __init__(self, function: Callable[[], object]) -> None:
        self.name = getattr(function, "__qualname__", None) or repr(function)

    def __repr__(self) -> str:
        states = [word for word in ("pending", "running") if getattr(self, word)]
        return f"<Work {self.name} {' '.join(states) or 'idle'}>"


class WorkQueue(backend.WorkQueueCore):
    """Run works on worker threads of its own; leaving its ``with`` block drains and closes it.

    workers: threads to begin with, default one; more start while all of them are inside functions and
    work has waited 10 ms, up to 32. max_active: how many works may run at once, 0 for no limit.
    ordered: one at a time, in the order in which they were queued.

    In a forked child it is closed, and what was queued is the parent's; its works are idle there, and another
    queue may have them.
    """

    def __init__(
        self, name: str, *, workers: int | None = None, max_active: int = 0, ordered: bool = False
    ) -> None:
        if not isinstance(name, str):
            raise TypeError(f"a workqueue's name must be a str, not {name!r}")
        workers = 1 if workers is None else workers
        if not 1 <= workers <= 32:
            raise ValueError(f"workers must be 1 to 32, not {workers}")
        if not 0 <= max_active <= 65535:
            raise ValueError(f"max_active must be 0 to 65535, not {max_active}")
        if ordered and max_active > 1:
            raise ValueError(f"an ordered workqueue runs one work at a time, not max_active={max_active}")
        exit.admit()
        self.name = name
        self.ordered = ordered
        self._start(workers, 32, 1 if ordered else max_active, backend.switches()["portable"])
        forks.leave_to_parent(self)

    def _report(self, error: BaseException, work: Work) -> None:
        import logging  # slow to import, and mostly not needed

        logging.getLogger("tocsin").error("%r of %r raised", work, self, exc_info=error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        words = ["ordered"] * self.ordered + ["frozen"] * self.frozen
        return f"<WorkQueue {' '.join([self.name, *words])}>"
