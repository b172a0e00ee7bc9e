"""Ctrl-C in each wait: it comes at once, and what was waited for is none the worse."""

import pytest
from tests.endings.quick import quick

from helpers import assert_ends_well

PRELUDE = """
import signal, threading, time
from helpers import MOTOR
import tocsin

PATIENCE = 20
go, entered = threading.Event(), threading.Event()

def hold(*event):
    entered.set()
    go.wait(PATIENCE)

def held(**options):
    pipeline = tocsin.Pipeline()
    pipeline.register(MOTOR, **options)
    subscription = pipeline.subscribe(MOTOR.tick, hold)
    pipeline.notify(MOTOR.tick, (1,))
    assert entered.wait(PATIENCE)
    return pipeline, subscription

def interrupted(wait):
    signal.signal(signal.SIGALRM, signal.default_int_handler)     # what Ctrl-C does, by the clock
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    began = time.monotonic()
    try:
        wait()
    except KeyboardInterrupt:
        assert time.monotonic() - began < 5, "it came late"
        return
    raise AssertionError("no KeyboardInterrupt")

def leave(manager):
    with manager:
        pass
"""

IN_A_PIPELINE = {
    "flush": "pipeline.flush",
    "flush-timeout": "lambda: pipeline.flush(15)",
    "close": "pipeline.close",
    "with": "lambda: leave(pipeline)",
    "cancel": "subscription.cancel",
    "cancel-with": "lambda: leave(subscription)",
    "unregister": "lambda: pipeline.unregister(MOTOR)",
    "get": "pipeline.channel(MOTOR.limit).get",
    "get-timeout": "lambda: pipeline.channel(MOTOR.limit).get(15)",
    "get_batch": "pipeline.channel(MOTOR.limit).get_batch",
    "iteration": "lambda: list(pipeline.channel(MOTOR.limit))",
    "batches": "lambda: list(pipeline.channel(MOTOR.limit).batches())",
}
IN_A_WORKQUEUE = ["queue.flush", "queue.drain", "queue.close", "lambda: leave(queue)", "work.flush"]
IN_A_WORKQUEUE += ["work.cancel_sync"]


@pytest.mark.parametrize("what", quick(IN_A_PIPELINE, "flush", "close", "get"))
def test_an_interrupt_ends_a_wait_for_a_pipeline(what: str) -> None:
    code = f"""{PRELUDE}
pipeline, subscription = held()
interrupted({IN_A_PIPELINE[what]})
go.set()
assert pipeline.close(PATIENCE)
books = pipeline.stats().protocols.get(MOTOR.id)
assert books is None or books.delivered == books.accepted == 1, books
print("done", end="")
"""
    assert assert_ends_well(code) == "done"


def test_an_interrupt_ends_a_wait_for_room() -> None:
    code = f"""{PRELUDE}
pipeline, _ = held(queue_size=1024)
def fill():
    while pipeline.notify(MOTOR.tick, (2,), timeout=PATIENCE):
        pass
interrupted(fill)
interrupted(lambda: pipeline.notify_many(MOTOR.tick, bytes(8000), timeout=PATIENCE))
go.set()
assert pipeline.close(PATIENCE)
books = pipeline.stats().protocols[MOTOR.id]
assert books.delivered == books.accepted == 32, books
print("done", end="")
"""
    assert assert_ends_well(code) == "done"


@pytest.mark.parametrize("what", quick(IN_A_WORKQUEUE, "queue.flush"))
def test_an_interrupt_ends_a_wait_for_a_workqueue(what: str) -> None:
    code = f"""{PRELUDE}
work = tocsin.Work(hold)
queue = tocsin.WorkQueue("held")
queue.queue(work)
assert entered.wait(PATIENCE)
interrupted({what})
go.set()
queue.close()
print("done", end="")
"""
    assert assert_ends_well(code) == "done"
