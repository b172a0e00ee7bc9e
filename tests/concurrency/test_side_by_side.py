"""Protocols side by side: one that hangs, is slow or floods delays no other; idle costs nothing."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from helpers import MOTOR, PATIENCE, PUMP, Crew, Hold, Motor, assert_ends_well, eventually


def tick_all(pipeline: Any, protocol: Any, count: int) -> None:
    for n in range(count):
        assert pipeline.notify(protocol.tick, (n,))


def test_a_hung_callback_delays_no_other_protocol(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold]
) -> None:
    pipeline, hold = make_pipeline(), make_hold()
    pipeline.register(MOTOR, PUMP)
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, hold)
    pipeline.subscribe(PUMP.tick, lambda event: got.append(event.report.n))
    tick_all(pipeline, MOTOR, 3)
    hold.await_entry()
    tick_all(pipeline, PUMP, 1000)
    eventually(lambda: len(got) == 1000, pipeline.stats)
    assert got == list(range(1000))
    assert len(hold.calls) == 1


@pytest.mark.parametrize("max_workers", [2, 4, 9])
def test_all_workers_but_one_may_hang(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold], max_workers: int
) -> None:
    pipeline = make_pipeline(workers=1, max_workers=max_workers)
    protocols = [Motor(n, f"m{n}") for n in range(max_workers)]
    pipeline.register(*protocols)
    holds = [make_hold() for _ in protocols[1:]]
    for protocol, hold in zip(protocols[1:], holds, strict=True):
        pipeline.subscribe(protocol.tick, hold)
        tick_all(pipeline, protocol, 2)
    for hold in holds:
        hold.await_entry()
    got: list[int] = []
    pipeline.subscribe(protocols[0].tick, lambda event: got.append(event.report.n))
    tick_all(pipeline, protocols[0], 100)
    eventually(lambda: len(got) == 100, pipeline.stats)
    for hold in holds:
        hold.go.set()
    assert pipeline.flush(PATIENCE)
    assert [len(hold.calls) for hold in holds] == [2] * len(holds)


def test_with_all_workers_hung_events_wait_and_come_when_one_returns(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold]
) -> None:
    pipeline = make_pipeline(workers=1, max_workers=2)
    protocols = [Motor(n, f"m{n}") for n in range(3)]
    pipeline.register(*protocols)
    holds = [make_hold() for _ in protocols]
    for protocol, hold in zip(protocols, holds, strict=True):
        pipeline.subscribe(protocol.tick, hold)
        tick_all(pipeline, protocol, 1)
    eventually(lambda: sum(hold.entered.is_set() for hold in holds) == 2)
    assert pipeline.flush(0.05) is False
    assert sum(hold.entered.is_set() for hold in holds) == 2
    for hold in holds:
        hold.go.set()
    assert pipeline.flush(PATIENCE)
    assert all(hold.entered.is_set() for hold in holds)


def test_a_hung_worker_that_returns_goes_on_with_its_protocol(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold]
) -> None:
    pipeline, hold = make_pipeline(), make_hold()
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.tick, hold)
    tick_all(pipeline, MOTOR, 10)
    hold.await_entry()
    hold.go.set()
    assert pipeline.flush(PATIENCE)
    assert [event.report.n for event in hold.calls] == list(range(10))


@pytest.mark.stress
def test_a_flood_in_one_protocol_leaves_the_others_their_turn(
    make_pipeline: Callable[..., Any],
) -> None:
    pipeline = make_pipeline(max_workers=2)
    pipeline.register(MOTOR, PUMP, queue_size=1 << 16)
    stop = threading.Event()

    @pipeline.subscribe(MOTOR.tick)
    def feed(event: Any) -> None:  # this queue is never empty
        if not stop.is_set():
            pipeline.notify(MOTOR.tick, event.payload)

    got: list[int] = []
    pipeline.subscribe(PUMP.tick, lambda event: got.append(event.report.n))
    tick_all(pipeline, MOTOR, 100)
    for n in range(50):
        assert pipeline.notify(PUMP.tick, (n,))
        eventually(lambda n=n: len(got) == n + 1, pipeline.stats)
    went_by = pipeline.stats().protocols[MOTOR.id].delivered
    stop.set()
    assert got == list(range(50))
    assert went_by < 10_000_000, "200,000 events a turn: the flood gave the GIL back, and nobody else got it"


@pytest.mark.stress
def test_many_protocols_at_once_keep_their_order(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline(workers=4)
    protocols = [Motor(n, f"m{n}") for n in range(16)]
    pipeline.register(*protocols, queue_size=1 << 17)
    got: dict[int, list[int]] = {protocol.id: [] for protocol in protocols}
    inside: dict[int, int] = dict.fromkeys(got, 0)
    twice: list[int] = []

    @pipeline.subscribe(list(protocols))
    def callback(event: Any) -> None:
        inside[event.protocol] += 1
        if inside[event.protocol] != 1:
            twice.append(event.protocol)
        got[event.protocol].append(event.report.n)
        inside[event.protocol] -= 1

    def produce(part: list[Any]) -> None:
        for n in range(1000):
            for protocol in part:
                assert pipeline.notify(protocol.tick, (n,))

    Crew(*[lambda k=k: produce(protocols[k::4]) for k in range(4)]).join()
    assert pipeline.flush(PATIENCE)
    assert all(numbers == list(range(1000)) for numbers in got.values())
    assert twice == []


def test_two_pipelines_do_not_know_each_other(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold]
) -> None:
    one, other, hold = make_pipeline(), make_pipeline(), make_hold()
    got: list[int] = []
    for pipeline in (one, other):
        pipeline.register(MOTOR)
    one.subscribe(MOTOR.tick, hold)
    other.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
    tick_all(one, MOTOR, 1)
    hold.await_entry()
    one.freeze()
    tick_all(other, MOTOR, 100)
    assert other.close(PATIENCE) is True
    assert got == list(range(100))


def test_an_idle_pipeline_costs_no_cpu() -> None:
    code = """
import time
from helpers import MOTOR, PUMP
import tocsin
pipeline = tocsin.Pipeline(workers=4)
pipeline.register(MOTOR, PUMP)
queue = tocsin.WorkQueue("idle", workers=2)
pipeline.subscribe([MOTOR, PUMP], lambda event: None)
for n in range(1000):
    pipeline.notify(MOTOR.tick, (n,))
    pipeline.notify(PUMP.tick, (n,))
queue.queue(tocsin.Work(lambda: None))
queue.queue_delayed(tocsin.Work(lambda: None), 10_000)
queue.flush()
pipeline.flush()
time.sleep(0.2)
before = time.process_time()
time.sleep(1)
print(round((time.process_time() - before) * 1000), end="")
queue.close()
"""
    assert int(assert_ends_well(code)) < 100, "milliseconds of CPU in one idle second"


def test_a_frozen_pipeline_with_work_waiting_costs_no_cpu() -> None:
    code = """
import time
from helpers import MOTOR
import tocsin
pipeline = tocsin.Pipeline()
pipeline.register(MOTOR)
pipeline.subscribe(MOTOR.tick, lambda event: None)
pipeline.freeze()
for n in range(1000):
    pipeline.notify(MOTOR.tick, (n,))
time.sleep(0.2)
before = time.process_time()
time.sleep(0.5)
print(round((time.process_time() - before) * 1000), end="")
"""
    assert int(assert_ends_well(code)) < 100, "milliseconds of CPU in half a frozen second"
