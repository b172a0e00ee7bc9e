"""From a native producer that has the protocol for itself to a native subscriber: the whole pipeline.

The queue has the default 4 MiB, 87,381 records of 48 bytes, and a round is 4 million events: a flow, not a
burst into an empty ring. The producer notifies flat out; when the queue is full it is refused, pauses 64
times, yields and tries again, so the refusals counted here are retries and nothing is lost. The subscriber
reads each timestamp and counts.

The peer is boost::lockfree::spsc_queue (spsc.cpp): a queue and no more (no keys, no sizes, no books), with
the same ring bytes, records, payload and pauses of its producer. How long its consumer pauses after an empty
look decides much, so there is a row for each of several, and the target is against the best of them; our
worker chooses for itself.

Read the figures with their runs. A run ends after 4,096 events, so about 1,000 of them for 4 million events
say that the worker always found a full queue; many more, that it kept up and came back for every few events.
"""

from benchmarks import native
from benchmarks.harness import Path, Round
from benchmarks.targets import share, times_faster, value_of
from benchmarks.worlds import BENCH, PAYLOAD, books_of, pipeline_of

path = Path("native_to_native", "native to native, ns per event")
N = 4_000_000
PAUSES = (16, 128, 512)
OURS = "native -> native, exclusive producer"
TAKE_ONE, TAKE_ALL = "boost spsc_queue pop, {} pauses", "boost spsc_queue consume_all, {} pauses"
TAKE_ONES, TAKE_ALLS = ([name.format(pauses) for pauses in PAUSES] for name in (TAKE_ONE, TAKE_ALL))

path.target(
    "<= 10 ns, timestamp given", value_of(OURS, beside=TAKE_ALLS), at_most=10, floor=value_of(TAKE_ALLS[-1])
)
path.target("faster than boost's pop", times_faster(OURS, TAKE_ONES), at_least=1, unit="times")
path.target("<= 1.2 times boost's consume_all", share(OURS, TAKE_ALLS), at_most=1.2, unit="of it")


def through(*, exclusive, timestamp):
    """Return a world of one native producer and a C function that counts."""

    def world():
        with pipeline_of() as pipeline:
            counter = native.arrivals(pipeline, BENCH.raw)
            with pipeline.producer(BENCH, exclusive=exclusive) as producer:

                def run(n):
                    counter.expect(n)
                    return counter.wait(native.produce(producer, n, timestamp))

                yield Round(run, books_of(pipeline))

    return world


path.case(OURS, N, needs=(native.here,))(through(exclusive=True, timestamp=1))


def boost(pauses, *, take_all, clock=False, kind="spsc"):
    """Return a world of one of boost's queues: `kind`: "spsc", or "shared", for many producers."""

    def world():
        opening, closing, run = (
            getattr(native.boost(), f"{kind}_{name}") for name in ("open", "close", "run")
        )
        queue = opening()
        try:
            yield Round(lambda n: native.failed(run(queue, n, pauses, take_all, clock, PAYLOAD)))
        finally:
            closing(queue)

    return world


for _pauses in PAUSES:
    for _name, _all in ((TAKE_ONE, False), (TAKE_ALL, True)):
        path.case(_name.format(_pauses), N, peer=True, needs=(native.boost_here,))(
            boost(_pauses, take_all=_all)
        )


if __name__ == "__main__":
    path.main()
