"""From notify() in one thread to a Python callable in another, one call each.

SQ is queue.SimpleQueue with a consumer thread that takes n tuples (protocol, event, payload, time) and does
nothing with them. The job is the same with what a user then needs: the key is looked up and its handler
called. Either side has room for a whole round, and the handler of both does nothing.

The floor with the GIL is the calls alone, in one thread: a loop in Python that reads the clock for each
event, and then C that calls the handler as often. Beside it stands our own work in one thread: without
workers flush() calls the handler, and neither the GIL nor a cache line changes hands.
"""

from collections import deque
from itertools import repeat
from queue import SimpleQueue
from time import perf_counter_ns

from benchmarks.harness import Path, Round
from benchmarks.targets import times_faster
from benchmarks.worlds import BENCH, PAYLOAD, books_of, flushed, hop, nothing, pipeline_for

path = Path("python_to_python", "Python to a Python callable, ns per event")
N = 300_000
OURS = "notify -> callable"
SQ = "SimpleQueue"
JOB = "SimpleQueue, the whole job"
ONE_THREAD = "notify -> callable, in one thread"
CALLS = "a clock and a handler called, in one thread"

path.target(
    ">= 2 times as fast as SimpleQueue",
    times_faster(OURS, SQ),
    at_least=2,
    unit="times",
    floor=times_faster(CALLS, SQ),
    on="gil",
)
path.target(
    ">= 3 times as fast as the whole job",
    times_faster(OURS, JOB),
    at_least=3,
    unit="times",
    floor=times_faster(CALLS, JOB),
    on="gil",
)
path.target(
    ">= 3 times as fast as SimpleQueue, without the GIL",
    times_faster(OURS, SQ),
    at_least=3,
    unit="times",
    on="free-threaded",
)


def ours(**options):
    def world():
        with pipeline_for(N, **options) as pipeline:
            pipeline.subscribe(BENCH.raw, nothing)

            def run(n):
                notify, event, payload = pipeline.notify, BENCH.raw, PAYLOAD
                began = perf_counter_ns()
                for _ in repeat(None, n):
                    notify(event, payload)
                return flushed(pipeline, began)

            yield Round(run, books_of(pipeline))

    return world


path.case(OURS, N)(ours())
path.case(ONE_THREAD, N)(ours(workers=0))


@path.case(CALLS, N)
def calls():
    def run(n):
        clock = perf_counter_ns
        began = clock()
        for _ in repeat(None, n):
            clock()
        deque(map(nothing, repeat(None, n)), maxlen=0)
        return clock() - began

    yield Round(run)


def putting(queue):
    """Return a produce(n) that stamps and puts n tuples."""

    def produce(n):
        put, clock, protocol, event, payload = queue.put, perf_counter_ns, BENCH.id, 0, PAYLOAD
        for _ in repeat(None, n):
            put((protocol, event, payload, clock()))

    return produce


def taking(queue):
    """Return a consume(n, ready) that takes n items, and nothing more."""

    def consume(n, ready):
        get = queue.get
        ready()
        for _ in repeat(None, n):
            get()

    return consume


def doing_the_job(queue):
    """Return a consume(n, ready) that looks each item's handler up and calls it."""

    def consume(n, ready):
        handlers = {(BENCH.id, 0): nothing}
        get = queue.get
        ready()
        for _ in repeat(None, n):
            item = get()
            protocol, event, _payload, _time = item
            handlers[protocol, event](item)

    return consume


@path.case(SQ, N, peer=True)
def bare():
    queue = SimpleQueue()
    yield Round(lambda n: hop(n, putting(queue), taking(queue)))
    assert queue.empty()


@path.case(JOB, N, peer=True)
def job():
    queue = SimpleQueue()
    yield Round(lambda n: hop(n, putting(queue), doing_the_job(queue)))
    assert queue.empty()


if __name__ == "__main__":
    path.main()
