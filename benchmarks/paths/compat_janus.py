"""tocsin.compat.janus beside janus, in one run: a thread on one side, an event loop on the other.

An operation is an item. The loop has a thread of its own; the other side is the main thread. With maxsize 100
either side waits for the other all the time.
"""

import asyncio
from importlib import import_module
from itertools import repeat
from time import perf_counter_ns

from benchmarks.harness import Path, Round
from benchmarks.targets import times_faster
from benchmarks.worlds import hop

path = Path("compat_janus", "tocsin.compat.janus and janus, ns per item")
N = 30_000
MODULES = {"tocsin": "tocsin.compat.janus", "janus": "janus"}


def to_the_loop(module, maxsize):
    """Put in the main thread, get in the loop."""

    def world():
        opened = []

        def produce(n):
            put = opened.pop().sync_q.put
            for item in range(n):
                put(item)

        def consume(n, ready):
            async def main():
                items = import_module(module).Queue(maxsize)
                get = items.async_q.get
                opened.append(items)
                ready()
                for _ in repeat(None, n):
                    await get()
                ended = perf_counter_ns()
                await items.aclose()
                return ended

            return asyncio.run(main())

        yield Round(lambda n: hop(n, produce, consume))

    return world


def from_the_loop(module, maxsize):
    """Put in the loop, which the main thread runs, get in a thread."""

    def world():
        opened = []

        def produce(n):
            async def main():
                items = opened.pop()
                put = items.async_q.put
                for item in range(n):
                    await put(item)
                await items.async_q.join()
                await items.aclose()

            asyncio.run(main())

        def consume(n, ready):
            items = import_module(module).Queue(maxsize)
            get, task_done = items.sync_q.get, items.sync_q.task_done
            opened.append(items)
            ready()
            for _ in repeat(None, n):
                get()
                task_done()

        yield Round(lambda n: hop(n, produce, consume))

    return world


def both(name, n, world, maxsize):
    """Measure the same world with ours and with the original."""
    names = [f"{name}, {whose}" for whose in MODULES]
    for case, (whose, module) in zip(names, MODULES.items(), strict=True):
        path.case(case, n, peer=whose == "janus", package="janus" if whose == "janus" else "")(
            world(module, maxsize)
        )
    return names


TO_LOOP = both("thread to loop", N, to_the_loop, 0)
both("thread to loop, 100 at most", N // 3, to_the_loop, 100)
both("loop to thread", N, from_the_loop, 0)
both("loop to thread, 100 at most", N // 3, from_the_loop, 100)

path.target(
    ">= 5 times as fast as janus, thread to loop", times_faster(*TO_LOOP), at_least=5, unit="times", on="gil"
)


if __name__ == "__main__":
    path.main()
