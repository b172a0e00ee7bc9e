"""Native subscribers: what they are called with, in which order, and when a cancel has come through."""

import ctypes
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from probe import BENCH, Desk, Echo, Gate, Probe, pair

CAPSULE = b"tocsin.subscriber"


@pytest.fixture(params=[0, 2], ids=["in the caller", "on workers"])
def pipeline(make_pipeline: Any, request: pytest.FixtureRequest) -> tocsin.Pipeline:
    pipeline = make_pipeline(workers=request.param)
    pipeline.register(BENCH)
    return pipeline


@pytest.fixture
def desk(make_desk: Callable[[tocsin.Pipeline], Desk], pipeline: tocsin.Pipeline) -> Desk:
    return make_desk(pipeline)


def notify(pipeline: tocsin.Pipeline, source: int = 3, number: int = 0) -> None:
    assert pipeline.notify(BENCH.pair, pair(source, number))
    assert pipeline.flush(10)


def overflow(pipeline: Any, refused: int, source: int = 3) -> None:
    """Fill a queue of 1,024 bytes while nobody reads it, and have so many more refused."""
    pipeline.freeze()
    results = [pipeline.notify(BENCH.pair, pair(source, 0)) for _ in range(32 + refused)]
    assert results.count(False) == refused
    pipeline.thaw()
    assert pipeline.flush(10)


# -- the event -------------------------------------------------------------------------------------


def test_event_is_complete(pipeline: Any, desk: Desk) -> None:
    desk.record(BENCH)
    pipeline.notify(BENCH.pair, pair(70_000, 5), 123)
    pipeline.notify(BENCH.raw, b"xyz", 456)
    pipeline.flush()
    one, other = desk.book.seen
    assert (one.timestamp, one.source, one.lost, one.size) == (123, 70_000, 0, 8)
    assert (one.protocol, one.event, one.reserved, one.data) == (0x70, 0, 0, pair(70_000, 5))
    assert (other.timestamp, other.source, other.lost, other.size) == (456, 0, 0, 3)
    assert (other.protocol, other.event, other.reserved, other.data) == (0x70, 1, 0, b"xyz")


def test_payload_is_whole_and_aligned_at_every_place(
    make_pipeline: Any, make_desk: Callable[[tocsin.Pipeline], Desk]
) -> None:
    pipeline = make_pipeline()
    pipeline.register(BENCH, queue_size=1024)  # so small that it wraps every few events
    desk = make_desk(pipeline)
    desk.record(BENCH.raw)
    payloads = [bytes([size]) * size for size in range(65)] * 5
    for payload in payloads:
        assert pipeline.notify(BENCH.raw, payload, timeout=10)
    pipeline.flush()
    assert [note.data for note in desk.book.seen] == payloads
    assert {note.address % 16 for note in desk.book.seen} == {0}


def test_lost_is_counted_for_each_subscriber(
    make_pipeline: Any, make_desk: Callable[[tocsin.Pipeline], Desk]
) -> None:
    pipeline = make_pipeline()
    pipeline.register(BENCH, queue_size=1024)
    desk = make_desk(pipeline)
    desk.record(BENCH.pair, 1)
    desk.record(BENCH.pair, 2, source=7)

    overflow(pipeline, 10)
    notify(pipeline, source=3)
    overflow(pipeline, 4)
    notify(pipeline, source=7)
    lost = {tag: [note.lost for note in desk.book.seen if note.tag == tag] for tag in (1, 2)}
    assert lost[1] == [0] * 32 + [10] + [0] * 32 + [4]
    assert lost[2] == [14]


def test_each_who_is_alone_with_its_source_is_told_once_what_was_lost(
    make_pipeline: Any, make_desk: Callable[[tocsin.Pipeline], Desk]
) -> None:
    pipeline = make_pipeline()
    pipeline.register(BENCH, queue_size=1024)
    desk = make_desk(pipeline)
    for source in (1, 2, 3):
        desk.record(BENCH.pair, source, source=source)
    notify(pipeline, source=2)
    for refused in (10, 4):
        overflow(pipeline, refused, source=1)
    for source in (1, 1, 2, 2, 3, 3):
        notify(pipeline, source=source)
    lost = {tag: [note.lost for note in desk.book.seen if note.tag == tag] for tag in (1, 2, 3)}
    assert lost[1] == [0] * 32 + [10] + [0] * 31 + [4, 0]
    assert lost[2] == [0, 14, 0]
    assert lost[3] == [14, 0]


def test_each_of_many_sources_finds_its_own_subscriber_also_while_more_come(
    pipeline: Any, desk: Desk
) -> None:
    sources = [number * 7919 % 3000 for number in range(3000)]
    expected: list[tuple[int, int]] = []
    for some in range(0, 3000, 500):
        for source in sources[some : some + 500]:
            desk.record(BENCH.pair, source, source=source)
        pipeline.freeze()
        for number in range(150):
            source = sources[number * 31 % 3000]
            assert pipeline.notify(BENCH.pair, pair(source, number))
            if number * 31 % 3000 < some + 500:
                expected.append((source, source))
        pipeline.thaw()
        assert pipeline.flush(10)
        assert [(note.tag, note.source) for note in desk.book.seen] == expected


def test_who_comes_where_python_was_alone_is_told_what_was_lost_since(
    make_pipeline: Any, make_desk: Callable[[tocsin.Pipeline], Desk]
) -> None:
    pipeline = make_pipeline()
    pipeline.register(BENCH, queue_size=1024)
    desk = make_desk(pipeline)
    heard: list[int] = []
    pipeline.subscribe(BENCH.pair, lambda event: heard.append(event.lost))

    for _ in range(2):
        notify(pipeline)
        overflow(pipeline, 10)
        notify(pipeline)
    desk.record(BENCH.pair)
    overflow(pipeline, 4)
    notify(pipeline)
    assert [note.lost for note in desk.book.seen] == [0] * 32 + [4]
    assert [lost for lost in heard if lost] == [10, 10, 4]


# -- order and STOP --------------------------------------------------------------------------------


def test_all_comes_before_source_and_priority_before_age(pipeline: Any, desk: Desk) -> None:
    desk.record(BENCH.pair, 7, source=3)
    desk.record(BENCH.pair, 3)
    desk.record(BENCH.pair, 6, source=3, priority=5)
    desk.record(BENCH.pair, 4)
    desk.record(BENCH.pair, 1, priority=2**31 - 1)
    desk.record(BENCH.pair, 2, priority=1)
    desk.record(BENCH.pair, 5, priority=-(2**31))
    desk.record(BENCH.pair, 99, source=4)
    notify(pipeline)
    assert desk.book.tags == [1, 2, 3, 4, 5, 6, 7]


def test_native_comes_before_python(pipeline: Any, desk: Desk) -> None:
    counts: list[int] = []
    pipeline.subscribe(BENCH.pair, lambda event: counts.append(desk.book.count), priority=100)
    desk.record(BENCH.pair, priority=-100)
    desk.record(BENCH.pair, source=3)
    for number in range(100):
        pipeline.notify(BENCH.pair, pair(3, number))
    pipeline.flush()
    assert len(counts) == 100
    assert all(count >= 2 * (number + 1) for number, count in enumerate(counts))


class Stops:
    """Subscribers in every place: chains of ALL and of source 3, native and Python."""

    def __init__(self, pipeline: tocsin.Pipeline, desk: Desk, results: dict[str, int]) -> None:
        self.desk = desk
        self.names = ["all first", "all second", "source first", "source second"]
        self.python: list[str] = []
        for tag, name in enumerate(self.names):
            where = {"source": 3} if "source" in name else {}
            desk.record(BENCH.pair, tag, results.get(name, 0), **where)
        pipeline.subscribe(BENCH.pair, lambda event: self.python.append("all"))
        pipeline.subscribe(BENCH.pair, lambda event: self.python.append("source"), source=3)
        pipeline.subscribe(BENCH.pair, lambda batch: self.python.append("batch"), batch=True)

    @property
    def native(self) -> list[str]:
        return [self.names[tag] for tag in self.desk.book.tags]


@pytest.mark.parametrize("result", [0x8000, 0x8001, -0x8000, 0x7FFF8000])
def test_stop_ends_its_chain_in_both_stages(pipeline: Any, desk: Desk, result: int) -> None:
    stops = Stops(pipeline, desk, {"all first": result})
    notify(pipeline)
    assert stops.native == ["all first", "source first", "source second"]
    assert stops.python == ["source"]


def test_stop_of_a_source_leaves_all_alone(pipeline: Any, desk: Desk) -> None:
    stops = Stops(pipeline, desk, {"source first": 0x8000})
    notify(pipeline)
    assert stops.native == ["all first", "all second", "source first"]
    assert stops.python == ["all", "batch"]


def test_stop_of_both(pipeline: Any, desk: Desk) -> None:
    stops = Stops(pipeline, desk, {"all first": 0x8000, "source second": 0x8000})
    notify(pipeline)
    assert stops.native == ["all first", "source first", "source second"]
    assert stops.python == []


@pytest.mark.parametrize("result", [1, 0x7FFF, 0x10000, 0x20000, 0x40000])
def test_other_results_mean_nothing(pipeline: Any, desk: Desk, result: int) -> None:
    stops = Stops(pipeline, desk, dict.fromkeys(("all first", "source first"), result))
    notify(pipeline)
    assert stops.native == stops.names
    assert stops.python == ["all", "source", "batch"]
    assert pipeline.stats().protocols[BENCH.id].delivered == 1


@pytest.mark.parametrize("result", [0, 1, -1, 0x8000, 0x10000, 0x20000, 0x40000])
def test_called_is_delivered_whatever_the_result(pipeline: Any, desk: Desk, result: int) -> None:
    desk.record(BENCH.pair, result=result)
    for number in range(3):
        notify(pipeline, number=number)
    books = pipeline.stats().protocols[BENCH.id]
    assert (books.accepted, books.delivered, books.unclaimed, books.pending) == (3, 3, 0, 0)


def test_stop_is_forgotten_with_its_event(pipeline: Any, desk: Desk) -> None:
    subscription = desk.record(BENCH.pair, result=0x8000)
    seen: list[Any] = []
    pipeline.subscribe(BENCH.pair, seen.append)
    notify(pipeline, number=1)
    subscription.cancel()
    notify(pipeline, number=2)
    assert [event.report.number for event in seen] == [2]


# -- from inside, and the end ----------------------------------------------------------------------


def test_subscriber_notifies_its_own_protocol(pipeline: Any, probe: Probe, desk: Desk) -> None:
    desk.record(BENCH.pair)
    echo = Echo(producer=pipeline.producer(BENCH).address)
    pipeline.subscribe_native(BENCH.pair, probe.echo, ctypes.addressof(echo))
    pipeline.notify(BENCH.pair, pair(3, 500))
    deadline = time.monotonic() + 10
    while desk.book.count < 501 and time.monotonic() < deadline:
        pipeline.flush()
    assert [note.data for note in desk.book.seen] == [pair(3, n) for n in range(500, -1, -1)]
    assert echo.error == 0


def test_cancel_waits_for_a_running_call(make_pipeline: Any, probe: Probe) -> None:
    pipeline = make_pipeline()
    pipeline.register(BENCH)
    gate = Gate()
    subscription = pipeline.subscribe_native(BENCH.pair, probe.hold, ctypes.addressof(gate))
    for _ in range(10):
        pipeline.notify(BENCH.pair, pair(1, 0))
    while not gate.entered:
        time.sleep(0.001)
    assert subscription.cancel(timeout=0.05) is False
    left_at_return: list[int] = []

    def cancel() -> None:
        assert subscription.cancel()
        left_at_return.append(gate.left)

    thread = threading.Thread(target=cancel)
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    gate.open = 1
    thread.join(10)
    assert left_at_return == [1]
    pipeline.flush()
    assert (gate.entered, gate.left) == (1, 1)  # of those that were queued none began any more


def test_cancelled_is_not_called(pipeline: Any, desk: Desk) -> None:
    one, other = desk.record(BENCH.pair, 1), desk.record(BENCH.pair, 2)
    notify(pipeline)
    assert one.cancel()
    assert one.cancel()
    assert (one.state, other.state) == ("cancelled", "active")
    notify(pipeline)
    assert desk.book.tags == [1, 2, 2]
    other.cancel()
    notify(pipeline)
    assert desk.book.count == 3
    assert pipeline.stats().protocols[BENCH.id].unclaimed == 1
    assert pipeline.subscriptions == ()


def test_a_run_over_events_of_python_alone_ends_and_takes_its_turn_too(
    make_pipeline: Any, probe: Probe
) -> None:
    """The native stage was kicked, its only subscriber has gone since, and 20,000 events lie there.

    The last of them tells of a lost one, so the stage has to look at all.
    """
    pipeline = make_pipeline(workers=0)
    wide = tocsin.Protocol(0x71, "wide", {"tick": tocsin.EventType(0), "blob": tocsin.EventType(1)})
    pipeline.register(wide, queue_size=1 << 20)
    seen: list[int] = []
    pipeline.subscribe(wide.tick, lambda batch: seen.append(len(batch)), batch=True)
    subscription = pipeline.subscribe_native(wide.tick, probe.hold)
    pipeline.freeze()
    for number in range(19_999):
        assert pipeline.notify(wide.tick, pair(1, number))
    assert not pipeline.notify(wide.blob, bytes(500_000))
    assert pipeline.notify(wide.tick, pair(1, 19_999))
    subscription.cancel()
    pipeline.thaw()
    assert pipeline.flush(10)
    assert sum(seen) == 20_000
    # Each stage had to come back for every 4,096 of them.
    assert pipeline.stats().protocols[wide.id].activations >= 2 * (20_000 // 4096)
