"""Event loops that come and go, several at once, other libraries; what is cancelled loses nothing."""

import asyncio
import errno
import gc
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import tocsin
from compiling import run_python
from helpers import MOTOR, PATIENCE, Crew, in_line
from tocsin import ClosedError
from tocsin.aio import waiting as at_work

DESCRIPTORS = "/proc/self/fd"


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline()
    pipeline.register(MOTOR)
    return pipeline


def ticks(pipeline: Any, *numbers: int) -> None:
    for n in numbers:
        assert pipeline.notify(MOTOR.tick, (n,))
    pipeline.flush()


# --------------------------------------------------------------------------------- cancelling


def test_a_call_for_a_cancelled_coroutine_goes_to_the_next_one(pipeline: Any) -> None:
    async def main() -> None:
        channel = pipeline.channel(MOTOR.tick)
        first, second = asyncio.create_task(channel.aget()), asyncio.create_task(channel.aget())
        await in_line(channel, 2)
        waiting = channel._waitings.here()
        ticks(pipeline, 1)
        waiting.rung()  # the first one is called,
        assert waiting.called is not None
        first.cancel()  # and cancelled before it comes to it
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await asyncio.wait_for(second, PATIENCE)).report.n == 1

    asyncio.run(main())


def test_an_event_that_a_cancelled_coroutine_was_called_for_stays(pipeline: Any) -> None:
    async def main() -> None:
        channel = pipeline.channel(MOTOR.tick)
        task = asyncio.create_task(channel.aget())
        await in_line(channel)
        ticks(pipeline, 1)
        channel._waitings.here().rung()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert channel.get(timeout=0).report.n == 1

    asyncio.run(main())


@pytest.mark.parametrize("ends", ["cancelled", "late"])
def test_nobody_rings_for_a_loop_in_which_nobody_waits_any_more(pipeline: Any, ends: str) -> None:
    async def main() -> None:
        channel = pipeline.channel(MOTOR.tick)
        task = asyncio.create_task(channel.aget(None if ends == "cancelled" else 0.001))
        await in_line(channel)
        if ends == "cancelled":
            task.cancel()
        await asyncio.wait([task])
        ticks(pipeline, 1)
        with pytest.raises(BlockingIOError):
            os.read(channel._waitings.here().reading, 8)

    asyncio.run(main())


def test_who_is_called_in_vain_does_not_lose_the_place_of_others(pipeline: Any) -> None:
    async def main() -> list[int]:
        channel = pipeline.channel(MOTOR.tick)
        tasks = []
        for n in range(3):
            tasks.append(asyncio.create_task(channel.aget()))
            await in_line(channel, n + 1)
        ticks(pipeline, 0)
        waiting = channel._waitings.here()
        waiting.rung()
        waiting.rung()  # calls nobody: there is one event, for which one was called
        await tasks[0]
        ticks(pipeline, 1, 2)
        return [event.report.n for event in await asyncio.gather(*tasks)]

    assert asyncio.run(main()) == [0, 1, 2]


def test_who_is_cancelled_while_it_gives_way_has_taken_nothing(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_work, "TURN", 0)

    async def main() -> None:
        channel = pipeline.channel(MOTOR.tick)
        ticks(pipeline, *range(1000))
        taken = 0

        async def read() -> None:
            nonlocal taken
            while True:
                await channel.aget()
                taken += 1

        task = asyncio.create_task(read())
        while not taken:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert taken < 1000
        assert channel.get(timeout=0).report.n == taken

    asyncio.run(main())


@pytest.mark.stress
def test_cancelling_at_any_moment_loses_no_event(pipeline: Any) -> None:
    n_events = 3000

    async def main() -> list[int]:
        channel = pipeline.channel(MOTOR.tick, capacity=n_events)
        found: list[int] = []
        producer = Crew(lambda: [pipeline.notify(MOTOR.tick, (n,)) for n in range(n_events)])
        while len(found) < n_events:
            tasks = [asyncio.create_task(channel.aget(timeout=0.01)) for _ in range(3)]
            await asyncio.sleep(0)
            tasks[len(found) % 3].cancel()
            tasks[0].cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)  # a time-out: there were too few
            found += [event.report.n for event in done if not isinstance(event, BaseException)]
        producer.join()
        return found

    assert sorted(asyncio.run(main())) == list(range(n_events))


# --------------------------------------------------------------------------------- loops


@pytest.mark.stress
def test_several_loops_and_threads_share_a_channel(pipeline: Any) -> None:
    n_events = 5000
    channel = pipeline.channel(MOTOR.tick, capacity=64, overflow="block", timeout=PATIENCE)
    found: list[list[int]] = [[] for _ in range(4)]

    async def read(which: int) -> None:
        async for event in channel:
            found[which].append(event.report.n)

    def read_in_a_thread() -> None:
        for event in channel:
            found[3].append(event.report.n)

    crew = Crew(*(lambda which=which: asyncio.run(read(which)) for which in range(3)), read_in_a_thread)
    for n in range(n_events):
        assert pipeline.notify(MOTOR.tick, (n,), timeout=PATIENCE)
    pipeline.flush()
    channel.close()
    crew.join()
    assert sorted(n for part in found for n in part) == list(range(n_events))
    assert all(part == sorted(part) for part in found)
    assert channel._waitings.by_loop == {}


def test_a_loop_that_was_stopped_while_it_waited_takes_no_call_from_others(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.tick)
    stopped = asyncio.new_event_loop()
    task = stopped.create_task(channel.aget())
    stopped.run_until_complete(in_line(channel))

    async def main() -> Any:
        other = asyncio.create_task(channel.aget())
        await in_line(channel)
        ticks(pipeline, 1)
        return await asyncio.wait_for(other, PATIENCE)

    assert asyncio.run(main()).report.n == 1
    ticks(pipeline, 2)
    assert stopped.run_until_complete(task).report.n == 2
    stopped.close()


def test_a_loop_that_was_closed_is_let_go(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.tick)
    closed = asyncio.new_event_loop()
    task = closed.create_task(channel.aget())
    closed.run_until_complete(in_line(channel))
    closed.close()
    (before,) = channel._waitings.by_loop.values()
    ticks(pipeline, 1, 2)  # rings a doorbell that nobody hears

    async def main() -> Any:
        return await channel.aget(timeout=PATIENCE)

    assert asyncio.run(main()).report.n == 1
    assert before.reading == -1
    assert channel.get(timeout=0).report.n == 2
    task._log_destroy_pending = False  # what the loop says of that is right, and no matter of ours
    del task
    gc.collect()


def test_a_channel_that_is_closed_is_let_go_by_idle_loops(pipeline: Any) -> None:
    async def main() -> None:
        channel = pipeline.channel(MOTOR.tick)
        with pytest.raises(TimeoutError):
            await channel.aget(timeout=0)
        waiting = channel._waitings.here()
        Crew(channel.close).join()
        async with asyncio.timeout(PATIENCE):
            while waiting.reading >= 0:
                await asyncio.sleep(0)
        assert channel._waitings.by_loop == {}
        with pytest.raises(ClosedError):
            await channel.aget()

    asyncio.run(main())


@pytest.mark.skipif(not os.path.isdir(DESCRIPTORS), reason="needs a system that lists its descriptors")
def test_no_descriptor_stays_open() -> None:
    async def look(channel: Any) -> None:
        with pytest.raises(TimeoutError):
            await channel.aget(timeout=0.001)

    async def use() -> None:
        async with tocsin.Pipeline() as pipeline:
            pipeline.register(MOTOR)
            async with pipeline.channel(MOTOR.tick) as channel:
                await look(channel)
            await look(pipeline.channel(MOTOR.tick))  # ends with the pipeline, and is dropped
            channel = pipeline.channel(MOTOR.tick)
            await look(channel)
            channel.close()

    async def opened() -> int:
        gc.collect()
        await asyncio.sleep(0)  # the loop closes what was let go
        return len(os.listdir(DESCRIPTORS))

    async def main() -> None:
        await use()
        before = await opened()
        for _ in range(5):
            await use()
        async with asyncio.timeout(PATIENCE):
            while await opened() > before:
                await asyncio.sleep(0.001)  # a worker that is about to end may still have something

    asyncio.run(main())


class Poor(asyncio.SelectorEventLoop):
    """A loop that can't poll descriptors, as Windows' proactor loop; its own it polls by other means."""

    def add_reader(self, *arguments: Any) -> None:
        raise NotImplementedError


@pytest.mark.skipif(not os.path.isdir(DESCRIPTORS), reason="needs a system that lists its descriptors")
def test_a_loop_that_cannot_poll_says_so_and_keeps_nothing(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.tick)
    loop = Poor()
    before = len(os.listdir(DESCRIPTORS))
    for _ in range(2):
        with pytest.raises(NotImplementedError):
            loop.run_until_complete(channel.aget())
    gc.collect()
    loop.run_until_complete(asyncio.sleep(0))
    assert len(os.listdir(DESCRIPTORS)) == before
    loop.close()
    assert channel.closed is False


def test_without_a_descriptor_the_first_wait_fails_and_a_later_one_does_not(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> tuple[int, int]:
        raise OSError(errno.EMFILE, "Too many open files")

    async def main() -> None:
        channel = pipeline.channel(MOTOR.tick)
        ticks(pipeline, 1)
        with monkeypatch.context() as patch:
            patch.setattr(at_work, "descriptors", refuse)
            with pytest.raises(OSError, match="Too many open files"):
                await channel.aget()
        assert (await channel.aget()).report.n == 1

    asyncio.run(main())


def test_systems_without_eventfd_use_a_pipe(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "eventfd", raising=False)

    async def main() -> None:
        async with pipeline.channel(MOTOR.tick) as channel:
            for n in range(3):
                task = asyncio.create_task(channel.aget())
                await in_line(channel)
                ticks(pipeline, n)
                assert (await asyncio.wait_for(task, PATIENCE)).report.n == n

    asyncio.run(main())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_begins_anew_and_leaves_the_parents_loop_alone(pipeline: Any) -> None:
    channel, idle = pipeline.channel(MOTOR.tick), pipeline.channel(MOTOR.limit)
    loop = asyncio.new_event_loop()
    with pytest.raises(TimeoutError):
        loop.run_until_complete(idle.aget(timeout=0))
    task = loop.create_task(channel.aget())
    loop.run_until_complete(in_line(channel))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            pipeline.notify(MOTOR.tick, (7,))
            code = 0 if asyncio.run(channel.aget(PATIENCE)).report.n == 7 else 2
            channel.close()
            gc.collect()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert loop._selector.select(0) == []  # type: ignore[attr-defined]
    ticks(pipeline, 1)
    assert loop.run_until_complete(task).report.n == 1
    loop.close()


EXIT = """
import asyncio, threading, time, tocsin
class Motor(tocsin.Protocol):
    tick = tocsin.EventType(1, {"n": "u8"})
MOTOR = Motor(0x80)
pipeline = tocsin.Pipeline(exit_timeout=0.2)
pipeline.register(MOTOR)
channel = pipeline.channel(MOTOR.tick)
go = threading.Event()
pipeline.subscribe(MOTOR.tick, lambda event: go.wait(30))
def flood():
    while True:
        pipeline.notify(MOTOR.tick, (1,))
async def main():
    threading.Thread(target=flood, daemon=True).start()
    for wait in (pipeline.aflush(), pipeline.aclose()):
        task = asyncio.create_task(wait)
        await asyncio.sleep(0.01)
        task.cancel()
    await channel.aget()
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
task = loop.create_task(channel.aget())
loop.run_until_complete(asyncio.sleep(0))
print("over")
"""


def test_a_program_ends_with_waits_of_all_kinds_under_way(tmp_path: Path) -> None:
    done = run_python("-W", "ignore", "-c", EXIT, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "over\n"), done.stderr


# --------------------------------------------------------------------------------- libraries


def uvloop(main: Callable[[], Awaitable[None]]) -> None:
    pytest.importorskip("uvloop").run(main())


def trio(main: Callable[[], Awaitable[None]]) -> None:
    pytest.importorskip("trio").run(main)


def anyio_on(backend: str, **options: Any) -> Callable[[Callable[[], Awaitable[None]]], None]:
    def run(main: Callable[[], Awaitable[None]]) -> None:
        pytest.importorskip("trio")
        pytest.importorskip("anyio").run(main, backend=backend, backend_options=options)

    return run


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(trio, id="trio"),
        pytest.param(uvloop, id="uvloop"),
        pytest.param(anyio_on("asyncio"), id="anyio-asyncio"),
        pytest.param(anyio_on("trio"), id="anyio-trio"),
    ],
)
def test_other_libraries_wait_as_well(
    make_pipeline: Callable[..., Any], run: Callable[[Callable[[], Awaitable[None]]], None]
) -> None:
    anyio = pytest.importorskip("anyio")

    async def main() -> None:
        found: list[Any] = []

        async def one(channel: Any) -> None:
            try:
                found.append((await channel.aget()).report.n)
            except ClosedError as error:
                found.append(type(error))

        async def line(channel: Any, n: int) -> None:
            with anyio.fail_after(PATIENCE):
                while channel._waitings is None or len(channel._waitings.here().line) < n:
                    await anyio.sleep(0)

        async with make_pipeline() as pipeline, pipeline.channel(MOTOR.tick) as channel:
            pipeline.register(MOTOR)
            async with anyio.create_task_group() as group:
                for n in range(3):
                    group.start_soon(one, channel)
                    await line(channel, n + 1)
                ticks(pipeline, *range(3))
            assert found == [0, 1, 2]
            with pytest.raises(TimeoutError):
                await channel.aget(timeout=0.001)
            with anyio.move_on_after(0.001):
                await channel.aget()
            ticks(pipeline, *range(3, 500))
            async for event in channel:
                found.append(event.report.n)
                if event.report.n == 499:
                    break
            assert found == list(range(500))
            assert await pipeline.aflush(PATIENCE)
            async with anyio.create_task_group() as group:
                group.start_soon(one, channel)
                await line(channel, 1)
                channel.close()
            assert found[-1] is ClosedError

    run(main)
