"""Bursts of ten times what a queue holds: what is accepted, refused and lost is exact."""

from collections.abc import Callable
from typing import Any

import pytest

from helpers import MOTOR, PATIENCE, TICK_BYTES, Crew, Hold, books_of

SIZES = [1024, 4096, 1 << 16]


def one_by_one(pipeline: Any, n: int) -> int:
    return sum(pipeline.notify(MOTOR.tick, (number,)) for number in range(n))


def at_once(pipeline: Any, n: int) -> int:
    taken: int = pipeline.notify_many(MOTOR.tick, b"".join(MOTOR.tick.pack(number) for number in range(n)))
    return taken


def by_a_producer(pipeline: Any, n: int) -> int:
    with pipeline.producer(MOTOR) as producer:
        return sum(producer.notify(MOTOR.tick.id, MOTOR.tick.pack(number)) for number in range(n))


@pytest.mark.parametrize("way", [one_by_one, at_once, by_a_producer])
@pytest.mark.parametrize("size", SIZES)
def test_a_queue_takes_what_it_holds_and_counts_the_rest(
    make_pipeline: Callable[..., Any], size: int, way: Callable[[Any, int], int]
) -> None:
    pipeline, fits = make_pipeline(workers=0), size // TICK_BYTES
    pipeline.register(MOTOR, queue_size=size)
    got: list[tuple[int, int]] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append((event.report.n, event.lost)))
    owed = 0
    for burst in range(1, 4):
        assert way(pipeline, 10 * fits) == fits
        books = books_of(pipeline)
        assert (books.accepted, books.refused, books.pending) == (burst * fits, burst * 9 * fits, fits)
        assert pipeline.flush()
        assert [n for n, _ in got] == list(range(fits))
        lost = [lost for _, lost in got]
        # The first event after a burst tells of it; a header has 16 bits, and the next one the rest.
        assert sum(lost) == owed
        assert lost[: len(lost) - 1] == [min(owed, 0xFFFF), max(owed - 0xFFFF, 0), *[0] * (len(lost) - 3)]
        owed = 9 * fits
        got.clear()
    assert books_of(pipeline).delivered == 3 * fits


@pytest.mark.parametrize("threads", [1, 3])
def test_a_burst_while_the_subscriber_stands_still(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold], threads: int
) -> None:
    pipeline, hold = make_pipeline(), make_hold()
    pipeline.register(MOTOR, queue_size=4096)
    heard, lost, fits = [0], [0], 4096 // TICK_BYTES

    def hear(event: Any) -> None:
        heard[0] += 1
        lost[0] += event.lost

    pipeline.subscribe(MOTOR.tick, hear, priority=1)
    pipeline.subscribe(MOTOR.tick, hold)
    assert pipeline.notify(MOTOR.tick, (0,))
    hold.await_entry()
    taken: list[int] = []
    Crew(*[lambda: taken.append(one_by_one(pipeline, 10 * fits))] * threads).join()
    books = books_of(pipeline)
    assert sum(taken) == fits - 1  # the event that is being heard still has its place
    assert books.accepted == fits
    assert books.refused == threads * 10 * fits - sum(taken)
    hold.go.set()
    assert pipeline.flush(PATIENCE)
    assert pipeline.notify(MOTOR.tick, (0,))
    assert pipeline.flush(PATIENCE)
    assert heard == [fits + 1]
    assert lost == [books.refused]
