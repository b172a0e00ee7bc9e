"""Libraries of signals: they call their listeners in the thread that emits, one after the other."""

from itertools import repeat
from time import perf_counter_ns

import tocsin
from benchmarks.compare import emit_one, emit_ten
from benchmarks.harness import Round
from benchmarks.worlds import PAYLOAD

N = 50_000


def emitting(function, *arguments, **named):
    """Return a round that calls function() n times."""

    def run(n):
        began = perf_counter_ns()
        for _ in repeat(None, n):
            function(*arguments, **named)
        return perf_counter_ns() - began

    return Round(run)


def ours(count):
    chain = tocsin.NotifierChain()
    for _ in range(count):
        chain.register(lambda value, data: None)
    yield emitting(chain.call, 1, PAYLOAD)


def psygnal(count):
    from psygnal import Signal

    class Motor:
        limit = Signal(object)

    motor = Motor()
    listeners = [lambda payload: None for _ in range(count)]  # it may hold them weakly
    for listener in listeners:
        motor.limit.connect(listener)
    yield emitting(motor.limit.emit_fast, PAYLOAD)


def blinker(count):
    from blinker import Signal

    signal = Signal()
    listeners = [lambda sender, payload: None for _ in range(count)]
    for listener in listeners:
        signal.connect(listener)
    yield emitting(signal.send, None, payload=PAYLOAD)


def pyee(count):
    from pyee import EventEmitter

    emitter = EventEmitter()
    for _ in range(count):
        emitter.add_listener("limit", lambda payload: None)
    yield emitting(emitter.emit, "limit", PAYLOAD)


def of(world, count):
    return lambda: world(count)


for _path, _count in ((emit_one, 1), (emit_ten, 10)):
    _path.case("tocsin NotifierChain", N, note="call(value, data)")(of(ours, _count))
    for _world, _note in (
        (psygnal, "emit_fast: no check of the arguments"),
        (blinker, "send, any sender"),
        (pyee, "EventEmitter.emit"),
    ):
        _name = _world.__name__
        _path.case(_name, N, peer=True, package=_name, note=_note)(of(_world, _count))
