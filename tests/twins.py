"""Two tocsins in one process, one on each backend, and what a program shows on either.

The package under test is imported a second time with the other backend, beside the first: its modules are put
aside meanwhile, so that the second import finds none of them. A program is plain data, a list of steps;
running it gives a list of observations, also plain data: what a step returned or raised, whom it made be
called with what, and the books afterwards.
"""

import importlib
import os
import re
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import tocsin
import tocsin.backend

Step = tuple[Any, ...]

# How the work was divided is the backend's own business: only what became of the events is not.
THE_BACKENDS_OWN = ("activations", "empty_activations", "wakeups")


@cache
def load(backend: str) -> Any:
    """Return a tocsin on the backend of this name."""
    if backend == tocsin.backend.name:
        return tocsin
    ours = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "tocsin"}
    before = os.environ.get("TOCSIN_BACKEND")
    os.environ["TOCSIN_BACKEND"] = backend
    try:
        twin = importlib.import_module("tocsin")
        for module in (twin, twin.backend):
            for name in module.__all__:
                getattr(module, name)  # imported while the twin has the name of the package
    finally:
        os.environ.pop("TOCSIN_BACKEND")
        if before is not None:
            os.environ["TOCSIN_BACKEND"] = before
        for name in [name for name in sys.modules if name.split(".")[0] == "tocsin"]:
            del sys.modules[name]
        sys.modules.update(ours)
    assert twin.backend.name == backend
    return twin


def outcome(call: Callable[[], Any]) -> Any:
    """Return what a call returned, or the name and the words of what it raised."""
    try:
        return call()
    except Exception as error:
        if isinstance(error, BufferError):
            return ("BufferError",)  # in the words of the buffer's owner
        words = str(error).removeprefix("memoryview: ")  # which is whose words these are
        return type(error).__name__, re.sub(" at 0x[0-9a-f]+", "", words)


class Motor:
    """The names of the protocols and events of a program."""

    LIMIT, RAW, NOTE, READINGS = 0, 2, 5, 9


def protocol_of(twin: Any, number: int) -> Any:
    """Return a protocol with a source, with raw bytes, with an absent field and with a repeated part."""
    events = {
        "limit": twin.EventType(Motor.LIMIT, {"motor": "u4", "rpm": "i4"}, source="motor"),
        "raw": twin.EventType(Motor.RAW),
        "note": twin.EventType(Motor.NOTE, {"a": "u4", "b": ("u4", 0)}),
        "readings": twin.EventType(Motor.READINGS, {"n": "u2", "values": ["u4"]}, count=("n", 0x0F)),
    }
    return twin.Protocol(number, f"p{number}", events)


class PipelineWorld:
    """A pipeline without threads, in which nothing but the program decides what happens.

    Between protocols there is no order, so who was called is kept for each protocol apart.
    """

    def __init__(self, twin: Any, start: int) -> None:
        self.twin = twin
        self.pipeline = twin.Pipeline(workers=0, on_error=self.fail)
        self.pipeline._queue_start = start
        self.calls: dict[int, list[Any]] = {}
        self.ears: list[Any] = []
        self.channels: list[Any] = []
        self.producers: list[Any] = []
        self.roomy = 0  # a protocol whose queue never fills

    def run(self, program: list[Step]) -> list[Any]:
        shown = []
        for name, *arguments in [*program, ("finish",)]:
            result = outcome(lambda: getattr(self, name)(*arguments))  # noqa: B023
            shown.append((name, result, self.calls, self.books()))
            self.calls = {number: [] for number in self.calls}
        return shown

    def books(self) -> Any:
        stats = self.pipeline.stats()
        protocols = {number: books._asdict() for number, books in stats.protocols.items()}
        for books in protocols.values():
            for own in THE_BACKENDS_OWN:
                del books[own]
        counts = [(ear.state, ear.stats()) for ear in self.ears]
        ears = [(state, of.calls, of.errors, repr(of.last_error)) for state, of in counts]
        channels = [(repr(channel), channel.stats()._asdict()) for channel in self.channels]
        return protocols, stats.unknown, stats.closed, ears, channels

    # -- steps

    def register(self, number: int, size: int) -> None:
        self.pipeline.register(protocol_of(self.twin, number), queue_size=size)
        self.calls[number] = []
        if size > 1 << 16:
            self.roomy = number

    def unregister(self, number: int) -> None:
        protocol = protocol_of(self.twin, number)
        self.pipeline.thaw()
        while not self.pipeline.unregister(protocol, timeout=0.01):
            self.pipeline.thaw()  # a callable may have frozen it
        self.pipeline.thaw()
        self.flush()  # whose events were handed out in passing is the backend's own business
        self.roomy = 0 if self.roomy == number else self.roomy

    def subscribe(self, number: int, keys: list[Any], priority: int, batch: bool, deed: str) -> str:
        names = [self.twin.Key(number, event, self.source(source)) for event, source in keys]
        me = len(self.ears)
        self.calls.setdefault(number, [])

        def callback(argument: Any) -> Any:
            self.calls[number].append((me, self.shown(argument)))
            return self.do(deed, ear, argument)

        ear = self.pipeline.subscribe(names, callback, priority=priority, batch=batch)
        self.ears.append(ear)
        return repr(ear).partition(" PipelineWorld")[0]

    def cancel(self, number: int) -> Any:
        return self.ears[number % len(self.ears)].cancel() if self.ears else None

    def channel(self, keys: list[Any], capacity: int, overflow: str) -> str:
        names = [self.twin.Key(number, event, self.source(source)) for number, event, source in keys]
        timeout = 1 if overflow == "block" else None  # without threads it never waits
        for number, _, _ in keys:
            self.calls.setdefault(number, [])
        channel = self.pipeline.channel(names, capacity=capacity, overflow=overflow, timeout=timeout)
        self.channels.append(channel)
        return repr(channel.subscription)

    def take(self, number: int, times: int) -> Any:
        if not self.channels:
            return None
        channel = self.channels[number % len(self.channels)]
        return [outcome(lambda: self.shown(channel.get(timeout=0))) for _ in range(times)]

    def take_batch(self, number: int, most: int) -> Any:
        if not self.channels:
            return None
        channel = self.channels[number % len(self.channels)]
        return outcome(lambda: self.shown(channel.get_batch(most, timeout=0)))

    def end_channel(self, number: int) -> Any:
        return self.channels[number % len(self.channels)].close() if self.channels else None

    def notify(self, event: tuple[int, int], payload: Any, timestamp: Any, times: int) -> Any:
        return [outcome(lambda: self.pipeline.notify(event, payload, timestamp)) for _ in range(times)]

    def notify_many(self, event: tuple[int, int], payloads: Any, timestamps: Any) -> Any:
        return self.pipeline.notify_many(event, payloads, timestamps)

    def flush(self) -> Any:
        # A callable may freeze the pipeline, and then a flush without timeout would wait for the thaw.
        answers = [self.pipeline.flush(0)]
        while not answers[-1] and not self.pipeline._frozen:
            answers.append(self.pipeline.flush(0))
        return answers[-1]

    def freeze(self) -> None:
        self.pipeline.freeze()

    def thaw(self) -> None:
        self.pipeline.thaw()

    def close(self) -> Any:
        return self.pipeline.close()

    def finish(self) -> Any:
        self.pipeline.thaw()
        return self.pipeline.close(), repr(self.pipeline)

    def producer(self, number: int, exclusive: bool) -> None:
        self.producers.append(self.pipeline.producer(protocol_of(self.twin, number), exclusive=exclusive))

    def produce(self, number: int, event: int, payload: Any, timestamp: int) -> Any:
        if not self.producers:
            return None
        producer = self.producers[number % len(self.producers)]
        return outcome(lambda: producer.notify(event, payload, timestamp)), producer.closed

    def end_producer(self, number: int) -> Any:
        return self.producers[number % len(self.producers)].close() if self.producers else None

    # -- what callables see and do

    def fail(self, failure: Any) -> None:
        number = failure.subscription.event.protocol
        who = [*self.ears, *(channel.subscription for channel in self.channels)].index(failure.subscription)
        self.calls[number].append(("failed", repr(failure.exception), who))

    def source(self, source: int | None) -> Any:
        return self.twin.ALL if source is None else source

    def shown(self, argument: Any) -> Any:
        if isinstance(argument, self.twin.Batch):
            columns = [getattr(argument, name).tolist() for name in ("lost", "timestamp", "source")]
            return repr(argument), [self.shown(event) for event in argument], columns
        return repr(argument), argument.payload, tuple(argument.key)

    def do(self, deed: str, ear: Any, argument: Any) -> Any:
        number = ear.event.protocol
        if deed == "raise":
            raise ValueError("on purpose")
        if deed == "cancel itself":
            ear.cancel()
        if deed == "cancel the last":
            [other for other in self.ears if other.event.protocol == number][-1].cancel()
        if deed == "freeze":
            self.pipeline.freeze()
        if deed == "wait for itself":
            self.calls[number].append(outcome(self.pipeline.flush))
        if deed == "notify" and self.roomy and getattr(argument, "payload", b"") != b"follow":
            follow = outcome(lambda: self.pipeline.notify((self.roomy, Motor.RAW), b"follow", 1))
            self.calls[number].append(follow)
        if deed == "subscribe":
            self.calls[number].append(self.subscribe(number, [(0, None)], 1, False, "cancel itself"))
        return self.twin.STOP if deed == "stop" else None
