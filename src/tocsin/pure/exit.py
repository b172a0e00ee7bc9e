"""The end of the interpreter: from a moment on, workers call nothing any more.

Threads that hang in a callable are daemons, which the interpreter leaves behind; and one that it left
behind may have held a lock for ever, so nothing that runs later waits for one. Any thread.
"""

__all__ = ["begin_exit", "close_gil", "is_over"]

_over: list[bool] = []


def begin_exit() -> None:
    """Do nothing: no callable of the main thread is here to interrupt the program with."""


def close_gil() -> None:
    """Have no worker call anything any more; for the exit hook, after all pipelines were closed."""
    _over.append(True)


def is_over(over: list[bool] = _over) -> bool:
    """Return whether close_gil() was called; finalisers ask when this module's globals are gone."""
    return bool(over)
