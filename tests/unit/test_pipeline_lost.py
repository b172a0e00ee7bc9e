"""lost: how many events a full queue refused since the last one that this subscriber saw."""

from collections.abc import Callable
from typing import Any

import pytest

from helpers import MOTOR, STARTS, TICK_BYTES, books_of

CAPACITY = 1024 // TICK_BYTES


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, queue_size=1024)
    return pipeline


def refuse(pipeline: Any, count: int) -> None:
    """Fill the queue, have `count` events refused, and empty it."""
    while pipeline.notify(MOTOR.tick, (0,)):
        pass  # the first refusal
    for _ in range(count - 1):
        assert not pipeline.notify(MOTOR.tick, (0,))
    pipeline.flush()


def listen(pipeline: Any, event: Any, **options: Any) -> list[int]:
    lost: list[int] = []
    pipeline.subscribe(event, lambda event: lost.append(event.lost), **options)
    return lost


def test_nothing_refused_is_nothing_lost(pipeline: Any) -> None:
    lost = listen(pipeline, MOTOR.tick)
    for n in range(100):
        pipeline.notify(MOTOR.tick, (n,))
        pipeline.flush()
    assert lost == [0] * 100


@pytest.mark.parametrize("queue_start", STARTS, indirect=True)
def test_the_next_accepted_event_tells_how_many_were_refused(pipeline: Any) -> None:
    lost = listen(pipeline, MOTOR.tick)
    refuse(pipeline, 3)
    assert lost == [0] * CAPACITY
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.notify(MOTOR.tick, (2,))
    pipeline.flush()
    assert lost[CAPACITY:] == [3, 0]
    assert books_of(pipeline).lost_markers == 1


def test_each_subscriber_counts_from_the_last_event_that_it_saw(pipeline: Any) -> None:
    ticks = listen(pipeline, MOTOR.tick)
    limits = listen(pipeline, MOTOR.limit)
    of_source = listen(pipeline, MOTOR.limit, source=7)
    refuse(pipeline, 2)
    pipeline.notify(MOTOR.limit, (1, 0))
    pipeline.flush()
    assert (limits, of_source) == ([2], [])
    refuse(pipeline, 5)
    del ticks[:]
    pipeline.notify(MOTOR.limit, (7, 0))
    pipeline.notify(MOTOR.limit, (7, 0))
    pipeline.notify(MOTOR.tick, (0,))
    pipeline.flush()
    assert limits == [2, 5, 0]
    assert of_source == [7, 0]
    assert ticks == [5]


def test_who_subscribes_later_has_not_lost_what_was_refused_before(pipeline: Any) -> None:
    refuse(pipeline, 4)
    lost = listen(pipeline, MOTOR.limit)
    pipeline.notify(MOTOR.limit, (1, 0))
    pipeline.flush()
    assert lost == [0]
    refuse(pipeline, 2)
    pipeline.notify(MOTOR.limit, (1, 0))
    pipeline.flush()
    assert lost == [0, 2]


def test_an_event_that_a_stop_kept_from_a_subscriber_is_not_one_that_it_saw(
    pipeline: Any,
) -> None:
    import tocsin

    pipeline.subscribe(MOTOR.limit, lambda event: tocsin.STOP if event.report.rpm else None, priority=1)
    lost = listen(pipeline, MOTOR.limit)
    for rpm in (1, 1, 0):
        refuse(pipeline, 3)
        pipeline.notify(MOTOR.limit, (1, rpm))
        pipeline.flush()
    assert lost == [9]


@pytest.mark.parametrize("batch", [False, True])
def test_more_than_65535_lost_are_told_in_parts_that_add_up(pipeline: Any, batch: bool) -> None:
    lost: list[int] = []
    if batch:
        pipeline.subscribe(MOTOR.tick, lambda b: lost.extend(b.lost.tolist()), batch=True)
    else:
        pipeline.subscribe(MOTOR.tick, lambda event: lost.append(event.lost))
    while pipeline.notify(MOTOR.tick, (0,)):
        pass
    assert pipeline.notify_many(MOTOR.tick, bytes(8 * 199_999)) == 0
    pipeline.flush()
    for n in range(5):
        pipeline.notify(MOTOR.tick, (n,))
    pipeline.flush()
    assert sum(lost) == 200_000 == books_of(pipeline).refused
    assert books_of(pipeline).lost_markers == 4


def test_what_every_subscriber_lost_adds_up_to_what_was_refused(
    make_pipeline: Callable[..., Any],
) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, queue_size=1024)
    got: list[tuple[int, int]] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append((event.report.n, event.lost)))
    accepted = [n for n in range(30_000) if pipeline.notify(MOTOR.tick, (n,))]
    assert pipeline.flush(60)
    assert [n for n, _ in got] == accepted
    expected = [n - before - 1 for before, n in zip([-1, *accepted], accepted, strict=False)]
    assert [lost for _, lost in got] == expected
