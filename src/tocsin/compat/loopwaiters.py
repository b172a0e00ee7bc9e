"""Those who wait in an event loop for one thing: futures, and one callback that brings them back.

The futures are touched in the loop's own thread; others look only whether there are any. So a thread first
changes the queue and looks then, and a coroutine first adds its future and looks then at the queue: one of
the two sees the other. `is_called` says that a callback is on its way; it says so no longer before the
callback looks at the queue, and so no later change can slip in between.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

__all__ = ["LoopWaiters"]


class LoopWaiters:
    """Hold the futures that wait, in order; `how_many()` says how many could go on now."""

    __slots__ = ("futures", "how_many", "is_called")

    def __init__(self, how_many: Callable[[], int]) -> None:
        self.futures: deque[asyncio.Future[None]] = deque()
        self.how_many = how_many
        self.is_called = False

    def call(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Have the loop look, unless it is about to. Any thread."""
        if not self.futures or self.is_called or loop is None or loop.is_closed():
            return
        try:
            self.is_called = True
            loop.call_soon_threadsafe(self.answer)
        except BaseException as error:  # of a signal handler, perhaps
            self.is_called = False  # or nobody would ever call again
            if not isinstance(error, RuntimeError):  # closed in this very moment: nobody waits any more
                raise

    def answer(self) -> None:
        """Bring back who can go on. The loop's thread."""
        self.is_called = False
        left = self.how_many() if self.futures else 0
        while self.futures and left > 0:
            future = self.futures.popleft()
            if not future.done():
                future.set_result(None)
                left -= 1

    async def wait(self) -> None:
        """Wait until it is worth another look. The loop's thread."""
        future = asyncio.get_running_loop().create_future()
        self.futures.append(future)
        try:
            if self.how_many() <= 0:
                await future
        except BaseException:
            if future.done() and not future.cancelled():
                self.answer()  # it was called, and passes that on
            raise
        finally:
            with contextlib.suppress(ValueError):
                self.futures.remove(future)
