"""Making and ending pipelines, workqueues, registrations and producers."""

import threading

from tests.faults.scene import ALLOCATES, EVERYTHING, LIMIT, MOTOR, PUMP, Stage, balance, forgiven
from tests.faults.trial import Trial

import tocsin


def pipeline(trial: Trial) -> None:
    made = trial.attempt(lambda: tocsin.Pipeline(workers=1, max_workers=1))
    heard = threading.Event()
    made.register(MOTOR)
    made.subscribe(MOTOR.limit, lambda event: heard.set())
    assert made.notify(MOTOR.limit, LIMIT)
    assert heard.wait(10), "no event went through"
    assert made.close(timeout=10)


def workqueue(trial: Trial) -> None:
    queue = trial.attempt(lambda: tocsin.WorkQueue("faults", workers=1))
    ran = threading.Event()
    work = trial.attempt(lambda: tocsin.Work(ran.set))
    assert trial.attempt(lambda: queue.queue(work)) or ran.is_set()
    assert ran.wait(10), "the work didn't run"
    queue.close(timeout=10)


def delayed_work(trial: Trial) -> None:
    queue = tocsin.WorkQueue("faults", workers=1)
    ran = threading.Event()
    work = tocsin.Work(ran.set)
    assert trial.attempt(lambda: queue.queue_delayed(work, 0.0001), lambda: (work.pending, work.running))
    assert ran.wait(10), "the work didn't run"
    trial.attempt(lambda: queue.close(timeout=10))


def register(trial: Trial) -> None:
    stage = Stage()
    trial.attempt(lambda: stage.pipeline.register(MOTOR, PUMP, queue_size=1 << 12), stage.state)
    seen: list[object] = []
    stage.pipeline.subscribe(MOTOR, seen.append)
    stage.send()
    stage.send(PUMP.limit)
    assert len(seen) == 1, seen
    stage.end()


def register_with_waiting(trial: Trial) -> None:
    """Subscriptions that waited are bound by it, and their sources switched on; or on_error hears why not."""
    stage = Stage()
    seen: list[object] = []
    switched: list[tuple[int, bool]] = []
    stage.pipeline.subscribe([MOTOR.limit, PUMP.limit], seen.append)
    stage.pipeline.subscribe(MOTOR.limit, seen.append, source=7)
    channel = stage.pipeline.channel(MOTOR.limit, capacity=4)

    def set_enabled(event: object, source: int, on: bool) -> None:
        switched.append((source, on))

    trial.attempt(
        lambda: stage.pipeline.register(MOTOR, set_enabled=set_enabled, queue_size=1 << 12), stage.state
    )
    missing = forgiven(trial, stage)
    trial.expect(2 - missing <= balance(switched) <= 2, f"{missing} told, but switched were {switched}")
    stage.send()
    assert len(seen) == 1 or stage.pipeline.subscriptions[0].state != "active", seen
    assert channel.get(timeout=0).payload == LIMIT
    stage.pipeline.close(timeout=10)
    trial.expect(balance(switched) == 0, f"in the end sources are on: {switched}")
    stage.end()


def register_with_lacking(trial: Trial) -> None:
    """One of those that waited names an event that there is none of: it is purged, the others are bound."""
    stage = Stage()
    seen: list[object] = []
    stage.pipeline.subscribe((0x80, 9), seen.append)
    stage.pipeline.subscribe([(0x80, 9), MOTOR.limit], seen.append, source=0x0100)
    stage.pipeline.subscribe(MOTOR.limit, seen.append)
    trial.attempt(lambda: stage.pipeline.register(MOTOR, queue_size=1 << 12), stage.state)
    told = [one for one in stage.failures if isinstance(one.exception, tocsin.UnknownEventError)]
    stage.failures = [one for one in stage.failures if one not in told]
    forgiven(trial, stage)
    trial.expect(len(told) + trial.failed >= 2, f"on_error heard {told}")  # there may be no memory for that
    stage.send()
    assert len(seen) == 1, seen
    stage.end()


def unregister(trial: Trial) -> None:
    stage = Stage(MOTOR)
    seen: list[object] = []
    stage.pipeline.subscribe(MOTOR.limit, seen.append)
    stage.pipeline.notify(MOTOR.limit, LIMIT)
    pipeline = stage.pipeline
    # A failure may leave it on its way: to call again takes it up where it was.
    assert trial.attempt(lambda: pipeline.unregister(MOTOR) if MOTOR.id in registered(pipeline) else True)
    assert len(seen) + forgiven(trial, stage) == 1, seen
    seen.clear()
    assert pipeline.protocols == ()
    pipeline.register(MOTOR, queue_size=1 << 12)
    stage.send()
    assert len(seen) == 1, seen
    stage.end()


def registered(pipeline: tocsin.Pipeline) -> object:
    return pipeline.stats().protocols


def producer(trial: Trial) -> None:
    stage = Stage(MOTOR)
    seen: list[object] = []
    stage.pipeline.subscribe(MOTOR.limit, seen.append)
    handle = trial.attempt(lambda: stage.pipeline.producer(MOTOR), stage.state)
    assert handle.notify(0, LIMIT)
    stage.send()
    assert len(seen) == 2, seen
    trial.attempt(handle.close)
    stage.end()


def exclusive_producer(trial: Trial) -> None:
    stage = Stage(MOTOR)
    seen: list[object] = []
    stage.pipeline.subscribe(MOTOR.limit, seen.append)
    handle = trial.attempt(lambda: stage.pipeline.producer(MOTOR, exclusive=True), stage.state)
    assert handle.notify(0, LIMIT)
    trial.attempt(handle.close)
    stage.send()
    assert len(seen) == 2, seen
    stage.end()


def close(trial: Trial) -> None:
    stage = Stage(MOTOR)
    seen: list[object] = []
    stage.pipeline.subscribe(MOTOR.limit, seen.append)
    channel = stage.pipeline.channel(MOTOR.limit, capacity=4)
    main: list[object] = []
    stage.pipeline.subscribe(MOTOR.limit, main.append, main_thread=True)
    stage.send()
    assert trial.attempt(lambda: stage.pipeline.close(timeout=10))
    stage.balance()
    assert len(seen) == 1, seen
    assert len(main) == 1, main
    assert channel.get().payload == LIMIT
    assert channel.closed


def drop(trial: Trial) -> None:
    """Dropping the last reference ends a pipeline, whatever fails meanwhile."""
    held = [Stage(MOTOR)]
    held[0].pipeline.subscribe(MOTOR.limit, print)
    held[0].pipeline.channel(MOTOR.limit, capacity=4)
    held[0].pipeline.producer(MOTOR)
    trial.attempt(held.clear)


SUBJECTS = {
    pipeline: EVERYTHING,
    workqueue: EVERYTHING,
    delayed_work: ALLOCATES,
    register: ALLOCATES,
    register_with_waiting: ALLOCATES,
    register_with_lacking: ALLOCATES,
    unregister: ALLOCATES,
    producer: ALLOCATES,
    exclusive_producer: ALLOCATES,
    close: ALLOCATES,
    drop: ALLOCATES,
}
