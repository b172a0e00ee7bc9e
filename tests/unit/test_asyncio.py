"""Channels and pipelines in asyncio: what coroutines take, how they wait and how that ends."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from helpers import MOTOR, PATIENCE, PUMP, eventually, in_line
from tocsin import ClosedError, Pipeline
from tocsin.aio import waiting as at_work


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, PUMP)
    return pipeline


def ticks(pipeline: Any, *numbers: int) -> None:
    for n in numbers:
        assert pipeline.notify(MOTOR.tick, (n,))
    pipeline.flush()


# --------------------------------------------------------------------------------- taking


def test_events_come_in_order_whether_they_were_there_or_not(pipeline: Any) -> None:
    async def main() -> list[int]:
        channel = pipeline.channel(MOTOR.tick)
        ticks(pipeline, 0, 1)
        found = [(await channel.aget()).report.n for _ in range(2)]
        task = asyncio.create_task(channel.aget())
        await in_line(channel)
        ticks(pipeline, 2)
        return [*found, (await task).report.n]

    assert asyncio.run(main()) == [0, 1, 2]


def test_a_loop_ends_when_the_channel_is_closed_and_empty(pipeline: Any) -> None:
    async def main() -> list[int]:
        found = []
        async with pipeline.channel(MOTOR.tick) as channel:
            ticks(pipeline, *range(1000))
            channel.close()
            async for event in channel:
                found.append(event.report.n)
        return found

    assert asyncio.run(main()) == list(range(1000))


def test_breaking_out_of_a_loop_loses_nothing(pipeline: Any) -> None:
    async def main() -> list[int]:
        channel = pipeline.channel(MOTOR.tick)
        ticks(pipeline, *range(5))
        async for event in channel:
            if event.report.n == 2:
                break
        return [(await channel.aget()).report.n for _ in range(2)]

    assert asyncio.run(main()) == [3, 4]


def test_batches_hold_what_is_there(pipeline: Any) -> None:
    async def main() -> None:
        channel = pipeline.channel([MOTOR.tick, PUMP.tick])
        ticks(pipeline, *range(10))
        batch = await channel.aget_batch(7)
        assert [event.report.n for event in batch] == list(range(7))
        assert len(await channel.aget_batch()) == 3
        task = asyncio.create_task(channel.aget_batch())
        await in_line(channel)
        pipeline.notify(PUMP.tick, (9,))
        assert (await task).type is PUMP.tick

    asyncio.run(main())


# --------------------------------------------------------------------------------- waiting


def test_a_wait_leaves_the_loop_to_others_and_ends_in_time(pipeline: Any) -> None:
    async def main() -> None:
        channel = pipeline.channel(MOTOR.tick)
        for aget in (channel.aget, channel.aget_batch):
            task = asyncio.create_task(aget(timeout=0.01))
            await in_line(channel)
            with pytest.raises(TimeoutError, match="no event came in time"):
                await task
        for aget in (channel.aget, channel.aget_batch):
            with pytest.raises(TimeoutError):
                await aget(timeout=0)
        assert channel.stats().pending == 0

    asyncio.run(main())


def test_closing_ends_every_wait_from_any_thread(pipeline: Any) -> None:
    async def main() -> None:
        channel = pipeline.channel(MOTOR.tick)
        tasks = [asyncio.create_task(channel.aget()) for _ in range(3)]
        await in_line(channel, 3)
        threading.Thread(target=channel.close).start()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in found] == [ClosedError] * 3
        with pytest.raises(ClosedError, match="nothing is left in it"):
            await channel.aget()
        assert channel._waitings.by_loop == {}

    asyncio.run(main())


def test_several_coroutines_share_a_channel_each_event_goes_to_one_in_order_of_coming(pipeline: Any) -> None:
    async def main() -> list[int]:
        channel = pipeline.channel(MOTOR.tick)
        tasks = []
        for n in range(50):
            tasks.append(asyncio.create_task(channel.aget()))
            await in_line(channel, n + 1)
        ticks(pipeline, *range(50))
        return [event.report.n for event in await asyncio.gather(*tasks)]

    assert asyncio.run(main()) == list(range(50))


def test_a_full_channel_does_not_keep_the_loop_from_others(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_work, "TURN", 0)

    async def main() -> None:
        channel = pipeline.channel(MOTOR.tick)
        ticks(pipeline, *range(1000))
        others = 0

        async def other() -> None:
            nonlocal others
            while True:
                others += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        for _ in range(500):
            await channel.aget()
        one_by_one = others
        assert one_by_one >= 500 // at_work.BUDGET
        async for event in channel:
            if event.report.n == 999:
                break
        assert others >= one_by_one + 500 // at_work.BUDGET
        task.cancel()

    asyncio.run(main())


def test_the_doorbell_is_rung_once_for_a_loop_that_sleeps(pipeline: Any) -> None:
    async def main() -> None:
        channel = pipeline.channel(MOTOR.tick, capacity=4096)
        task = asyncio.create_task(channel.aget())
        await in_line(channel)
        waiting = channel._waitings.here()
        rung: list[int] = []
        look, waiting.rung = waiting.rung, lambda: (rung.append(1), look())
        ticks(pipeline, *range(1000))
        await task
        for _ in range(999):
            await channel.aget(timeout=PATIENCE)
        assert rung == [1]

    asyncio.run(main())


def test_a_coroutine_in_a_callback_may_look_but_not_wait(pipeline: Any) -> None:
    problems: list[Any] = []
    channel = pipeline.channel(PUMP.tick)

    def look(event: Any) -> None:
        for timeout in (0, None, 5):
            try:
                asyncio.run(channel.aget(timeout))
            except (TimeoutError, RuntimeError) as error:
                problems.append(error)

    pipeline.subscribe(MOTOR.tick, look)
    ticks(pipeline, 1)
    assert [type(problem) for problem in problems] == [TimeoutError, RuntimeError, RuntimeError]
    assert "inside a callback" in str(problems[1])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"timeout": -1}, ValueError),
        ({"timeout": float("nan")}, ValueError),
        ({"timeout": "1"}, TypeError),
        ({"max_events": 0}, ValueError),
        ({"max_events": 1.5}, TypeError),
    ],
)
def test_bad_arguments_are_refused_as_by_get(
    pipeline: Any, arguments: dict[str, Any], error: type[Exception]
) -> None:
    channel = pipeline.channel(MOTOR.tick)
    ticks(pipeline, 1)
    with pytest.raises(error) as told:
        channel.get_batch(**arguments)
    with pytest.raises(error) as found:
        asyncio.run(channel.aget_batch(**arguments))
    assert str(found.value) == str(told.value)
    assert channel.stats().pending == 1


def test_without_a_loop_it_says_so(pipeline: Any) -> None:
    coroutine = pipeline.channel(MOTOR.tick).aget()
    with pytest.raises(RuntimeError, match="no running event loop"):
        coroutine.send(None)


# --------------------------------------------------------------------------------- the pipeline


def test_flush_and_close_leave_the_loop_to_coroutines_that_read(make_pipeline: Callable[..., Any]) -> None:
    async def main() -> list[int]:
        found = []

        async def read(channel: Any) -> None:
            async for event in channel:
                found.append(event.report.n)

        async with make_pipeline() as pipeline:
            pipeline.register(MOTOR)
            channel = pipeline.channel(MOTOR.tick, capacity=1, overflow="block", timeout=PATIENCE)
            task = asyncio.create_task(read(channel))
            for n in range(100):
                pipeline.notify(MOTOR.tick, (n,))
            assert await pipeline.aflush(PATIENCE)
            for n in range(100, 200):
                pipeline.notify(MOTOR.tick, (n,))
        await task
        assert await pipeline.aclose()
        return found

    assert asyncio.run(main()) == list(range(200))


def test_aflush_that_can_not_end_says_so_or_is_cancelled(pipeline: Any, make_hold: Any) -> None:
    hold = make_hold()
    pipeline.subscribe(MOTOR.tick, hold)

    async def main() -> None:
        pipeline.notify(MOTOR.tick, (1,))
        assert await pipeline.aflush(0.01) is False
        task = asyncio.create_task(pipeline.aflush())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        pipeline.freeze()
        with pytest.raises(RuntimeError, match="thaw"):
            await pipeline.aflush()
        pipeline.thaw()
        hold.go.set()
        assert await pipeline.aflush(PATIENCE) is True

    asyncio.run(main())


def test_an_exception_that_leaves_async_with_ends_the_pipeline_soon(make_hold: Any) -> None:
    hold = make_hold()

    async def main() -> Pipeline:
        async with Pipeline() as pipeline:
            pipeline.register(MOTOR)
            pipeline.subscribe(MOTOR.tick, hold)
            pipeline.notify(MOTOR.tick, (1,))
            raise KeyError
        return pipeline

    began = time.monotonic()
    with pytest.raises(KeyError):
        asyncio.run(main())
    assert time.monotonic() - began < PATIENCE
    hold.go.set()


def test_a_pipeline_without_threads_dispatches_in_the_loop(make_pipeline: Callable[..., Any]) -> None:
    threads = []

    async def main() -> None:
        async with make_pipeline(workers=0) as pipeline:
            pipeline.register(MOTOR)
            pipeline.subscribe(MOTOR.tick, lambda event: threads.append(threading.get_ident()))
            pipeline.notify(MOTOR.tick, (1,))
            assert await pipeline.aflush()
            pipeline.notify(MOTOR.tick, (2,))

    asyncio.run(main())
    assert threads == [threading.get_ident()] * 2


def test_aclose_in_a_callback_is_refused(pipeline: Any) -> None:
    problems: list[Any] = []

    def close(event: Any) -> None:
        for wait in (pipeline.aclose, pipeline.aflush):
            try:
                asyncio.run(wait())
            except RuntimeError as error:
                problems.append(str(error))

    pipeline.subscribe(MOTOR.tick, close)
    ticks(pipeline, 1)
    eventually(lambda: len(problems) == 2)
    assert all("inside a callback" in problem for problem in problems)
