"""asyncio, and the queues that join a thread to a loop: the loop runs on a thread of its own."""

import asyncio
from collections.abc import Callable
from itertools import repeat
from time import perf_counter_ns
from typing import Any

from benchmarks.compare import hop
from benchmarks.compare.queues import N
from benchmarks.harness import Round
from benchmarks.paths.python_to_python import putting
from benchmarks.worlds import BENCH, PAYLOAD, nothing
from benchmarks.worlds import hop as through

SLOW = N // 5
HANDLERS = {(BENCH.id, 0): nothing}


def dispatch(item):
    protocol, event, _payload, _time = item
    HANDLERS[protocol, event](item)


class Joined:
    """Put into whatever the consumer's loop has opened: the producer's view of it."""

    put: Callable[[Any], object]


def reading(opened, joined):
    """Return a consume(n, ready) in a loop of its own; opened() gives (put, an async get, close)."""

    def consume(n, ready):
        async def read():
            joined.put, get, close = opened(asyncio.get_running_loop())
            ready()
            for _ in repeat(None, n):
                dispatch(await get())
            ended = perf_counter_ns()
            await close()
            return ended

        return asyncio.run(read())

    return consume


def with_a_loop(opened):
    def world():
        joined = Joined()
        yield Round(lambda n: through(n, lambda n: putting(joined)(n), reading(opened, joined)))

    return world


@hop.case("asyncio call_soon_threadsafe", SLOW, peer=True, note="one callback per event")
def call_soon():
    loops, ended = [], []

    def finish():
        ended.append(perf_counter_ns())
        loops[-1].stop()

    def produce(n):
        loop, clock = loops[-1], perf_counter_ns
        call, protocol, event, payload = loop.call_soon_threadsafe, BENCH.id, 0, PAYLOAD
        for _ in repeat(None, n):
            call(dispatch, (protocol, event, payload, clock()))
        call(finish)

    def consume(n, ready):
        loop = asyncio.new_event_loop()
        loops.append(loop)
        loop.call_soon(ready)
        loop.run_forever()
        loop.close()
        return ended.pop()

    yield Round(lambda n: through(n, produce, consume))


async def nothing_to_close():
    pass


def asyncio_queue(loop):
    items = asyncio.Queue()
    return lambda item: loop.call_soon_threadsafe(items.put_nowait, item), items.get, nothing_to_close


def janus_queue(loop):
    import janus

    items = janus.Queue()
    return items.sync_q.put, items.async_q.get, items.aclose


def culsans_queue(loop):
    import culsans

    items = culsans.Queue()
    return items.sync_put, items.async_get, items.aclose


hop.case("asyncio.Queue", SLOW, peer=True, note="put_nowait by call_soon_threadsafe")(
    with_a_loop(asyncio_queue)
)
hop.case("janus", SLOW, peer=True, package="janus", note="sync put, async get, unbounded")(
    with_a_loop(janus_queue)
)
hop.case("culsans", SLOW, peer=True, package="culsans", note="sync put, async get, unbounded")(
    with_a_loop(culsans_queue)
)
