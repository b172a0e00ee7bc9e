"""tocsin.compat.janus: what janus' own suite does not ask."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from helpers import PATIENCE, eventually
from tocsin.compat import janus, standard

KINDS = [janus.Queue, janus.LifoQueue, janus.PriorityQueue]


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(main(), PATIENCE))


def started(function: Callable[..., object], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    return thread


@pytest.mark.parametrize("kind", KINDS)
def test_a_flood_costs_the_loop_few_wake_ups(kind: Any) -> None:
    async def main() -> None:
        q, n = kind(), 5000
        loop, wakes = asyncio.get_running_loop(), []
        call = loop.call_soon_threadsafe
        # a method of this loop alone
        loop.call_soon_threadsafe = lambda *a, **k: wakes.append(1) or call(*a, **k)  # type: ignore
        waiting = asyncio.create_task(q.async_q.get())
        await asyncio.sleep(0)
        flood = started(lambda: [q.sync_q.put(item) for item in range(n)])
        flood.join(PATIENCE)  # the loop stands still meanwhile
        assert len(wakes) == 1
        items = [await waiting] + [await q.async_q.get() for _ in range(n - 1)]
        assert sorted(items) == list(range(n))
        await q.aclose()

    run(main)


@pytest.mark.stress
@pytest.mark.parametrize("maxsize", [0, 1, 5])
def test_threads_and_tasks_lose_nothing(maxsize: int) -> None:
    async def main() -> None:
        q: janus.Queue[int] = janus.Queue(maxsize)
        n, got = 300, []

        def write(start: int) -> None:
            for item in range(start, start + n):
                q.sync_q.put(item, timeout=PATIENCE)

        def read() -> None:
            for _ in range(n):
                got.append(q.sync_q.get(timeout=PATIENCE))
                q.sync_q.task_done()

        async def awrite(start: int) -> None:
            for item in range(start, start + n):
                await q.async_q.put(item)

        async def aread() -> None:
            for _ in range(n):
                got.append(await q.async_q.get())
                q.async_q.task_done()

        with ThreadPoolExecutor(4) as pool:
            loop = asyncio.get_running_loop()
            threads = [loop.run_in_executor(pool, write, part * n) for part in (0, 1)]
            threads += [loop.run_in_executor(pool, read) for _ in range(2)]
            await asyncio.gather(*threads, awrite(2 * n), awrite(3 * n), aread(), aread())
        await q.async_q.join()
        assert sorted(got) == list(range(4 * n))
        await q.aclose()

    run(main)


def test_a_cancelled_get_loses_no_item() -> None:
    async def main() -> None:
        q: janus.Queue[int] = janus.Queue()
        for n in range(50):
            first, second = (asyncio.create_task(q.async_q.get()) for _ in range(2))
            await asyncio.sleep(0)
            q.sync_q.put(n)
            await asyncio.sleep(0)  # the first one has been called, and not yet run
            first.cancel()
            assert await second == n
            with pytest.raises(asyncio.CancelledError):
                await first
        assert q.async_q.empty()
        assert not q._getters.futures
        await q.aclose()

    run(main)


def test_a_shutdown_brings_both_sides_back() -> None:
    async def main() -> None:
        q: janus.Queue[int] = janus.Queue()
        tasks = [asyncio.create_task(q.async_q.get()) for _ in range(3)]
        ends: list[type] = []

        def read() -> None:
            try:
                q.sync_q.get()
            except janus.SyncQueueShutDown as error:
                ends.append(type(error))

        thread = started(read)
        await asyncio.sleep(0)
        await asyncio.to_thread(lambda: eventually(lambda: standard.waiting(q._items)[0] == 1))
        q.sync_q.shutdown()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [janus.AsyncQueueShutDown] * 3
        await asyncio.to_thread(thread.join, PATIENCE)
        assert len(ends) == 1
        await q.wait_closed()
        assert q.closed

    run(main)


def test_hooks_of_a_subclass_are_called() -> None:
    class Doubling(janus.LifoQueue[int]):
        def _put(self, item: int) -> None:
            super()._put(2 * item)

    async def main() -> None:
        q = Doubling(3)
        q.sync_q.put(1)
        await q.async_q.put(2)
        assert (q.sync_q.get(), await q.async_q.get()) == (4, 2)
        await q.aclose()

    run(main)


def test_an_exact_queue_is_compiled() -> None:
    items = janus.Queue()._items
    assert getattr(items, "is_compiled", True)


def test_a_second_loop_is_refused() -> None:
    q: janus.Queue[int] = janus.Queue()
    q.sync_q.put(1)

    async def wait() -> int:
        return await asyncio.wait_for(q.async_q.get(), PATIENCE)

    assert asyncio.run(wait()) == 1
    with pytest.raises(RuntimeError, match="different event loop"):
        asyncio.run(wait())


def test_a_put_after_the_loop_has_closed_stays_in_the_queue() -> None:
    q: janus.Queue[int] = janus.Queue()

    async def leave_a_waiter() -> None:
        q._getters.futures.append(asyncio.get_running_loop().create_future())
        q._get_loop()

    asyncio.run(leave_a_waiter())
    q.sync_q.put(5)
    assert q.sync_q.get() == 5
