"""Memory: what a queued event of 32 bytes takes, and how often the way of an event asks the allocator.

"In the queue" is arithmetic of the queue's own: the most bytes that a look of its reader found, over the
events accepted while the pipeline was frozen. Resident memory is that of a process of its own, with distinct
payloads that nobody takes, or that were all taken again. Allocations are counted by an allocator in front of
the real one, in the process that the test suite holds to zero (tests/capi/counting_run.py).
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from itertools import repeat
from pathlib import Path as Folder
from queue import SimpleQueue
from time import perf_counter_ns

import tocsin
from benchmarks import native
from benchmarks.harness import Path, Round
from benchmarks.targets import value_of
from benchmarks.worlds import BENCH, PAYLOAD, books_of, fixed, linux, nothing, pipeline_for, queue_for
from tocsin import backend

path = Path("memory", "memory of an event of 32 bytes")
N = 200_000
COUNTING = Folder(__file__).parents[2] / "tests" / "capi"
QUEUED, TUPLES = "in the queue, by its books", "resident, queued in SimpleQueue"
NOTIFY, DELIVERY = "allocations, notify from Python", "allocations, native notify and delivery"

path.target("48 bytes for a queued event", value_of(QUEUED, beside=TUPLES), at_most=48, unit="bytes")
path.target("no allocation in notify", value_of(NOTIFY), at_most=0, unit="", on="gil")
path.target("no allocation in a native delivery", value_of(DELIVERY), at_most=0, unit="", on="gil")


@path.case(QUEUED, 10_000, unit="bytes")
def queued():
    with pipeline_for(10_000) as pipeline:
        books = books_of(pipeline)

        def run(n):
            pipeline.freeze()
            for _ in repeat(None, n):
                assert pipeline.notify(BENCH.raw, PAYLOAD)
            assert books().pending == n
            pipeline.thaw()
            pipeline.flush()
            return books().high_water

        yield Round(run, books, "unclaimed")


# -- resident memory


def resident():
    return int(Folder("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


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


def tocsin_stays(n):
    with pipeline_for(n) as pipeline:
        pipeline.subscribe(BENCH.fixed, nothing)

        def rounds(count):
            for _ in repeat(None, count):
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

    def run(n):
        context = multiprocessing.get_context("spawn")
        mine, its = context.Pipe(duplex=False)
        process = context.Process(target=in_a_process, args=(measure, n, its))
        process.start()
        its.close()
        try:
            return mine.recv()
        finally:
            process.join()

    def world():
        yield Round(run)

    return world


for _name, _measure, _peer in (
    ("resident, queued", tocsin_grows, False),
    (TUPLES, simple_queue_grows, True),
    ("resident, left behind when all were delivered", tocsin_stays, False),
):
    path.case(_name, N, unit="bytes", peer=_peer, needs=(linux,))(elsewhere(_measure))


# -- allocations


def countable():
    if backend.gil_is_off:
        return "a free-threaded Python has an allocator of its own"
    return None if COUNTING.is_dir() else "tests/capi is not beside benchmarks/"


def allocations(line):
    """Return a world that counts what the event path asks of the allocator, for each of 10,000 events."""

    def world():
        with tempfile.TemporaryDirectory() as folder:
            library = native.build(COUNTING / "counting.c", Folder(folder))

            def run(_):
                environment = os.environ | {"LD_PRELOAD": str(library), "PYTHONMALLOC": "malloc"}
                command = [sys.executable, str(COUNTING / "counting_run.py"), "shared"]
                done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
                counts = dict(text.split(": ") for text in done.stdout.splitlines())
                assert int(counts["1000 bytes objects"]) >= 1000, "the counter doesn't count"
                assert int(counts[line]) >= 0, f"{line}: not all were delivered"
                return int(counts[line]) / 10_000

            yield Round(run)

    return world


for _name, _line in ((NOTIFY, "notify from Python"), (DELIVERY, "native notify")):
    path.case(_name, 1, unit="", needs=(native.here, linux, countable))(allocations(_line))


if __name__ == "__main__":
    path.main()
