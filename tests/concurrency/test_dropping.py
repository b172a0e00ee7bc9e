"""Pipelines that are dropped, collected or cancelled from while their workers are in full swing."""

import pytest

from helpers import assert_ends_well

pytestmark = pytest.mark.stress

PRELUDE = """
import gc, sys, threading
from helpers import MOTOR, PATIENCE, PUMP
import tocsin
gc.set_threshold(20, 2, 2)       # collect all the time, on whatever thread
sys.setswitchinterval(0.0002)

class Owner:
    def __init__(self, n):
        self.pipeline = tocsin.Pipeline(workers=n % 3)
        self.pipeline.register(MOTOR, PUMP)
        self.kept = [
            self.pipeline.subscribe([MOTOR, PUMP], self.hear),
            self.pipeline.subscribe(MOTOR, lambda event: [event, self], source=0),
            self.pipeline.subscribe([MOTOR, PUMP], lambda batch: list(batch), batch=True),
        ]
    def hear(self, event):
        [[event] for _ in range(5)]
"""


@pytest.mark.parametrize("kept", ["nothing", "subscriptions", "events"])
def test_owners_in_cycles_dropped_in_a_flood(kept: str) -> None:
    code = f"""{PRELUDE}
left = []
for n in range(150):
    owner = Owner(n)
    for k in range(40):
        owner.pipeline.notify((MOTOR, PUMP)[k % 2].tick, (k,))
    if {kept!r} == "subscriptions":
        left.extend(owner.kept)
    if {kept!r} == "events":
        owner.pipeline.subscribe(MOTOR.limit, left.append)
        owner.pipeline.notify(MOTOR.limit, (1, 1))
    if n % 5 == 0:
        owner.pipeline.freeze()
    if n % 7 == 0:
        owner.pipeline.flush(0)
del owner
gc.collect()
for part in left:
    repr(part)
    if {kept!r} == "subscriptions":
        part.cancel(timeout=PATIENCE)
del left
gc.collect()
print("done", end="")
"""
    assert assert_ends_well(code) == "done"


def test_dropped_by_one_thread_while_others_notify_and_cancel() -> None:
    code = f"""{PRELUDE}
box = [Owner(1)]
stop = threading.Event()
def notify():
    while not stop.is_set():
        owner = box[0]
        owner.pipeline.notify(MOTOR.tick, (1,))
        del owner
def cancel():
    while not stop.is_set():
        owner = box[0]
        with owner.pipeline.subscribe(MOTOR.tick, lambda event: None):
            owner.pipeline.stats()
        del owner
threads = [threading.Thread(target=work) for work in (notify, notify, cancel)]
for thread in threads:
    thread.start()
for n in range(30):
    box[0] = Owner(n)
    box[0].pipeline.flush(PATIENCE)
stop.set()
for thread in threads:
    thread.join()
del box
gc.collect()
print("done", end="")
"""
    assert assert_ends_well(code) == "done"


def test_closed_by_one_thread_while_others_use_it() -> None:
    code = f"""{PRELUDE}
for n in range(40):
    owner = Owner(1 + n % 2)
    def use(owner=owner):
        try:
            for k in range(10**9):
                owner.pipeline.notify(MOTOR.tick, (k,))
                owner.pipeline.flush(PATIENCE)
                with owner.pipeline.subscribe(MOTOR.raw, lambda event: None):
                    owner.pipeline.stats()
        except tocsin.ClosedError:
            pass
    threads = [threading.Thread(target=use) for _ in range(2)]
    for thread in threads:
        thread.start()
    owner.pipeline.close(PATIENCE if n % 3 else 0)
    for thread in threads:
        thread.join()
print("done", end="")
"""
    assert assert_ends_well(code) == "done"
