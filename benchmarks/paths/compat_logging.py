"""tocsin.compat.logging beside logging.handlers, in one run: what a log call costs, and what draining does.

An operation is a record, `log.info("motor %d: %d rpm", 3, n)`. A call is timed with nobody who listens, so it
is the caller's share alone: the record, made by logging, which neither can make cheaper (the row "to a
handler that does nothing" says how much that is), its preparing, and the queue. Draining is timed from the
listener's start, with all records queued, to its end. End to end the caller and the listener share the
cores and the GIL. The last rows time each call where one comes about every 100 us, so that a listener may
have gone to sleep in between.
"""

import logging
import logging.handlers
import queue
from time import perf_counter_ns, sleep

from benchmarks.harness import Path, Round
from benchmarks.targets import times_faster
from tocsin.compat import logging as ours

path = Path("compat_logging", "tocsin.compat.logging and logging.handlers, ns per record")
N = 20_000
ROOM = 1 << 20  # records: what is measured here is not a full queue


class Counting(logging.Handler):
    """Do as little as a handler can."""

    count = 0

    def emit(self, record):
        self.count += 1


def tocsin_handler():
    return ours.QueueHandler(capacity=ROOM)


def standard_handler():
    return logging.handlers.QueueHandler(queue.Queue(-1))


def standard_handler_of_a_simple_queue():
    return logging.handlers.QueueHandler(queue.SimpleQueue())


def logger_to(handler):
    log = logging.Logger("benchmark", logging.INFO)
    log.addHandler(handler)
    return log


def write(log, n):
    began = perf_counter_ns()
    for number in range(n):
        log.info("motor %d: %d rpm", 3, number)
    return perf_counter_ns() - began


def calls(make):
    def world():
        handler = make()
        log = logger_to(handler)

        def run(n):
            spent = write(log, n)
            if hasattr(handler, "queue"):
                assert [handler.queue.get_nowait() for _ in range(n)][-1].msg == f"motor 3: {n - 1} rpm"
            return spent

        yield Round(run)

    return world


def draining(make, listen):
    def world():
        handler, target = make(), Counting()
        log = logger_to(handler)

        def run(n):
            write(log, n)
            listener, before = listen(handler.queue, target), target.count
            began = perf_counter_ns()
            listener.start()
            listener.stop()
            spent = perf_counter_ns() - began
            assert target.count == before + n
            return spent

        yield Round(run)

    return world


def end_to_end(make, listen):
    def world():
        handler, target = make(), Counting()
        log = logger_to(handler)

        def run(n):
            listener, before = listen(handler.queue, target), target.count
            listener.start()
            began = perf_counter_ns()
            write(log, n)
            listener.stop()
            spent = perf_counter_ns() - began
            assert target.count == before + n
            return spent

        yield Round(run)

    return world


def apart(make, listen):
    def world():
        handler, target = make(), Counting()
        log = logger_to(handler)
        listener = listen(handler.queue, target)
        listener.start()

        def run(n):
            times = []
            for number in range(n):
                sleep(0.0001)
                began = perf_counter_ns()
                log.info("motor %d: %d rpm", 3, number)
                times.append(perf_counter_ns() - began)
            return times

        yield Round(run)
        listener.stop()
        handler.close()

    return world


def both(name, n, world, **options):
    """Measure the same world with ours and with the original."""
    cases = {
        f"{name}, tocsin": (tocsin_handler, ours.QueueListener),
        f"{name}, logging": (standard_handler, logging.handlers.QueueListener),
    }
    for case, classes in cases.items():
        path.case(case, n, peer=case.endswith("logging"), **options)(world(*classes))
    return list(cases)


path.case("a call, to a handler that does nothing", N, peer=True)(calls(Counting))
CALL = both("a call", N, lambda make, listen: calls(make))
path.case("a call, logging with a SimpleQueue", N, peer=True)(calls(standard_handler_of_a_simple_queue))
DRAIN = both("draining", N, draining)
END = both("end to end", N, end_to_end)
both("a call, 100 us apart", 2000, apart, each=True)

NO_DEARER = {"at_least": 1, "unit": "times", "on": "gil"}
path.target("a call is no dearer than with logging.handlers", times_faster(*CALL), **NO_DEARER)
path.target("nor is its draining", times_faster(*DRAIN), **NO_DEARER)
path.target("nor are both together", times_faster(*END), **NO_DEARER)


if __name__ == "__main__":
    path.main()
