"""A lone event to a Python callable on the main thread, while that thread computes in Python.

subscribe(..., main_thread=True) needs no other thread to get the GIL: the callable runs at the main thread's
next bytecode boundary. The producer is native, on a thread of its own. With events 20 to 30 us apart the
native worker is still looking around when the next one comes (spinning); half a millisecond apart it sleeps.

A floor is a native thread that asks the interpreter for a call by Py_AddPendingCall, without any queue; a C
function is called. Where there are only two cores, which the producer and the computing thread have, nobody
else can be looking around, and the floor is that of a sleeping thread that is woken to ask. Before Python
3.12 such a call interrupts nobody who computes: there the woken thread's own first line is the floor.

The peer's consumer is a thread: it gets the GIL when the computing thread's switch interval of 5 ms is over.
The main thread stamps, puts, and goes on computing.
"""

import ctypes
import os
import sys
import threading
from queue import SimpleQueue
from time import perf_counter_ns

from benchmarks import native
from benchmarks.harness import Path, Round
from benchmarks.paths.lone_native import GAP_NS
from benchmarks.targets import value_of
from benchmarks.worlds import BENCH, PATIENCE, PAYLOAD, books_of, linux, main_thread, pipeline_of

path = Path("main_thread", "a lone event to the main thread while it computes in Python, ns")
N = 2000
SPINNING = "native -> main thread, worker spinning"
ASLEEP = "native -> main thread, worker asleep"
SQ = "SimpleQueue, main thread computing"
PENDING = "Py_AddPendingCall alone"
WOKEN = "a thread that is woken to ask for the call"
INTERRUPTS = sys.version_info >= (3, 12)  # whether a pending call interrupts a main thread that computes


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


path.target(
    "p50 <= 1 us, worker spinning",
    value_of(f"{SPINNING}, p50", beside=f"{SQ}, p50"),
    at_most=1_000,
    floor=value_of(f"{PENDING if cores() > 2 else WOKEN}, p50"),
)


def computed(gap, *, asleep):
    """Return a world in which the main thread computes until all events have come."""

    def world():
        waits = native.Lone()

        def handle(event):
            came = perf_counter_ns()
            waits.room[waits.arrived] = came - event.timestamp
            waits.arrived += 1

        with pipeline_of() as pipeline:
            pipeline.subscribe(BENCH.raw, handle, main_thread=True)
            with pipeline.producer(BENCH) as producer:

                def run(n):
                    waits.expect(n)
                    options = {"asleep": asleep}
                    sender = threading.Thread(target=waits.send, args=(producer, n, gap), kwargs=options)
                    sender.start()
                    compute(lambda: waits.arrived < n)
                    sender.join(PATIENCE)
                    return list(waits.room)

                yield Round(run, books_of(pipeline))

    return world


def compute(going):
    """Work in Python while going() says so, at most for a minute."""
    until = perf_counter_ns() + int(PATIENCE * 1e9)
    while going():
        for _ in range(1000):
            pass
        if perf_counter_ns() > until:
            raise TimeoutError("events never came to the main thread")


path.case(SPINNING, N, each=True, needs=(native.here, main_thread))(computed(20_000, asleep=False))
path.case(ASLEEP, N, each=True, needs=(native.here, main_thread))(computed(GAP_NS, asleep=True))


def asked(add, *, over_thread):
    """Return a world in which the interpreter is asked for calls; add=None: who would ask makes them."""

    def world():
        def run(n):
            waits = native.Lone()
            waits.expect(n)
            arguments = (add, n, 20_000, ctypes.addressof(waits), over_thread, int(PATIENCE * 1e9))
            results = []
            asker = threading.Thread(target=lambda: results.append(native.helper().ask_for_calls(*arguments)))
            asker.start()
            compute(lambda: waits.arrived < n and not results)
            asker.join(PATIENCE)
            if native.failed(results[0]):
                raise TimeoutError("a call never came to the main thread")
            return list(waits.room)

        yield Round(run)

    return world


def interrupts():
    return None if INTERRUPTS else "before Python 3.12 such a call interrupts no main thread that computes"


add_pending_call = ctypes.cast(ctypes.pythonapi.Py_AddPendingCall, ctypes.c_void_p).value
path.case(PENDING, N, each=True, needs=(native.here, interrupts))(asked(add_pending_call, over_thread=False))
path.case(WOKEN, N, each=True, needs=(native.here, linux))(
    asked(add_pending_call if INTERRUPTS else None, over_thread=True)
)


@path.case(SQ, 300, each=True, peer=True)
def simple_queue():
    queue, came = SimpleQueue(), []

    def consume():
        while queue.get() is not None:
            came.append(perf_counter_ns())

    def run(n):
        waits = []
        for _ in range(n):
            came.clear()
            began = perf_counter_ns()
            queue.put((BENCH.id, 0, PAYLOAD, perf_counter_ns()))
            compute(lambda: not came)
            waits.append(came[0] - began)
        return waits

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    try:
        yield Round(run)
    finally:
        queue.put(None)
        consumer.join(PATIENCE)


if __name__ == "__main__":
    path.main()
