"""Random programs without workers: the calls and the books are those of a plain model, step by step."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

import tocsin
from helpers import MOTOR, PUMP, STARTS
from tocsin import ALL, STOP

EVENTS = {(protocol, event): bool(event == 0) for protocol in (0x80, 0x81) for event in (0, 2)}
SOURCES = (ALL, 0, 3, 65534)
PROTOCOLS = {0x80: MOTOR, 0x81: PUMP}
QUEUE = {0x80: 1024, 0x81: 1 << 18}

# What a callback does when it is called, besides being noted.
DEEDS = ("nothing", "stop", "raise", "cancel itself", "cancel another", "notify")


@dataclass(eq=False)
class Ear:
    """A subscriber: the model's idea of it."""

    number: int
    keys: list[tuple[int, int, int]]
    priority: int
    deed: str
    active: bool = True
    victim: "Ear | None" = None
    real: Any = None


@dataclass
class Queue:
    """A protocol's queue: a ring in which a record never crosses the end."""

    size: int
    position: int
    waiting: deque[tuple[int, int, bytes]] = field(default_factory=deque)
    used: int = 0
    accepted: int = 0
    refused: int = 0
    delivered: int = 0
    unclaimed: int = 0
    errors: int = 0

    def put(self, event: int, source: int, payload: bytes) -> bool:
        length = 16 + (len(payload) + 15) // 16 * 16
        rest = self.size - self.position % self.size
        need = length if length <= rest else rest + length
        if need > self.size - self.used:
            self.refused += 1
            return False
        self.position += need
        self.used += need
        self.accepted += 1
        self.waiting.append((event, source, payload))
        return True


class PipelineMachine(RuleBasedStateMachine):
    @initialize(start=st.sampled_from(STARTS))
    def begin(self, start: int) -> None:
        tocsin.Pipeline._queue_start = start
        self.start = start
        self.pipeline = tocsin.Pipeline(workers=0, on_error=lambda failure: None)
        self.queues: dict[int, Queue] = {}
        self.ears: list[Ear] = []
        self.frozen = False
        self.unknown = 0
        self.calls: dict[int, list[tuple[int, bytes]]] = {0x80: [], 0x81: []}
        self.expected: dict[int, list[tuple[int, bytes]]] = {0x80: [], 0x81: []}

    def teardown(self) -> None:
        if hasattr(self, "pipeline"):
            if self.frozen:
                self.thaw()
            self.deliver()
            assert self.pipeline.close() is True
            self.check()
        tocsin.Pipeline._queue_start = 0

    # -- rules ------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.queues) < 2)
    @rule(protocol=st.sampled_from((0x80, 0x81)))
    def register(self, protocol: int) -> None:
        if protocol not in self.queues:
            self.pipeline.register(PROTOCOLS[protocol], queue_size=QUEUE[protocol])
            self.queues[protocol] = Queue(QUEUE[protocol], self.start)

    @precondition(lambda self: self.queues)
    @rule(data=st.data())
    def unregister(self, data: st.DataObject) -> None:
        protocol = data.draw(st.sampled_from(sorted(self.queues)))
        if self.frozen:
            with pytest.raises(RuntimeError, match="frozen"):
                self.pipeline.unregister(PROTOCOLS[protocol])
            return
        if protocol == 0x81:
            self.deliver()  # callbacks of the other one notify it, and would find it gone
        assert self.pipeline.unregister(PROTOCOLS[protocol]) is True
        self.deliver()
        del self.queues[protocol]

    @rule(
        protocol=st.sampled_from((0x80, 0x81)),
        parts=st.lists(
            st.tuples(st.sampled_from((0, 2)), st.sampled_from(SOURCES)),
            min_size=1,
            max_size=3,
            unique=True,
        ),
        priority=st.integers(-1, 1),
        deed=st.sampled_from(DEEDS),
    )
    def subscribe(self, protocol: int, parts: list[Any], priority: int, deed: str) -> None:
        # Of one protocol each: between protocols there is no order, and cancelling would show it.
        ear = Ear(len(self.ears), [(protocol, *part) for part in parts], priority, deed)
        names = [tocsin.Key(*key) for key in ear.keys]
        if deed == "cancel another":
            others = [other for other in self.ears if other.keys[0][0] == protocol]
            ear.victim = others[-1] if others else None
        ear.real = self.pipeline.subscribe(names, self.callback_of(ear), priority=priority)
        self.ears.append(ear)

    @precondition(lambda self: self.ears)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        ear = data.draw(st.sampled_from(self.ears))
        assert ear.real.cancel() is True
        ear.active = False

    @rule(
        event=st.sampled_from([*sorted(EVENTS), (0x80, 77), (0x90, 0)]),
        source=st.sampled_from([0, 3, 4, 65534, 65535, 2**32 - 1]),
        size=st.sampled_from([0, 1, 16, 17, 100, 300]),
        times=st.integers(1, 12),
    )
    def notify(self, event: tuple[int, int], source: int, size: int, times: int) -> None:
        payload = bytes([size % 256]) * size
        if event[1] == 0:
            payload = MOTOR.limit.pack(source, size)
        for _ in range(times):
            if event[0] not in self.queues or event not in EVENTS:
                self.unknown += 1
                try:
                    self.pipeline.notify(event, payload)
                except tocsin.UnknownEventError:
                    continue
                raise AssertionError("an unknown event was accepted")
            accepted = self.queues[event[0]].put(event[1], source if event[1] == 0 else 0, payload)
            assert self.pipeline.notify(event, payload) is accepted

    @rule()
    def flush(self) -> None:
        waiting = any(queue.waiting for queue in self.queues.values())
        if self.frozen:
            assert self.pipeline.flush(0) is not waiting
        else:
            self.deliver()

    @rule()
    def freeze(self) -> None:
        self.pipeline.freeze()
        self.frozen = True

    @rule()
    def thaw(self) -> None:
        self.pipeline.thaw()
        self.frozen = False

    # -- the model --------------------------------------------------------------------------------

    def callback_of(self, ear: Ear) -> Any:
        def callback(event: tocsin.Event[Any]) -> object:
            self.calls[event.protocol].append((ear.number, event.payload))
            if ear.deed == "raise":
                raise ValueError(ear.number)
            if ear.deed == "cancel itself":
                ear.real.cancel()
            if ear.deed == "cancel another" and ear.victim is not None:
                ear.victim.real.cancel()
            if ear.deed == "notify" and 0x81 in self.queues and len(event.payload) == 300:
                self.pipeline.notify((0x81, 2), b"follow")
            return STOP if ear.deed == "stop" else None

        return callback

    def deliver(self) -> None:
        assert self.pipeline.flush() is True
        while any(queue.waiting for queue in self.queues.values()):
            for protocol, queue in self.queues.items():
                while queue.waiting:
                    self.dispatch(protocol, queue)
        # What callbacks notified may have been beyond the flush: it was not accepted before it.
        assert self.pipeline.flush() is True

    def dispatch(self, protocol: int, queue: Queue) -> None:
        event, source, payload = queue.waiting.popleft()
        called = False
        for chain_source in (ALL, source):
            if chain_source is not ALL and chain_source > 65534:
                continue
            for ear in self.chain(protocol, event, chain_source):
                if not ear.active:
                    continue
                called = True
                self.expected[protocol].append((ear.number, payload))
                queue.errors += ear.deed == "raise"
                if ear.deed == "cancel itself":
                    ear.active = False
                if ear.deed == "cancel another" and ear.victim is not None:
                    ear.victim.active = False
                if ear.deed == "notify" and 0x81 in self.queues and len(payload) == 300:
                    assert self.queues[0x81].put(2, 0, b"follow")
                if ear.deed == "stop":
                    break
        queue.delivered += called
        queue.unclaimed += not called
        if not queue.waiting:
            queue.used = 0

    def chain(self, protocol: int, event: int, source: int) -> list[Ear]:
        key = (protocol, event, source)
        found = [ear for ear in self.ears if key in ear.keys and ear.active]
        return sorted(found, key=lambda ear: -ear.priority)

    # -- after each step --------------------------------------------------------------------------

    @invariant()
    def check(self) -> None:
        if not hasattr(self, "pipeline"):
            return
        assert self.calls == self.expected
        stats = self.pipeline.stats()
        assert stats.unknown == self.unknown
        assert set(stats.protocols) == set(self.queues)
        for protocol, queue in self.queues.items():
            books = stats.protocols[protocol]
            assert (books.accepted, books.refused) == (queue.accepted, queue.refused)
            assert (books.delivered, books.unclaimed) == (queue.delivered, queue.unclaimed)
            assert (books.pending, books.abandoned) == (len(queue.waiting), 0)
            assert books.callback_errors == queue.errors
        assert len(self.pipeline.subscriptions) == sum(ear.active for ear in self.ears)
        for ear in self.ears:
            bound = "active" if ear.keys[0][0] in self.queues else "pending"
            assert ear.real.state == (bound if ear.active else "cancelled")


TestPipelineMachine = PipelineMachine.TestCase
TestPipelineMachine.settings = settings(max_examples=400, stateful_step_count=40, deadline=None)
