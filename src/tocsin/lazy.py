"""Names that are imported when somebody asks for them.

Whoever needs a part of tocsin loads that part: a fifo comes without the pipeline, a pipeline without the
fifos. Any thread: two that ask at once find the same object, as with any import.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

__all__ = ["asked_for"]


def asked_for(
    module: str, places: Mapping[str, str], scope: dict[str, Any]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the __getattr__ and the __dir__ of a module whose names are in other ones: name -> module.

    A package knows these other modules by their own names as well.
    """
    modules = set(places.values())

    def look_up(name: str) -> Any:
        if name in places:
            value = scope[name] = getattr(__import__(places[name], fromlist=[name]), name)
            return value
        if f"{module}.{name}" in modules:
            return __import__(f"{module}.{name}", fromlist=[name])
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    def names() -> list[str]:
        return sorted({*scope, *places})

    return look_up, names
