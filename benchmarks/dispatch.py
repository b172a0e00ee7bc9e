"""Dispatch: what it costs to find the subscribers of an event and to call them.

The chain alone, called in the caller's thread; then whole deliveries. For those the queue is filled while
the pipeline is frozen, and the time runs from the thaw to the last call: no producer works meanwhile.
"""

from itertools import repeat
from time import perf_counter_ns

import tocsin
from benchmarks import native
from benchmarks.harness import Round, Topic
from benchmarks.worlds import BENCH, all_delivered, arrivals, books_of, fixed, pipeline_for

topic = Topic("dispatch", "dispatch, ns per event")
N = 50_000


def chain(count):
    def world(n):
        notifiers = tocsin.NotifierChain()
        for _ in range(count):
            notifiers.register(lambda value, data: None)

        def run():
            call = notifiers.call
            began = perf_counter_ns()
            for _ in repeat(None, n):
                call(1, None)
            return perf_counter_ns() - began

        yield Round(run)

    return world


topic.case("NotifierChain.call, 1 callback", N)(chain(1))
topic.case("NotifierChain.call, 10 callbacks", N)(chain(10))


def delivery(pipeline, n, payloads, wait):
    """Return a round: fill the frozen queue, thaw, and wait for the last call."""

    def run():
        notify, event = pipeline.notify, BENCH.fixed
        pipeline.freeze()
        for i in range(n):
            notify(event, payloads[i % len(payloads)])
        began = perf_counter_ns()
        pipeline.thaw()
        return wait(began)

    return run


def subscribers(count):
    def world(n):
        with pipeline_for(n) as pipeline:
            for _ in range(count - 1):
                pipeline.subscribe(BENCH.fixed, lambda event: None)
            handler, wait = arrivals(n)
            pipeline.subscribe(BENCH.fixed, handler)
            run = delivery(pipeline, n, [fixed(1)], wait)
            yield Round(run, books_of(pipeline), all_delivered(n))

    return world


topic.case("delivery to 1 Python subscriber", N)(subscribers(1))
topic.case("delivery to 10 Python subscribers", N)(subscribers(10))


def keys(count, *, python):
    """Subscribe one handler to `count` sources; the events come from all of them, far apart."""

    def world(n):
        payloads = [fixed(source * 7919 % count) for source in range(count)]
        sources = [BENCH.fixed.key(source) for source in range(count)]
        with pipeline_for(n) as pipeline:
            if python:
                handler, wait = arrivals(n)
                pipeline.subscribe(sources, handler)
            else:
                counter = native.Arrivals(n, 0)
                pipeline.subscribe_native(sources, native.helper().arrive, counter.address)

                def wait(began):
                    return counter.wait(began, n)

            run = delivery(pipeline, n, payloads, wait)
            yield Round(run, books_of(pipeline), all_delivered(n))

    return world


topic.case("native subscriber, 1 key", N)(keys(1, python=False))
topic.case("native subscriber, 10,000 keys", N)(keys(10_000, python=False))
topic.case("Python subscriber, 1 key", N)(keys(1, python=True))
topic.case("Python subscriber, 10,000 keys", N)(keys(10_000, python=True))


if __name__ == "__main__":
    topic.main()
