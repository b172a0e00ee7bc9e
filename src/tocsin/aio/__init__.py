"""Event loops that wait for channels: which loop is running, and what a channel keeps for each.

waiting.py holds the theory; loop.py says what is needed of a loop, asyncios.py and trios.py give it. Imported
by the first coroutine that reads a channel, since asyncio is slow to import.
"""

import sys
from asyncio import get_running_loop
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tocsin.aio.asyncios import AsyncioLoop
from tocsin.aio.waiting import Waiting
from tocsin.backend import Event, EventsCore
from tocsin.errors import ClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.aio.loop import Loop
    from tocsin.channel import Channel

__all__ = ["Events", "Waitings", "in_thread"]

R = TypeVar("R")
T = TypeVar("T")


def running() -> Any:
    """Return what tells running loops apart: asyncio's loop, or trio's token. RuntimeError: none runs."""
    trio = sys.modules.get("trio")
    if trio is not None and hasattr(trio, "lowlevel"):
        try:
            trio.lowlevel.current_task()  # asked first: as a guest, trio runs inside a loop of asyncio
        except RuntimeError:
            return get_running_loop()
        return trio.lowlevel.current_trio_token()
    return get_running_loop()


def loop_of(key: Any) -> "Loop":
    """Return the loop that running() names."""
    if hasattr(key, "run_sync_soon"):
        from tocsin.aio.trios import TrioLoop

        return TrioLoop(key)
    return AsyncioLoop(key)


async def in_thread(function: "Callable[[], T]") -> T:
    """Run a function that waits in a thread, and wait for it; who is cancelled leaves it running."""
    return await loop_of(running()).in_thread(function)


class Waitings(Generic[R]):
    """Keep a channel's Waiting for each loop. Any thread."""

    def __init__(self, channel: "Channel[R]") -> None:
        self.channel = channel
        self.by_loop: dict[Any, Waiting[R]] = {}

    def here(self) -> Waiting[R]:
        """Return that of the running loop; make it at the first time."""
        key = running()
        found = self.by_loop.get(key)
        if found is None:
            for other_key, other in list(self.by_loop.items()):
                if other.loop.is_over() and self.by_loop.pop(other_key, None) is not None:
                    other.end()
            found = self.by_loop[key] = Waiting(self.channel, loop_of(key), self.forget)
        return found

    def events(self) -> "Events[R]":
        """Return an iterator for ``async for``."""
        return Events(self)

    def retire(self) -> None:
        """Let go of loops in which nobody waits: the channel is closed."""
        for waiting in list(self.by_loop.values()):
            waiting.retire()

    def forget(self, key: Any) -> None:
        """Keep the Waiting of a loop no longer."""
        self.by_loop.pop(key, None)


class Events(EventsCore[R]):
    """Take events for an ``async for``. It has none of its own, so nothing is lost when it is dropped."""

    def __init__(self, waitings: Waitings[R]) -> None:
        self.waitings = waitings

    async def _wait(self) -> Event[R]:
        waiting = self.waitings.here()
        self.bell = waiting.bell
        try:
            return await waiting.get(None)
        except ClosedError:
            raise StopAsyncIteration from None
