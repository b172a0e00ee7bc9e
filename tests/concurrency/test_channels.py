"""Channels under load: several readers, floods, and ends that come while readers wait.

Every event carries its number. What readers have, in the order of taking, and what the books say must be the
whole of what was accepted: nothing twice, nothing missing that isn't counted, losses told where they were.
"""

import random
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import tocsin
from helpers import MOTOR, PATIENCE, PUMP, STARTS, Crew, books_of, eventually

pytestmark = [pytest.mark.stress, pytest.mark.parametrize("queue_start", STARTS, indirect=True)]

MANY = 20_000
LONG = 1000.0


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, PUMP)
    return pipeline


def flood(pipeline: Any, event: Any = MOTOR.tick, n: int = MANY) -> None:
    """Notify that many numbered ticks; wait for room where the queue is full."""
    for number in range(n):
        assert pipeline.notify(event, (number,), timeout=PATIENCE)


def balanced(channel: Any, offered: int) -> Any:
    stats = channel.stats()
    assert stats.offered == offered
    assert stats.offered == stats.delivered + stats.dropped + stats.conflated + stats.pending
    return stats


@pytest.mark.parametrize("overflow", ["drop_newest", "drop_oldest"])
def test_losses_add_up_in_a_flood(pipeline: Any, overflow: str) -> None:
    channel = pipeline.channel(MOTOR.tick, capacity=64, overflow=overflow)
    got: list[tuple[int, int]] = []
    reader = Crew(lambda: got.extend((event.report.n, event.lost) for event in channel))
    flood(pipeline)
    pipeline.flush()
    channel.close()
    reader.join()
    stats = balanced(channel, MANY)
    assert stats.delivered == len(got)
    expected = 0
    for number, lost in got:
        assert number == expected + lost, f"{lost} lost before {number}, after {expected - 1}"
        expected = number + 1
    assert MANY - expected <= stats.dropped
    assert sum(lost for _, lost in got) + MANY - expected == stats.dropped


def test_the_last_event_is_never_dropped_by_drop_oldest(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.tick, capacity=8, overflow="drop_oldest")
    last: list[int] = []

    def read() -> None:
        for event in channel:
            last[:] = [event.report.n]

    reader = Crew(read)
    flood(pipeline)
    pipeline.flush()
    channel.close()
    reader.join()
    assert last == [MANY - 1]


def test_the_latest_of_each_source_is_right_at_the_end(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.limit, capacity=16, overflow="latest")
    seen: dict[int, int] = {}

    def read() -> None:
        for event in channel:
            assert event.report.rpm > seen.get(event.source, -1)
            seen[event.source] = event.report.rpm

    reader = Crew(read)
    for number in range(MANY):
        pipeline.notify(MOTOR.limit, (number % 10, number), timeout=PATIENCE)
    pipeline.flush()
    channel.close()
    reader.join()
    assert seen == {number % 10: number for number in range(MANY - 10, MANY)}
    assert balanced(channel, MANY).dropped == 0


@pytest.mark.parametrize("overflow", ["drop_newest", "drop_oldest", "block"])
def test_several_readers_share_what_comes(pipeline: Any, overflow: str) -> None:
    timeout = LONG if overflow == "block" else None
    channel = pipeline.channel(MOTOR.tick, capacity=256, overflow=overflow, timeout=timeout)
    taken: list[list[tuple[int, int]]] = [[], [], []]

    def one_by_one() -> None:
        taken[0].extend((event.report.n, event.lost) for event in channel)

    def in_batches() -> None:
        for batch in channel.batches():
            taken[1].extend(zip(batch.array["n"].tolist(), batch.lost.tolist(), strict=True))

    def impatiently() -> None:
        while True:
            try:
                event = channel.get(timeout=random.choice([0, 0.0001]))
            except TimeoutError:
                continue
            except tocsin.ClosedError:
                return
            taken[2].append((event.report.n, event.lost))

    readers = Crew(one_by_one, in_batches, impatiently)
    flood(pipeline)
    pipeline.flush()
    channel.close()
    readers.join()
    for own in taken:
        assert own == sorted(own)
    together = sorted(taken[0] + taken[1] + taken[2])
    stats = balanced(channel, MANY)
    assert stats.delivered == len(together) == len({number for number, _ in together})
    assert stats.dropped == 0 or overflow != "block"
    expected = 0
    for number, lost in together:
        assert number == expected + lost
        expected = number + 1


def test_a_slow_reader_misses_nothing_of_a_protocol_that_waits(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.tick, capacity=4, overflow="block", timeout=LONG)
    others = pipeline.channel(PUMP.tick, capacity=MANY)
    got: list[int] = []

    def read() -> None:
        for event in channel:
            got.append(event.report.n)
            if event.report.n % 100 == 0:
                time.sleep(0.001)

    reader = Crew(read)
    flood(pipeline, n=3000)
    flood(pipeline, PUMP.tick, n=3000)
    assert pipeline.flush(PATIENCE)
    channel.close()
    reader.join()
    assert got == list(range(3000))
    assert others.stats().pending == 3000


def test_readers_slower_than_the_timeout_lose_what_is_counted(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.tick, capacity=2, overflow="block", timeout=0.001)
    got: list[tuple[int, int]] = []

    def read() -> None:
        for event in channel:
            got.append((event.report.n, event.lost))
            time.sleep(0.003)

    reader = Crew(read)
    for number in range(200):
        pipeline.notify(MOTOR.tick, (number,))
        time.sleep(0.0005)
    assert pipeline.flush(PATIENCE)
    channel.close()
    reader.join()
    stats = balanced(channel, 200)
    assert stats.dropped > 0
    expected = 0
    for number, lost in got:
        assert number == expected + lost
        expected = number + 1


def test_several_protocols_write_into_one_channel(pipeline: Any) -> None:
    channel = pipeline.channel([MOTOR.tick, PUMP.tick], capacity=128, overflow="block", timeout=LONG)
    got: dict[int, list[int]] = {MOTOR.id: [], PUMP.id: []}

    def read() -> None:
        for event in channel:
            got[event.protocol].append(event.report.n)

    reader = Crew(read)
    writers = Crew(
        lambda: flood(pipeline, MOTOR.tick, 5000),
        lambda: flood(pipeline, PUMP.tick, 5000),
    )
    writers.join()
    assert pipeline.flush(PATIENCE)
    channel.close()
    reader.join()
    assert got == {MOTOR.id: list(range(5000)), PUMP.id: list(range(5000))}


@pytest.mark.parametrize("readers", [1, 3])
def test_one_event_at_a_time_wakes_a_waiting_reader(pipeline: Any, readers: int) -> None:
    """The last event before silence: each is answered before the next one is sent."""
    channel = pipeline.channel(MOTOR.tick)
    answers = threading.Semaphore(0)
    got: list[int] = []

    def read() -> None:
        for event in channel:
            got.append(event.report.n)
            answers.release()

    crew = Crew(*[read] * readers)
    for number in range(3000):
        pipeline.notify(MOTOR.tick, (number,))
        assert answers.acquire(timeout=PATIENCE), f"event {number} of {len(got)} woke nobody"
    channel.close()
    crew.join()
    assert got == list(range(3000))


def test_two_events_at_a_time_wake_two_waiting_readers(pipeline: Any) -> None:
    """Each reader holds on to its event until the other has one too."""
    channel = pipeline.channel(MOTOR.tick)
    together = threading.Barrier(3)

    def read() -> None:
        for _ in channel:
            together.wait(PATIENCE)

    crew = Crew(read, read)
    for number in range(500):
        pipeline.notify_many(MOTOR.tick, bytes(16))
        together.wait(PATIENCE)
        assert number >= 0
    channel.close()
    crew.join()


def test_closing_in_a_flood_wakes_everybody(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR)
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            pipeline.notify(MOTOR.tick, (number,))
            number += 1

    writer = Crew(write)
    for round_ in range(60):
        overflow = ["drop_newest", "drop_oldest", "latest", "block"][round_ % 4]
        timeout = LONG if overflow == "block" else None
        channel = pipeline.channel(MOTOR.tick, capacity=16, overflow=overflow, timeout=timeout)
        readers = Crew(partial(list, channel), partial(list, channel.batches()))
        time.sleep(random.random() * 0.003)
        channel.close()
        readers.join()
    stop.set()
    writer.join()
    pipeline.flush(PATIENCE)


def test_a_pipeline_dropped_in_a_flood_ends_its_channels(make_pipeline: Callable[..., Any]) -> None:
    for _ in range(20):
        pipeline = tocsin.Pipeline()
        pipeline.register(MOTOR)
        channel = pipeline.channel(MOTOR.tick)
        readers = Crew(partial(list, channel), partial(list, channel))
        flood(pipeline, n=200)
        del pipeline
        readers.join()
        stats = channel.stats()
        assert stats.offered == stats.delivered + stats.dropped + stats.pending


def test_books_balance_whenever_they_are_asked_for(pipeline: Any) -> None:
    channels = [
        pipeline.channel(MOTOR.tick, capacity=50, overflow=overflow)
        for overflow in ("drop_newest", "drop_oldest", "latest")
    ]
    done = threading.Event()
    looked = 0

    def look() -> None:
        nonlocal looked
        while not done.is_set():
            for channel in channels:
                stats = channel.stats()
                assert stats.offered == stats.delivered + stats.dropped + stats.conflated + stats.pending
                assert stats.pending <= 50
                looked += 1

    readers = Crew(look, *(lambda channel=channel: list(channel) for channel in channels))
    flood(pipeline)
    pipeline.flush()
    done.set()
    for channel in channels:
        channel.close()
    readers.join()
    assert looked > 0
    assert books_of(pipeline).delivered == MANY


def test_registering_anew_in_between_loses_nothing(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline()
    channel = pipeline.channel([(MOTOR.id, 1), (PUMP.id, 1)], capacity=100_000)
    got: dict[int, list[int]] = {MOTOR.id: [], PUMP.id: []}

    def read() -> None:
        for event in channel:
            got[event.protocol].append(event.report.n)

    def come_and_go(protocol: Any, begin: int) -> None:
        for round_ in range(begin, begin + 40):
            pipeline.register(protocol)
            for number in range(50):
                pipeline.notify(protocol.tick, (round_ * 50 + number,))
            pipeline.unregister(protocol)

    reader = Crew(read)
    Crew(lambda: come_and_go(MOTOR, 0), lambda: come_and_go(PUMP, 0)).join()
    channel.close()
    reader.join()
    assert got == {MOTOR.id: list(range(2000)), PUMP.id: list(range(2000))}


def test_cancelled_and_made_anew_while_its_protocol_waits(pipeline: Any) -> None:
    for _ in range(100):
        channel = pipeline.channel(MOTOR.tick, capacity=1, overflow="block", timeout=LONG)
        flood(pipeline, n=3)
        eventually(lambda channel=channel: channel.stats().pending)
        closer = Crew(channel.close)
        channel.get(timeout=PATIENCE)
        closer.join()
        assert pipeline.flush(PATIENCE)
