"""Several producer threads: every accepted event once, in the order of its thread, the rest counted."""

import itertools
import threading
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import tocsin
from helpers import MOTOR, PATIENCE, PUMP, STARTS, Crew, books_of

pytestmark = pytest.mark.stress

PRODUCERS = 4
EACH = 5000


def name(producer: int, n: int) -> int:
    return producer << 32 | n


def by_producer(numbers: list[int]) -> list[list[int]]:
    sorted_out: list[list[int]] = [[] for _ in range(PRODUCERS)]
    for number in numbers:
        sorted_out[number >> 32].append(number & 0xFFFFFFFF)
    return sorted_out


@pytest.mark.parametrize("batch", [False, True])
def test_all_arrive_once_and_in_the_order_of_their_thread(
    make_pipeline: Callable[..., Any], batch: bool
) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR)
    got: list[int] = []
    if batch:
        pipeline.subscribe(MOTOR.tick, lambda b: got.extend(b.array["n"].tolist()), batch=True)
    else:
        pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))

    def produce(producer: int) -> None:
        for n in range(EACH):
            assert pipeline.notify(MOTOR.tick, (name(producer, n),))

    Crew(*[lambda p=p: produce(p) for p in range(PRODUCERS)]).join()
    assert pipeline.flush(PATIENCE)
    assert by_producer(got) == [list(range(EACH))] * PRODUCERS


@pytest.mark.parametrize("queue_start", STARTS, indirect=True)
@pytest.mark.parametrize("many", [False, True])
def test_with_a_tiny_queue_what_is_refused_is_exact(make_pipeline: Callable[..., Any], many: bool) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, queue_size=1024)
    got: list[int] = []
    lost: list[int] = []

    @pipeline.subscribe(MOTOR.tick)
    def note(event: Any) -> None:
        got.append(event.report.n)
        lost.append(event.lost)

    accepted: list[list[int]] = [[] for _ in range(PRODUCERS)]

    def produce(producer: int) -> None:
        for n in range(EACH):
            if pipeline.notify(MOTOR.tick, (name(producer, n),)):
                accepted[producer].append(n)

    def produce_many(producer: int) -> None:
        for n in range(0, EACH, 50):
            records = numpy.arange(name(producer, n), name(producer, n + 50), dtype="<u8")
            accepted[producer].extend(range(n, n + pipeline.notify_many(MOTOR.tick, records)))

    work = produce_many if many else produce
    Crew(*[lambda p=p: work(p) for p in range(PRODUCERS)]).join()
    assert pipeline.flush(PATIENCE)
    assert by_producer(got) == accepted
    books = books_of(pipeline)
    assert books.accepted == books.delivered == sum(map(len, accepted))
    assert books.refused == PRODUCERS * EACH - books.accepted
    pipeline.notify(MOTOR.tick, (0,))  # tells of what was refused last
    assert pipeline.flush(PATIENCE)
    assert sum(lost) == books.refused


@pytest.mark.parametrize("queue_start", STARTS, indirect=True)
def test_with_a_tiny_queue_and_patience_all_arrive(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, queue_size=1024)
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))

    def produce(producer: int) -> None:
        for n in range(EACH // 5):
            assert pipeline.notify(MOTOR.tick, (name(producer, n),), timeout=PATIENCE)
        records = numpy.arange(name(producer, EACH // 5), name(producer, EACH), dtype="<u8")
        assert pipeline.notify_many(MOTOR.tick, records, timeout=PATIENCE) == len(records)

    Crew(*[lambda p=p: produce(p) for p in range(PRODUCERS)]).join()
    assert pipeline.flush(PATIENCE)
    assert by_producer(got) == [list(range(EACH))] * PRODUCERS
    assert books_of(pipeline).refused == 0


def test_records_of_mixed_sizes_arrive_whole(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, queue_size=2048)
    got: list[bytes] = []
    pipeline.subscribe(MOTOR.raw, lambda event: got.append(event.payload))

    def produce(producer: int) -> None:
        for n in range(1500):
            payload = bytes([producer]) + bytes([n % 256]) * (n * 13 % 900)
            assert pipeline.notify(MOTOR.raw, payload, timeout=PATIENCE)

    Crew(*[lambda p=p: produce(p) for p in range(PRODUCERS)]).join()
    assert pipeline.flush(PATIENCE)
    for producer in range(PRODUCERS):
        mine = [payload[1:] for payload in got if payload[0] == producer]
        assert mine == [bytes([n % 256]) * (n * 13 % 900) for n in range(1500)]


def test_closing_in_the_middle_delivers_exactly_what_was_accepted(
    make_pipeline: Callable[..., Any],
) -> None:
    for _ in range(10):
        pipeline = make_pipeline()
        pipeline.register(MOTOR, PUMP)
        got: list[int] = []
        pipeline.subscribe([MOTOR.tick, PUMP.tick], lambda event, got=got: got.append(event.report.n))
        accepted = [0] * PRODUCERS
        started = threading.Barrier(PRODUCERS + 1)

        def produce(
            producer: int,
            pipeline: Any = pipeline,
            accepted: list[int] = accepted,
            started: threading.Barrier = started,
        ) -> None:
            started.wait(PATIENCE)
            protocol = (MOTOR, PUMP)[producer % 2]
            for n in itertools.count():
                try:
                    if not pipeline.notify(protocol.tick, (name(producer, n),), timeout=PATIENCE):
                        return
                except tocsin.ClosedError:
                    return
                accepted[producer] = n + 1

        crew = Crew(*[lambda p=p, produce=produce: produce(p) for p in range(PRODUCERS)])
        started.wait(PATIENCE)
        assert pipeline.close(PATIENCE) is True
        crew.join()
        assert by_producer(got) == [list(range(n)) for n in accepted]
        assert pipeline.stats().closed == PRODUCERS


def test_the_books_balance_at_every_moment_of_a_flood(
    make_pipeline: Callable[..., Any], books: Callable[[Any], None]
) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, queue_size=4096)
    pipeline.subscribe(MOTOR.tick, lambda event: None, source=0)
    pipeline.subscribe(MOTOR.tick, lambda batch: None, batch=True)
    done = threading.Event()

    def produce() -> None:
        for n in range(20_000):
            pipeline.notify(MOTOR.tick, (n,))

    def look() -> None:
        while not done.is_set():
            books(pipeline)

    looker = Crew(look)
    Crew(produce, produce).join()
    assert pipeline.flush(PATIENCE)
    done.set()
    looker.join()
    books(pipeline)


def test_freezing_and_thawing_in_a_flood_keeps_the_order(
    make_pipeline: Callable[..., Any],
) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR)
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n), priority=1)
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
    done = threading.Event()

    def freeze_and_thaw() -> None:
        while not done.is_set():
            pipeline.freeze()
            pipeline.flush(0.0005)
            pipeline.thaw()

    freezer = Crew(freeze_and_thaw)
    for n in range(5000):
        assert pipeline.notify(MOTOR.tick, (n,))
    done.set()
    freezer.join()
    assert pipeline.flush(PATIENCE)
    assert got == [n for n in range(5000) for _ in range(2)]
