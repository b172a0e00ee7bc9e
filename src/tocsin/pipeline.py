"""The pipeline: where producers, queues, workers and subscribers come together.

A Pipeline is a thin Python class over the backend's PipelineCore: notify() and notify_many() are the
core's own; what stands here is cold, and the rest of that in its bases: awaiting.py, channels.py,
subscribers.py, registrations.py, bindings.py. The lock serialises what changes the sets of protocols,
subscriptions and producers; it is never held while user code runs or while anything waits. Nothing that the
pipeline keeps refers back to it, so dropping the last reference ends it at once.
"""

from __future__ import annotations

import os
import threading
import time
from types import MappingProxyType, TracebackType

from tocsin import backend, exit, forks
from tocsin.awaiting import EXIT_BY_EXCEPTION, Awaiting, left_until
from tocsin.callables import is_main
from tocsin.enabling import Turns
from tocsin.errors import ExclusiveError, UnknownEventError
from tocsin.failure import ErrorReporter, Failure
from tocsin.key import Key, checked
from tocsin.producer import Producer
from tocsin.protocol import Protocol
from tocsin.stats import PipelineStats, ProtocolStats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from tocsin.bindings import Registration
    from tocsin.subscription import Subscription

__all__ = ["Pipeline"]

CLOCKS = {"monotonic": 0, "boottime": 1, "realtime": 2}
KICKS = ("auto", "membarrier", "atomic")


class Pipeline(Awaiting):
    """Carry events from producers to subscribers: each accepted one once, in order, each other counted.

    workers: native workers, default two; beside them run one Python worker (on free-threaded builds as
    many as there are cores). If work has waited 10 ms while all workers of its kind are inside
    callbacks one more starts, up to max_workers. workers=0: no threads; flush() dispatches in the
    caller, step by step, for tests. clock: "monotonic", "boottime" or "realtime", for timestamps.
    kick: how a writer makes sure that a worker looks. "membarrier": it looks whether one will anyway, and
    the workers pay for the barrier (Linux 4.14); "atomic": by one atomic operation, on any system and
    with workers=0; "auto": the first where it is to be had, RuntimeError where "membarrier" isn't.
    Property `kick` says which is in force.
    on_error(failure): called when a callback raised or a source could not be switched; default: the
    logger "tocsin". exit_timeout: seconds that delivery may take at the interpreter's exit.

    Leaving its ``with`` or ``async with`` block closes it. Any thread.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        max_workers: int = 32,
        clock: str = "monotonic",
        kick: str = "auto",
        on_error: Callable[[Failure], object] | None = None,
        exit_timeout: float = 2.0,
        name: str = "tocsin",
    ) -> None:
        if clock not in CLOCKS:
            raise ValueError(f"clock must be one of {', '.join(CLOCKS)}, not {clock!r}")
        if kick not in KICKS:
            raise ValueError(f"kick must be one of {', '.join(KICKS)}, not {kick!r}")
        workers = 2 if workers is None else checked("workers", workers, 1024)
        if not max(workers, 1) <= checked("max_workers", max_workers, 1024):
            raise ValueError(f"max_workers {max_workers} must be at least workers, {workers}")
        if not exit_timeout >= 0:
            raise ValueError(f"exit_timeout must be at least 0 seconds, not {exit_timeout!r}")
        switches = backend.switches()
        python_workers = min(os.cpu_count() or 1, max_workers) if backend.gil_is_off else 1
        exit.admit()
        self.name = name
        self.exit_timeout = exit_timeout
        self._lock = backend.guard(threading.RLock())
        self._turns = Turns()
        self._registrations: dict[int, Registration] = {}
        self._subscriptions: dict[Subscription, None] = {}
        self._by_key: dict[Key, list[Subscription]] = {}
        self._exclusive: dict[int, Producer] = {}
        self._frozen = self._closed = self._stopped = self._delivered_all = False
        self._workers = workers
        self._reporter = ErrorReporter(on_error)
        self._settings = (
            workers,
            python_workers,
            max_workers,
            CLOCKS[clock],
            kick,
            switches["portable"],
            switches["writers"] == "cas",
            self._reporter,
        )
        self._start(*self._settings)
        exit.register(self)
        forks.watch()

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
            registration = self._registered(protocol.id)
            if registration is None or registration.protocol != protocol:
                raise UnknownEventError(f"{protocol!r} is not registered")
            if protocol.id in self._exclusive:
                raise ExclusiveError(f"{protocol!r} has an exclusive producer; close it first")
            producer = Producer(self, protocol)
            if exclusive:
                self._exclusive[protocol.id] = producer
            try:
                producer._open(self, protocol.id, exclusive)
            except BaseException:
                self._exclusive.pop(protocol.id, None)
                raise
        return producer

    # -- waiting

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until every event accepted before the call has passed its last stage.

        Then all its calls have returned; later events don't prolong it. False: the timeout (seconds) ran
        out. RuntimeError inside a callback, and without timeout while frozen: it would wait for itself.
        On the main thread it also calls what waits for that (main_thread=True).
        """
        self._refuse_flush(timeout)
        began = time.monotonic()
        if not self._flush(timeout):
            return False
        return not is_main() or self._drain_main(None if timeout is None else left_until(began + timeout))

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
        """Refuse events, deliver what was accepted, switch the sources off, end the workers.

        Harmless to repeat. True: everything accepted was delivered. False: the timeout (seconds) ran
        out; no further callback starts and the rest is counted as abandoned. Sources are switched off
        in both cases; if another thread is inside set_enabled when time is over, by that one as it leaves.
        Errors of that go to on_error. On the main thread it calls what waits for that; another one leaves
        it to the main thread. RuntimeError inside a callback or set_enabled.
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

        if not self._stopped:
            quiet = self._await_writers(left_until(until))
            quiet = all(producer._await_left(left_until(until)) for producer in exclusive) and quiet
            self.thaw()
            delivered = self._flush(left_until(until)) and quiet
            if delivered and is_main():
                delivered = self._drain_main(left_until(until))
            self._close_sources(left_until(until))
            with self._lock:
                if not self._stopped:  # of several threads that close, the first one to come here decides
                    self._delivered_all = delivered
                    self._stopped = True  # after what it makes good for the other closers
                    self._stop()
                    self._end_mains(delivered)
        else:
            self._close_sources(0)  # what was left to a command that was interrupted
        if self._delivered_all:
            self._await_workers(left_until(until))
        return self._delivered_all

    def _begin_anew(self) -> None:
        """Be a pipeline of this process, a forked child: same subscriptions, nothing queued, no thread yet.

        What the parent was closing is closed.
        """
        self._lock = backend.guard(threading.RLock())
        self._turns.begin_anew()
        self._forget_commands()
        self._reporter.begin_anew()
        for producer in self._exclusive.values():
            producer._abandon()
        self._exclusive.clear()
        if not self._closed:
            self._start(*self._settings, True)
            self._bind_anew()
            if self._frozen:
                self._freeze()
        elif not self._stopped:
            self._stopped = True
            self._stop()
            self._end_mains(False)

    def __del__(self) -> None:
        if not getattr(self, "_stopped", True):  # neither closed nor half made
            self._close_sources(0)

    # -- looking

    @property
    def kick(self) -> str:
        """The form of kicks in force: "membarrier" or "atomic".

        A barrier that fails later, in a sandbox that came up, changes it to "atomic" for good.
        """
        return self._kick()

    def stats(self) -> PipelineStats:
        """Return a snapshot of the books; see PipelineStats."""
        unknown, closed, workers = self._totals()
        with self._lock:
            numbers = tuple(self._registrations)
        counted = {number: self._books(number) for number in numbers}
        # None are left of a protocol that was unregistered a moment ago.
        books = {number: ProtocolStats(**counts) for number, counts in counted.items() if counts}
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
