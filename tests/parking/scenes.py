"""What the threads of a crew do with one queue: each scene is one round, and returns how many items it used.

The first scenes arrange a race so that it happens in every round; `exchange` and `ending` leave it to chance
and keep books: every item that was put is got once, each putter's in its order, or was thrown away by a
shutdown.
"""

import contextlib
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from tests.parking.crew import DEADLINE, Crew, Failed

from tocsin.compat import queue

Item = tuple[int, int]  # who put it, his how-manieth
KINDS: list[Any] = [queue.Queue, queue.LifoQueue, queue.PriorityQueue]


def one_each(chance: random.Random) -> int:
    """Have as many puts in a row as waiters, each of whom wants one: all come back."""
    crew = Crew(chance.choice(KINDS)())
    number = chance.randint(1, 4)
    for _ in range(number):
        crew.add(crew.q.get)
    crew.until_parked(getters=number)
    for n in range(number):
        crew.q.put((0, n))
    crew.finish()
    return number


def time_out(chance: random.Random) -> int:
    """Have a waiter called whose time is over when he goes on: the item is his, or the next one is called."""
    crew = Crew(queue.Queue())
    q = crew.q
    patience = 0.02

    def brief() -> None:
        with contextlib.suppress(queue.Empty):
            q.get(timeout=patience)
            q.put((0, 2))  # for the one who has no limit

    def until_asleep(number: int) -> None:
        crew.wait(lambda: crew.has_parked(number, 0, 0) or not crew.threads[0].is_alive())

    crew.add(brief)
    until_asleep(1)
    until = time.monotonic() + patience
    crew.add(q.get)
    if chance.random() < 0.9:
        until_asleep(2)
    with no_switch():
        q.put((0, 1))
        while time.monotonic() < until:
            pass
    crew.finish()
    return 1


def room(chance: random.Random) -> int:
    """Have putters wait for room: each get makes some for one of them."""
    crew = Crew(chance.choice(KINDS)(1))
    q = crew.q
    number = chance.randint(1, 3)
    q.put((0, 0))
    for n in range(number):
        crew.add(q.put, (1, n))
    crew.until_parked(putters=number)
    for _ in range(number + 1):
        q.get()
        crew.wait(lambda: not q.empty() or not any(thread.is_alive() for thread in crew.threads))
    crew.finish()
    return number


def raising(chance: random.Random) -> int:
    """Have a putter called whose item can't be compared: the room is another one's."""
    crew = Crew(queue.PriorityQueue(2))
    q = crew.q

    def put_what_is_refused() -> None:
        with contextlib.suppress(TypeError):
            q.put("not comparable")

    for n in range(2):
        q.put((0, n))
    crew.add(put_what_is_refused)
    crew.until_parked(putters=1)
    crew.add(q.put, (0, 2))
    crew.until_parked(putters=2)
    q.get()
    crew.wait(q.full)
    if chance.random() < 0.5:
        q.shutdown()
    else:
        q.get()
    crew.finish()
    return 1


def tasks(chance: random.Random) -> int:
    """Have several wait for the last task: all come back when it is done."""
    crew = Crew(queue.Queue())
    number = chance.randint(1, 3)
    for n in range(3):
        crew.q.put((0, n))
    for _ in range(number):
        crew.add(crew.q.join)
    crew.until_parked(joiners=number)
    for _ in range(3):
        crew.q.get()
        crew.q.task_done()
    crew.finish()
    return 3


def move(chance: random.Random) -> int:
    """Have waiters of each kind follow a queue that moves."""
    crew = Crew(chance.choice(KINDS)(1))
    empty = Crew(queue.Queue())
    crew.q.put((0, 0))
    crew.add(crew.q.put, (0, 1))
    crew.add(crew.q.join)
    empty.add(empty.q.get)
    crew.until_parked(putters=1, joiners=1)
    empty.until_parked(getters=1)
    _ = crew.q.mutex, empty.q.queue
    empty.q.put((0, 2))
    empty.finish()
    for _ in range(2):
        crew.q.get()
        crew.q.task_done()
    crew.finish()
    return 3


def herd(chance: random.Random) -> int:
    """Have many wait: one item brings one of them back, and not all."""
    crew = Crew(queue.Queue())
    q = crew.q
    number, items = 8, chance.randint(20, 40)

    def get() -> None:
        while True:
            q.get()

    for _ in range(number):
        crew.add(get)
    crew.until_parked(getters=number)
    before = crew.switches()
    with no_switch():  # who waits for the GIL does so once
        for n in range(items):
            q.put((0, n))
            crew.wait(q.empty)
            crew.until_parked(getters=number)
    used = crew.switches() - before
    if used > 6 * items:  # one waits for the GIL, perhaps twice, and sleeps again
        raise Failed("herd", f"{items} items sent {number} threads to sleep {used} times")
    q.shutdown()
    crew.finish()
    return items


def ending(chance: random.Random) -> int:
    """Shut down while threads wait, put and get: all end, and nothing is lost but what was thrown away."""
    bound = chance.choice([0, 1, 2])
    crew = Crew(chance.choice(KINDS)(bound))
    q = crew.q
    books = Books()
    is_immediate = chance.random() < 0.5
    for putter in range(2):
        crew.add(books.put_all, q, putter, 10_000, [q.put])
    for _ in range(chance.randint(0, 2)):
        crew.add(books.get_all, q, [q.get])
    crew.add(q.join)
    crew.wait(lambda: len(books.put) > 20 or (bound and q.full()))
    q.shutdown(is_immediate)
    if not is_immediate:
        for _ in range(2):
            crew.add(books.get_all, q, [q.get])
    crew.finish()
    books.check(is_complete=not is_immediate)
    return len(books.got)


def exchange(chance: random.Random) -> int:
    """Put and get by every kind of call at once, and end it when all was put."""
    kind = chance.choice([queue.Queue, queue.Queue, *KINDS])
    crew = Crew(kind(chance.choice([0, 1, 3])))
    q = crew.q
    books = Books()
    number = 80
    puts = [q.put, q.put_nowait, lambda item: q.put(item, timeout=0.0003 * chance.random())]
    gets = [q.get, q.get_nowait, lambda: q.get(timeout=0.0003 * chance.random())]
    for putter in range(2):
        crew.add(books.put_all, q, putter, number, [chance.choice(puts) for _ in range(5)])
    for _ in range(3):
        crew.add(books.get_all, q, [chance.choice(gets) for _ in range(5)])
    crew.wait(lambda: len(books.put) == 2 * number)
    q.shutdown()
    crew.finish()
    books.check(is_complete=True)
    if q.unfinished_tasks:
        raise Failed("unfinished", f"{q.unfinished_tasks} tasks, and each was done")
    if kind is queue.Queue:
        books.check_order()
    return len(books.got)


@contextlib.contextmanager
def no_switch() -> Iterator[None]:
    """Keep the GIL, if there is one, but where a call waits."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(DEADLINE)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


class Books:
    """What was put, by calls that returned, and what was got."""

    def __init__(self) -> None:
        self.put: list[Item] = []
        self.got: list[Item] = []
        self.by_getter: list[list[Item]] = []

    def put_all(self, q: Any, putter: int, number: int, calls: list[Callable[[Item], None]]) -> None:
        """Put items by these calls in turn; one that found no room is put again."""
        for n in range(number):
            call = calls[n % len(calls)]
            while True:
                try:
                    call((putter, n))
                except queue.Full:
                    continue
                break
            self.put.append((putter, n))

    def get_all(self, q: Any, calls: list[Callable[[], Item]]) -> None:
        """Get items until it is over."""
        mine: list[Item] = []
        self.by_getter.append(mine)
        for n in range(10**9):
            try:
                item = calls[n % len(calls)]()
            except queue.Empty:
                continue
            mine.append(item)
            self.got.append(item)
            q.task_done()

    def check(self, is_complete: bool) -> None:
        put, got = Counter(self.put), Counter(self.got)
        if max([0, *got.values()]) > 1:
            raise Failed("doubled", f"{[item for item in got if got[item] > 1][:5]}")
        if got - put:
            raise Failed("unknown", f"{list(got - put)[:5]} were got and never put")
        if is_complete and put - got:
            raise Failed("lost", f"{list(put - got)[:5]} were put and never got")

    def check_order(self) -> None:
        for mine in self.by_getter:
            for putter in range(2):
                numbers = [n for who, n in mine if who == putter]
                if numbers != sorted(numbers):
                    raise Failed("order", f"one getter got {numbers[:20]} of putter {putter}")


SCENES: dict[str, Callable[[random.Random], int]] = {
    scene.__name__: scene
    for scene in (one_each, time_out, room, raising, tasks, move, herd, ending, exchange)
}
