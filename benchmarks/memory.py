"""Memory: bytes that a queued 32-byte event takes, and what stays behind when it has gone.

The first row is arithmetic of the queue's own: the most bytes that a look of its reader found, over the
events accepted while the pipeline was frozen. The others are resident memory, each in a process of its
own: how much it grew while events of distinct payloads were queued and nobody took them, and over many
rounds in which all of them were taken again.
"""

import multiprocessing
import os
import sys
from itertools import repeat
from queue import SimpleQueue
from time import perf_counter_ns

import tocsin
from benchmarks.harness import Round, Topic
from benchmarks.worlds import BENCH, PAYLOAD, all_unclaimed, books_of, fixed, pipeline_for, queue_for

topic = Topic("memory", "memory, bytes per event of 32", "bytes")
N = 200_000

QUEUED = "in the queue, by its books"


@topic.case(QUEUED, 10_000)
def queued(n):
    with pipeline_for(n) as pipeline:
        books = books_of(pipeline)

        def run():
            pipeline.freeze()
            for _ in repeat(None, n):
                assert pipeline.notify(BENCH.raw, PAYLOAD)
            assert books().pending == n
            pipeline.thaw()
            pipeline.flush()
            return books().high_water

        yield Round(run, books, all_unclaimed(n))


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def tocsin_grows(n):
    with tocsin.Pipeline() as pipeline:
        pipeline.register(BENCH, queue_size=queue_for(n))  # its pages come as they are needed
        pipeline.freeze()
        before = resident()
        for i in range(n):
            pipeline.notify(BENCH.fixed, fixed(i))
        return resident() - before


def simple_queue_grows(n):
    queue = SimpleQueue()
    before = resident()
    for i in range(n):
        queue.put((BENCH.id, 1, fixed(i), perf_counter_ns()))
    return resident() - before


def bare_queue_grows(n):
    queue = SimpleQueue()
    before = resident()
    for i in range(n):
        queue.put(fixed(i))
    return resident() - before


def tocsin_stays(n):
    with pipeline_for(n) as pipeline:
        pipeline.subscribe(BENCH.fixed, lambda event: event.payload)

        def rounds(count):
            for _ in range(count):
                for i in range(n // 20):
                    pipeline.notify(BENCH.fixed, fixed(i))
                pipeline.flush()

        rounds(2)
        before = resident()
        rounds(20)
        return max(resident() - before, 0)


def in_a_process(measure, n, answer):
    answer.send(measure(n))


def elsewhere(measure):
    """Measure in a new process, of which nothing was used before."""

    def world(n):
        def run():
            context = multiprocessing.get_context("spawn")
            mine, its = context.Pipe(duplex=False)
            process = context.Process(target=in_a_process, args=(measure, n, its))
            process.start()
            its.close()
            try:
                return mine.recv()
            finally:
                process.join()

        yield Round(run)

    return world


if sys.platform == "linux":
    topic.case("resident growth while queued", N)(elsewhere(tocsin_grows))
    topic.case("resident growth, SimpleQueue of tuples", N, peer=True)(elsewhere(simple_queue_grows))
    topic.case("resident growth, SimpleQueue of bytes", N, peer=True)(elsewhere(bare_queue_grows))
    topic.case("resident growth over n delivered", N)(elsewhere(tocsin_stays))


if __name__ == "__main__":
    topic.main()
