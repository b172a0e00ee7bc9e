"""The fifos alone: what a call of their Python face costs. One thread, loop included."""

from itertools import repeat
from time import perf_counter_ns

import tocsin
from benchmarks.harness import Round, Topic

topic = Topic("fifo", "fifos, ns per call")
N = 100_000


def pairs(n, put, get, item, amount):
    """Return a round of n calls, in pairs of one that puts in and one that takes out."""

    def run():
        began = perf_counter_ns()
        if amount is None:
            for _ in repeat(None, n // 2):
                put(item)
                get()
        else:
            for _ in repeat(None, n // 2):
                put(item)
                get(amount)
        return perf_counter_ns() - began

    return run


@topic.case("Kfifo.in_ / out, 32 bytes", N)
def kfifo(n):
    fifo = tocsin.Kfifo(4096)
    yield Round(pairs(n, fifo.in_, fifo.out, bytes(32), 32))
    assert fifo.is_empty


@topic.case("Kfifo.in_ / out, 1024 bytes", N)
def kfifo_long(n):
    fifo = tocsin.Kfifo(4096)
    yield Round(pairs(n, fifo.in_, fifo.out, bytes(1024), 1024))
    assert fifo.is_empty


@topic.case("Kfifo.put / get, one byte", N)
def kfifo_one(n):
    fifo = tocsin.Kfifo(4096)
    yield Round(pairs(n, fifo.put, fifo.get, 7, None))
    assert fifo.is_empty


@topic.case("TypedFifo.put / get, one u4", N)
def typed(n):
    fifo = tocsin.TypedFifo(1024, "u4")
    yield Round(pairs(n, fifo.put, fifo.get, 7, None))
    assert fifo.is_empty


@topic.case("RecordFifo.put / get, 32 bytes", N)
def record(n):
    fifo = tocsin.RecordFifo(4096, 1)
    yield Round(pairs(n, fifo.put, fifo.get, bytes(32), None))
    assert fifo.is_empty


if __name__ == "__main__":
    topic.main()
