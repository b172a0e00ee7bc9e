"""Protocols that hang keep no other from its events, as long as one worker is left."""

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from compiling import compile_library
from helpers import PATIENCE, Hold, Motor, books_of, eventually
from probe import SOURCE, Bench, Gate, Probe

MOST = 5  # workers of a kind
LIVE = Motor(0x10, "live")


@pytest.fixture
def gates() -> Iterator[list[Gate]]:
    made: list[Gate] = []
    yield made
    for gate in made:
        gate.open = 1


def hang(pipeline: Any, holds: list[Hold]) -> None:
    """Have a protocol of its own hang in each of these callables."""
    for number, hold in enumerate(holds):
        hung = Motor(0x20 + number, f"hung{number}")
        pipeline.register(hung)
        pipeline.subscribe(hung.tick, hold)
        pipeline.notify(hung.tick, (number,))
    for hold in holds:
        hold.await_entry()


def test_max_workers_less_one_may_hang_in_python(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold]
) -> None:
    pipeline = make_pipeline(workers=1, max_workers=MOST)
    holds = [make_hold() for _ in range(MOST - 1)]
    hang(pipeline, holds)
    stays_live(pipeline)
    assert [len(hold.calls) for hold in holds] == [1] * len(holds)


@pytest.mark.native_only("native subscribers")
def test_max_workers_less_one_may_hang_in_native_code(
    make_pipeline: Callable[..., Any], tmp_path: Any, gates: list[Gate]
) -> None:
    probe = Probe(compile_library(SOURCE, tmp_path))
    pipeline = make_pipeline(workers=1, max_workers=MOST)
    for number in range(MOST - 1):
        hung, gate = Bench(0x20 + number, f"hung{number}"), Gate()
        gates.append(gate)
        pipeline.register(hung)
        pipeline.subscribe_native(hung.raw, probe.hold, ctypes.addressof(gate))
        pipeline.notify(hung.raw, b"x")
    for gate in gates:
        eventually(lambda gate=gate: gate.entered)
    stays_live(pipeline)
    assert [gate.left for gate in gates] == [0] * len(gates)


def stays_live(pipeline: Any) -> None:
    """Assert that another protocol has its events, ten bursts of them, in order."""
    got: list[int] = []
    pipeline.register(LIVE)
    pipeline.subscribe(LIVE.tick, lambda event: got.append(event.report.n))
    for burst in range(10):
        for n in range(100):
            assert pipeline.notify(LIVE.tick, (100 * burst + n,))
        eventually(lambda burst=burst: len(got) == 100 * (burst + 1))
    assert got == list(range(1000))
    eventually(lambda: books_of(pipeline, LIVE).delivered == 1000)
    assert books_of(pipeline, LIVE).pending == 0


def test_who_hangs_with_every_worker_loses_nothing(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold]
) -> None:
    pipeline = make_pipeline(workers=1, max_workers=2)
    holds = [make_hold() for _ in range(2)]
    hang(pipeline, holds)
    got: list[int] = []
    pipeline.register(LIVE)
    pipeline.subscribe(LIVE.tick, lambda event: got.append(event.report.n))
    assert pipeline.notify(LIVE.tick, (7,))
    assert pipeline.flush(0.05) is False
    assert got == []
    holds[0].go.set()
    eventually(lambda: got == [7])
    holds[1].go.set()
    assert pipeline.flush(PATIENCE)


def test_there_is_no_other_pipeline_in_its_way(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold]
) -> None:
    stuck, free, hold = make_pipeline(max_workers=1, workers=1), make_pipeline(), make_hold()
    stuck.register(LIVE)
    stuck.subscribe(LIVE.tick, hold)
    stuck.notify(LIVE.tick, (1,))
    hold.await_entry()
    stays_live(free)
