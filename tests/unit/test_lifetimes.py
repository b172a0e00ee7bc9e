"""What goes away while something is under way is never freed under a worker's feet.

Each case runs in an interpreter of its own, since what it guards against is a crash.
"""

import subprocess
import sys

import pytest

HEAD = """
import faulthandler, functools, gc, sys, threading, time
faulthandler.enable()
import tocsin

class Motor(tocsin.Protocol):
    limit = tocsin.EventType(0, {"motor": "u4", "rpm": "i4"}, source="motor")

MOTOR = Motor(0x80)
gc.disable()

def spin(seconds):              # holds the GIL, so that workers come to wait for it
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass

def litter():                   # puts something else where freed objects were
    return [bytes(range(200)) for _ in range(1000)]
"""

PIPELINE_IN_A_CYCLE = """
def hear(pipeline, event):
    pass

for _ in range(100):
    pipeline = tocsin.Pipeline()
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.limit, functools.partial(hear, pipeline))
    pipeline.notify(MOTOR.limit, bytes(8))
    spin(0.001)
    del pipeline
    gc.collect()
    litter()
"""

WORKQUEUE_WITH_WORKS = """
for _ in range(100):
    queue = tocsin.WorkQueue("dropped")
    works = [tocsin.Work(lambda: None) for _ in range(20)]
    for work in works[:10]:
        queue.queue(work)
    for work in works[10:]:
        queue.queue_delayed(work, 0.002)
    spin(0.001)
    del queue, work, works
    gc.collect()
    litter()
"""

WITHOUT_OUR_FINALISER = """
class Pipeline(tocsin.Pipeline):
    def __del__(self):          # does not call the one that it inherits
        pass

class Work(tocsin.Work):
    def __del__(self):
        pass

class WorkQueue(tocsin.WorkQueue):
    def __del__(self):
        pass

for _ in range(100):
    pipeline = Pipeline()
    pipeline.register(MOTOR)
    pipeline.me = pipeline
    pipeline.subscribe(MOTOR.limit, lambda event: event.payload)
    pipeline.subscribe(MOTOR.limit, lambda batch: len(batch), batch=True)
    pipeline.notify_many(MOTOR.limit, bytes(8 * 5000))
    del pipeline
    gc.collect()
    litter()

for _ in range(200):
    queue = WorkQueue("dropped", workers=2)
    queue.me = queue
    for _ in range(30):
        queue.queue(Work(lambda: None))
    del queue
    gc.collect()
    litter()
"""

DESTRUCTORS_THAT_QUEUE = """
queue = tocsin.WorkQueue("queue")

class Resource:                 # gives itself back through the queue
    def __del__(self):
        queue.queue(tocsin.Work(lambda: None))

def work():
    resource = Resource()
    return tocsin.Work(lambda: resource)

for n in range(20_000):
    queue.queue(work())
    if n % 50 == 0:
        queue.flush()
queue.close()
"""

CANCELLED_UNDER_WAY = """
import ctypes
FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
with tocsin.Pipeline() as pipeline:
    pipeline.register(MOTOR)
    for _ in range(100):
        subscription = pipeline.subscribe_native(MOTOR.limit, FUNCTION(lambda context, event: 0))
        pipeline.notify(MOTOR.limit, bytes(8))
        spin(0.0005)            # the worker is in the function by now, and waits for the GIL
        subscription.cancel(wait=False)
        del subscription
        junk = [FUNCTION(lambda context, event: 1) for _ in range(20)]
        time.sleep(0.0005)
"""

MADE_TOO_LATE = """
import atexit

def late():
    try:
        tocsin.Pipeline()
    except RuntimeError as error:
        print(error)

# Registered anew, so that it runs after tocsin's own hook.
atexit.unregister(tocsin.exit._close_all)
atexit.register(late)
atexit.register(tocsin.exit._close_all)
"""

MADE_WHILE_THE_HOOK_LOOKED = """
import atexit
made = []

class Over(list):
    def append(self, over):
        if not made:                        # another thread's, after the hook saw that there was none
            made.append(tocsin.Pipeline())
            made[0].register(MOTOR)
        super().append(over)

def late():
    try:
        made[0].notify(MOTOR.limit, bytes(8))
    except tocsin.ClosedError:
        print("closed")

tocsin.exit._over = Over()
atexit.unregister(tocsin.exit._close_all)
atexit.register(late)
atexit.register(tocsin.exit._close_all)
"""

CLOSED_BY_A_WORKERS_LAST_BREATH = """
local = threading.local()
errors = []

class Closes:
    def __init__(self, pipeline):
        self.pipeline = pipeline
    def __del__(self):
        try:
            self.pipeline.close()
        except RuntimeError as error:
            errors.append(str(error))

pipeline = tocsin.Pipeline()
pipeline.register(MOTOR)
@pipeline.subscribe(MOTOR.limit)
def keep(event):
    local.kept = Closes(pipeline)
pipeline.notify(MOTOR.limit, bytes(8))
assert pipeline.close(30)
assert errors and "wait for itself" in errors[0], errors
"""


FORKED_AND_ENDED = """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)     # of forking with threads, which is the point
pipeline = tocsin.Pipeline(exit_timeout=60)
pipeline.register(MOTOR)
pipeline.subscribe(MOTOR.limit, print)
pipeline.freeze()
pipeline.notify(MOTOR.limit, bytes(8))
child = os.fork()
if child == 0:
    sys.exit(7)                 # with an event queued that nobody in the child could deliver
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
pipeline.thaw()
"""


def run(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", HEAD + code], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, f"exit status {result.returncode}: {result.stderr}"
    return result.stdout


def test_a_pipeline_that_the_collector_finds_is_finalised_before_it_is_cleared() -> None:
    run(PIPELINE_IN_A_CYCLE)


def test_a_workqueue_dropped_with_pending_and_delayed_works_frees_nothing_too_early() -> None:
    run(WORKQUEUE_WITH_WORKS)


def test_a_subclass_with_a_finaliser_of_its_own_changes_nothing_of_that() -> None:
    run(WITHOUT_OUR_FINALISER)


def test_destructors_of_what_a_queue_lets_go_of_may_queue() -> None:
    run(DESTRUCTORS_THAT_QUEUE)


@pytest.mark.native_only("subscribe_native")
def test_a_native_function_cancelled_while_it_runs_is_kept_until_it_has_returned() -> None:
    run(CANCELLED_UNDER_WAY)


def test_a_pipeline_made_after_the_exit_hook_is_refused() -> None:
    assert "exiting" in run(MADE_TOO_LATE)


def test_a_first_pipeline_made_while_the_exit_hook_looks_is_closed() -> None:
    assert run(MADE_WHILE_THE_HOOK_LOOKED) == "closed\n"


def test_closing_as_a_workers_thread_ends_raises_instead_of_waiting_for_itself() -> None:
    run(CLOSED_BY_A_WORKERS_LAST_BREATH)


def test_a_forked_child_ends_without_waiting_for_its_parents_workers() -> None:
    assert run(FORKED_AND_ENDED).count("motor.limit") == 1


@pytest.mark.parametrize("crash", ["SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL"])
def test_a_worker_blocks_signals_but_not_those_of_its_own_crash(crash: str) -> None:
    assert (
        run(f"""
import signal
with tocsin.Pipeline() as pipeline:
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.limit, lambda event: seen.append(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
    seen = []
    pipeline.notify(MOTOR.limit, bytes(8))
print(signal.SIGINT in seen[0], signal.{crash} in seen[0])
""")
        == "True False\n"
    )
