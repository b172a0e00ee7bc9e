"""tocsin.compat.queue beside the queue module that it stands in for, in one run.

One thread: each operation is a put and the get of the same item. Two threads: the producer puts n integers,
the consumer takes them; an operation is an item. A subclass with a hook takes the standard library's path in
ours too, and its row says what that costs. With maxsize 1 each item is a switch of threads, which no queue
can make cheap.
"""

import queue
from itertools import repeat
from time import perf_counter_ns

from benchmarks.harness import Path, Round
from benchmarks.paths.python_to_python import taking
from benchmarks.targets import times_faster
from benchmarks.worlds import hop
from tocsin.compat import queue as ours

path = Path("compat_queue", "tocsin.compat.queue and queue, ns per put and get")
N = 200_000


def in_one_thread(make):
    def world():
        items = make()

        def run(n):
            put, get = items.put, items.get
            began = perf_counter_ns()
            for _ in repeat(None, n):
                put(7)
                get()
            return perf_counter_ns() - began

        yield Round(run)
        assert items.empty()

    return world


def between_threads(make):
    def world():
        items = make()

        def produce(n):
            put = items.put
            for item in range(n):
                put(item)

        yield Round(lambda n: hop(n, produce, taking(items)))
        assert items.empty()

    return world


def with_a_hook(base):
    return type("Hooked", (base,), {"_qsize": lambda q: len(q.queue)})


def both(name, n, world, make):
    """Measure the same world with ours and with the original."""
    path.case(f"{name}, tocsin", n)(world(lambda: make(ours)))
    path.case(f"{name}, queue", n, peer=True)(world(lambda: make(queue)))
    return f"{name}, tocsin", f"{name}, queue"


ONE = both("Queue in one thread", N, in_one_thread, lambda module: module.Queue())
TWO = both("Queue between two", N, between_threads, lambda module: module.Queue())
both("Queue(1000) between two", N, between_threads, lambda module: module.Queue(1000))
both("Queue(1) between two", N // 20, between_threads, lambda module: module.Queue(1))
both("LifoQueue in one thread", N, in_one_thread, lambda module: module.LifoQueue())
both("PriorityQueue in one thread", N, in_one_thread, lambda module: module.PriorityQueue())
both("with a hook in one thread", N // 4, in_one_thread, lambda module: with_a_hook(module.Queue)())

path.target(
    ">= 5 times as fast as queue.Queue in one thread", times_faster(*ONE), at_least=5, unit="times", on="gil"
)
path.target(
    ">= 5 times as fast as queue.Queue between two", times_faster(*TWO), at_least=5, unit="times", on="gil"
)


if __name__ == "__main__":
    path.main()
