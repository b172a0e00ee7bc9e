"""No descriptors, no address space, no barriers: what needs none works, the rest is refused clearly."""

import sys
import textwrap
from pathlib import Path

import pytest

import sandbox
from compiling import run_python

pytestmark = [
    pytest.mark.native_only("about the memory and the barriers of the compiled core"),
    pytest.mark.skipif(sys.platform != "linux", reason="limits and filters of Linux"),
]

SCENE = (
    Path(sandbox.__file__).read_text()
    + """
import ctypes, inspect, platform, resource, struct, sys, threading      # inspect: else imported late
import tocsin
from tocsin import *     # each name is imported when it is asked for, and that takes a descriptor

class Motor(tocsin.Protocol):
    limit = tocsin.EventType(0, {"motor": "u4", "rpm": "i4"}, source="motor")

MOTOR, PUMP = Motor(0x80), Motor(0x81, "pump")
PATIENCE = 10

def goes_through(pipeline, event):
    heard = threading.Event()
    with pipeline.subscribe(event, lambda event: heard.set()):
        assert pipeline.notify(event, (3, 9000))
        assert pipeline.flush(timeout=PATIENCE) and heard.is_set()

def balances(pipeline):
    for counts in pipeline.stats().protocols.values():
        known = counts.delivered + counts.unclaimed + counts.abandoned + counts.pending
        assert counts.accepted == known, counts
"""
)


def runs(program: str, folder: Path) -> None:
    done = run_python("-c", SCENE + textwrap.dedent(program), cwd=folder)
    if done.returncode == sandbox.NOT_HERE:
        pytest.skip("this system lets nobody set up a seccomp filter")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_pipeline_needs_no_descriptors(tmp_path: Path) -> None:
    runs(
        """
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
        try:
            open("/dev/null")
        except OSError:
            pass
        else:
            sys.exit("a descriptor was to be had")
        with tocsin.Pipeline() as pipeline:
            pipeline.register(MOTOR)
            goes_through(pipeline, MOTOR.limit)
            with pipeline.channel(MOTOR.limit) as channel, pipeline.producer(MOTOR) as producer:
                assert producer.notify(0, bytes(8))
                assert channel.get(timeout=PATIENCE).report.rpm == 0
        balances(pipeline)
        """,
        tmp_path,
    )


def test_without_address_space_each_call_is_refused_as_a_whole_and_works_later(tmp_path: Path) -> None:
    runs(
        """
        pipeline = tocsin.Pipeline()
        pipeline.register(MOTOR)
        calls = {
            "queue": lambda: pipeline.register(PUMP, queue_size=1 << 30),
            "channel": lambda: pipeline.channel(MOTOR.limit, capacity=1 << 24),
            "workers": lambda: tocsin.Pipeline(workers=1000, max_workers=1000).close(timeout=PATIENCE),
        }
        goes_through(pipeline, MOTOR.limit)
        before = resource.getrlimit(resource.RLIMIT_AS)
        for name, call in calls.items():
            was = pipeline.protocols, pipeline.subscriptions
            pages = int(open("/proc/self/statm").read().split()[0])
            # Enough for the heaps that glibc reserves for each thread, and less than any of the calls needs.
            resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (768 << 20), before[1]))
            try:
                call()
            except (MemoryError if name != "workers" else OSError) as error:
                print(name, error)
            else:
                sys.exit(f"there was room for {name}")
            assert (pipeline.protocols, pipeline.subscriptions) == was
            goes_through(pipeline, MOTOR.limit)
            resource.setrlimit(resource.RLIMIT_AS, before)
            if name != "workers":
                call()
                goes_through(pipeline, MOTOR.limit)
        assert pipeline.close(timeout=PATIENCE)
        balances(pipeline)
        """,
        tmp_path,
    )


def test_without_barriers_from_the_beginning_kicks_are_atomic(tmp_path: Path) -> None:
    runs(
        """
        forbid_barriers()
        try:
            tocsin.Pipeline(kick="membarrier")
        except RuntimeError as error:
            assert "is not to be had here" in str(error)
        else:
            sys.exit("it was to be had")
        with tocsin.Pipeline() as pipeline:
            assert pipeline.kick == "atomic"
            pipeline.register(MOTOR)
            goes_through(pipeline, MOTOR.limit)
        """,
        tmp_path,
    )


def test_barriers_that_go_while_events_flow_lose_none(tmp_path: Path) -> None:
    """Two writers, a callable, a batch and a channel: what was accepted came, with either form."""
    runs(
        """
        seen, batched, accepted = [], [], []
        with tocsin.Pipeline() as pipeline, tocsin.Pipeline() as idle:
            if pipeline.kick != "membarrier":
                sys.exit(77)
            pipeline.register(MOTOR)
            idle.register(MOTOR)
            pipeline.subscribe(MOTOR.limit, lambda event: seen.append(event.source))
            pipeline.subscribe(MOTOR.limit, lambda batch: batched.append(len(batch)), batch=True)
            channel = pipeline.channel(MOTOR.limit, capacity=1 << 15)
            is_over = threading.Event()

            def write():
                count = 0
                while not is_over.is_set() or count < 2000:
                    count += pipeline.notify(MOTOR.limit, (count & 0x3FF, 1))
                accepted.append(count)

            writers = [threading.Thread(target=write) for _ in range(2)]
            for writer in writers:
                writer.start()
            while not seen:
                pass
            forbid_barriers()
            is_over.set()
            for writer in writers:
                writer.join()
            assert pipeline.flush(timeout=PATIENCE) and pipeline.kick == "atomic"
            goes_through(idle, MOTOR.limit)                    # found out by one that slept meanwhile
            counts = channel.stats()
        assert sum(accepted) == len(seen) == sum(batched) == counts.offered, (accepted, len(seen), counts)
        balances(pipeline)
        """,
        tmp_path,
    )
