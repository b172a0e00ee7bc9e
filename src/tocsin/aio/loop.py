"""What a Waiting needs of an event loop of any library. In the loop's thread, unless it says otherwise."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

__all__ = ["Loop", "Turn"]

T = TypeVar("T")


class Turn(Protocol):
    """A place in the line."""

    def done(self) -> bool:
        """Return whether it was called, or its coroutine gave up."""

    def call(self) -> None:
        """Have its coroutine go on."""


class Loop(Protocol):
    """An event loop."""

    key: Any  # what tells loops apart

    def is_over(self) -> bool:
        """Return whether it was closed. Any thread."""

    def watch(self, descriptor: int, look: Callable[[], bool]) -> None:
        """Call `look` whenever there is something to read; once it returned False it needn't be called."""

    def forget(self, descriptor: int) -> None:
        """Watch it no more, and close it. Any thread."""

    def call(self, function: Callable[[], None]) -> None:
        """Call a function soon, unless the loop is closed. Any thread."""

    def turn(self) -> Turn:
        """Make a place in the line."""

    async def wait(self, turn: Any, seconds: float | None) -> bool:
        """Wait until the turn is called; False: not in time."""

    async def give_way(self) -> None:
        """Let others have their turn."""

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Run a function in a thread; one whose caller was cancelled goes on."""
