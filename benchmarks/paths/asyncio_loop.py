"""From another thread into asyncio: through a channel, and by one call_soon_threadsafe for each event.

The loop runs in the main thread. In the first rows the producer is native and needs no GIL; in the next it is
a thread that calls notify(), and shares the GIL with the loop, as in the original: there a thread calls
call_soon_threadsafe(queue.put_nowait, item) for each item, and the loop gets them out of an asyncio.Queue.

The channel has room for 65,536 events and a full one blocks its protocol, so every event arrives. Refusals
are retries.

The time ends when the coroutine has the last event. The loop is made before it begins.
"""

import asyncio
import threading
from time import perf_counter_ns

from benchmarks import native
from benchmarks.harness import Path, Round
from benchmarks.paths.channel import opened
from benchmarks.targets import times_faster
from benchmarks.worlds import BENCH, PATIENCE, PAYLOAD, books_of, channels, pipeline_of

path = Path("asyncio_loop", "into asyncio, ns per event")
N, N_CALLS = 500_000, 30_000
NATIVE_FOR, NATIVE_BATCH = "native -> channel -> async for", "native -> channel -> aget_batch"
THREAD_FOR = "thread -> channel -> async for"
CALLS = "call_soon_threadsafe(put_nowait) for each event"

for ours in (NATIVE_FOR, NATIVE_BATCH):
    path.target(
        f"{ours}: >= 15 times as fast", times_faster(ours, CALLS), at_least=15, unit="times", on="gil"
    )


async def one_by_one(channel, n):
    async for _ in channel:
        n -= 1
        if n == 0:
            return


async def in_batches(channel, n):
    while n > 0:
        n -= len(await channel.aget_batch(timeout=PATIENCE))


def produce_natively(pipeline, n):
    with pipeline.producer(BENCH, exclusive=True) as producer:
        return native.produce(producer, n, 1)


def produce_here(pipeline, n):
    began = perf_counter_ns()
    for _ in range(n):
        if not pipeline.notify(BENCH.raw, PAYLOAD, timeout=PATIENCE):
            raise TimeoutError("an event was refused")
    return began


def through(produce, read):
    """Return a world in which a thread's produce(pipeline, n) meets read(channel, n) in a loop."""

    def world():
        with pipeline_of() as pipeline, opened(pipeline) as channel, asyncio.Runner() as runner:

            def run(n):
                began = []
                send = threading.Thread(target=lambda: began.append(produce(pipeline, n)))

                async def main():
                    send.start()
                    await asyncio.wait_for(read(channel, n), PATIENCE)
                    return perf_counter_ns()

                ended = runner.run(main())
                send.join(PATIENCE)
                return ended - began[0]

            yield Round(run, books_of(pipeline))
            books = channel.stats()
            assert books.dropped == books.pending == 0, books

    return world


path.case(NATIVE_FOR, N, needs=(native.here, channels))(through(produce_natively, one_by_one))
path.case(NATIVE_BATCH, N, needs=(native.here, channels))(through(produce_natively, in_batches))
path.case(THREAD_FOR, N // 5, needs=(channels,))(through(produce_here, one_by_one))


@path.case(CALLS, N_CALLS, peer=True)
def calls():
    with asyncio.Runner() as runner:

        def run(n):
            async def main():
                loop = asyncio.get_running_loop()
                items = asyncio.Queue()
                began = []

                def produce():
                    began.append(perf_counter_ns())
                    for item in range(n):
                        loop.call_soon_threadsafe(items.put_nowait, item)

                send = threading.Thread(target=produce)
                send.start()
                for _ in range(n):
                    await items.get()
                return perf_counter_ns() - began[0]

            return runner.run(main())

        yield Round(run)


if __name__ == "__main__":
    path.main()
