"""From the producer's first call to the subscriber's last one, ns per event.

Python producers are the main thread; native ones are the same thread without the GIL, in a loop of C
(native.c). All queues take a whole round, so nothing is refused however late the workers come. The
Python handlers do nothing but count.

Read the native figures with their activations. A run ends after 4,096 events, so about 20 activations for
80,000 events say that the worker always found a full queue: it fell behind, or the machine gave it no core
beside the producer. Thousands say that it kept up and came back for every few events. The best round is
often one of the first kind; the median tells what both sides working at once cost.
"""

from itertools import repeat
from time import perf_counter_ns

from benchmarks import native
from benchmarks.harness import Round, Topic
from benchmarks.worlds import BENCH, PAYLOAD, all_delivered, arrivals, books_of, pipeline_for

topic = Topic("end_to_end", "end to end, ns per event")
N = 300_000
N_NATIVE = 80_000
MANY = 1000

PYTHON_TO_PYTHON = "notify -> callable"


@topic.case(PYTHON_TO_PYTHON, N)
def python_to_python(n):
    with pipeline_for(n) as pipeline:
        handler, wait = arrivals(n)
        pipeline.subscribe(BENCH.raw, handler)

        def run():
            notify, event, payload = pipeline.notify, BENCH.raw, PAYLOAD
            began = perf_counter_ns()
            for _ in repeat(None, n):
                notify(event, payload)
            return wait(began)

        yield Round(run, books_of(pipeline), all_delivered(n))


def many_round(pipeline, n, wait):
    def run():
        notify_many, event, buffer = pipeline.notify_many, BENCH.fixed, PAYLOAD * MANY
        began = perf_counter_ns()
        for _ in repeat(None, n // MANY):
            notify_many(event, buffer)
        return wait(began)

    return Round(run, books_of(pipeline), all_delivered(n // MANY * MANY))


@topic.case("notify_many(1000) -> callable", N)
def many_to_python(n):
    with pipeline_for(n) as pipeline:
        handler, wait = arrivals(n // MANY * MANY)
        pipeline.subscribe(BENCH.fixed, handler)
        yield many_round(pipeline, n, wait)


@topic.case("notify_many(1000) -> batch", N)
def many_to_batch(n):
    with pipeline_for(n) as pipeline:
        handler, wait = arrivals(n // MANY * MANY, len)
        pipeline.subscribe(BENCH.fixed, handler, batch=True)
        yield many_round(pipeline, n, wait)


@topic.case("notify -> native", N_NATIVE)
def python_to_native(n):
    with pipeline_for(n) as pipeline:
        counter = native.Arrivals(n, 0)
        pipeline.subscribe_native(BENCH.raw, native.helper().arrive, counter.address)

        def run():
            notify, event, payload = pipeline.notify, BENCH.raw, PAYLOAD
            began = perf_counter_ns()
            for _ in repeat(None, n):
                notify(event, payload)
            return counter.wait(began, n)

        yield Round(run, books_of(pipeline), all_delivered(n))


def native_to_native(exclusive, timestamp):
    def world(n):
        with pipeline_for(n) as pipeline:
            counter = native.Arrivals(n, 0)
            pipeline.subscribe_native(BENCH.raw, native.helper().arrive, counter.address)
            with pipeline.producer(BENCH, exclusive=exclusive) as producer:

                def run():
                    return counter.wait(native.produce(producer, n, timestamp), n)

                yield Round(run, books_of(pipeline), all_delivered(n))

    return world


NATIVE = "native -> native, {}, {}"
EXCLUSIVE, SHARED = "exclusive producer", "shared producer"
STAMPED, CLOCK = "timestamp given", "clock included"

for _name, _exclusive in ((EXCLUSIVE, True), (SHARED, False)):
    for _clock, _timestamp in ((STAMPED, 1), (CLOCK, native.NOW)):
        topic.case(NATIVE.format(_name, _clock), N_NATIVE)(native_to_native(_exclusive, _timestamp))


@topic.case("native, shared -> callable", N)
def native_to_python(n):
    with pipeline_for(n) as pipeline:
        handler, wait = arrivals(n)
        pipeline.subscribe(BENCH.raw, handler)
        with pipeline.producer(BENCH) as producer:
            yield Round(lambda: wait(native.produce(producer, n)), books_of(pipeline), all_delivered(n))


@topic.case("native, shared -> batch", N)
def native_to_batch(n):
    with pipeline_for(n) as pipeline:
        handler, wait = arrivals(n, len)
        pipeline.subscribe(BENCH.raw, handler, batch=True)
        with pipeline.producer(BENCH) as producer:
            yield Round(lambda: wait(native.produce(producer, n)), books_of(pipeline), all_delivered(n))


if __name__ == "__main__":
    topic.main()
