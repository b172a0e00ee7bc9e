"""What kind of thing a callable is, and where we are."""

from __future__ import annotations

import threading
from types import BuiltinMethodType, MethodType, MethodWrapperType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["is_asynchronous", "is_main", "is_same"]

BOUND = (MethodType, BuiltinMethodType, MethodWrapperType)


def is_asynchronous(function: Any) -> bool:
    """Return whether calling the function gives something to await."""
    import inspect  # slow to import

    return any(
        inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one)
        for one in (function, type(function).__call__)
    )


def is_same(one: Any, other: Any) -> bool:
    """Return whether two callables are the same function, or the same function of the same object."""
    # Bound methods are made anew at each access; their == compares the function and the object's identity.
    return one is other or (isinstance(one, BOUND) and isinstance(other, BOUND) and bool(one == other))


def is_main() -> bool:
    """Return whether the caller is on the main thread."""
    return threading.get_ident() == threading.main_thread().ident
