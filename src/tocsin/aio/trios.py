"""trio's runs, for tocsin.aio. Imported when trio is.

The descriptor is polled by a system task of the run, which ends with it: trio has no callback for that.
"""

import contextlib
import os
from collections.abc import Callable
from typing import TypeVar

import trio

__all__ = ["TrioLoop"]

T = TypeVar("T")


class Turn:
    """A place in the line: an event of trio's."""

    def __init__(self) -> None:
        self.event = trio.Event()
        self.gave_up = False
        self.call = self.event.set

    def done(self) -> bool:
        """Return whether it was called or gave up."""
        return self.gave_up or self.event.is_set()


class TrioLoop:
    """What a Waiting needs of a run of trio."""

    def __init__(self, token: "trio.lowlevel.TrioToken") -> None:
        self.key = token
        self.has_ended = False

    def is_over(self) -> bool:
        """Return whether the run has ended, or we have stopped polling in it."""
        return self.has_ended

    def watch(self, descriptor: int, look: Callable[[], bool]) -> None:
        """Call `look` whenever there is something to read, until it returns False."""

        async def poll() -> None:
            try:
                await trio.lowlevel.wait_readable(descriptor)
                while look():
                    await trio.lowlevel.wait_readable(descriptor)
            except trio.ClosedResourceError:
                return
            except trio.Cancelled:
                self.has_ended = True
                raise

        trio.lowlevel.spawn_system_task(poll)

    def forget(self, descriptor: int) -> None:
        """Watch it no more, and close it. Any thread."""

        def close() -> None:
            trio.lowlevel.notify_closing(descriptor)
            os.close(descriptor)

        try:
            self.key.run_sync_soon(close)
        except trio.RunFinishedError:
            os.close(descriptor)

    def call(self, function: Callable[[], None]) -> None:
        """Call a function soon, unless the run has ended. Any thread."""
        with contextlib.suppress(trio.RunFinishedError):
            self.key.run_sync_soon(function)

    def turn(self) -> Turn:
        """Make a place in the line."""
        return Turn()

    async def wait(self, turn: Turn, seconds: float | None) -> bool:
        """Wait until the turn is called; False: not in time."""
        with trio.move_on_after(float("inf") if seconds is None else seconds):
            try:
                await turn.event.wait()
            finally:
                turn.gave_up = not turn.event.is_set()
        return not turn.gave_up

    async def give_way(self) -> None:
        """Let others have their turn."""
        await trio.lowlevel.checkpoint()

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Run a function in a thread; one whose caller was cancelled goes on."""
        result: T = await trio.to_thread.run_sync(function, abandon_on_cancel=True)
        return result
