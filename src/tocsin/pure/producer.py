"""Producers: handles through which one protocol is notified, here from Python only.

An exclusive one has the protocol for itself: while it is open everybody else is told so. Native code can't
use them: there is no address behind one. It keeps the queue, not the pipeline, and is told of its end.
"""

import errno
from typing import TYPE_CHECKING, Any

from tocsin.errors import ExclusiveError
from tocsin.pure.equeue import EventsQueue, Notified
from tocsin.pure.failing import missing
from tocsin.pure.notify import Misses, NotifyCore
from tocsin.pure.times import deadline_of, stamp_of

if TYPE_CHECKING:
    from typing import Self

__all__ = ["ProducerCore", "function_address"]

ANSWERS = {
    Notified.ACCEPTED: 0,
    Notified.UNKNOWN: -errno.EINVAL,
    Notified.INVALID: -errno.EINVAL,
    Notified.FULL: -errno.ENOBUFS,
    Notified.CLOSED: -errno.ESHUTDOWN,
    Notified.EXCLUSIVE: -errno.EBUSY,
}


class ProducerCore:
    """Hold a way into a queue: what Producer is built on."""

    _into: EventsQueue | None
    _misses: Misses
    _is_exclusive: bool
    _is_closed: bool

    def __new__(cls, *args: Any, **kwargs: Any) -> "Self":
        """Begin as nobody's."""
        self = super().__new__(cls)
        self._into = None
        self._is_exclusive = self._is_closed = False
        return self

    @property
    def _queue(self) -> EventsQueue:
        if self._into is None:
            raise RuntimeError("a producer is made by Pipeline.producer()")
        return self._into

    def _open(self, owner: NotifyCore, protocol: int, exclusive: bool) -> None:
        """Open a producer of a registered protocol. With the face's lock."""
        queue = owner._stages[protocol].queue
        with queue.lock:  # so no other writer is inside
            if queue.exclusive:
                raise ExclusiveError(
                    f"protocol {protocol:#x}: an exclusive producer has the protocol for itself; "
                    "close it first"
                )
            queue.exclusive = exclusive
        self._into, self._misses, self._is_exclusive = queue, owner._misses, exclusive

    def _shut(self) -> None:
        """Answer every later call with -ESHUTDOWN."""
        with self._queue.lock:
            self._is_closed = True

    def _abandon(self) -> None:
        """Be closed in a forked child."""
        self._is_closed = True

    def _await_left(self, timeout: float | None) -> bool:
        """Wait until the last call has left: it held the lock that _shut() took, so none is inside."""
        deadline_of(timeout)
        return True

    def _reopen(self) -> None:
        """Let the others in again, after an exclusive producer was shut and if the pipeline is open."""
        with self._queue.lock:
            if not self._queue.closed:
                self._queue.exclusive = False

    @property
    def exclusive(self) -> bool:
        """Whether the producer has its protocol for itself."""
        self._queue  # noqa: B018  (RuntimeError before _open())
        return self._is_exclusive

    @property
    def closed(self) -> bool:
        """Whether every call is answered with -ESHUTDOWN."""
        return self._queue.closed or self._is_closed

    @property
    def address(self) -> int:
        """Refuse: there is no handle in memory."""
        raise missing("Producer.address", "its producers have no handle for native code")

    @property
    def function(self) -> int:
        """Refuse: there is no native function."""
        raise missing("Producer.function", "its notify is no native function")

    @property
    def capsule(self) -> object:
        """Refuse: there is no handle in memory."""
        raise missing("Producer.capsule", "its producers have no handle for native code")

    def _notify(self, event: int, payload: bytes, timestamp: int | None) -> int:
        stamp = None if timestamp is None else stamp_of(timestamp)
        queue, notified = self._queue, Notified.CLOSED
        before = queue.in_
        try:
            with queue.lock:
                if not self._is_closed:
                    notified = queue.check(event, payload)
                    if notified is Notified.ACCEPTED:
                        notified = queue.put(event, payload, stamp, self._is_exclusive)
        finally:
            if queue.in_ != before:
                queue.kick()
        if notified is Notified.FULL:
            queue.refuse(1)
        elif notified is not Notified.ACCEPTED:
            self._misses.add(unknown=notified is Notified.UNKNOWN, late=notified is Notified.CLOSED)
        return ANSWERS[notified]


def function_address(function: object) -> int:
    """Refuse: here is nobody who could call a function by its address."""
    raise missing("Pipeline.subscribe_native", "it has no native workers to call a function by address")
