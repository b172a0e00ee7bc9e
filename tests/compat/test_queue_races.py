"""tocsin.compat.queue and janus: waiters that leave by an exception, and what two threads may do at once.

Each of these was a bug: an item that lay there while somebody slept, or memory touched after it was freed.
tests/parking looks for more of them with many threads.
"""

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from helpers import PATIENCE, eventually, finish, running
from tocsin.compat import janus, standard
from tocsin.compat import queue as ours

compiled_only = pytest.mark.native_only("the standard library's own queues leave it to their lock")


@pytest.fixture
def no_switch() -> Iterator[None]:
    """Have threads give up the GIL only where they wait."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(PATIENCE)
    yield
    sys.setswitchinterval(before)


class Fragile:
    """Compares, and raises once if it was told to."""

    is_armed = False

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def __lt__(self, other: "Fragile") -> bool:
        if Fragile.is_armed:
            Fragile.is_armed = False
            raise TypeError("not comparable today")
        return self.rank < other.rank


# ---------------------------------------------------------------- who leaves by an exception calls the next


@compiled_only
def test_a_get_that_raises_leaves_its_item_to_the_next_waiter(no_switch: None) -> None:
    q: ours.PriorityQueue[Any] = ours.PriorityQueue()
    got: list[Fragile] = []
    errors: list[type[Exception]] = []

    def get() -> None:
        try:
            got.append(q.get())
        except (TypeError, ours.ShutDown) as error:
            errors.append(type(error))

    waiting = [running(get) for _ in range(4)]
    eventually(lambda: standard.waiting(q)[0] == 4)
    for rank in range(3):
        q.put(Fragile(rank))  # three are called
    Fragile.is_armed = True  # and the first of them can't
    eventually(q.empty)
    q.shutdown()
    finish(*waiting)
    Fragile.is_armed = False
    assert (len(got), len(errors)) == (3, 1)


@compiled_only
def test_a_put_that_raises_leaves_its_room_to_the_next_waiter() -> None:
    q: ours.PriorityQueue[Any] = ours.PriorityQueue(2)
    q.put(1)
    q.put(2)

    def put_what_does_not_compare() -> None:
        with pytest.raises(TypeError):
            q.put("a")

    first = running(put_what_does_not_compare)
    eventually(lambda: standard.waiting(q)[1] == 1)
    second = running(q.put, 3)
    eventually(lambda: standard.waiting(q)[1] == 2)
    assert q.get() == 1
    finish(second)
    assert q.get() == 2
    finish(first)


def test_a_task_whose_get_raises_leaves_its_item_to_the_next_one() -> None:
    async def main() -> None:
        q: janus.Queue[Any] = janus.PriorityQueue()
        tasks = [asyncio.create_task(q.async_q.get()) for _ in range(4)]
        await asyncio.sleep(0)
        for rank in range(3):
            q.sync_q.put(Fragile(rank))
        Fragile.is_armed = True
        await turns_until(q.async_q.empty)
        q.close()
        assert await count_of_raised(tasks) == 1

    asyncio.run(main())


def test_a_task_whose_put_raises_leaves_its_room_to_the_next_one() -> None:
    async def main() -> None:
        q: janus.Queue[Any] = janus.PriorityQueue(3)
        for rank in range(3):
            q.sync_q.put(Fragile(rank))
        tasks = [asyncio.create_task(q.async_q.put(Fragile(9))) for _ in range(2)]
        await asyncio.sleep(0)
        q.sync_q.get()
        Fragile.is_armed = True
        await turns_until(q.async_q.full)
        q.close()
        assert await count_of_raised(tasks) == 1

    asyncio.run(main())


async def turns_until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until the condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0)


async def count_of_raised(tasks: list["asyncio.Task[Any]"]) -> int:
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return sum(isinstance(result, TypeError) for result in results)


def test_a_thread_that_is_interrupted_after_its_put_has_called_the_loop() -> None:
    async def main() -> None:
        q: janus.Queue[int] = janus.Queue()
        put = q.sync_q._put_item

        def put_and_be_interrupted(*arguments: Any) -> None:
            put(*arguments)
            raise KeyboardInterrupt

        q.sync_q._put_item = put_and_be_interrupted
        getting = asyncio.create_task(q.async_q.get())
        await asyncio.sleep(0)
        with pytest.raises(KeyboardInterrupt):
            q.sync_q.put(5)
        assert await asyncio.wait_for(getting, PATIENCE) == 5

    asyncio.run(main())


def test_a_call_that_is_interrupted_is_made_again_by_the_next_put() -> None:
    async def main() -> None:
        q: janus.Queue[int] = janus.Queue()
        getting = asyncio.create_task(q.async_q.get())
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        call_soon = loop.call_soon_threadsafe

        def be_interrupted(*arguments: Any) -> Any:
            loop.call_soon_threadsafe = call_soon  # type: ignore[method-assign]  # as it was
            raise KeyboardInterrupt

        loop.call_soon_threadsafe = be_interrupted  # type: ignore[method-assign]  # in its place
        with pytest.raises(KeyboardInterrupt):
            q.sync_q.put(1)
        q.sync_q.put(2)
        assert await asyncio.wait_for(getting, PATIENCE) == 1

    asyncio.run(main())


# ------------------------------------------------------------------------------- while others compare

DROPS_WHAT_IS_COMPARED = """
from tocsin.compat import queue

class Key:
    is_armed = False

    def __init__(self, rank):
        self.rank = rank

    def __eq__(self, other):
        if Key.is_armed:
            Key.is_armed = False
            while not q.empty():
                q.get()
        return self.rank == other.rank

    def __lt__(self, other):
        return self.rank < other.rank

for size in range(3, 12):
    q = queue.PriorityQueue()
    for rank in range(size):
        q.put((Key(rank), object()))
    Key.is_armed = True
    try:
        q.get(False)
    except queue.Empty:
        print("ok")
"""


@compiled_only
def test_an_item_that_is_dropped_while_it_is_compared_is_still_there() -> None:
    command = [sys.executable, "-X", "dev", "-W", "ignore", "-c", DROPS_WHAT_IS_COMPARED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout.split()) == (0, ["ok"] * 9), done.stderr


@compiled_only
def test_a_put_that_compares_during_a_shutdown_comes_too_late() -> None:
    q: ours.PriorityQueue[Any] = ours.PriorityQueue()
    sizes: list[int] = []

    class Ends(Fragile):
        def __lt__(self, other: Fragile) -> bool:
            q.shutdown()
            sizes.append(q.qsize())
            return self.rank < other.rank

    q.put(Fragile(1))
    with pytest.raises(ours.ShutDown):
        q.put(Ends(0))
    assert sizes == [1]
    assert q.qsize() == 1


# ------------------------------------------------------------------------ by two threads at once


def at_once(*functions: Callable[[], object], rounds: int = 3000) -> None:
    """Call each again and again on a thread of its own; a crash is what this looks for."""
    errors: list[BaseException] = []

    def repeat(function: Callable[[], object]) -> None:
        try:
            for _ in range(rounds):
                function()
        except BaseException as error:
            errors.append(error)

    finish(*(running(repeat, function) for function in functions))
    assert errors == []


def use(q: Any) -> None:
    with contextlib.suppress(ours.Empty, ours.Full):
        q.put(object(), False)
        q.get(False)


@pytest.mark.stress
def test_maxsize_may_be_set_while_it_is_read() -> None:
    q: ours.Queue[int] = ours.Queue(2**70)
    values = iter(range(2**70, 2**71, 4))

    def look() -> None:
        assert q.maxsize >> 70 == 1

    at_once(look, look, lambda: setattr(q, "maxsize", next(values)))


@compiled_only
@pytest.mark.stress
def test_a_queue_may_begin_again_while_it_is_used() -> None:
    q: ours.Queue[object] = ours.Queue()
    at_once(lambda: use(q), lambda: use(q), lambda: ours.Queue.__init__(q, 2))


@compiled_only
@pytest.mark.stress
def test_two_threads_that_move_a_queue_find_the_same_parts() -> None:
    for _ in range(300):
        q: ours.Queue[int] = ours.Queue()
        found: list[Any] = []
        barrier = threading.Barrier(2)

        def look(q: ours.Queue[int], found: list[Any], barrier: threading.Barrier) -> None:
            barrier.wait()
            found.append((q.mutex, q.queue, q.not_full))

        finish(*(running(look, q, found, barrier) for _ in range(2)))
        assert found[0] == found[1]
