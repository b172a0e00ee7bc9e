"""Channels in an event loop: coroutines that take events, and sleep as the loop does.

For each loop that waits for a channel there is one Waiting: a descriptor that the loop polls, the doorbell
that writes to it (_core/doorbell.pxd, pure/doorbell.py), and the coroutines that wait, in order. A
coroutine takes what is there without waiting. Only when nothing is there it joins the line and arms the
doorbell, which looks once more. So there is one wake-up for a loop that sleeps, whatever the rate of
events: the descriptor is written to once, and never again before the loop has come back and found nothing.

Nobody is handed an event. Who is called goes and looks, and takes it without a further await: so a
coroutine that is cancelled has either not taken one, or is through and returns it. One is called at a time;
when it has come back, whichever way (with an event, without, cancelled), it calls the next one in line. So
while somebody is in line, either one was called, or the doorbell is armed, or the loop is about to be told
by the descriptor.

A coroutine that always finds events would keep the loop for itself. So it looks at the clock after BUDGET
events, and when its TURN is over it gives way, before it takes the next.

All of this happens in the loop's thread. Several loops, each with its Waiting, and threads may share a
channel; what they share is the channel. A Waiting ends, in its loop, when the channel is closed or over;
otherwise when the loop was closed and another one comes, or when nobody has the channel any more. Then its
doorbell is disarmed and its descriptor closed, in this order. A forked child leaves those of its parent
alone: what a loop polls with is shared with it.

Which library runs the coroutine, asyncio or trio, is asked at each call; anyio is one of the two.
"""

import contextlib
import os
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tocsin.backend import Batch, Doorbell, Event
from tocsin.errors import ClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.aio.loop import Loop, Turn
    from tocsin.channel import Channel

__all__ = ["Waiting"]

R = TypeVar("R")

BUDGET = 128  # events between two looks at the clock
TURN = 0.001  # seconds
EMPTY, READY, OVER = range(3)  # what a doorbell finds


def descriptors() -> tuple[int, int]:
    """Return the reading and the writing end of a doorbell, which may be one; OSError."""
    if hasattr(os, "eventfd"):
        one = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        return one, one
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    return reading, writing


class Waiting(Generic[R]):
    """Hold the coroutines of one loop that wait for one channel."""

    def __init__(self, channel: "Channel[R]", loop: "Loop", forget: "Callable[[Any], None]") -> None:
        self.channel = channel
        self.forget = forget  # called with the loop's key at the end
        self.loop = loop
        self.line: deque[Turn] = deque()
        self.called: Turn | None = None  # has not come back yet
        self.process = os.getpid()
        self.reading, self.writing = descriptors()
        self.bell: Doorbell[R] = Doorbell(channel, self.writing)
        self.bell.line, self.bell.left = self.line, BUDGET
        self.turn_ends = time.monotonic() + TURN
        this = weakref.ref(self)  # the loop must not keep a channel that everybody else has forgotten

        def look() -> bool:
            waiting = this()
            if waiting is not None:
                waiting.rung()
            return waiting is not None

        try:
            loop.watch(self.reading, look)
        except BaseException:
            self.close()
            raise

    # -- taking

    async def get(self, deadline: float | None) -> Event[R]:
        """Take the oldest event; wait for one until the deadline."""
        self.bell.left -= 1
        if self.bell.left < 0:
            await self.give_way()
        try:
            while (event := self.bell.take()) is None:
                await self.wait(deadline)
            return event
        finally:
            if self.line:
                self.pass_on()

    async def get_batch(self, most: int, deadline: float | None) -> Batch[R]:
        """Take a batch of the oldest events; wait for the first one until the deadline."""
        if self.bell.left < 0:
            await self.give_way()
        try:
            while (batch := self.bell.take_batch(most)) is None:
                await self.wait(deadline)
            self.bell.left -= len(batch)
            return batch
        finally:
            if self.line:
                self.pass_on()

    async def give_way(self) -> None:
        """Let others have their turn, unless ours has just begun."""
        if time.monotonic() >= self.turn_ends:
            await self.loop.give_way()
            self.turn_ends = time.monotonic() + TURN
        self.bell.left = BUDGET

    # -- waiting

    async def wait(self, deadline: float | None) -> None:
        """Wait until it is worth another look; ClosedError, TimeoutError."""
        seconds = None if deadline is None else deadline - time.monotonic()
        is_late = seconds is not None and seconds <= 0
        found = OVER if self.reading < 0 else self.bell.look() if is_late else self.bell.arm()
        if found == OVER:
            self.end_if_idle()
            raise ClosedError(f"{self.channel!r} is closed, and nothing is left in it")
        if found == READY:
            return
        if is_late or not await self.wait_in_line(seconds):
            raise TimeoutError(f"{self.channel!r}: no event came in time")

    async def wait_in_line(self, seconds: float | None) -> bool:
        """Wait for one's turn; False: not in time.

        Who was called and found nothing, since a thread was faster, goes to the end of the line.
        """
        turn = self.loop.turn()
        was_called = False
        self.line.append(turn)
        try:
            was_called = await self.loop.wait(turn, seconds)
            self.bell.left, self.turn_ends = BUDGET, time.monotonic() + TURN
            return was_called
        finally:
            if self.called is turn:
                self.called = None
            if not was_called:  # or called, and cancelled since
                with contextlib.suppress(ValueError):
                    self.line.remove(turn)
                self.leave()

    def leave(self) -> None:
        """Turn back without an event; a call may have been for us. Of a closed loop nobody comes back."""
        if self.loop.is_over():
            self.line.clear()
            self.called = None
        self.pass_on()

    def rung(self) -> None:
        """Take note that the doorbell was rung."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.reading, 4096)
        self.pass_on()

    def pass_on(self) -> None:
        """Call the next in line if there is something for him; else have the doorbell armed if anybody is."""
        while self.line and self.line[0].done():
            self.line.popleft()
        if not self.line:
            self.bell.disarm()
        elif self.called is None and (self.reading < 0 or self.bell.arm() != EMPTY):
            self.called = self.line.popleft()
            self.called.call()

    # -- the end

    def end_if_idle(self) -> None:
        """End, since nothing will come any more that anybody would wait for."""
        if not self.line and self.reading >= 0:
            self.forget(self.loop.key)
            self.end()

    def retire(self) -> None:
        """End when the loop comes to it, unless somebody waits. The channel is closed. Any thread."""
        if self.loop.is_over():
            self.end()
        else:
            self.loop.call(self.end_if_idle)

    def end(self) -> None:
        """Disarm the doorbell and close the descriptors; harmless to repeat."""
        if self.reading < 0:
            return
        if hasattr(self, "bell"):
            self.bell.disarm()
        if self.process == os.getpid() and not self.loop.is_over():
            self.loop.forget(self.reading)
            self.close(is_watched=True)
        else:
            self.close()

    def close(self, is_watched: bool = False) -> None:
        """Close the descriptors; that which the loop watches it closes itself."""
        if self.writing != self.reading:
            os.close(self.writing)
        if not is_watched:
            os.close(self.reading)
        self.reading = -1

    def __del__(self) -> None:
        if hasattr(self, "reading"):
            self.end()
