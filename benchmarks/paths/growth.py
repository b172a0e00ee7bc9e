"""How it grows: with the keys subscribed to, the subscribers of a key, and the protocols of a pipeline.

Keys and subscribers: the queue is filled while the pipeline is frozen, and the time runs from the thaw to the
last call, so no producer works meanwhile. With many keys the events come from all of them in turn, far apart
in the order of sources; one subscription has them all, or each its own. Beside them a line of 64 bytes of
each key is read in the same order: so much the cache has to bring whatever a key looks like.

Protocols: each has a native and a Python subscriber, and has had an event. Then nobody sends anything, and
what the threads of the process other than the one that looks use of a core is what idling costs.
"""

import ctypes
import os
import time
from time import perf_counter_ns

import tocsin
from benchmarks import native
from benchmarks.harness import Path, Round
from benchmarks.targets import difference, share, value_of
from benchmarks.worlds import BENCH, PAYLOAD, books_of, fixed, flushed, linux, nothing, pipeline_for

path = Path("growth", "growth")
N = 320_000
IDLE_SECONDS = 0.5
EACH = "native, keys with a subscription each: {}"
KEYS, SUBSCRIBERS, PYTHON = "native, keys: {}", "native, subscribers: {}", "Python, subscribers: {}"
LINES = "a line of each key, keys: {}"
THREADS, IDLE = "threads, protocols: {}", "idle, protocols: {}"

path.target(
    "1 -> 10,000 keys: <= 1.2 times",
    share(KEYS.format("10,000"), KEYS.format(1)),
    at_most=1.2,
    unit="of it",
)
path.target(
    "1 -> 10 native subscribers: <= 5 ns each",
    difference(SUBSCRIBERS.format(10), SUBSCRIBERS.format(1), 9),
    at_most=5,
)
path.target(
    "1 -> 256 protocols: no more threads",
    difference(THREADS.format(256), THREADS.format(1)),
    at_most=0,
    unit="threads",
)
path.target("256 protocols: 0 % of a core when idle", value_of(IDLE.format(256)), at_most=0.01, unit="%")


def lines(count):
    def world():
        room = bytearray(64 * (count + 1))
        begin = ctypes.addressof(ctypes.c_char.from_buffer(room))
        yield Round(lambda n: native.helper().read_lines(-(-begin // 64) * 64, n, count))

    return world


def filled(pipeline, n, event, payloads, wait):
    """Give the ns of wait(began) for n events that were there when it began."""
    pipeline.freeze()
    with pipeline.producer(BENCH) as producer:
        native.produce(producer, n, 1, event, payloads)
    began = perf_counter_ns()
    pipeline.thaw()
    return wait(began)


def native_keys(count, each=False):
    def world():
        sources = [BENCH.fixed.key(source) for source in range(count)]
        payloads = b"".join(fixed(i * 7919 % count) for i in range(count))
        with pipeline_for(N) as pipeline:
            counter = native.arrivals(pipeline, sources.pop() if each else sources)
            for source in sources if each else ():
                pipeline.subscribe_native(source, native.helper().arrive, ctypes.addressof(counter))

            def run(n):
                counter.expect(n)
                return filled(pipeline, n, BENCH.fixed, payloads, counter.wait)

            yield Round(run, books_of(pipeline))

    return world


def native_subscribers(count):
    def world():
        with pipeline_for(N) as pipeline:
            for number in range(1, count):
                pipeline.subscribe_native(BENCH.raw, native.helper().ignore, context=number)
            counter = native.arrivals(pipeline, BENCH.raw)

            def run(n):
                counter.expect(n)
                return filled(pipeline, n, BENCH.raw, PAYLOAD, counter.wait)

            yield Round(run, books_of(pipeline))

    return world


def python_subscribers(count):
    def world():
        with pipeline_for(N) as pipeline:
            for _ in range(count):
                pipeline.subscribe(BENCH.raw, lambda event: None)

            def run(n):
                return filled(pipeline, n, BENCH.raw, PAYLOAD, lambda began: flushed(pipeline, began))

            yield Round(run, books_of(pipeline))

    return world


for _name, _count, _n, _world in (
    (KEYS, 1, N, native_keys),
    (KEYS, 10_000, N, native_keys),
    (EACH, 10_000, N, lambda count: native_keys(count, each=True)),
    (LINES, 1, N, lines),
    (LINES, 10_000, N, lines),
    (SUBSCRIBERS, 1, N, native_subscribers),
    (SUBSCRIBERS, 10, N, native_subscribers),
    (PYTHON, 1, N // 4, python_subscribers),
    (PYTHON, 10, N // 4, python_subscribers),
):
    path.case(_name.format(f"{_count:,}"), _n, needs=(native.here,))(_world(_count))


# -- protocols


def protocols(count, measure):
    def world():
        with tocsin.Pipeline() as pipeline:
            for number in range(count):
                protocol = tocsin.Protocol(number, f"p{number}", {"raw": tocsin.EventType(0, max_size=32)})
                pipeline.register(protocol, queue_size=1 << 16)
                pipeline.subscribe(protocol.raw, nothing)
                if native.here() is None:
                    pipeline.subscribe_native(protocol.raw, native.helper().ignore)
                pipeline.notify(protocol.raw, PAYLOAD)
            pipeline.flush()
            yield Round(lambda _: measure())

    return world


def threads():
    return len(os.listdir("/proc/self/task"))


def idle():
    """Give the percentage of a core that the other threads use."""
    time.sleep(0.1)  # whoever was awake goes to sleep
    began, own = time.process_time_ns(), time.thread_time_ns()
    time.sleep(IDLE_SECONDS)
    used = (time.process_time_ns() - began) - (time.thread_time_ns() - own)
    return max(used, 0) / (IDLE_SECONDS * 1e9) * 100


for _count in (1, 256):
    path.case(THREADS.format(_count), 1, unit="threads", needs=(linux,))(protocols(_count, threads))
    path.case(IDLE.format(_count), 1, unit="%")(protocols(_count, idle))


if __name__ == "__main__":
    path.main()
