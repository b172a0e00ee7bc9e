"""subscribe(main_thread=True) where calls, cancels, forks and ends meet between two bytecodes."""

import ctypes
import gc
import itertools
import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from operator import call
from pathlib import Path
from typing import Any

import pytest

import tocsin.backend
from helpers import MOTOR, PATIENCE, Crew, assert_ends_well, busy_until

pytestmark = pytest.mark.native_only("subscribe(main_thread=True)")


@pytest.fixture
def failures() -> list[Any]:
    return []


@pytest.fixture
def stepwise(make_pipeline: Callable[..., Any], failures: list[Any]) -> Any:
    pipeline = make_pipeline(workers=0, on_error=failures.append)
    pipeline.register(MOTOR)
    return pipeline


def drain(pipeline: Any) -> bool:
    """Flush with no bytecode in between, at which a pending call could come first."""
    *_, is_done = map(call, [partial(pipeline._flush, None), partial(pipeline._drain_main, None)])
    return is_done


def test_one_that_cancels_itself_leaves_the_others_their_events(stepwise: Any) -> None:
    got: list[int] = []
    first = stepwise.subscribe(MOTOR.tick, lambda event: first.cancel(), main_thread=True)
    stepwise.subscribe(MOTOR.tick, lambda event: got.append(event.report.n), main_thread=True)
    for n in range(3):
        stepwise.notify(MOTOR.tick, (n,))
    assert drain(stepwise) is True
    assert got == [0, 1, 2]
    assert first.stats().calls == 1


def test_a_subscription_made_inside_a_call_hears_without_a_later_event(stepwise: Any) -> None:
    late: list[int] = []

    def hear(event: Any) -> None:
        stepwise.subscribe(MOTOR.limit, lambda event: late.append(event.source), main_thread=True)
        stepwise.notify(MOTOR.limit, (1, 1))
        stepwise._flush(None)
        for _ in range(1000):  # its pending call comes here, and is turned away
            pass
        assert late == []

    stepwise.subscribe(MOTOR.tick, hear, main_thread=True)
    stepwise.notify(MOTOR.tick, (1,))
    assert drain(stepwise) is True
    busy_until(lambda: late == [1])


def test_on_error_is_inside_the_call(make_pipeline: Callable[..., Any]) -> None:
    refused: list[Exception] = []

    def on_error(failure: Any) -> None:
        with pytest.raises(RuntimeError, match="inside a callback") as found:
            pipeline.flush()
        refused.append(found.value)

    def hear(event: Any) -> None:
        raise ValueError

    pipeline = make_pipeline(workers=0, on_error=on_error)
    pipeline.register(MOTOR)
    subscription = pipeline.subscribe(MOTOR.tick, hear, main_thread=True)
    for n in range(3):
        pipeline.notify(MOTOR.tick, (n,))
    pipeline.flush()
    busy_until(lambda: subscription.stats().calls == 3)
    assert len(refused) == 3


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_subscribing_and_cancelling_for_ever_keeps_no_memory(stepwise: Any) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4

    def hear(event: Any) -> None:
        pass

    def cycle(times: int) -> int:
        for _ in range(times):
            stepwise.subscribe(MOTOR.tick, hear, main_thread=True).cancel()
        gc.collect()
        return resident()

    cycle(2000)
    # The allocator of a free-threaded build takes its time: what is kept for ever grows in every round.
    sizes = [cycle(5000) for _ in range(5 if tocsin.backend.gil_is_off else 2)]
    assert (
        min(after - before for before, after in itertools.pairwise(sizes)) < 1000
    )  # KiB: 200 bytes for each


def test_the_next_subscription_gets_no_call_of_the_last_one(stepwise: Any) -> None:
    got: list[int] = []

    def next_one() -> None:  # from now on a call for the last one is on its way
        stepwise.subscribe(MOTOR.tick, lambda event: got.append(event.report.n), main_thread=True)

    for n in range(20):
        with stepwise.subscribe(MOTOR.limit, print, main_thread=True):
            stepwise.notify(MOTOR.limit, (n, n))
            list(map(call, [partial(stepwise._flush, None), stepwise.freeze]))
        stepwise.thaw()
        gc.collect()
        next_one()
    stepwise.notify(MOTOR.tick, (7,))
    stepwise.flush()
    busy_until(lambda: len(got) == 20)
    assert got == [7] * 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_runs_no_call_of_its_parent() -> None:
    code = """
import os
from functools import partial
from operator import call
import tocsin
class Job(tocsin.Protocol):
    done = tocsin.EventType(0, {"n": "u4"})
JOB = Job(3)
got = []
pipeline = tocsin.Pipeline(workers=0)
pipeline.register(JOB)
pipeline.subscribe(JOB.done, lambda event: got.append(os.getpid()), main_thread=True)
pipeline.notify(JOB.done, (7,))
*_, child = map(call, [partial(pipeline._flush, None), os.fork])
for _ in range(1000):
    pass
own = got.count(os.getpid())                # a copy of what the parent had called before the fork is no call
if child == 0:
    os.write(1, f"child {own}; ".encode())
    os._exit(0)
os.waitpid(child, 0)
print("parent", own)
"""
    assert assert_ends_well(code) == "child 0; parent 1\n"


def test_what_would_end_the_program_does_not_stop_its_end() -> None:
    code = """
import atexit, sys
got = []
atexit.register(lambda: print(*got, end=""))   # before the import: it runs after tocsin's own hook
from helpers import MOTOR
import tocsin
pipelines = [tocsin.Pipeline(on_error=lambda failure: got.append(type(failure.exception).__name__))]
pipelines.append(tocsin.Pipeline())
for pipeline in pipelines:
    pipeline.register(MOTOR)
    pipeline.freeze()
pipelines[0].subscribe(MOTOR.tick, lambda event: sys.exit(3), main_thread=True)
pipelines[1].subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
for pipeline in pipelines:
    for n in range(3):
        pipeline.notify(MOTOR.tick, (n,))
"""
    assert sorted(assert_ends_well(code).split()) == ["0", "1", "2", *["SystemExit"] * 3]


def test_close_on_another_thread_waits_for_room_in_the_table(make_pipeline: Callable[..., Any]) -> None:
    put = ctypes.pythonapi.Py_AddPendingCall
    put.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    # A function of the interpreter that does nothing and returns 0, so that none of ours is called late.
    nothing = ctypes.cast(ctypes.pythonapi.PyErr_CheckSignals, ctypes.c_void_p)
    got: list[int] = []
    pipeline = make_pipeline()
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n), main_thread=True)
    closed = threading.Lock()
    closed.acquire()

    def work() -> None:
        while put(nothing, None) == 0:
            pass
        pipeline.notify(MOTOR.tick, (7,))
        assert pipeline.close() is True
        closed.release()

    crew = Crew(work)
    assert closed.acquire(timeout=PATIENCE)  # in C meanwhile: it doesn't look at the table
    busy_until(lambda: got == [7])
    crew.join()


def test_a_reader_of_nothing_is_harmless(stepwise: Any) -> None:
    subscription = stepwise.subscribe(MOTOR.tick, print, main_thread=True)
    for part in gc.get_referents(subscription):
        if type(part).__name__ == "MainReader":
            type(part)()._silence()
            break
    else:
        pytest.fail("no reader was found")
