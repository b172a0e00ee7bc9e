"""From a native producer through a channel to Python, in batches and one by one.

The main thread reads; the producer is on a thread of its own, without the GIL. The queue has the default
4 MiB; the channel has room for 65,536 events, and a full one blocks its protocol, so every event arrives.
Refusals are retries, as in native_to_native.py.

The floors: the same three threads with two of Boost's queues between them, without keys, books or Python; and
iteration over events that are in the channel already, with no other thread about.
"""

import threading
from itertools import islice
from time import perf_counter_ns

from benchmarks import native
from benchmarks.harness import Path, Round
from benchmarks.paths.native_to_native import PAUSES, boost
from benchmarks.targets import value_of
from benchmarks.worlds import BENCH, PATIENCE, books_of, channels, pipeline_of

path = Path("channel", "native to a channel, ns per event")
N = 1_000_000
CAPACITY = 1 << 16
BATCHES, ITERATION = "native -> channel -> get_batch", "native -> channel -> iteration"
BOOST, FILLED = "boost spsc_queue, two of them", "iteration, all events there, no other thread"

path.target("-> get_batch: <= 15 ns", value_of(BATCHES), at_most=15, floor=value_of(BOOST))
path.target("-> iteration: <= 80 ns", value_of(ITERATION), at_most=80, floor=value_of(FILLED))


def through(read):
    """Return a world in which read(channel, n) takes n events out on the main thread."""

    def world():
        with pipeline_of() as pipeline, opened(pipeline) as channel:
            with pipeline.producer(BENCH, exclusive=True) as producer:

                def run(n):
                    began = []
                    send = threading.Thread(target=lambda: began.append(native.produce(producer, n, 1)))
                    send.start()
                    read(channel, n)
                    ended = perf_counter_ns()
                    send.join(PATIENCE)
                    return ended - began[0]

                yield Round(run, books_of(pipeline))
            books = channel.stats()
            assert books.dropped == books.pending == 0, books

    return world


def opened(pipeline):
    return pipeline.channel(BENCH.raw, capacity=CAPACITY, overflow="block", timeout=PATIENCE)


def in_batches(channel, n):
    get_batch = channel.get_batch
    while n > 0:
        n -= len(get_batch(timeout=PATIENCE))


def one_by_one(channel, n):
    for _ in islice(channel, n):
        pass


path.case(BATCHES, N, needs=(native.here, channels))(through(in_batches))
path.case(ITERATION, N, needs=(native.here, channels))(through(one_by_one))
path.case(BOOST, N, peer=True, needs=(native.boost_here,))(boost(PAUSES[-1], take_all=True, kind="hops"))


@path.case(FILLED, CAPACITY, needs=(native.here, channels))
def filled():
    with (
        pipeline_of(workers=0) as pipeline,
        opened(pipeline) as channel,
        pipeline.producer(BENCH, exclusive=True) as producer,
    ):

        def run(n):
            native.produce(producer, n, 1)
            pipeline.flush()
            began = perf_counter_ns()
            one_by_one(channel, n)
            return perf_counter_ns() - began

        yield Round(run, books_of(pipeline))


if __name__ == "__main__":
    path.main()
