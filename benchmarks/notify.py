"""notify() and notify_many(): what a producer pays for a call. Loop included; see the first case.

Alone: the pipeline is frozen, so no worker runs beside the producer. Worker busy: the native worker takes
the events away on another core meanwhile. Waiting for the GIL: a Python subscriber, whose worker gets the
GIL when the producer's turn is over.
"""

import operator
from itertools import repeat
from time import perf_counter_ns

from benchmarks.harness import Round, Topic
from benchmarks.worlds import (
    BENCH,
    PAYLOAD,
    all_delivered,
    all_unclaimed,
    books_of,
    pipeline_for,
)

topic = Topic("notify", "notify(), ns per call of a Python producer")
N = 80_000
MANY = 1000


@topic.case("the loop and an empty function of C", N)
def loop(n):
    def run():
        nothing = operator.is_
        event, payload = BENCH.raw, PAYLOAD
        began = perf_counter_ns()
        for _ in repeat(None, n):
            nothing(event, payload)
        return perf_counter_ns() - began

    yield Round(run)


def call(pipeline, n, *, frozen=False, timestamp=None):
    """Return a round of n calls; the events are passed after the clock has stopped."""

    def run():
        notify, event, payload = pipeline.notify, BENCH.raw, PAYLOAD
        if frozen:
            pipeline.freeze()
        if timestamp is None:
            began = perf_counter_ns()
            for _ in repeat(None, n):
                notify(event, payload)
            ended = perf_counter_ns()
        else:
            began = perf_counter_ns()
            for _ in repeat(None, n):
                notify(event, payload, timestamp)
            ended = perf_counter_ns()
        pipeline.thaw()
        pipeline.flush()
        return ended - began

    return run


@topic.case("notify, alone, timestamp given", N)
def alone_stamped(n):
    with pipeline_for(n) as pipeline:
        run = call(pipeline, n, frozen=True, timestamp=1)
        yield Round(run, books_of(pipeline), all_unclaimed(n))


@topic.case("notify, alone", N)
def alone(n):
    with pipeline_for(n) as pipeline:
        yield Round(call(pipeline, n, frozen=True), books_of(pipeline), all_unclaimed(n))


@topic.case("notify, worker busy", N)
def busy(n):
    with pipeline_for(n) as pipeline:
        yield Round(call(pipeline, n), books_of(pipeline), all_unclaimed(n))


@topic.case("notify, worker waiting for the GIL", N)
def waiting(n):
    with pipeline_for(n) as pipeline:
        pipeline.subscribe(BENCH.raw, lambda event: None)
        yield Round(call(pipeline, n), books_of(pipeline), all_delivered(n))


@topic.case("notify of a tuple, packed, alone", N)
def packed(n):
    with pipeline_for(n) as pipeline:

        def run():
            notify, event, report = pipeline.notify, BENCH.fixed, (1, -1, (1, 2, 3))
            pipeline.freeze()
            began = perf_counter_ns()
            for _ in repeat(None, n):
                notify(event, report)
            ended = perf_counter_ns()
            pipeline.thaw()
            pipeline.flush()
            return ended - began

        yield Round(run, books_of(pipeline), all_unclaimed(n))


def many(pipeline, n, frozen):
    def run():
        notify_many, event, buffer = pipeline.notify_many, BENCH.fixed, PAYLOAD * MANY
        if frozen:
            pipeline.freeze()
        began = perf_counter_ns()
        for _ in repeat(None, n // MANY):
            notify_many(event, buffer)
        ended = perf_counter_ns()
        pipeline.thaw()
        pipeline.flush()
        return ended - began

    return run


@topic.case("notify_many(1000), alone, per event", N)
def many_alone(n):
    with pipeline_for(n) as pipeline:
        yield Round(many(pipeline, n, True), books_of(pipeline), all_unclaimed(n))


@topic.case("notify_many(1000), worker busy, per event", N)
def many_busy(n):
    with pipeline_for(n) as pipeline:
        yield Round(many(pipeline, n, False), books_of(pipeline), all_unclaimed(n))


if __name__ == "__main__":
    topic.main()
