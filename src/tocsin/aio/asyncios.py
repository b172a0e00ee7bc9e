"""asyncio's loops, and others that are used like them (uvloop), for tocsin.aio.

The loop must be able to poll a descriptor (add_reader): those of the standard library and uvloop can, but for
Windows' proactor loop.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

__all__ = ["AsyncioLoop"]

T = TypeVar("T")


class Turn:
    """A place in the line: a future."""

    def __init__(self, future: "asyncio.Future[bool]") -> None:
        self.future = future
        self.done = future.done
        self.call = partial(future.set_result, True)


class AsyncioLoop:
    """What a Waiting needs of a loop of asyncio."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.key = self.loop = loop

    def is_over(self) -> bool:
        """Return whether it was closed."""
        return self.loop.is_closed()

    def watch(self, descriptor: int, look: Callable[[], bool]) -> None:
        """Call `look` whenever there is something to read; NotImplementedError: the loop can't."""
        self.loop.add_reader(descriptor, look)

    def forget(self, descriptor: int) -> None:
        """Watch it no more, and close it. Any thread."""

        def close() -> None:
            self.loop.remove_reader(descriptor)
            os.close(descriptor)

        try:
            self.loop.call_soon_threadsafe(close)
        except RuntimeError:  # closed in this very moment
            os.close(descriptor)

    def call(self, function: Callable[[], None]) -> None:
        """Call a function soon, unless the loop is closed. Any thread."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(function)

    def turn(self) -> Turn:
        """Make a place in the line."""
        return Turn(self.loop.create_future())

    async def wait(self, turn: Turn, seconds: float | None) -> bool:
        """Wait until the turn is called; False: not in time."""
        if seconds is None:
            return await turn.future
        timer = self.loop.call_later(seconds, give_up, turn.future)
        try:
            return await turn.future
        finally:
            timer.cancel()

    async def give_way(self) -> None:
        """Let the loop go round once."""
        await asyncio.sleep(0)

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Run a function in a thread of its own, which the end of the loop doesn't wait for."""
        future: asyncio.Future[T] = self.loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            if future.done():  # cancelled
                return
            if error is None:
                future.set_result(result)  # type: ignore[arg-type]  # None only if T has it
            else:
                future.set_exception(error)

        def run() -> None:
            result, error = None, None
            try:
                result = function()
            except BaseException as raised:
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits
                self.loop.call_soon_threadsafe(settle, result, error)

        threading.Thread(target=run, name="tocsin-aio", daemon=True).start()
        return await future


def give_up(future: "asyncio.Future[bool]") -> None:
    """Let a coroutine go on whose time is over."""
    if not future.done():
        future.set_result(False)
