"""What channel() refuses: each with a clear error, and nothing left behind."""

from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from helpers import MOTOR


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR)
    return pipeline


def test_an_iterator_of_no_channel_has_no_next(pipeline: Any) -> None:
    with pipeline.channel(MOTOR.limit) as channel, pytest.raises((RuntimeError, TypeError)):
        next(type(iter(channel))())


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"overflow": "newest"}, ValueError, "overflow must be one of drop_newest, drop_oldest, latest, block"),
    ({"overflow": None}, ValueError, "not None"),
    ({"capacity": 0}, ValueError, "capacity 0 is not in 1.."),
    ({"capacity": -1}, ValueError, "-1"),
    ({"capacity": 1 << 40}, ValueError, "capacity"),
    ({"capacity": 2.5}, TypeError, "capacity"),
    ({"capacity": 1 << 26}, ValueError, "need more than 1 GiB: lower the capacity or its max_size"),
    ({"timeout": 1}, ValueError, "a timeout belongs to overflow='block', not to 'drop_newest'"),
    ({"overflow": "block"}, ValueError, "overflow='block' needs a timeout"),
    ({"overflow": "block", "timeout": -1}, ValueError, "timeout must be 0 to 1e.09 seconds, not -1"),
    ({"overflow": "block", "timeout": float("nan")}, ValueError, "nan"),
    ({"overflow": "block", "timeout": "1"}, TypeError, "timeout must be a number of seconds, not '1'"),
    ({"source": 70000}, ValueError, "70000"),
]


@pytest.mark.parametrize(("options", "error", "words"), REFUSED)
def test_refused(pipeline: Any, options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        pipeline.channel(MOTOR.limit, **options)
    assert pipeline.subscriptions == ()
    pipeline.notify(MOTOR.limit, (1, 2))
    pipeline.flush()
    assert pipeline.stats().protocols[MOTOR.id].unclaimed == 1


def test_what_names_no_event_is_refused(pipeline: Any) -> None:
    with pytest.raises(TypeError, match="an event is"):
        pipeline.channel("limit")
    with pytest.raises(ValueError, match="names no event"):
        pipeline.channel([])
    with pytest.raises(tocsin.UnknownEventError):
        pipeline.channel((0x80, 77))


def test_the_latest_of_an_event_without_largest_size_is_refused(pipeline: Any) -> None:
    with pytest.raises(ValueError, match=r"overflow='latest' needs the largest size.*max_size"):
        pipeline.channel(MOTOR.raw, overflow="latest")
    pipeline.channel(MOTOR.raw)


def test_too_large_a_channel_that_waited_is_purged(make_pipeline: Callable[..., Any]) -> None:
    failures: list[Any] = []
    pipeline = make_pipeline(workers=0, on_error=failures.append)
    channel = pipeline.channel((0x80, 0), capacity=1 << 26)
    other = pipeline.channel((0x80, 0))
    pipeline.register(MOTOR)
    assert "1 GiB" in str(failures[0].exception)
    assert (channel.subscription.state, channel.closed) == ("purged", True)
    assert other.subscription.state == "active"


def test_a_closed_pipeline_has_no_channels(pipeline: Any) -> None:
    pipeline.close()
    with pytest.raises(tocsin.ClosedError):
        pipeline.channel(MOTOR.limit)


def test_a_channel_is_made_by_a_pipeline() -> None:
    with pytest.raises(TypeError):
        tocsin.Channel()  # type: ignore[call-arg]  # which is the mistake
    alone = tocsin.Channel((tocsin.Key(1, 2),), 4, "drop_newest", None)
    for ask in (alone.get, alone.get_batch, alone.stats, lambda: next(iter(alone))):
        with pytest.raises(RuntimeError, match=r"made by Pipeline\.channel"):
            ask()


def test_a_refused_source_leaves_no_channel(make_pipeline: Callable[..., Any]) -> None:
    def refuse(event: Any, source: int, on: bool) -> None:
        raise OSError("stuck")

    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, set_enabled=refuse)
    with pytest.raises(tocsin.SourceError):
        pipeline.channel(MOTOR.limit, source=3)
    assert pipeline.subscriptions == ()
