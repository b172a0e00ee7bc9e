"""What docs/real-time.md promises of tocsin_notify, seen by the kernel: system calls and page faults.

Each watch is given a bug too, and must notice it.
"""

import ctypes
import subprocess
from typing import Any

import pytest

import tocsin
import tocsin.backend
from compiling import compile_library
from helpers import eventually
from probe import BENCH, Gate, Probe, Witness, pair
from tocsin._core import capi
from watched import SOURCE, Planted, Watch

EVENTS = 10_000
RECORD = 32  # bytes of a pair in a queue

exclusive_or_not = pytest.mark.parametrize("exclusive", [False, True], ids=["shared", "exclusive"])


@pytest.fixture(scope="session")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Watch:
    return Watch(compile_library(SOURCE, tmp_path_factory.mktemp("watched")))


@pytest.fixture(params=["auto", "atomic"])
def pipeline(make_pipeline: Any, request: pytest.FixtureRequest) -> tocsin.Pipeline:
    pipeline = make_pipeline(kick=request.param)
    pipeline.register(BENCH)
    return pipeline


@pytest.fixture
def gate(pipeline: Any, probe: Probe) -> Any:
    """Keep the worker inside a native subscriber: awake, and in nobody's way."""
    gate = Gate()
    pipeline.subscribe_native(BENCH.pair, probe.hold, ctypes.addressof(gate))
    assert pipeline.notify(BENCH.pair, pair(0, 0))
    eventually(lambda: gate.entered)
    yield gate
    gate.open = 1
    assert pipeline.flush(60)


# -- system calls ----------------------------------------------------------------------------------


@exclusive_or_not
def test_no_system_call_while_the_worker_is_awake(
    pipeline: Any, gate: Gate, watch: Watch, exclusive: bool
) -> None:
    with pipeline.producer(BENCH, exclusive=exclusive) as producer:
        seen = watch.calls(producer, EVENTS)
    assert (seen.noted, seen.last) == (0, 0)
    assert seen.accepted == EVENTS


@exclusive_or_not
def test_no_system_call_when_refused(make_pipeline: Any, watch: Watch, exclusive: bool) -> None:
    pipeline = make_pipeline()
    pipeline.register(BENCH, queue_size=1024)
    pipeline.freeze()
    with pipeline.producer(BENCH, exclusive=exclusive) as producer:
        while producer.notify(BENCH.pair.id, pair(0, 0)):
            pass
        seen = watch.calls(producer, EVENTS)
    assert (seen.noted, seen.last) == (0, 0)
    assert (seen.accepted, seen.refused) == (0, EVENTS)


@pytest.mark.skipif(
    bool(tocsin.backend.switches()["portable"]), reason="without futex a wake-up takes a mutex"
)
@exclusive_or_not
def test_the_only_system_call_is_a_wake(pipeline: Any, probe: Probe, watch: Watch, exclusive: bool) -> None:
    witness = Witness()
    pipeline.subscribe_native(BENCH.pair, probe.witness, ctypes.addressof(witness))
    books = pipeline.stats().protocols[BENCH.id]
    with pipeline.producer(BENCH, exclusive=exclusive) as producer:

        def has_woken() -> bool:
            nonlocal books
            seen = watch.calls(producer, EVENTS, may_wake=True)
            assert (seen.noted, seen.last) == (0, 0)
            assert pipeline.flush(60)
            books = pipeline.stats().protocols[BENCH.id]
            return books.wakeups > 0

        eventually(has_woken)
    assert books.accepted == books.delivered == witness.native_calls
    assert books.accepted % EVENTS == 0


@pytest.mark.parametrize("planted", [Planted.SYSTEM_CALL, Planted.WAIT], ids=lambda bug: bug.name)
@pytest.mark.parametrize("may_wake", [False, True], ids=["strict", "but wakes"])
def test_planted_system_call_is_noticed(
    pipeline: Any, gate: Gate, watch: Watch, planted: Planted, may_wake: bool
) -> None:
    with pipeline.producer(BENCH, exclusive=True) as producer:
        seen = watch.calls(producer, EVENTS, planted=planted, may_wake=may_wake)
    assert seen.noted == 1
    assert seen.last > 0
    assert seen.accepted == EVENTS


def test_no_call_looks_a_symbol_up() -> None:
    """The dynamic linker has bound everything when the module is loaded: it has no part in a first call."""
    readelf = ["readelf", "--dynamic", "--wide", capi.__file__]
    done = subprocess.run(readelf, capture_output=True, text=True, check=True, env={"LC_ALL": "C"})
    assert "BIND_NOW" in done.stdout, done.stdout


# -- pages -----------------------------------------------------------------------------------------


@exclusive_or_not
@pytest.mark.parametrize("planted", [Planted.NOTHING, Planted.PAGE], ids=lambda bug: bug.name)
def test_no_page_comes_at_its_first_use(
    pipeline: Any, gate: Gate, watch: Watch, exclusive: bool, planted: Planted
) -> None:
    places = (4 << 20) // RECORD  # in the whole queue; the gate's event has one
    with pipeline.producer(BENCH, exclusive=exclusive) as producer:
        seen = watch.pages(producer, places, planted=planted)
    assert seen.noted == (planted is Planted.PAGE)
    assert (seen.accepted, seen.refused) == (places - 1, 1)
