"""What the programs of these tests share: each has an interpreter of its own, and a time limit."""

import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import tocsin
from helpers import MOTOR, PUMP

PATIENCE = 20.0  # seconds after which a child has failed

# Bugs planted by the check, which the tests must notice.
PLANTED = os.environ.get("ENDINGS_PLANTED")
if PLANTED == "no_beginning":
    tocsin.Pipeline._begin_anew = lambda self: None  # type: ignore[method-assign]
if PLANTED == "one_buffer":
    _pack, _buffer = tocsin.EventType.pack, [b""]

    def pack_in_one_buffer(self: Any, *values: Any, **named: Any) -> bytes:
        _buffer[0] = _pack(self, *values, **named)
        time.sleep(0.0001)
        return _buffer[0]

    tocsin.EventType.pack = pack_in_one_buffer  # type: ignore[method-assign]

__all__ = [
    "MOTOR",
    "PATIENCE",
    "PUMP",
    "balanced",
    "child_is_well",
    "in_child",
    "opened",
    "until",
    "wait_for",
]


def opened(*callbacks: Callable[[Any], object], **options: Any) -> Any:
    """Return a pipeline with both protocols whose ticks go to these callables."""
    pipeline = tocsin.Pipeline(**options)
    pipeline.register(MOTOR, PUMP)
    for callback in callbacks:
        pipeline.subscribe(MOTOR.tick, callback)
    return pipeline


def until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds, or fail."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.0005)


def balanced(pipeline: Any) -> bool:
    """Return whether each accepted event is in one counter."""
    return all(
        books.accepted == books.delivered + books.unclaimed + books.abandoned + books.pending
        for books in pipeline.stats().protocols.values()
    )


def in_child(function: Callable[[], object], fork: Callable[[], int] = os.fork) -> int:
    """Fork, and run the function in the child; returns its process id."""
    pid = fork()
    if pid:
        return pid
    status = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        faulthandler.register(signal.SIGALRM, chain=True)  # a child that hangs says where, and is killed
        signal.alarm(int(PATIENCE))
        function()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def wait_for(pid: int) -> int:
    """Return the exit status of a child; negative: the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def child_is_well(function: Callable[[], object], fork: Callable[[], int] = os.fork) -> None:
    """Fork, run the function in the child, and have it end with 0."""
    status = wait_for(in_child(function, fork))
    assert status == 0, f"the child ended with {status}"


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


def on_a_thread(function: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread
