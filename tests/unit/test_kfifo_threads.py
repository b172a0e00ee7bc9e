"""One writer thread and one reader thread of each fifo, without a lock.

On a GIL build the two alternate between calls and never meet inside one: this checks the classes,
and on free-threaded builds the orders as well. tests/native/test_fifo_orders.py checks the orders
on every build.
"""

import random
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from helpers import Crew
from tocsin.backend import Kfifo, RecordFifo, TypedFifo

STARTS = [0, 2**32 - 7, 2**64 - 7]

start_anywhere = pytest.mark.parametrize("start", STARTS, ids=["0", "near 2**32", "near 2**64"])


def two_threads(write: Callable[[], bool], read: Callable[[], bool]) -> None:
    """Call each on a thread of its own until it answers True; a failure of either is ours."""
    failures: list[BaseException] = []

    def until_done(step: Callable[[], bool]) -> None:
        try:
            while not failures and not step():
                time.sleep(0)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=until_done, args=(step,)) for step in (write, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    if failures:
        raise failures[0]


@start_anywhere
def test_two_threads_bytes_arrive_once_and_in_order(start: int) -> None:
    sent = random.Random(start).randbytes(200_000)
    fifo, written, received = Kfifo(1024, start=start), [0], bytearray()

    def write() -> bool:
        written[0] += fifo.in_(sent[written[0] : written[0] + 700])
        return written[0] == len(sent)

    def read() -> bool:
        assert len(fifo) <= fifo.size
        received.extend(fifo.out(300))
        return len(received) == len(sent)

    two_threads(write, read)
    assert received == sent
    assert fifo.is_empty


@start_anywhere
def test_two_threads_elements_arrive_whole_once_and_in_order(start: int) -> None:
    count = 50_000
    fifo, written, expected = TypedFifo(512, "u4", start=start), [0], [0]

    def write() -> bool:
        ahead = range(written[0], min(count, written[0] + 200))
        written[0] += fifo.in_([v * 0x10001 for v in ahead])
        return written[0] == count

    def read() -> bool:
        values = fifo.out(300)
        assert values == [v * 0x10001 for v in range(expected[0], expected[0] + len(values))]
        expected[0] += len(values)
        return expected[0] == count

    two_threads(write, read)


@start_anywhere
@pytest.mark.parametrize("recsize", [1, 2])
def test_two_threads_never_see_half_a_record(start: int, recsize: int) -> None:
    count = 10_000
    fifo, written, expected = RecordFifo(1000, recsize, start=start), [0], [0]

    def record(number: int) -> bytes:
        return number.to_bytes(4, "little") * (number % 11)  # 0 to 40 bytes, 20 on average

    def write() -> bool:
        while written[0] < count and fifo.put(record(written[0])):
            written[0] += 1
        return written[0] == count

    def read() -> bool:
        while not fifo.is_empty:
            assert fifo.peek_len() == len(record(expected[0]))
            assert fifo.get() == record(expected[0])
            expected[0] += 1
        return expected[0] == count

    two_threads(write, read)


def test_two_threads_reset_out_drops_only_what_was_there() -> None:
    fifo, written, last = TypedFifo(64, "u4"), [0], [-1]

    def write() -> bool:
        written[0] += fifo.put(written[0])
        return written[0] == 20_000

    def read() -> bool:
        values = fifo.out(5)
        if values:
            assert values == list(range(values[0], values[0] + len(values)))
            assert values[0] > last[0]
            last[0] = values[-1]
            if last[0] % 3 == 0 and written[0] < 19_000:
                fifo.reset_out()
        return last[0] == 19_999

    two_threads(write, read)


@pytest.mark.parametrize("kind", ["bytes", "records"])
def test_more_threads_than_two_leave_the_memory_whole(kind: str) -> None:
    fifo: Any = Kfifo(64) if kind == "bytes" else RecordFifo(64, 1)
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            fifo.in_(b"x" * (100 if kind == "bytes" else 20))

    def read() -> None:
        for _ in range(20_000):
            assert len(fifo) <= 64
            assert set(fifo.out(100)) <= {ord("x")}
        over.set()

    Crew(write, write, read, read).join()


def test_more_threads_than_two_get_each_element_once() -> None:
    fifo, count, got = TypedFifo(16, "u4"), 4000, list[int]()

    def write(first: int) -> None:
        for v in range(first, count, 2):
            while not fifo.put(v):
                time.sleep(0)

    def read() -> None:
        while len(got) < count:
            got.extend(fifo.out(3))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that they meet inside a call, where calls are in Python
    try:
        Crew(lambda: write(0), lambda: write(1), read, read).join()
    finally:
        sys.setswitchinterval(before)
    assert sorted(got) == list(range(count))
