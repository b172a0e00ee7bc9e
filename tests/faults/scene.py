"""What the subjects share: protocols, a pipeline without threads, what a call may not leave half changed."""

from typing import Any

from tests.faults.injector import Kind
from tests.faults.trial import Trial

import tocsin


class Motor(tocsin.Protocol):
    limit = tocsin.EventType(0, {"motor": "u4", "rpm": "i4"}, source="motor")
    tick = tocsin.EventType(1, {"n": "u8"})
    raw = tocsin.EventType(2)


MOTOR = Motor(0x80)
PUMP = Motor(0x81, "pump")
LIMIT = bytes(range(8))  # source 0x03020100 reaches ALL only
OF_SEVEN = (7).to_bytes(4, "little") + bytes(4)

ALLOCATES = {Kind.core, Kind.python}
EVERYTHING = set(Kind)


class Stage:
    """A pipeline whose flush() dispatches here, and what on_error heard."""

    def __init__(self, *protocols: tocsin.Protocol, **options: Any) -> None:
        self.failures: list[tocsin.Failure] = []
        self.pipeline = tocsin.Pipeline(**({"workers": 0, "on_error": self.failures.append} | options))
        if protocols:
            self.pipeline.register(*protocols, queue_size=1 << 12)

    def state(self) -> object:
        """Return what a call that raised must not have changed."""
        pipeline = self.pipeline
        books = {number: vars_of(counts) for number, counts in pipeline.stats().protocols.items()}
        bound = [(one.state, one.keys, dict(one.failed_sources)) for one in pipeline.subscriptions]
        return pipeline.protocols, pipeline.subscriptions, bound, books

    def send(self, event: Any = MOTOR.limit, payload: Any = LIMIT) -> None:
        assert self.pipeline.notify(event, payload)
        assert self.pipeline.flush(timeout=10)

    def end(self) -> None:
        """Close; the books must balance, and nobody may have complained."""
        assert self.pipeline.close(timeout=10)
        self.balance()
        assert not self.failures, self.failures

    def balance(self) -> None:
        for counts in self.pipeline.stats().protocols.values():
            known = counts.delivered + counts.unclaimed + counts.abandoned + counts.pending
            assert counts.accepted == known, counts


def forgiven(trial: Trial, stage: Stage) -> int:
    """Take what on_error heard: MemoryErrors, of set_enabled too, as many as were injected. How many."""
    told = [failure.exception for failure in stage.failures]
    told = [error.__cause__ if isinstance(error, tocsin.SourceError) else error for error in told]
    stage.failures.clear()
    trial.expect(all(isinstance(error, MemoryError) for error in told), f"on_error heard {told}")
    trial.expect(len(told) <= trial.failed, f"{trial.failed} failures, {len(told)} told: {told}")
    return len(told)


def balance(switched: list[tuple[int, bool]]) -> int:
    """Return how many sources are on."""
    return sum(1 if is_on else -1 for _, is_on in switched)


def vars_of(counts: Any) -> dict[str, int]:
    return {
        name: getattr(counts, name) for name in ("accepted", "refused", "delivered", "unclaimed", "pending")
    }
