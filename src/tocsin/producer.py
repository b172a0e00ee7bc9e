"""A producer: the handle through which native code notifies one protocol.

Made by Pipeline.producer(). Native code gets its address (or its capsule) and calls tocsin_notify() of
tocsin.h, or the function at `function`; the handle stays valid memory as long as the pipeline or any handle
of it lives, and answers -ESHUTDOWN once closed.
"""

from __future__ import annotations

import errno
import weakref

from tocsin import backend
from tocsin.backend import ProducerCore
from tocsin.errors import ClosedError, ExclusiveError, PayloadError, UnknownEventError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Self

    from tocsin.pipeline import Pipeline
    from tocsin.protocol import Protocol

__all__ = ["Producer"]


class Producer(ProducerCore):
    """Let native code notify one protocol without the GIL."""

    def __init__(self, pipeline: Pipeline, protocol: Protocol) -> None:
        self._pipeline = weakref.ref(pipeline)
        self.protocol = protocol

    def notify(self, event_id: int, payload: Any, timestamp: int | None = None) -> bool:
        """Hand an event over as native code would: True accepted, False refused.

        payload: bytes-like, or a report of the event, which is packed. The errors of
        Pipeline.notify(). Any thread; for an exclusive producer one at a time.
        """
        event = next((event for event in self.protocol.events if event.id == event_id), None)
        if event is None:
            raise UnknownEventError(f"{self.protocol!r} has no event {event_id!r}")
        try:
            data = bytes(memoryview(payload))
        except TypeError:
            data = event.pack(payload)
        error = -self._notify(event_id, data, timestamp)
        if error == errno.EINVAL:
            event.check_size(data)
            raise PayloadError(f"{event!r}: {len(data)} bytes are more than its queue takes")
        if error == errno.ESHUTDOWN:
            raise ClosedError(f"{self!r} is closed")
        if error == errno.EBUSY:
            raise ExclusiveError(f"{self.protocol!r}: another producer has it for itself")
        return error == 0

    def close(self, timeout: float | None = None) -> bool:
        """Answer every later call with -ESHUTDOWN; an exclusive one lets the others in again.

        Waits until the last call has left; False if the timeout (seconds) ran out first. Harmless to
        repeat.
        """
        self._shut()
        if not self._await_left(timeout):
            return False
        pipeline = self._pipeline()
        if self.exclusive and pipeline is not None:
            with pipeline._lock:
                if pipeline._exclusive.get(self.protocol.id) is self:
                    del pipeline._exclusive[self.protocol.id]
                    self._reopen()
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        kind = "exclusive" if self.exclusive else "shared"
        place = f" at {self.address:#x}" if backend.name == "cython" else ""
        return f"<Producer {self.protocol.name} {kind} {state}{place}>"
