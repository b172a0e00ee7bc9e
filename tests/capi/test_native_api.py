"""tocsin_notify(): what it answers, what it stamps, how long its handle lives."""

import ctypes
import errno
import gc
import os
import weakref
from functools import partial
from typing import Any

import pytest

import tocsin
from probe import BENCH, NOW, Bench, Probe, pair

PAIR, RAW = BENCH.pair.id, BENCH.raw.id
ABI_VERSION = 1


@pytest.fixture
def pipeline(make_pipeline: Any) -> tocsin.Pipeline:
    pipeline = make_pipeline()
    pipeline.register(BENCH)
    return pipeline


def books(pipeline: tocsin.Pipeline) -> tocsin.ProtocolStats:
    return pipeline.stats().protocols[BENCH.id]


exclusive_or_not = pytest.mark.parametrize("exclusive", [False, True], ids=["shared", "exclusive"])


@pytest.fixture(params=[NOW, 1], ids=["now", "stamped"])
def notify(probe: Probe, request: Any) -> Any:
    """tocsin_notify(), by the general way and by that of usual events."""
    return partial(probe.notify, timestamp=request.param)


# -- answers ---------------------------------------------------------------------------------------


@exclusive_or_not
def test_accepted_event_is_delivered(pipeline: Any, notify: Any, exclusive: bool) -> None:
    seen: list[Any] = []
    pipeline.subscribe(BENCH, seen.append)
    with pipeline.producer(BENCH, exclusive=exclusive) as producer:
        assert notify(producer, PAIR, pair(3, 9000)) == 0
        assert notify(producer, RAW, b"raw") == 0
    pipeline.flush()
    assert [(event.type, event.source, event.payload) for event in seen] == [
        (BENCH.pair, 3, pair(3, 9000)),
        (BENCH.raw, 0, b"raw"),
    ]


@exclusive_or_not
def test_unknown_event(pipeline: Any, notify: Any, exclusive: bool) -> None:
    with pipeline.producer(BENCH, exclusive=exclusive) as producer:
        assert notify(producer, 2, pair(0, 0)) == -errno.EINVAL
        assert notify(producer, 255, b"") == -errno.EINVAL
    assert pipeline.stats().unknown == 2
    assert books(pipeline).accepted == books(pipeline).invalid == 0


@exclusive_or_not
@pytest.mark.parametrize(
    ("event", "size"), [(PAIR, 0), (PAIR, 7), (PAIR, 9), (PAIR, 2**32 - 1), (RAW, 65), (RAW, 2**31)]
)
def test_impossible_size(pipeline: Any, notify: Any, exclusive: bool, event: int, size: int) -> None:
    with pipeline.producer(BENCH, exclusive=exclusive) as producer:
        assert notify(producer, event, bytes(80), size) == -errno.EINVAL
    assert (books(pipeline).invalid, books(pipeline).accepted) == (1, 0)


@exclusive_or_not
def test_null_payload(pipeline: Any, notify: Any, exclusive: bool) -> None:
    with pipeline.producer(BENCH, exclusive=exclusive) as producer:
        assert notify(producer, PAIR, None, 8) == -errno.EINVAL
        assert notify(producer, RAW, None, 1) == -errno.EINVAL
        assert books(pipeline).invalid == 2
        assert notify(producer, RAW, None, 0) == 0  # nothing of no bytes: an event without payload
    assert books(pipeline).accepted == 1


@exclusive_or_not
def test_no_room(make_pipeline: Any, notify: Any, exclusive: bool) -> None:
    pipeline = make_pipeline()
    pipeline.register(BENCH, queue_size=1024)
    seen: list[Any] = []
    pipeline.subscribe(BENCH.pair, seen.append)
    pipeline.freeze()
    with pipeline.producer(BENCH, exclusive=exclusive) as producer:
        room = 1024 // 32
        answers = [notify(producer, PAIR, pair(1, number)) for number in range(room + 5)]
        assert answers == [0] * room + [-errno.ENOBUFS] * 5
        assert (books(pipeline).accepted, books(pipeline).refused) == (room, 5)
        assert books(pipeline).pending == room
        pipeline.thaw()
        pipeline.flush()
        assert notify(producer, PAIR, pair(1, 99)) == 0
    pipeline.flush()
    assert [event.report.number for event in seen] == [*range(room), 99]
    assert [event.lost for event in seen] == [0] * room + [5]


def test_busy_while_another_one_is_exclusive(pipeline: Any, notify: Any) -> None:
    shared = pipeline.producer(BENCH)
    with pipeline.producer(BENCH, exclusive=True) as exclusive:
        assert notify(shared, PAIR, pair(1, 0)) == -errno.EBUSY
        assert notify(exclusive, PAIR, pair(1, 0)) == 0
    assert notify(exclusive, PAIR, pair(1, 0)) == -errno.ESHUTDOWN
    assert notify(shared, PAIR, pair(1, 0)) == 0
    assert books(pipeline).accepted == 2


# -- the handle's life -----------------------------------------------------------------------------


@exclusive_or_not
def test_closed_producer(pipeline: Any, notify: Any, exclusive: bool) -> None:
    producer = pipeline.producer(BENCH, exclusive=exclusive)
    assert producer.close()
    assert producer.close()
    assert notify(producer, PAIR, pair(1, 0)) == -errno.ESHUTDOWN
    assert pipeline.stats().closed == 1
    assert books(pipeline).accepted == 0


@exclusive_or_not
def test_closed_pipeline(pipeline: Any, notify: Any, exclusive: bool) -> None:
    producer = pipeline.producer(BENCH, exclusive=exclusive)
    pipeline.close()
    assert notify(producer, PAIR, pair(1, 0)) == -errno.ESHUTDOWN
    assert producer.closed
    assert pipeline.stats().closed == 1
    assert producer.close()


@exclusive_or_not
def test_handle_outlives_the_pipeline(notify: Any, exclusive: bool) -> None:
    pipeline = tocsin.Pipeline()
    pipeline.register(BENCH)
    producer = pipeline.producer(BENCH, exclusive=exclusive)
    gone = weakref.ref(pipeline)
    del pipeline
    gc.collect()
    assert gone() is None
    assert notify(producer, PAIR, pair(1, 0)) == -errno.ESHUTDOWN
    with pytest.raises(tocsin.ClosedError):
        producer.notify(PAIR, pair(1, 0))
    assert producer.close()


def test_capsule_is_a_handle() -> None:
    pipeline = tocsin.Pipeline()
    pipeline.register(BENCH)
    producer = pipeline.producer(BENCH)
    capsule, address = producer.capsule, producer.address
    pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
    pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    assert pointer_of(capsule, b"tocsin.producer") == address
    notify = ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.c_void_p, ctypes.c_uint8, ctypes.c_char_p, ctypes.c_uint32, ctypes.c_uint64
    )(producer.function)
    assert notify(address, PAIR, pair(1, 0), 8, NOW) == 0
    pipeline.close()
    del producer, pipeline
    gc.collect()
    assert notify(address, PAIR, pair(1, 0), 8, NOW) == -errno.ESHUTDOWN
    del capsule


def test_handle_begins_with_its_functions(pipeline: Any) -> None:
    producer = pipeline.producer(BENCH)
    table = ctypes.c_void_p.from_address(producer.address).value or 0
    version, size = (ctypes.c_uint32 * 2).from_address(table)
    assert (version, size) == (ABI_VERSION, 8 + ctypes.sizeof(ctypes.c_void_p))
    assert ctypes.c_void_p.from_address(table + 8).value == producer.function


@pytest.mark.parametrize("exclusive", [2, -1, None, "yes", 1.0])
def test_exclusive_is_whatever_is_true(pipeline: Any, notify: Any, exclusive: Any) -> None:
    with pipeline.producer(BENCH, exclusive=exclusive) as producer:
        assert producer.exclusive is bool(exclusive)
        assert notify(producer, PAIR, pair(1, 0)) == 0


@exclusive_or_not
def test_function_of_one_handle_serves_another(make_pipeline: Any, exclusive: bool) -> None:
    def producer(exclusive: bool) -> tuple[Any, list[bytes], Any]:
        pipeline, seen = make_pipeline(), list[bytes]()
        pipeline.register(BENCH)
        pipeline.subscribe(BENCH.pair, lambda event: seen.append(event.payload))
        return pipeline, seen, pipeline.producer(BENCH, exclusive=exclusive)

    def function(handle: Any) -> Any:
        types = ctypes.c_void_p, ctypes.c_uint8, ctypes.c_char_p, ctypes.c_uint32, ctypes.c_uint64
        return ctypes.CFUNCTYPE(ctypes.c_int, *types)(handle.function)

    pipeline, seen, own = producer(exclusive)
    _, _, other = producer(not exclusive)
    sent = [pair(1, number) for number in range(100)]
    for notify in (function(own), function(other)):
        for number, payload in enumerate(sent):
            assert notify(own.address, PAIR, payload, 8, 1 + number) == 0
        own.notify(PAIR, sent[0])
    assert pipeline.flush(5)
    assert seen == 2 * [*sent, sent[0]]


# -- time ------------------------------------------------------------------------------------------


@exclusive_or_not
@pytest.mark.parametrize("clock", ["monotonic", "boottime", "realtime"])
def test_stamped_inside(make_pipeline: Any, probe: Probe, exclusive: bool, clock: str) -> None:
    pipeline = make_pipeline(clock=clock)
    pipeline.register(BENCH)
    seen: list[Any] = []
    pipeline.subscribe(BENCH.pair, seen.append)
    with pipeline.producer(BENCH, exclusive=exclusive) as producer:
        before = pipeline.now()
        probe.notify(producer, PAIR, pair(1, 0))
        after = pipeline.now()
    pipeline.flush()
    assert before <= seen[0].timestamp <= after


@exclusive_or_not
def test_stamped_outside(pipeline: Any, probe: Probe, exclusive: bool) -> None:
    seen: list[Any] = []
    pipeline.subscribe(BENCH.pair, seen.append)
    stamps = [0, 1, 123_456_789, 2**63, NOW - 1]
    with pipeline.producer(BENCH, exclusive=exclusive) as producer:
        for stamp in stamps:
            assert probe.notify(producer, PAIR, pair(1, 0), timestamp=stamp) == 0
    pipeline.flush()
    assert [event.timestamp for event in seen] == stamps


# -- the same from Python --------------------------------------------------------------------------


@exclusive_or_not
def test_producers_notify_speaks_python(pipeline: Any, exclusive: bool) -> None:
    seen: list[Any] = []
    pipeline.subscribe(BENCH.pair, seen.append)
    producer = pipeline.producer(BENCH, exclusive=exclusive)
    assert producer.notify(PAIR, pair(3, 1), 77) is True
    assert producer.notify(PAIR, (4, 2)) is True
    with pytest.raises(tocsin.UnknownEventError, match="9"):
        producer.notify(9, b"")
    with pytest.raises(tocsin.PayloadError, match="7"):
        producer.notify(PAIR, bytes(7))
    producer.close()
    with pytest.raises(tocsin.ClosedError, match="bench"):
        producer.notify(PAIR, pair(3, 1))
    pipeline.flush()
    assert [tuple(event.report) for event in seen] == [(3, 1), (4, 2)]
    assert seen[0].timestamp == 77


def test_producers_notify_tells_of_refusal(make_pipeline: Any) -> None:
    pipeline = make_pipeline()
    pipeline.register(BENCH, queue_size=1024)
    pipeline.freeze()
    producer = pipeline.producer(BENCH)
    assert [producer.notify(PAIR, pair(1, 0)) for _ in range(33)] == [True] * 32 + [False]
    assert books(pipeline).refused == 1


def test_only_registered_protocols_have_producers(pipeline: Any) -> None:
    with pytest.raises(tocsin.UnknownEventError, match="bench"):
        pipeline.producer(Bench(0x71))
    with pytest.raises(TypeError, match="bench"):
        pipeline.producer("bench")
    pipeline.close()
    with pytest.raises(tocsin.ClosedError):
        pipeline.producer(BENCH)


# -- memory ----------------------------------------------------------------------------------------


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_opening_a_producer_makes_the_whole_queue_present(make_pipeline: Any) -> None:
    size = 64 << 20
    pipeline = make_pipeline()
    pipeline.register(BENCH, queue_size=size)
    before = resident()
    producer = pipeline.producer(BENCH)
    assert resident() - before > size // 2
    producer.close()
