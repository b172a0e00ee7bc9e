"""Workers that are started later, because all others hang in callbacks."""

import threading

from tests.faults.injector import Kind
from tests.faults.scene import LIMIT, MOTOR, PUMP
from tests.faults.trial import Trial

import tocsin

LOOK = 0.1  # seconds under failure: the keeper tries every 10 ms


def another_worker(trial: Trial) -> None:
    """One that can't be started now is started as soon as it can; its events wait meanwhile."""
    pipeline = tocsin.Pipeline(workers=1, max_workers=2)
    pipeline.register(MOTOR, PUMP, queue_size=1 << 12)
    hangs, may_go_on, heard = threading.Event(), threading.Event(), threading.Event()

    def hang(event: object) -> None:
        hangs.set()
        may_go_on.wait(10)

    pipeline.subscribe(MOTOR.limit, hang)
    pipeline.subscribe(PUMP.limit, lambda event: heard.set())
    assert pipeline.notify(MOTOR.limit, LIMIT)
    assert hangs.wait(10)
    assert pipeline.notify(PUMP.limit, LIMIT)
    trial.attempt(lambda: heard.wait(LOOK))
    assert heard.wait(10), "no worker was started after the failure"
    may_go_on.set()
    assert pipeline.close(timeout=10)


SUBJECTS = {another_worker: {Kind.threads}}
