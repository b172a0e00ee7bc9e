"""The pipeline: where producers, queues, workers and subscribers come together.

A Pipeline is a thin Python class over the backend's PipelineCore: notify() and notify_many() are the core's
own; what stands here is cold. The lock serialises what changes the sets of protocols, subscriptions and
producers; it is never held while user code runs or while anything waits. Nothing that the pipeline keeps
refers back to it, so dropping the last reference ends it at once.
"""

import os
import threading
import time
from collections.abc import Callable
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from tocsin import backend, exit
from tocsin.errors import ExclusiveError, UnknownEventError
from tocsin.failure import ErrorReporter, Failure
from tocsin.key import Key, checked
from tocsin.producer import Producer
from tocsin.protocol import Protocol
from tocsin.stats import PipelineStats, ProtocolStats
from tocsin.subscribers import Subscribers

if TYPE_CHECKING:
    from tocsin.subscription import Subscription

__all__ = ["Pipeline"]

CLOCKS = {"monotonic": 0, "boottime": 1, "realtime": 2}
HEADER_SIZE = 16
EXIT_BY_EXCEPTION = 1.0  # seconds that close() may take when a with block is left by an exception


class Pipeline(Subscribers):
    """Carry events from producers to subscribers: each accepted one once, in order, each other counted.

    workers: native workers, default two; beside them run one Python worker (on free-threaded builds as
    many as there are cores). If work has waited 10 ms while all workers of its kind are inside
    callbacks one more starts, up to max_workers. workers=0: no threads; flush() dispatches in the
    caller, step by step, for tests. clock: "monotonic", "boottime" or "realtime", for timestamps.
    on_error(failure): called when a callback raised; default: the logger "tocsin". exit_timeout:
    seconds that delivery may take at the interpreter's exit.

    Leaving its ``with`` block closes it. Any thread.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        max_workers: int = 32,
        clock: str = "monotonic",
        on_error: Callable[[Failure], object] | None = None,
        exit_timeout: float = 2.0,
        name: str = "tocsin",
    ) -> None:
        if clock not in CLOCKS:
            raise ValueError(f"clock must be one of {', '.join(CLOCKS)}, not {clock!r}")
        workers = 2 if workers is None else checked("workers", workers, 1024)
        if not max(workers, 1) <= checked("max_workers", max_workers, 1024):
            raise ValueError(f"max_workers {max_workers} must be at least workers, {workers}")
        if not exit_timeout >= 0:
            raise ValueError(f"exit_timeout must be at least 0 seconds, not {exit_timeout!r}")
        switches = backend.switches()
        python_workers = min(os.cpu_count() or 1, max_workers) if backend.gil_is_off else 1
        exit.refuse_if_over()
        self.name = name
        self.exit_timeout = exit_timeout
        self._lock = threading.RLock()
        self._protocols: dict[int, Protocol] = {}
        self._subscriptions: dict[Subscription, None] = {}
        self._by_key: dict[Key, list[Subscription]] = {}
        self._exclusive: dict[int, Producer] = {}
        self._frozen = self._closed = self._stopped = self._delivered_all = False
        self._workers = workers
        self._start(
            workers,
            python_workers,
            max_workers,
            CLOCKS[clock],
            switches["portable"],
            switches["writers"] == "cas",
            ErrorReporter(on_error),
        )
        exit.register(self)

    # -- protocols

    def register(self, *protocols: Protocol, queue_size: int = 4 << 20) -> None:
        """Make a queue for the events of each protocol.

        queue_size: bytes, 1 KiB to 1 GiB, rounded up to a power of two; an event takes 16 + its payload,
        rounded up to 16. ValueError if a protocol is registered already, or has an event that takes more
        than half of the queue.
        """
        size = checked("queue_size", queue_size, 1 << 30)
        if size < 1 << 10:
            raise ValueError(f"queue_size {size} is not in 1024..{1 << 30}")
        size = 1 << (size - 1).bit_length()
        with self._lock:
            self._refuse_closed()
            for protocol in protocols:
                if not isinstance(protocol, Protocol):
                    raise TypeError(f"register takes instances of Protocol, not {protocol!r}")
            for protocol in protocols:
                self._check_new(protocol, protocols, size)
            for protocol in protocols:
                types: list[Any] = [None] * 256
                for event in protocol.events:
                    types[event.id] = event
                self._add_queue(protocol.id, size, self._queue_start, types)
                self._protocols[protocol.id] = protocol

    _queue_start = 0  # where the counters of a new queue begin; tests put them near a wrap

    def _check_new(self, protocol: Protocol, together: tuple[Protocol, ...], size: int) -> None:
        known = self._protocols.get(protocol.id)
        if known is not None or sum(other.id == protocol.id for other in together) > 1:
            raise ValueError(f"protocol {protocol.id:#x} is registered already, as {known or protocol!r}")
        for event in protocol.events:
            largest = event.max_size or event.min_size
            record = HEADER_SIZE + (largest + 15) // 16 * 16
            if record > size // 2:
                raise ValueError(
                    f"{event!r}: a record takes up to {record} bytes, more than half of a queue of {size}"
                )

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """The registered protocols, in the order of registration."""
        with self._lock:
            return tuple(self._protocols.values())

    # -- producers

    def producer(self, protocol: Protocol, *, exclusive: bool = False) -> Producer:
        """Open a handle for native code to notify a registered protocol.

        exclusive: for one thread, which then has the protocol for itself: faster, and any other notify
        of it raises ExclusiveError until the handle is closed. The memory of the queue is made present
        first.
        """
        if not isinstance(protocol, Protocol):
            raise TypeError(f"producer takes a registered Protocol, not {protocol!r}")
        with self._lock:
            self._refuse_closed()
            if self._protocols.get(protocol.id) != protocol:
                raise UnknownEventError(f"{protocol!r} is not registered")
            if protocol.id in self._exclusive:
                raise ExclusiveError(f"{protocol!r} has an exclusive producer; close it first")
            producer = Producer(self, protocol, exclusive)
            if exclusive:
                self._exclusive[protocol.id] = producer
        return producer

    # -- waiting

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until every event accepted before the call has passed its last stage.

        Then all its calls have returned; later events don't prolong it. False: the timeout (seconds) ran
        out. RuntimeError inside a callback, and without timeout while frozen: it would wait for itself.
        """
        self._refuse_inside("flush")
        if self._frozen and timeout is None:
            raise RuntimeError("flush() of a frozen pipeline would wait for ever: thaw() first, or a timeout")
        return self._flush(timeout)

    def freeze(self) -> None:
        """Let no new call start until thaw(); returns at once. Events are accepted all the while."""
        with self._lock:
            self._refuse_closed()
            self._frozen = True
            self._freeze()

    def thaw(self) -> None:
        """Take freeze() back; harmless if it wasn't frozen."""
        with self._lock:
            self._frozen = False
            self._thaw()

    def close(self, timeout: float | None = None) -> bool:
        """Refuse events, deliver what was accepted, end the workers; harmless to repeat.

        True: everything accepted was delivered. False: the timeout (seconds) ran out; no further
        callback starts and the rest is counted as abandoned. RuntimeError inside a callback.
        """
        self._refuse_inside("close")
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"timeout must be at least 0 seconds or None, not {timeout!r}")
        until = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            self._closed = True
            self._shut()
            exclusive = tuple(self._exclusive.values())
            for producer in exclusive:
                producer._shut()

        def left() -> float | None:
            return None if until is None else max(0.0, until - time.monotonic())

        if not self._stopped:
            quiet = self._await_writers(left())
            quiet = all(producer._await_left(left()) for producer in exclusive) and quiet
            self.thaw()
            delivered = self._flush(left()) and quiet
            with self._lock:
                if not self._stopped:  # of several threads that close, the first one to come here decides
                    self._delivered_all = delivered
                    self._stopped = True  # after what it makes good for the other closers
                    self._stop()
        if self._delivered_all:
            self._await_workers(left())
        return self._delivered_all

    def _refuse_inside(self, what: str) -> None:
        if self._is_inside():
            raise RuntimeError(f"{what}() inside a callback of its own pipeline would wait for itself")

    # -- looking

    def stats(self) -> PipelineStats:
        """Return a snapshot of the books; see PipelineStats."""
        unknown, closed, workers = self._totals()
        with self._lock:
            numbers = tuple(self._protocols)
        books = {number: ProtocolStats(**self._books(number)) for number in numbers}
        return PipelineStats(MappingProxyType(books), unknown, closed, workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(None if kind is None else EXIT_BY_EXCEPTION)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "frozen" if self._frozen else "open"
        names = ", ".join(protocol.name for protocol in self.protocols) or "no protocols"
        return f"<Pipeline {self.name} {state}: {names}; {len(self._subscriptions)} subscriptions>"
