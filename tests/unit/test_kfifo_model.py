"""Random programs: the fifos do what a deque does, wherever their counters stand."""

import random
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from tocsin.backend import Kfifo, RecordFifo, TypedFifo

STARTS = [0, 2**32 - 7, 2**64 - 7]

start_anywhere = pytest.mark.parametrize("start", STARTS, ids=["0", "near 2**32", "near 2**64"])


class Model:
    """What a fifo of elements does, with a deque. Slow and obvious."""

    def __init__(self, size: int, start: int) -> None:
        self.items: deque[Any] = deque()
        self.size, self.in_count, self.out_count = size, start, start

    def counters(self) -> tuple[int, int]:
        return self.in_count % 2**32, self.out_count % 2**32

    def used(self) -> int:
        return len(self.items)

    def avail(self) -> int:
        return self.size - self.used()

    def in_(self, values: list[Any]) -> int:
        taken = values[: self.size - len(self.items)]
        self.items.extend(taken)
        self.in_count += len(taken)
        return len(taken)

    def peek(self, n: int) -> list[Any]:
        return list(self.items)[:n]

    def out(self, n: int) -> list[Any]:
        taken = self.peek(n)
        self.skip(len(taken))
        return taken

    def skip(self, n: int) -> None:
        for _ in range(n):
            self.items.popleft()
        self.out_count += n

    def reset(self) -> None:
        self.items.clear()
        self.in_count = self.out_count = 0

    def reset_out(self) -> None:
        self.items.clear()
        self.out_count = self.in_count


class RecordModel(Model):
    """What a fifo of records does."""

    def __init__(self, size: int, recsize: int, start: int) -> None:
        super().__init__(size, start)
        self.recsize, self.limit = recsize, 255 if recsize == 1 else 65535

    def used(self) -> int:
        used: int = sum(self.recsize + len(record) for record in self.items)
        return used

    def avail(self) -> int:
        return max(0, min(self.size - self.used() - self.recsize, self.limit))

    def put(self, record: bytes) -> bool:
        if self.recsize + len(record) > self.size - self.used():
            return False
        self.items.append(record)
        self.in_count += self.recsize + len(record)
        return True

    def drop(self) -> bytes:
        record: bytes = self.items.popleft()
        self.out_count += self.recsize + len(record)
        return record


def same(fifo: Any, model: Model) -> None:
    """Compare everything that can be asked without changing anything."""
    assert len(fifo) == model.used()
    assert fifo.avail == model.avail()
    assert fifo.is_empty == (model.used() == 0)
    assert fifo.is_full == (model.used() == model.size)
    assert fifo.size == model.size
    assert fifo.counters == model.counters()


FORMATS: dict[str, tuple[int, Callable[[random.Random], Any]]] = {
    "bytes": (1, lambda r: r.randrange(256)),
    "i1": (1, lambda r: r.randint(-(2**7), 2**7 - 1)),
    "u2": (2, lambda r: r.randrange(2**16)),
    "i4": (4, lambda r: r.choice([-(2**31), 2**31 - 1, r.randint(-(2**31), 2**31 - 1)])),
    "<u8": (8, lambda r: r.choice([0, 2**64 - 1, r.randrange(2**64)])),
    "f4": (4, lambda r: r.randint(-(2**20), 2**20) / 8),
    "f8": (8, lambda r: r.random() * 1e300),
}


@start_anywhere
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("size", [2, 3, 8, 31])
def test_elements_do_what_a_deque_does(kind: str, size: int, start: int) -> None:
    r = random.Random(f"{kind} {size} {start}")
    esize, value = FORMATS[kind]
    rounded = 1 << (size - 1).bit_length()
    fifo: Any = Kfifo(size, start=start)
    pack: Callable[[list[Any]], Any] = bytes
    if kind != "bytes":
        fifo, pack = TypedFifo(size, kind, start=start), list
    model = Model(rounded, start)
    for _ in range(600):
        n = r.randrange(2 * rounded + 1)
        operation = r.choices(
            ["in", "out", "peek", "put", "get", "skip", "reset_out", "reset"],
            [6, 4, 4, 4, 4, 2, 0.3, 0.1],
        )[0]
        if operation == "in":
            values = [value(r) for _ in range(n)]
            assert fifo.in_(pack(values)) == model.in_(values)
        elif operation == "out":
            assert fifo.out(n) == pack(model.out(n))
        elif operation == "peek":
            assert fifo.peek(n) == pack(model.peek(n))
            assert fifo.peek_len() == model.used() * esize
        elif operation == "put":
            v = value(r)
            assert fifo.put(v) is bool(model.in_([v]))
        elif operation == "get" and model.items:
            assert [fifo.get()] == model.out(1)
        elif operation == "get":
            with pytest.raises(IndexError, match="empty"):
                fifo.get()
        elif operation == "skip" and n <= model.used():
            fifo.skip(n)
            model.skip(n)
        elif operation == "skip":
            error = ValueError if model.items else IndexError
            with pytest.raises(error, match=f"skip of {n} .*holds {model.used()}$"):
                fifo.skip(n)
        elif operation.startswith("reset"):
            getattr(fifo, operation)()
            getattr(model, operation)()
        same(fifo, model)


@start_anywhere
@pytest.mark.parametrize("recsize", [1, 2])
@pytest.mark.parametrize("size", [2, 16, 100, 1024])
def test_records_do_what_a_deque_does(recsize: int, size: int, start: int) -> None:
    r = random.Random(f"{recsize} {size} {start}")
    rounded = 1 << (size - 1).bit_length()
    fifo, model = RecordFifo(size, recsize, start=start), RecordModel(rounded, recsize, start)
    for _ in range(1500):
        n = r.choice([0, 1, r.randrange(10), r.randrange(min(rounded, 255) + 1)])
        operation = r.choices(
            ["in", "put", "out", "get", "peek", "skip", "reset_out", "reset"],
            [6, 5, 3, 3, 3, 1, 0.2, 0.1],
        )[0]
        if operation == "in":
            record = r.randbytes(n)
            assert fifo.in_(record) == (n if model.put(record) else 0)
        elif operation == "put" and n == 1:
            byte = r.randrange(256)
            assert fifo.put(byte) is model.put(bytes([byte]))
        elif operation == "put":
            record = r.randbytes(n)
            assert fifo.put(bytearray(record)) is model.put(record)
        elif operation.startswith("reset"):
            getattr(fifo, operation)()
            getattr(model, operation)()
        elif not model.items:
            assert fifo.out(n) == fifo.peek(n) == b""
            for empty in (fifo.get, fifo.skip, fifo.peek_len):
                with pytest.raises(IndexError, match=r"empty|holds 0"):
                    empty()
        elif operation == "out":
            assert fifo.out(n) == model.drop()[:n]
        elif operation == "get":
            assert fifo.get() == model.drop()
        elif operation == "peek":
            assert fifo.peek(n) == model.items[0][:n]
            assert fifo.peek_len() == len(model.items[0])
        elif operation == "skip":
            fifo.skip(n)
            model.drop()
        same(fifo, model)
