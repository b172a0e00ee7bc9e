"""Run by test_allocations.py in an interpreter with counting.c preloaded: tell what allocates and what locks.

Each line is what was done, and how often that was seen.
"""

import collections
import ctypes
import itertools
import os
import sys

import tocsin

EVENTS = 10_000


class Bench(tocsin.Protocol):
    pair = tocsin.EventType(0, {"source": "u4", "number": "u4"}, source="source")
    raw = tocsin.EventType(1)


BENCH = Bench(0x70)
exclusive = sys.argv[1:] == ["exclusive"]
library = ctypes.PyDLL(os.environ["LD_PRELOAD"])
begin, end = library.counting_begin, library.counting_end
begin.restype, begin.argtypes, end.restype = None, [ctypes.c_long], ctypes.c_long
library.counting_notify.restype = library.counting_locked.restype = ctypes.c_long
library.counting_notify.argtypes = [
    ctypes.c_void_p,
    ctypes.c_uint8,
    ctypes.c_uint32,
    ctypes.c_long,
    ctypes.c_int,
]
drain = collections.deque(maxlen=0).extend


def count_python(event: object, payload: bytes, events: int) -> int:
    """Count while notify() is called; the loop is map's, in C, over an object that repeats.

    The less of two rounds: what a worker's thread needs once, whenever its first turn comes, is no event's.
    """
    return min(count_once(event, payload, events) for _ in range(2))


def count_once(event: object, payload: bytes, events: int) -> int:
    calls = map(pipeline.notify, itertools.repeat(event, events), itertools.repeat(payload))
    begin(events)
    drain(calls)
    return end()


def count_bytes() -> int:
    made = map(bytes, itertools.repeat(100, 1000))
    begin(0)
    drain(made)
    return end()


# As many workers as there may be: none is started later.
with tocsin.Pipeline(max_workers=2) as pipeline:
    pipeline.register(BENCH)
    subscription = pipeline.subscribe_native(BENCH, library.counting_subscriber)
    pipeline.subscribe_native(BENCH, library.counting_subscriber, 1, source=7).cancel()
    count_python(BENCH.pair, bytes(8), 100)
    print("1000 bytes objects:", count_bytes())
    if not exclusive:
        print("nothing:", count_python(BENCH.pair, bytes(8), 0))
        print("notify from Python:", count_python(BENCH.pair, bytes(8), EVENTS))
        print("notify from Python, by key:", count_python(BENCH.pair.key(), bytes(8), EVENTS))
        print("notify raw bytes from Python:", count_python(BENCH.raw, bytes(40), EVENTS))
    with pipeline.producer(BENCH, exclusive=exclusive) as producer:

        def count_native(event: tocsin.EventType, size: int, *, planted: bool = False) -> int:
            what = (producer.address, event.id, size, EVENTS, planted)
            return min(library.counting_notify(*what) for _ in range(2))

        print("native notify:", count_native(BENCH.pair, 8))
        print("native notify, mutexes:", library.counting_locked())
        print("native notify of raw bytes:", count_native(BENCH.raw, 40))
        if not exclusive:
            print("notify beside a producer:", count_python(BENCH.pair, bytes(8), EVENTS))
        count_native(BENCH.pair, 8, planted=True)
        print("planted mutexes:", library.counting_locked())
        pipeline.subscribe_native(BENCH.pair, library.counting_hoarder, priority=1)
        print("planted in a subscriber:", count_native(BENCH.pair, 8))
