"""What the tests of pipelines share: a protocol to speak of, and ways to wait that cannot hang."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

import tocsin
import tocsin.backend
from tocsin.types import i4, u4

PATIENCE = 60.0  # seconds after which a wait has failed; nothing correct takes as long


class Limit(NamedTuple):
    motor: u4
    rpm: i4


class Motor(tocsin.Protocol):
    limit = tocsin.EventType(0, Limit, source="motor")
    tick = tocsin.EventType(1, {"n": "u8"})
    raw = tocsin.EventType(2)
    note = tocsin.EventType(5, {"a": "u4", "b": ("u4", 0)})
    readings = tocsin.EventType(9, {"sensor": "u2", "values": [{"at": "u4", "value": "i4"}]})
    counted = tocsin.EventType(11, {"flags": "u2", "values": ["u4"]}, count=("flags", 0x0F))


MOTOR = Motor(0x80)
PUMP = Motor(0x81, "pump")
TICK_BYTES = 32  # what a tick takes in a queue: 16 of header, 8 of payload, filled up to 16

STARTS = (0, 2**32 - 64, 2**64 - 64)


def eventually(condition: Callable[[], object], state: Callable[[], object] = lambda: "") -> None:
    """Wait until the condition holds; fail with the state if it doesn't in good time."""
    __tracebackhide__ = True
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited in vain: {state()}")
        time.sleep(0.0002)


def busy_until(condition: Callable[[], object]) -> None:
    """Keep the main thread in Python code, without a call that could sleep, until the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"


class Hold:
    """A callback that stays inside until it is let go; `entered` is set when it got there."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.go = threading.Event()
        self.calls: list[Any] = []

    def __call__(self, event: Any) -> None:
        self.calls.append(event)
        self.entered.set()
        self.go.wait(PATIENCE)

    def await_entry(self) -> None:
        assert self.entered.wait(PATIENCE), "the callback was never called"


class Crew:
    """Threads that are started together; the first failure of any is raised by join()."""

    def __init__(self, *works: Callable[[], object]) -> None:
        self.failures: list[BaseException] = []
        self.threads = [threading.Thread(target=self._run, args=(work,), daemon=True) for work in works]
        for thread in self.threads:
            thread.start()

    def _run(self, work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as failure:
            self.failures.append(failure)

    def join(self) -> None:
        for thread in self.threads:
            thread.join(2 * PATIENCE)
        if self.failures:
            raise self.failures[0]
        assert not any(thread.is_alive() for thread in self.threads), "a thread hangs"


def running(function: Callable[..., object], *arguments: object) -> threading.Thread:
    """Start a function on a thread of its own."""
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    return thread


def finish(*threads: threading.Thread) -> None:
    """Wait for threads to end; one that does not is an error."""
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


async def in_line(channel: Any, n: int = 1) -> None:
    """Wait until so many coroutines of this loop wait for the channel."""
    async with asyncio.timeout(PATIENCE):
        while channel._waitings is None or len(channel._waitings.here().line) < n:
            await asyncio.sleep(0)


def books_of(pipeline: Any, protocol: Any = MOTOR) -> Any:
    return pipeline.stats().protocols[protocol.id]


def run_python(code: str, *, timeout: float = PATIENCE) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter of its own; TimeoutExpired if it doesn't end by itself."""
    here = os.path.dirname(os.path.abspath(__file__))
    paths = [here, os.path.dirname(os.path.dirname(tocsin.__file__))]
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def assert_ends_well(code: str, *, timeout: float = PATIENCE) -> str:
    """Run code in an interpreter of its own: it must end by itself, with 0 and no complaint."""
    __tracebackhide__ = True
    try:
        done = run_python(code, timeout=timeout)
    except subprocess.TimeoutExpired:
        pytest.fail(f"the interpreter did not end within {timeout} seconds")
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr}"
    assert done.stderr == ""
    return done.stdout


class Names(list[str]):
    """What was called, in order; make(name) gives a callback of its own."""

    def make(self, name: str, result: object = None) -> Callable[[Any], object]:
        def callback(event: Any) -> object:
            self.append(name)
            return result

        return callback

    def of(self, pipeline: Any, event: Any, payload: Any) -> list[str]:
        """Return what is called for one event."""
        pipeline.flush()
        self.clear()
        pipeline.notify(event, payload)
        pipeline.flush()
        return list(self)


class Switch:
    """A set_enabled that notes its commands, "+limit:3" and "-limit:3", and refuses what it is told to."""

    def __init__(self, refuse: Callable[[int, bool], bool] = lambda source, on: False) -> None:
        self.commands: list[str] = []
        self.refuse = refuse

    def __call__(self, event: Any, source: int, on: bool) -> None:
        self.commands.append(f"{'+' if on else '-'}{event.name}:{source}")
        if self.refuse(source, on):
            raise OSError(f"source {source} is stuck")

    def take(self) -> list[str]:
        """Return the commands since the last time."""
        commands, self.commands = self.commands, []
        return commands


def on(*sources: object, event: str = "limit") -> list[str]:
    return [f"+{event}:{source}" for source in sources]


def off(*sources: object, event: str = "limit") -> list[str]:
    return [f"-{event}:{source}" for source in sources]
