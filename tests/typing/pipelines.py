"""What type checkers know of a pipeline; checked by mypy --strict and pyright, never run."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, assert_type

import tocsin
from tocsin.types import i4, u4


class Limit(NamedTuple):
    motor: u4
    rpm: i4


class Motor(tocsin.Protocol):
    limit = tocsin.EventType(0, Limit, source="motor")
    raw = tocsin.EventType(1, max_size=64)


MOTOR = Motor(0x80)


def set_enabled(event: tocsin.EventType[Any], source: int, on: bool) -> None:
    print(event.name, source, on)


def is_supported(event: tocsin.EventType[Any], source: int) -> bool:
    return source < 3


with tocsin.Pipeline(workers=0) as pipeline:
    assert_type(pipeline, tocsin.Pipeline)
    pipeline.register(MOTOR)

    @pipeline.subscribe(MOTOR.limit)
    def on_limit(event: tocsin.Event[Limit]) -> None:
        assert_type(event.report, Limit)
        assert_type(event.report.rpm, int)
        assert_type(event.payload, bytes)

    @pipeline.subscribe(MOTOR.raw, priority=3)
    def on_raw(event: tocsin.Event[bytes]) -> object:
        assert_type(event.report, bytes)
        return tocsin.STOP

    @pipeline.subscribe(MOTOR.limit, batch=True)
    def on_limits(batch: tocsin.Batch[Limit]) -> None:
        for event in batch:
            assert_type(event.report.rpm, int)

    assert_type(pipeline.subscribe(MOTOR.limit, lambda event: event.report.rpm), tocsin.Subscription)

    @pipeline.subscribe([MOTOR, tocsin.Key(0x80, 1)])
    def on_anything(event: tocsin.Event[Any]) -> None:
        print(event)

    assert_type(pipeline.notify(MOTOR.limit, Limit(3, 9000)), bool)
    assert_type(pipeline.notify_many(MOTOR.limit, bytes(16)), int)
    assert_type(pipeline.flush(1.0), bool)

    limits = pipeline.channel(MOTOR.limit, source=3, overflow="drop_oldest")
    assert_type(limits, tocsin.Channel[Limit])
    assert_type(limits.get(timeout=0), tocsin.Event[Limit])
    assert_type(limits.get().report.rpm, int)
    assert_type(limits.get_batch(100, timeout=1.5), tocsin.Batch[Limit])
    for each in limits:
        assert_type(each.report, Limit)
    for batch in limits.batches():
        assert_type(batch, tocsin.Batch[Limit])
    assert_type(limits.stats(), tocsin.ChannelStats)
    with pipeline.channel([MOTOR, (0x82, 0)], overflow="block", timeout=0.5) as everything:
        assert_type(everything, tocsin.Channel[Any])

    @pipeline.subscribe(MOTOR.limit, main_thread=True)
    def on_main(event: tocsin.Event[Limit]) -> None:
        assert_type(event.report.rpm, int)

    pipeline.register(Motor(0x81), num_sources=4, set_enabled=set_enabled, is_supported=is_supported)
    late = pipeline.subscribe((0x82, 0), print)
    assert_type(late.state, Literal["pending", "active", "cancelled", "purged"])
    assert_type(late.failed_sources, Mapping[int, Exception])
    assert_type(pipeline.unregister(MOTOR, timeout=1.5), bool)
    assert_type(pipeline.stats().protocols[0x80].accepted, int)


async def coroutines() -> None:
    async with tocsin.Pipeline() as pipeline:
        async with pipeline.channel(MOTOR.limit) as limits:
            assert_type(await limits.aget(timeout=1), tocsin.Event[Limit])
            assert_type((await limits.aget()).report.rpm, int)
            assert_type(await limits.aget_batch(100, timeout=None), tocsin.Batch[Limit])
            async for event in limits:
                assert_type(event, tocsin.Event[Limit])
            await limits.aclose()
        assert_type(await pipeline.aflush(1.0), bool)
        assert_type(await pipeline.aclose(), bool)
