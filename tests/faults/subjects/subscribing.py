"""Subscribing in every form, and cancelling."""

import ctypes
import gc
from collections.abc import Callable
from typing import Any

from tests.faults.scene import ALLOCATES, LIMIT, MOTOR, OF_SEVEN, PUMP, Stage, balance, forgiven
from tests.faults.trial import Trial


def subscribes(trial: Trial, event: Any = MOTOR.limit, sent: int = 1, **options: Any) -> None:
    """Subscribe a callable: then it is called, and after its cancel no more."""
    stage = Stage(MOTOR)
    seen: list[object] = []
    others: list[object] = []
    stage.pipeline.subscribe(MOTOR.limit, others.append, priority=1)
    trial.attempt(lambda: stage.pipeline.subscribe(event, seen.append, **options), stage.state)
    stage.send(payload=OF_SEVEN)
    assert len(seen) == sent, seen
    stage.pipeline.subscriptions[-1].cancel()
    stage.send(payload=OF_SEVEN)
    assert len(seen) == sent, "called after its cancel"
    assert len(others) == 2, others
    stage.end()


def callable_(trial: Trial) -> None:
    subscribes(trial)


def of_a_source(trial: Trial) -> None:
    subscribes(trial, source=7)


def of_many(trial: Trial) -> None:
    subscribes(trial, [MOTOR.limit, MOTOR.tick, MOTOR.raw, (0x81, 0)], priority=2)


def batch(trial: Trial) -> None:
    subscribes(trial, batch=True)


def main_thread(trial: Trial) -> None:
    subscribes(trial, main_thread=True)


def pending(trial: Trial) -> None:
    """Nothing to bind to yet."""
    stage = Stage()
    seen: list[object] = []
    trial.attempt(lambda: stage.pipeline.subscribe(MOTOR.limit, seen.append), stage.state)
    stage.pipeline.register(MOTOR)
    stage.send()
    assert len(seen) == 1, seen
    stage.end()


def many_sources(trial: Trial) -> None:
    """The routes grow by a node, for a source far from the first one."""
    stage = Stage(MOTOR)
    seen: list[object] = []
    stage.pipeline.subscribe(MOTOR.limit, seen.append, source=7)
    trial.attempt(lambda: stage.pipeline.subscribe(MOTOR.limit, seen.append, source=300), stage.state)
    stage.send(payload=(300).to_bytes(4, "little") + bytes(4))
    stage.send(payload=OF_SEVEN)
    assert len(seen) == 2, seen
    stage.end()


def with_sources(trial: Trial) -> None:
    """Each source is switched on once, and off in the end, whatever failed."""
    stage = Stage()
    switched: list[tuple[int, bool]] = []

    def set_enabled(event: object, source: int, on: bool) -> None:
        switched.append((source, on))

    stage.pipeline.register(MOTOR, set_enabled=set_enabled, num_sources=3, queue_size=1 << 12)
    seen: list[object] = []
    call: Callable[[], Any] = lambda: stage.pipeline.subscribe([MOTOR.limit, MOTOR.tick], seen.append)  # noqa: E731
    made = trial.attempt(call, stage.state)
    refused = made.failed_sources  # set_enabled is a callable, for which there may be no memory
    trial.expect(balance(switched) == 6 - len(refused), f"{refused} failed, switched were {switched}")
    trial.expect(len(refused) <= trial.failed, f"{refused} failed")
    stage.send()
    assert len(seen) == 1, seen
    made.cancel()
    trial.expect(balance(switched) == 0, f"sources stay on: {switched}")
    stage.end()


FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
calls: list[int] = []


@FUNCTION
def native_function(context: int, event: int) -> int:
    calls.append(context)
    return 0


def native(trial: Trial) -> None:
    stage = Stage(MOTOR)
    calls.clear()
    made = trial.attempt(
        lambda: stage.pipeline.subscribe_native(MOTOR.limit, native_function, 7), stage.state
    )
    stage.send()
    assert calls == [7], calls
    made.cancel()
    stage.send()
    assert calls == [7], "called after its cancel"
    stage.end()


def cancels(trial: Trial, **options: Any) -> None:
    """Cancel one of three: it is over, even if the cancel raised, and the others go on."""
    stage = Stage(MOTOR, PUMP)
    seen: list[object] = []
    others: list[object] = []
    stage.pipeline.subscribe(MOTOR.limit, others.append, priority=1)
    chosen = stage.pipeline.subscribe([MOTOR.limit, MOTOR.tick, PUMP.limit], seen.append, **options)
    stage.pipeline.subscribe(MOTOR.limit, others.insert, priority=-1)
    stage.pipeline.subscriptions[-1].cancel()
    assert trial.attempt(lambda: chosen.cancel())
    assert chosen.state == "cancelled"
    assert len(stage.pipeline.subscriptions) == 1, stage.pipeline.subscriptions
    stage.send()
    stage.send(PUMP.limit)
    assert seen == [], "called after its cancel"
    assert len(others) == 1, others
    stage.pipeline.subscribe([MOTOR.limit, MOTOR.tick, PUMP.limit], seen.append, **options)
    stage.send()
    assert len(seen) == 1, seen
    stage.end()


def cancel(trial: Trial) -> None:
    cancels(trial)


def cancel_batch(trial: Trial) -> None:
    cancels(trial, batch=True)


def cancel_main_thread(trial: Trial) -> None:
    cancels(trial, main_thread=True)


def neighbours(trial: Trial, subscribe: Callable[[Stage, Callable[..., object]], Any], **stay: Any) -> None:
    """Cancel one of two, then the other: who had to be left in the chain meanwhile isn't called either."""
    stage = Stage(MOTOR)
    seen: list[str] = []
    stays: list[object] = []
    stage.pipeline.subscribe(MOTOR.tick, stays.append, **stay)
    made = [subscribe(stage, lambda *_: seen.append("one"))]
    other = subscribe(stage, lambda *_: seen.append("other"))
    assert trial.attempt(lambda: made[0].cancel())
    stage.send(MOTOR.tick, bytes(8))  # whoever walked the chain before has gone
    assert other.cancel()
    made.clear()
    gc.collect()
    reused = [bytearray(200) for _ in range(1000)]  # the memory of what was freed is somebody's now
    stage.pipeline.freeze()
    assert stage.pipeline.notify(MOTOR.tick, bytes(8))
    assert stage.pipeline.notify(MOTOR.limit, LIMIT)
    stage.pipeline.thaw()
    assert stage.pipeline.flush(timeout=10)
    assert seen == [], "called after its cancel"
    assert len(stays) == 2, stays
    assert not any(map(any, reused)), "what was freed was written to"
    stage.end()


def cancel_both(trial: Trial) -> None:
    neighbours(trial, lambda stage, call: stage.pipeline.subscribe(MOTOR.limit, call))


def cancel_both_of_a_source(trial: Trial) -> None:
    neighbours(trial, lambda stage, call: stage.pipeline.subscribe(MOTOR.limit, call, source=3))


def cancel_both_batches(trial: Trial) -> None:
    """Beside another one whose batch begins first."""
    neighbours(trial, lambda stage, call: stage.pipeline.subscribe(MOTOR.limit, call, batch=True), batch=True)


def cancel_both_natives(trial: Trial) -> None:
    functions = []

    def subscribe(stage: Stage, call: Callable[..., object]) -> Any:
        def function(context: int, event: int) -> int:
            call()
            return 0

        functions.append(FUNCTION(function))
        return stage.pipeline.subscribe_native(MOTOR.limit, functions[-1])

    neighbours(trial, subscribe)


def cancel_with_sources(trial: Trial) -> None:
    """What it had switched on is switched off, at the latest by the second call."""
    stage = Stage()
    switched: list[tuple[int, bool]] = []

    def set_enabled(event: object, source: int, on: bool) -> None:
        switched.append((source, on))

    stage.pipeline.register(MOTOR, set_enabled=set_enabled, num_sources=3, queue_size=1 << 12)
    made = stage.pipeline.subscribe([MOTOR.limit, MOTOR.tick], print)
    trial.attempt(lambda: made.cancel())
    missing = forgiven(trial, stage)
    trial.expect(balance(switched) == missing, f"{missing} told, but sources stay on: {switched}")
    stage.end()


def late(trial: Trial) -> None:
    """Subscribe when events are queued already: a suffix of them comes."""
    stage = Stage(MOTOR)
    seen: list[Any] = []
    assert stage.pipeline.notify(MOTOR.limit, LIMIT)
    trial.attempt(lambda: stage.pipeline.subscribe(MOTOR.limit, seen.append), stage.state)
    assert stage.pipeline.notify(MOTOR.limit, OF_SEVEN)
    assert stage.pipeline.flush(timeout=10)
    assert [event.payload for event in seen][-1:] == [OF_SEVEN], seen
    stage.end()


SUBJECTS = dict.fromkeys(
    (callable_, of_a_source, of_many, batch, main_thread, pending, many_sources, with_sources, native),
    ALLOCATES,
) | dict.fromkeys(
    (
        cancel,
        cancel_batch,
        cancel_main_thread,
        cancel_both,
        cancel_both_of_a_source,
        cancel_both_batches,
        cancel_both_natives,
        cancel_with_sources,
        late,
    ),
    ALLOCATES,
)
