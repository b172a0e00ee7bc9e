"""The half of a pipeline that coroutines wait for: aflush(), aclose(), ``async with``.

flush() and close() wait in a thread of their own, and the coroutine waits for that. So the event loop goes on
meanwhile, and with it coroutines that read channels, for which the pipeline may be waiting. In a pipeline
without workers flush() and close() are what dispatches, and do so in the caller, as ever.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from functools import partial

from tocsin.callables import is_main
from tocsin.channels import Channels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["EXIT_BY_EXCEPTION", "Awaiting", "left_until"]

EXIT_BY_EXCEPTION = 1.0  # seconds that close() may take when a with block is left by an exception


def left_until(until: float | None) -> float | None:
    """Return how many seconds are left; None: no end."""
    return None if until is None else max(0.0, until - time.monotonic())


class Awaiting(Channels):
    """Wait for a pipeline in an event loop."""

    _workers: int

    @abstractmethod
    def flush(self, timeout: float | None = None) -> bool:
        """Wait until every event accepted before the call has passed its last stage."""

    @abstractmethod
    def close(self, timeout: float | None = None) -> bool:
        """Refuse events, deliver what was accepted, switch the sources off, end the workers."""

    async def aflush(self, timeout: float | None = None) -> bool:
        """Do as flush(), and leave the event loop to others while it waits.

        A coroutine that is cancelled stops waiting; nothing else changes.
        """
        from tocsin.aio import in_thread  # asyncio is slow to import, and mostly not needed

        if self._workers == 0:
            return self.flush(timeout)
        self._refuse_flush(timeout)
        began = time.monotonic()
        if not await in_thread(partial(self._flush, timeout)):
            return False
        return not is_main() or self._drain_main(None if timeout is None else left_until(began + timeout))

    async def aclose(self, timeout: float | None = None) -> bool:
        """Do as close(), in another thread, and leave the event loop to others while it waits.

        set_enabled of the sources is called in that thread; what is queued for the main thread is left to it.
        A coroutine that is cancelled stops waiting: the closing goes on.
        """
        from tocsin.aio import in_thread

        if self._workers == 0:
            return self.close(timeout)
        self._refuse_inside("aclose")
        return await in_thread(partial(self.close, timeout))

    def _refuse_flush(self, timeout: float | None) -> None:
        """Refuse a flush that would wait for itself."""
        self._refuse_inside("flush")
        if self._frozen and timeout is None:
            raise RuntimeError("flush() of a frozen pipeline would wait for ever: thaw() first, or a timeout")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose(None if kind is None else EXIT_BY_EXCEPTION)
