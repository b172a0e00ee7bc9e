"""Threads and the tasks of an event loop with one janus queue, and the one who watches over both."""

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable

from tests.parking.crew import DEADLINE, Crew
from tests.parking.scenes import Books, Item

from tocsin.compat import janus


class LoopCrew(Crew):
    """Watch over the futures of a loop too, which runs on one of the threads."""

    def __init__(self, both: "janus.Queue[Item]") -> None:
        super().__init__(both._items)
        self.both = both

    def could_go_on(self) -> bool:
        getters, putters = self.both._getters.futures, self.both._putters.futures
        over = self.q.is_shutdown
        return bool(
            super().could_go_on()
            or (getters and (over or self.q.qsize()))
            or (putters and (over or not self.q.full()))
        )

    def state(self) -> str:
        futures = [len(side.futures) for side in (self.both._getters, self.both._putters)]
        return f"{super().state()}; tasks in get and put: {futures}"


def loop(chance: random.Random) -> int:
    """Have tasks that are cancelled now and then put and get beside threads."""
    both: janus.Queue[Item] = janus.Queue(chance.choice([0, 1, 3]))
    crew = LoopCrew(both)
    books = Books()
    number, tasks = 100, chance.randint(1, 3)

    async def get_all() -> None:
        mine: list[Item] = []
        books.by_getter.append(mine)
        with contextlib.suppress(janus.AsyncQueueShutDown):
            while True:
                item = await both.async_q.get()
                mine.append(item)
                books.got.append(item)

    async def be_cancelled() -> None:
        with contextlib.suppress(janus.AsyncQueueShutDown):
            while True:
                task = asyncio.create_task(both.async_q.get())
                for _ in range(chance.randint(1, 3)):
                    await asyncio.sleep(0)
                await asyncio.sleep(0.0005 * chance.random())
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    books.got.append(await task)

    async def put_all() -> None:
        for n in range(number):
            await both.async_q.put((2, n))
            books.put.append((2, n))

    async def main() -> None:
        await asyncio.gather(put_all(), be_cancelled(), *(get_all() for _ in range(tasks)))

    for putter in range(2):
        crew.add(books.put_all, both.sync_q, putter, number, [both.sync_q.put])
    crew.add(asyncio.run, main())
    crew.wait(lambda: len(books.put) == 3 * number)
    both.shutdown()
    crew.finish()
    books.check(is_complete=True)
    books.check_order()
    return len(books.got)


def between(chance: random.Random) -> int:
    """Have a put come between the loop's look at the queue and what it does then."""
    both: janus.Queue[Item] = janus.Queue(chance.choice([0, 2]))
    crew = LoopCrew(both)
    has_looked, was_put = threading.Event(), threading.Event()
    how_many = both._getters.how_many

    def look() -> int:
        number = how_many()
        if number > 0:
            has_looked.set()
            was_put.wait(DEADLINE)
        return number

    async def main() -> None:
        await asyncio.gather(both.async_q.get(), both.async_q.get())

    both._getters.how_many = look
    crew.add(asyncio.run, main())
    crew.wait(lambda: len(both._getters.futures) == 2)
    both.sync_q.put((0, 0))
    has_looked.wait(DEADLINE)
    both.sync_q.put((0, 1))
    was_put.set()
    crew.finish()
    return 2


def cancelled(chance: random.Random) -> int:
    """Cancel a task that was called and has not gone on yet: the call is another one's now."""
    both: janus.Queue[Item] = janus.Queue(1)
    crew = LoopCrew(both)
    is_get = chance.random() < 0.5

    async def main() -> None:
        if not is_get:
            both.sync_q.put((0, 0))
        calls = [both.async_q.get() if is_get else both.async_q.put((1, n)) for n in range(2)]
        first, second = [asyncio.ensure_future(call) for call in calls]
        await asyncio.sleep(0)
        if is_get:
            both.async_q.put_nowait((0, 0))
        else:
            both.async_q.get_nowait()
        first.cancel()
        await second

    crew.add(asyncio.run, main())
    crew.finish()
    return 1


LOOPS: dict[str, Callable[[random.Random], int]] = {
    scene.__name__: scene for scene in (loop, between, cancelled)
}
