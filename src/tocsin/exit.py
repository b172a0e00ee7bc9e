"""The end of the interpreter: every pipeline that is still open is closed, within its exit_timeout.

The registry of pipelines. The hook is registered when tocsin is imported, not when the first pipeline is
made, so hooks that a program registers afterwards find their pipelines open. It runs before the interpreter
takes anything down; afterwards no worker takes the GIL any more, so a callback that hangs for ever can't
hold the exit up.
"""

from __future__ import annotations

import atexit
import time
import weakref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tocsin.pipeline import Pipeline

__all__ = ["admit", "register", "registered"]

_over: list[bool] = []
_admitted: list[bool] = []
_open: weakref.WeakValueDictionary[int, Pipeline] = weakref.WeakValueDictionary()


def register(pipeline: Pipeline) -> None:
    """Have a pipeline closed at exit."""
    _open[id(pipeline)] = pipeline


def registered() -> list[Pipeline]:
    """Return the pipelines that are there, oldest first."""
    found = [reference() for reference in _open.valuerefs()]  # a copy made at once: others come and go
    return [pipeline for pipeline in found if pipeline is not None]


def admit() -> None:
    """Admit one more pipeline or workqueue, whose workers will have to be told of the end.

    RuntimeError once the interpreter is exiting: nothing would call its callbacks any more.
    """
    _admitted[:] = [True]  # set first, look second, as the hook does: one of the two sees the other
    if _over:
        raise RuntimeError("the interpreter is exiting: no pipeline or workqueue can be made any more")


def _close(pipeline: Pipeline, timeout: float) -> BaseException | None:
    """Close a pipeline; an interrupt takes its time away, and is returned when it is closed all the same."""
    interrupt: BaseException | None = None
    while True:
        try:
            pipeline.close(timeout)
            return interrupt
        except Exception:
            import logging  # slow to import, and mostly not needed

            logging.getLogger("tocsin").exception("%r could not be closed at exit", pipeline)
            return interrupt
        except BaseException as error:
            interrupt, timeout = error, 0.0


def _close_all() -> None:
    if not _admitted:
        _over.append(True)
    if not _admitted:  # still none: nothing of a core was ever used, nor is it loaded for this
        return
    from tocsin.backend import begin_exit, close_gil  # not needed before

    begin_exit()
    began = time.monotonic()
    interrupt: BaseException | None = None
    try:
        for pipeline in registered():
            left = began + pipeline.exit_timeout - time.monotonic()
            interrupt = _close(pipeline, max(0.0, left)) or interrupt
    finally:
        _over.append(True)
        close_gil()
    if interrupt is not None:
        raise interrupt


atexit.register(_close_all)
