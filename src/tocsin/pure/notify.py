"""The way in: notify() and notify_many().

Any thread. Arguments are looked up, packed and checked first; then the event goes in under the lock of its
queue (equeue.py), and the stage is kicked after it, whatever happens in between.

`_stages` has every protocol with a queue, `_doors` the queues of those whose events are let in. Who comes in
takes a queue from there and keeps it to the end of the call, also if the protocol is unregistered meanwhile.
"""

import threading
from operator import index
from typing import TYPE_CHECKING, Any, NoReturn

from tocsin.errors import ClosedError, ExclusiveError, PayloadError, UnknownEventError
from tocsin.pure.equeue import EventsQueue, Notified
from tocsin.pure.event import EventCode
from tocsin.pure.many import Many
from tocsin.pure.stage import Stage
from tocsin.pure.times import deadline_of, left_until, stamp_of
from tocsin.pure.workqueue import WorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from tocsin.key import Key
    from tocsin.pure.channel import ChannelCore

__all__ = ["NotifyCore"]

WOULD_WAIT = (
    "notify with a timeout inside a callback of the same pipeline would wait for itself: use timeout=0"
)
NOT_STARTED = "the pipeline was not initialised: a subclass must call super().__init__()"


class NotifyCore:
    """Hold the queues and let events in: the half of a pipeline that producers use."""

    _stages: dict[int, Stage]
    _channels: "list[ChannelCore[Any]]"  # the open ones
    _doors: dict[int, EventsQueue]
    _workqueue: WorkQueue | None
    _clock: "Callable[[], int] | None"
    _misses: "Misses"

    def __new__(cls, *args: Any, **kwargs: Any) -> "Self":
        """Begin without queues; a subclass may have an __init__ that doesn't call ours."""
        self = super().__new__(cls)
        self._stages = {}
        self._channels = []
        self._doors = {}
        self._workqueue = self._clock = None
        self._misses = Misses()
        return self

    def now(self) -> int:
        """Return the time of the pipeline's clock in ns."""
        if self._clock is None:
            raise RuntimeError(NOT_STARTED)
        return self._clock()

    def notify(
        self,
        event: "EventCode[Any] | Key | tuple[int, int]",
        payload: Any,
        timestamp: int | None = None,
        *,
        timeout: float | None = 0,
    ) -> bool:
        """Hand an event over: True accepted, False refused because its queue is full (counted).

        event: a bound EventType, a Key, or (protocol, event). payload: a bytes-like object, or a report or
        tuple, which is packed. timestamp: ns, default now. timeout: seconds to wait for room; 0 never
        waits. Any thread, also from a callback; takes the lock of its queue. UnknownEventError,
        PayloadError, ClosedError, ExclusiveError.
        """
        code = code_of(event)
        queue = self._doors.get(code >> 24)
        stamp = None if timestamp is None else stamp_of(timestamp)
        deadline = deadline_of(timeout)
        if queue is None:
            self._refuse(Notified.UNKNOWN, None, event, code, b"")
        number = code >> 16 & 0xFF
        data = payload_of(queue, number, payload)
        notified = queue.check(number, data)
        if notified is Notified.ACCEPTED:
            notified = queue.notify(number, data, stamp)
        if notified is Notified.FULL and timeout != 0:
            if self._is_inside():
                raise RuntimeError(WOULD_WAIT)
            notified = await_room(queue, lambda: queue.notify(number, data, stamp), deadline)
        if notified is Notified.FULL:
            queue.refuse(1)
            return False
        if notified is not Notified.ACCEPTED:
            self._refuse(notified, queue, event, code, data)
        return True

    def notify_many(
        self,
        event: "EventCode[Any] | Key | tuple[int, int]",
        payloads: Any,
        timestamps: Any = None,
        *,
        timeout: float | None = 0,
    ) -> int:
        """Hand many events of one type over; return how many were accepted: a prefix.

        payloads: a contiguous buffer of equal records, such as a structured array of `event.dtype`.
        timestamps: None (the clock is read once), one number, or a buffer of as many uint64. timeout:
        seconds to wait for room in all; what finds none is counted as refused. Otherwise as notify().
        """
        code = code_of(event)
        queue = self._doors.get(code >> 24)
        deadline = deadline_of(timeout)
        number = code >> 16 & 0xFF
        rule = None if queue is None else queue.rules[number]
        if queue is None or rule is None:
            self._refuse(Notified.UNKNOWN, queue, event, code, b"")
        many = Many(queue, number, rule, payloads, timestamps)
        if timeout != 0 and self._is_inside():
            raise RuntimeError(WOULD_WAIT)
        notified = put_many(queue, many)
        if notified is Notified.FULL and timeout != 0:
            notified = await_room(queue, lambda: put_many(queue, many), deadline)
        if notified is Notified.FULL or (notified is not Notified.ACCEPTED and many.done):
            # If the door was shut while we waited: what is in is in, and the rest found no room.
            queue.refuse(many.left)
        elif notified is not Notified.ACCEPTED:
            self._refuse(notified, queue, event, code, b"")
        return many.done

    def _is_inside(self) -> bool:
        """Return whether the caller is inside a callback of this pipeline."""
        return self._workqueue is not None and self._workqueue.worker_here() is not None

    def _refuse(
        self, notified: Notified, queue: EventsQueue | None, event: Any, code: int, payload: bytes
    ) -> NoReturn:
        """Raise the error of a notify() that did not come to the queue."""
        if self._workqueue is None:
            raise RuntimeError(NOT_STARTED)
        name = f"protocol {code >> 24:#x}, event {code >> 16 & 0xFF}" if code >= 0 else repr(event)
        if notified is Notified.INVALID and queue is not None:
            queue.types[code >> 16 & 0xFF].check_size(payload)
            rule = queue.rules[code >> 16 & 0xFF]
            most = 0 if rule is None else rule.max_size
            raise PayloadError(f"{name}: {len(payload)} bytes; its queue takes at most {most}")
        if notified is Notified.EXCLUSIVE:
            raise ExclusiveError(f"{name}: an exclusive producer has the protocol for itself; close it first")
        if notified is Notified.CLOSED and queue is self._doors.get(code >> 24):
            self._misses.add(late=1)
            raise ClosedError(f"{name}: the pipeline is closed")
        self._misses.add(unknown=1)
        if code < 0:
            raise UnknownEventError(f"{event!r} belongs to no protocol: take it from an instance of one")
        if queue is None or notified is Notified.CLOSED:  # or it was unregistered a moment ago
            raise UnknownEventError(f"{name}: the protocol is not registered")
        raise UnknownEventError(f"{name}: the protocol has no such event")


class Misses:
    """Count events that came to no queue."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.unknown = self.late = 0

    def add(self, unknown: int = 0, late: int = 0) -> None:
        """Count one more. Any thread."""
        with self.lock:
            self.unknown += unknown
            self.late += late


def put_many(queue: EventsQueue, many: Many) -> Notified:
    """Put in what fits. ACCEPTED: all; FULL: the rest found no room."""
    notified, before = Notified.ACCEPTED, queue.in_
    try:
        with queue.lock:
            while notified is Notified.ACCEPTED and many.left:
                notified = queue.put(many.event, many.records[many.done], many.stamps[many.done])
                many.done += notified is Notified.ACCEPTED
        return notified
    finally:
        if queue.in_ != before:
            queue.kick()


def await_room(queue: EventsQueue, put: "Callable[[], Notified]", deadline: float | None) -> Notified:
    """Try again whenever there is more room, until it isn't full or the time is over."""
    while True:
        out = queue.out
        notified = put()  # without the lock, under which nobody may be kicked
        left = left_until(deadline)
        if notified is not Notified.FULL or left == 0:
            return notified
        with queue.changed:
            queue.changed.wait_for(lambda out=out: queue.out != out or queue.closed, left)  # type: ignore[misc]


def code_of(event: Any) -> int:
    """Return the code of whatever names an event; -1: an event type that is bound to no protocol."""
    if isinstance(event, EventCode):
        return event.code
    try:
        if isinstance(event, tuple):
            protocol, number = event
        else:
            protocol, number = event.protocol, event.event
        protocol, number = index(protocol), index(number)
    except (AttributeError, TypeError, ValueError):
        raise TypeError(f"an event is a bound EventType, a Key or (protocol, event), not {event!r}") from None
    if not (0 <= protocol <= 0xFF and 0 <= number <= 0xFF):
        raise ValueError(f"protocol {protocol}, event {number}: both must be in 0..255")
    return protocol << 24 | number << 16


def payload_of(queue: EventsQueue, number: int, payload: Any) -> bytes:
    """Return the bytes of anything that may be a payload: a buffer, or something to pack."""
    if type(payload) is bytes:
        return payload
    try:
        view = memoryview(payload)
    except TypeError:
        event_type = queue.types[number]
        if event_type is None:
            return b""  # the protocol has no such event: the check will say so
        try:
            packed: bytes = event_type.pack(payload)
        except PayloadError:
            queue.count_invalid()
            raise
        return packed
    with view:
        return bytes(view)
