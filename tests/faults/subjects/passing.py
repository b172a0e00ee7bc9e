"""Events on their way: notifying, dispatching, channels and their readers."""

from collections.abc import Callable
from typing import Any

from tests.faults.injector import Kind
from tests.faults.scene import ALLOCATES, LIMIT, MOTOR, OF_SEVEN, PUMP, Stage, forgiven
from tests.faults.trial import Trial

import tocsin

LONG = bytes(range(200))  # too long for the Event itself: its bytes are an object of their own


def notify(trial: Trial) -> None:
    notifies(trial, lambda stage: stage.pipeline.notify(MOTOR.limit, LIMIT), 1)


def notify_packed(trial: Trial) -> None:
    notifies(trial, lambda stage: stage.pipeline.notify(MOTOR.limit, (3, 9000)), 1)


def notify_by_key(trial: Trial) -> None:
    notifies(trial, lambda stage: stage.pipeline.notify((0x80, 0), bytearray(LIMIT)), 1)


def notify_many(trial: Trial) -> None:
    notifies(trial, lambda stage: stage.pipeline.notify_many(MOTOR.limit, LIMIT * 5), 5)


def notify_by_producer(trial: Trial) -> None:
    stage = Stage(MOTOR)
    handle = stage.pipeline.producer(MOTOR)
    assert trial.attempt(lambda: handle.notify(0, LIMIT), stage.state)
    assert stage.pipeline.stats().protocols[MOTOR.id].accepted == 1
    stage.end()


def notifies(trial: Trial, call: Callable[[Stage], int], number: int) -> None:
    """An event is accepted, or it was MemoryError and it was not: never both."""
    stage = Stage(MOTOR)
    seen: list[object] = []
    stage.pipeline.subscribe(MOTOR.limit, seen.append)
    assert trial.attempt(lambda: call(stage), stage.state) == number
    assert stage.pipeline.flush(timeout=10)
    assert len(seen) == number, seen
    stage.end()


def dispatch(trial: Trial) -> None:
    dispatches(trial)


def dispatch_batch(trial: Trial) -> None:
    dispatches(trial, batch=True)


def dispatch_main_thread(trial: Trial) -> None:
    dispatches(trial, main_thread=True)


def dispatches(trial: Trial, **options: Any) -> None:
    """A callback that there is no memory for is an error like that of the callback: told, and it goes on."""
    stage = Stage(MOTOR)
    seen: list[Any] = []
    stage.pipeline.subscribe(MOTOR.raw, seen.append, **options)
    for _ in range(3):
        assert stage.pipeline.notify(MOTOR.raw, LONG)
    trial.attempt(lambda: stage.pipeline.flush(timeout=10))
    stage.balance()
    assert stage.pipeline.stats().protocols[MOTOR.id].pending == 0
    come = sum(len(one) if options.get("batch") else 1 for one in seen)
    errors = stage.pipeline.stats().protocols[MOTOR.id].callback_errors
    errors += stage.pipeline.subscriptions[0].stats().errors  # those of the main thread are counted here
    trial.expect(come == 3 or errors > 0, f"{come} came, {errors} errors: one vanished")
    trial.expect(forgiven(trial, stage) <= errors, f"{errors} errors")
    seen.clear()
    stage.send(MOTOR.raw, LONG)
    stage.send(MOTOR.raw, OF_SEVEN)
    assert len(seen) == 2, seen
    stage.end()


def listens(trial: Trial, **options: Any) -> None:
    """Make a channel, read from it, and close it."""
    stage = Stage(MOTOR, PUMP)
    made = trial.attempt(
        lambda: stage.pipeline.channel([MOTOR.limit, PUMP.limit], capacity=4, **options), stage.state
    )
    stage.send(payload=OF_SEVEN)
    stage.send(PUMP.limit)
    assert made.get(timeout=0).payload == OF_SEVEN
    assert made.get(timeout=0).payload == LIMIT
    made.close()
    stage.send()
    counts = made.stats()
    assert counts.offered == counts.delivered == 2, counts
    stage.end()


def channel(trial: Trial) -> None:
    listens(trial)


def channel_drop_oldest(trial: Trial) -> None:
    listens(trial, overflow="drop_oldest")


def channel_latest(trial: Trial) -> None:
    listens(trial, overflow="latest")


def channel_block(trial: Trial) -> None:
    listens(trial, overflow="block", timeout=0.1)


def channel_close(trial: Trial) -> None:
    stage = Stage(MOTOR)
    made = stage.pipeline.channel(MOTOR, capacity=4)
    stage.send()
    trial.attempt(made.close)
    stage.send()
    assert made.get().payload == LIMIT
    assert made.closed
    assert not stage.pipeline.subscriptions
    stage.end()


def channel_rebound(trial: Trial) -> None:
    """A protocol that comes anew while events of the old one are queued opens a second segment."""
    stage = Stage(MOTOR)
    made = stage.pipeline.channel(MOTOR.limit, capacity=4)
    stage.send(payload=OF_SEVEN)
    assert stage.pipeline.unregister(MOTOR)
    trial.attempt(lambda: stage.pipeline.register(MOTOR, queue_size=1 << 12), stage.state)
    stage.send()
    assert [made.get(timeout=0).payload for _ in range(2)] == [OF_SEVEN, LIMIT]
    forgiven(trial, stage)
    stage.end()


def reads(trial: Trial, read: Callable[[Any], Any]) -> None:
    """What is read comes once; what a failure left unread can be read after it."""
    stage = Stage(MOTOR)
    made = stage.pipeline.channel(MOTOR, capacity=16)
    payloads = [LIMIT, OF_SEVEN, LONG]
    for payload in payloads[:2]:
        stage.send(payload=payload)
    stage.send(MOTOR.raw, payloads[2])
    what = trial.attempt(lambda: read(made))
    got = list(what) if isinstance(what, tocsin.Batch) else [what]
    assert len(got) >= 1
    while len(got) < 3:
        got.append(made.get(timeout=0))
    assert [event.payload for event in got] == payloads, got
    counts = made.stats()
    assert counts.offered == counts.delivered == 3, counts
    stage.end()


def get(trial: Trial) -> None:
    reads(trial, lambda made: made.get(timeout=0))


def get_batch(trial: Trial) -> None:
    reads(trial, lambda made: made.get_batch(timeout=0))


def iterate(trial: Trial) -> None:
    reads(trial, lambda made: next(iter(made)))


def batches(trial: Trial) -> None:
    reads(trial, lambda made: next(made.batches()))


def arrays(trial: Trial) -> None:
    """The arrays of a batch are made when they are asked for."""
    stage = Stage(MOTOR)
    made = stage.pipeline.channel(MOTOR.limit, capacity=16)
    for payload in (LIMIT, OF_SEVEN):
        stage.send(payload=payload)
    batch = made.get_batch(timeout=0)
    array = trial.attempt(lambda: batch.array)
    assert array["motor"].tolist() == [0x03020100, 7]
    assert trial.attempt(lambda: batch.timestamp).shape == (2,)
    assert trial.attempt(lambda: batch.lost).tolist() == [0, 0]
    stage.end()


SUBJECTS = (
    dict.fromkeys((dispatch, dispatch_batch, dispatch_main_thread), ALLOCATES)
    | {key: {Kind.python} for key in (notify, notify_packed, notify_by_key, notify_many, notify_by_producer)}
    | dict.fromkeys((channel, channel_drop_oldest, channel_latest, channel_block), ALLOCATES)
    | dict.fromkeys((channel_close, channel_rebound, get, get_batch, iterate, batches, arrays), ALLOCATES)
)
