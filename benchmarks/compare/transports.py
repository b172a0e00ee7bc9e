"""Peers that carry bytes, or run an engine of their own, within one process."""

import threading
import time
from itertools import count, repeat
from time import perf_counter_ns

from benchmarks.compare import hop
from benchmarks.compare.loops import SLOW, dispatch
from benchmarks.compare.queues import N
from benchmarks.harness import Round
from benchmarks.paths.python_to_python import putting
from benchmarks.worlds import PATIENCE, PAYLOAD, RING, nothing
from benchmarks.worlds import hop as through


@hop.case("pyzmq inproc", N, peer=True, package="pyzmq", note="PAIR, no high-water mark, copied")
def pyzmq():
    import zmq

    context = zmq.Context()
    numbers = count()

    def run(n):
        def produce(n):
            send, payload = sender.send, PAYLOAD
            for _ in repeat(None, n):
                send(payload)

        def consume(n, ready):
            with context.socket(zmq.PAIR) as receiver:
                receiver.rcvhwm = 0
                receiver.connect(endpoint)
                receive = receiver.recv
                ready()
                for _ in repeat(None, n):
                    nothing(receive())
                return perf_counter_ns()

        with context.socket(zmq.PAIR) as sender:  # a pair can't be joined a second time
            sender.sndhwm = 0
            endpoint = f"inproc://bench-{next(numbers)}"  # the last one may still be closing
            sender.bind(endpoint)
            return through(n, produce, consume)

    try:
        yield Round(run)
    finally:
        context.term()


RINGS = "spsc-ring-threadsafe"


@hop.case(RINGS, N, peer=True, package=RINGS, note="4 MiB; sleep(0) when full or empty, it can't wait")
def spsc_ring():
    from spsc_ring_threadsafe import QueueEmptyError, QueueFullError, get, init, put

    ring = bytearray(RING)
    init(ring)

    def produce(n):
        payload = PAYLOAD
        while n:
            try:
                put(ring, payload)
                n -= 1
            except QueueFullError:
                time.sleep(0)

    def consume(n, ready):
        ready()
        while n:
            try:
                nothing(get(ring))
                n -= 1
            except QueueEmptyError:
                time.sleep(0)

    yield Round(lambda n: through(n, produce, consume))


@hop.case("zenoh", SLOW, peer=True, package="eclipse-zenoh", note="one session, scouting off, blocking")
def zenoh():
    import zenoh

    config = zenoh.Config()
    config.insert_json5("scouting/multicast/enabled", "false")
    config.insert_json5("listen/endpoints", "[]")
    came, wanted, last = count(1), [0], threading.Event()

    def handle(sample):
        nothing(sample.payload)
        if next(came) == wanted[0]:
            last.set()

    def produce(n):
        put, payload = publisher.put, PAYLOAD
        for _ in repeat(None, n):
            put(payload)

    def consume(n, ready):
        wanted[0] += n
        last.clear()
        ready()
        if not last.wait(PATIENCE):
            raise TimeoutError("zenoh lost events")

    with zenoh.open(config) as session, session.declare_subscriber("bench", handle):
        publisher = session.declare_publisher("bench", congestion_control=zenoh.CongestionControl.BLOCK)
        yield Round(lambda n: through(n, produce, consume))


class Engine:
    """A csp graph that calls dispatch() with every item that is put, and stops after the n-th."""

    def __init__(self, n, ready):
        import csp
        from csp import ts
        from csp.impl.pushadapter import PushInputAdapter
        from csp.impl.wiring import py_push_adapter_def

        engine = self

        class Source(PushInputAdapter):
            def start(self, starttime, endtime):
                engine.put = self.push_tick
                ready()

            def stop(self):
                pass

        source = py_push_adapter_def("source", Source, ts[object])

        @csp.node
        def handle(items: ts[object]):
            with csp.state():
                s_left = n
            if csp.ticked(items):
                dispatch(items)
                s_left -= 1
                if not s_left:
                    engine.ended = perf_counter_ns()
                    csp.stop_engine()

        @csp.graph
        def graph():
            handle(source())

        self.graph = graph
        self.run = csp.run


@hop.case("csp", SLOW, peer=True, package="csp", note="a push adapter, every item its own cycle")
def csp():
    import logging
    from datetime import UTC, datetime, timedelta

    engines = []

    def consume(n, ready):
        engines.append(Engine(n, ready))
        start = datetime.now(UTC).replace(tzinfo=None)
        engines[-1].run(engines[-1].graph, starttime=start, endtime=timedelta(minutes=5), realtime=True)
        return engines[-1].ended

    logging.getLogger("csp").setLevel(logging.WARNING)
    yield Round(lambda n: through(n, lambda n: putting(engines[-1])(n), consume))
