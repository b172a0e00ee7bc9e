"""How a native subscriber is given: address, capsule or ctypes function; and how long that is kept."""

import ctypes
import gc
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from probe import BENCH, Desk, Gate, Probe, pair

CAPSULE = b"tocsin.subscriber"


@pytest.fixture
def pipeline(make_pipeline: Any) -> tocsin.Pipeline:
    pipeline = make_pipeline()
    pipeline.register(BENCH)
    return pipeline


@pytest.fixture
def desk(make_desk: Callable[[tocsin.Pipeline], Desk], pipeline: tocsin.Pipeline) -> Desk:
    return make_desk(pipeline)


def notify(pipeline: tocsin.Pipeline) -> None:
    assert pipeline.notify(BENCH.pair, pair(3, 0))
    assert pipeline.flush(10)


def address_of(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def capsule_of(address: int, name: bytes | None = CAPSULE) -> object:
    new = ctypes.pythonapi.PyCapsule_New
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    return new(address, name, None)


@pytest.mark.parametrize("form", [address_of, lambda f: capsule_of(address_of(f)), lambda f: f])
def test_forms_of_a_function(pipeline: Any, probe: Probe, desk: Desk, form: Any) -> None:
    desk.record(BENCH.raw).cancel()  # for its recorder
    context = ctypes.addressof(desk.recorders[0])
    with pipeline.subscribe_native(BENCH.pair, form(probe.record), context):
        notify(pipeline)
    assert desk.book.count == 1


def test_ctypes_function_is_kept_alive_until_cancelled(pipeline: Any) -> None:
    contexts: list[int] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    def function(context: int, event: int) -> int:
        contexts.append(context)
        return 0

    alive = weakref.ref(function)
    subscription = pipeline.subscribe_native(BENCH.pair, function, 42)
    del function
    gc.collect()
    assert alive() is not None
    notify(pipeline)
    assert contexts == [42]
    subscription.cancel()
    gc.collect()
    assert alive() is None


def cancel_at_once(pipeline: Any, subscription: Any) -> None:
    assert subscription.cancel(wait=False) is False


def cancel_in_vain(pipeline: Any, subscription: Any) -> None:
    assert subscription.cancel(timeout=0) is False


def close_in_vain(pipeline: Any, subscription: Any) -> None:
    assert pipeline.close(0) is False


def drop_all(pipeline: Any, subscription: Any) -> None:
    """Leave without a word: the caller lets both go."""


@pytest.mark.parametrize("end", [cancel_at_once, cancel_in_vain, close_in_vain, drop_all])
def test_ctypes_function_is_kept_alive_while_a_call_runs(probe: Probe, end: Any) -> None:
    gate = Gate()
    function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(address_of(probe.hold))
    alive = weakref.ref(function)
    pipeline = tocsin.Pipeline()
    pipeline.register(BENCH)
    subscription = pipeline.subscribe_native(BENCH.pair, function, ctypes.addressof(gate))
    pipeline.notify(BENCH.pair, pair(3, 0))
    while not gate.entered:
        time.sleep(0.001)
    end(pipeline, subscription)
    del function, subscription, pipeline
    gc.collect()
    kept = alive() is not None
    gate.open = 1
    while not gate.left:
        time.sleep(0.001)
    assert kept


@pytest.mark.parametrize("junk", [None, 1.5, [], object(), print, lambda c, e: 0, b"code", "code", True])
def test_junk_is_no_function(pipeline: Any, junk: Any) -> None:
    with pytest.raises(TypeError, match="address, a capsule or a ctypes function"):
        pipeline.subscribe_native(BENCH.pair, junk)
    assert pipeline.subscriptions == ()


@pytest.mark.parametrize("address", [0, -1, 2**64])
def test_number_that_is_no_address(pipeline: Any, address: int) -> None:
    with pytest.raises(ValueError, match="address"):
        pipeline.subscribe_native(BENCH.pair, address)


def test_capsule_of_something_else(pipeline: Any, probe: Probe) -> None:
    for name in (b"numpy.ufunc", None, b""):
        with pytest.raises(TypeError, match=r"tocsin\.subscriber"):
            pipeline.subscribe_native(BENCH.pair, capsule_of(address_of(probe.record), name))
    with pytest.raises(TypeError, match=r"tocsin\.subscriber"):
        pipeline.subscribe_native(BENCH.pair, pipeline.producer(BENCH).capsule)


def test_bad_arguments(pipeline: Any, probe: Probe) -> None:
    with pytest.raises(TypeError, match="context"):
        pipeline.subscribe_native(BENCH.pair, probe.record, "context")
    with pytest.raises(ValueError, match="context"):
        pipeline.subscribe_native(BENCH.pair, probe.record, -1)
    with pytest.raises(TypeError, match="priority"):
        pipeline.subscribe_native(BENCH.pair, probe.record, priority="high")
    with pytest.raises(ValueError, match="priority"):
        pipeline.subscribe_native(BENCH.pair, probe.record, priority=2**31)
    with pytest.raises(ValueError, match="source"):
        pipeline.subscribe_native(BENCH.pair, probe.record, source=65_536)
    with pytest.raises(tocsin.UnknownEventError):
        pipeline.subscribe_native((BENCH.id, 99), probe.record)
    assert pipeline.subscriptions == ()


def test_the_same_function_twice(pipeline: Any, probe: Probe) -> None:
    gates = Gate(open=1), Gate(open=1)
    first, second = map(ctypes.addressof, gates)
    pipeline.subscribe_native(BENCH.pair, probe.hold, first)
    with pytest.raises(ValueError, match="already"):
        pipeline.subscribe_native(BENCH.pair, address_of(probe.hold), first)
    pipeline.subscribe_native(BENCH.pair, probe.hold, second)
    pipeline.subscribe_native(BENCH.pair, probe.hold, first, source=3)
    notify(pipeline)
    assert (gates[0].left, gates[1].left) == (2, 1)
