"""The end without close(): the last reference dropped, and the interpreter's exit."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from helpers import MOTOR, Hold, assert_ends_well, eventually, run_python

PRELUDE = """
import atexit, gc, sys, threading
got = []
atexit.register(lambda: print(*got, end=""))   # before the import: it runs after tocsin's own hook
from helpers import MOTOR, PUMP, PATIENCE
import tocsin
"""


def opened(subscribe: Callable[[Any], object]) -> Any:
    pipeline = tocsin.Pipeline()
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.tick, subscribe)
    return pipeline


def test_dropping_the_last_reference_ends_the_pipeline(make_hold: Callable[[], Hold]) -> None:
    got: list[int] = []
    pipeline = opened(lambda event: got.append(event.report.n))
    gone = weakref.ref(pipeline)
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.flush()
    pipeline.notify(MOTOR.tick, (2,))
    del pipeline
    eventually(lambda: gc.collect() is None or gone() is None)
    assert got in ([1], [1, 2])


def test_dropping_the_last_reference_does_not_wait_for_a_hung_callback(
    make_hold: Callable[[], Hold],
) -> None:
    hold = make_hold()
    pipeline = opened(hold)
    gone = weakref.ref(pipeline)
    for n in range(3):
        pipeline.notify(MOTOR.tick, (n,))
    hold.await_entry()
    del pipeline
    gc.collect()
    assert gone() is None
    assert not hold.go.is_set()


@pytest.mark.parametrize("collect", ["", "gc.collect()"])
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("batch", [False, True])
def test_the_last_reference_may_go_inside_a_callback(collect: str, workers: int, batch: bool) -> None:
    code = f"""{PRELUDE}
ends = threading.Event()
class Last:
    def __del__(self, ended=ends.set):      # at exit the globals may be gone by now
        ended()
def drop(event):
    box.clear()
    {collect or "pass"}
    junk = [bytearray(n) for n in range(2000)]
last = Last()
for n in range(20):
    box = [tocsin.Pipeline(workers={workers})]
    box[0].register(MOTOR)
    box[0].subscribe(MOTOR.tick, drop, batch={batch})
    box[0].subscribe(MOTOR.tick, lambda event: None)
    box[0].subscribe(MOTOR.tick, lambda event: None, source=0)
    box[0].subscribe(MOTOR.tick, lambda batch: None, batch=True)
    for n in range(5):
        try:
            box[0].notify(MOTOR.tick, (n,))
        except IndexError:
            break
    if {workers} == 0 and box:
        flush = box[0].flush
        flush()
        del flush
    while box:
        pass
got.append("done")
"""
    assert assert_ends_well(code) == "done"


def test_a_pipeline_in_a_cycle_is_collected(make_hold: Callable[[], Hold]) -> None:
    class Owner:
        def __init__(self) -> None:
            self.pipeline = opened(self.hear)

        def hear(self, event: Any) -> None:
            pass

    gone = []
    for n in range(20):
        owner = Owner()
        owner.pipeline.notify(MOTOR.tick, (n,))
        gone.append(weakref.ref(owner.pipeline))
    del owner
    eventually(lambda: gc.collect() is None or not any(ref() for ref in gone))


def test_a_dropped_pipeline_ends_its_threads() -> None:
    code = """
import threading, time
import tocsin
from pathlib import Path
def threads():
    return len(list(Path("/proc/self/task").iterdir()))
before = threads()
pipeline = tocsin.Pipeline()
assert threads() > before
del pipeline
until = time.monotonic() + 30
while threads() > before and time.monotonic() < until:
    time.sleep(0.001)
assert threads() == before
"""
    assert_ends_well(code)


def test_events_queued_at_exit_are_delivered() -> None:
    code = f"""{PRELUDE}
pipeline = tocsin.Pipeline()
pipeline.register(MOTOR)
pipeline.freeze()
pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
for n in range(5):
    pipeline.notify(MOTOR.tick, (n,))
"""
    assert assert_ends_well(code) == "0 1 2 3 4"


def test_events_queued_at_exit_are_delivered_without_workers_too() -> None:
    code = f"""{PRELUDE}
pipeline = tocsin.Pipeline(workers=0)
pipeline.register(MOTOR)
pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
pipeline.notify(MOTOR.tick, (7,))
"""
    assert assert_ends_well(code) == "7"


@pytest.mark.parametrize(
    "hang",
    ["threading.Event().wait()", "threading.Event().wait(9e6)", "[0 for _ in iter(int, 1)]"],
)
@pytest.mark.parametrize("batch", [False, True])
def test_a_hung_callback_does_not_hold_the_exit_up(hang: str, batch: bool) -> None:
    code = f"""{PRELUDE}
pipeline = tocsin.Pipeline(exit_timeout=0.2)
pipeline.register(MOTOR)
entered = threading.Event()
def callback(event):
    entered.set()
    {hang}
pipeline.subscribe(MOTOR.tick, callback, batch={batch})
pipeline.notify(MOTOR.tick, (1,))
pipeline.notify(MOTOR.tick, (2,))
assert entered.wait(PATIENCE)
got.append("exit")
"""
    assert assert_ends_well(code) == "exit"


def test_many_hung_pipelines_share_one_exit_timeout() -> None:
    code = f"""{PRELUDE}
import time
pipelines = [tocsin.Pipeline(exit_timeout=3) for _ in range(10)]
for pipeline in pipelines:
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.tick, lambda event: threading.Event().wait())
    pipeline.notify(MOTOR.tick, (1,))
got.append("exit")
"""
    assert assert_ends_well(code, timeout=25) == "exit"


def test_exit_while_threads_still_notify_is_harmless() -> None:
    code = f"""{PRELUDE}
pipeline = tocsin.Pipeline()
pipeline.register(MOTOR)
pipeline.subscribe(MOTOR.tick, lambda event: None)
started = threading.Barrier(4)
def flood():
    started.wait(PATIENCE)
    while True:
        try:
            pipeline.notify(MOTOR.tick, (1,))
        except tocsin.ClosedError:
            return
for _ in range(3):
    threading.Thread(target=flood, daemon=True).start()
started.wait(PATIENCE)
got.append("exit")
"""
    assert assert_ends_well(code) == "exit"


def test_the_exit_status_is_the_programs_own() -> None:
    code = f"""{PRELUDE}
pipeline = tocsin.Pipeline()
pipeline.register(MOTOR)
pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
pipeline.freeze()
pipeline.notify(MOTOR.tick, (5,))
sys.exit(3)
"""
    done = run_python(code)
    assert (done.returncode, done.stdout) == (3, "5")


def test_a_pipeline_used_by_a_later_exit_hook_is_closed_and_not_dangerous() -> None:
    code = f"""{PRELUDE}
pipeline = tocsin.Pipeline()
pipeline.register(MOTOR)
"""
    code = code.replace(
        "import tocsin\n",
        "import tocsin\n"
        "atexit.unregister(tocsin.exit._close_all)\n"
        "def late():\n"
        "    try:\n"
        "        pipeline.notify(MOTOR.tick, (1,))\n"
        "    except tocsin.ClosedError:\n"
        "        got.append('closed')\n"
        "    try:\n"
        "        tocsin.Pipeline()\n"
        "    except RuntimeError:\n"
        "        got.append('refused')\n"
        "atexit.register(late)\n"
        "atexit.register(tocsin.exit._close_all)\n",
        1,
    )
    assert assert_ends_well(code) == "closed refused"


def test_an_interrupt_in_the_end_of_one_pipeline_leaves_no_other_open() -> None:
    code = f"""{PRELUDE}
def refuse(event, source, on):
    if not on:
        raise KeyboardInterrupt
pipelines = [tocsin.Pipeline(), tocsin.Pipeline()]
for pipeline in pipelines:
    pipeline.register(MOTOR, set_enabled=refuse)
    pipeline.freeze()
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
    for n in range(3):
        pipeline.notify(MOTOR.tick, (n,))
atexit.register(lambda: got.append("exit"))
"""
    done = run_python(code)
    assert sorted(done.stdout.split()) == ["0", "0", "1", "1", "2", "2", "exit"]
    assert done.stderr.count("KeyboardInterrupt") == 1
