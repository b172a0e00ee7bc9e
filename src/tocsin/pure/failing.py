"""Exceptions that have no caller to go to, and calls that only native code could answer."""

from collections.abc import Callable
from typing import Any

__all__ = ["missing", "tell", "trimmed", "write_unraisable"]


def missing(what: str, why: str) -> NotImplementedError:
    """Return the error for something that needs the compiled core; tocsin.backend lists them all."""
    return NotImplementedError(
        f"{what} needs the compiled core, and this is tocsin's pure backend: {why}; "
        "install tocsin without TOCSIN_PURE, or unset TOCSIN_BACKEND"
    )


def trimmed(error: BaseException) -> BaseException:
    """Return an exception without the innermost of our own frames, which would keep its callable alive."""
    return error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)


def tell(
    on_error: Callable[[Any, Any, Any], object], error: BaseException, subscription: Any, argument: Any
) -> None:
    """Call on_error; what that raises goes to sys.unraisablehook."""
    try:
        on_error(error, subscription, argument)
    except BaseException as worse:
        write_unraisable(worse)


def write_unraisable(error: BaseException) -> None:
    """Give an exception to sys.unraisablehook, as the interpreter does with those that nobody can catch."""
    LastWords(error)


class LastWords:
    """Raise as it goes: nobody can catch that, and only the interpreter can make the hook's argument."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __del__(self) -> None:
        raise self.error
