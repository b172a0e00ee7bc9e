"""Events: what they tell, and that they may be kept, copied and pickled."""

import copy
import pickle
import queue
import threading
from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from helpers import MOTOR, PUMP, Limit
from tocsin.testing import make_event


@pytest.fixture
def deliver(make_pipeline: Callable[..., Any]) -> Callable[..., tocsin.Event[Any]]:
    """Return what a subscriber gets for one notify; the pipeline is closed by then."""

    def deliver(event: Any, payload: Any, timestamp: int | None = None) -> tocsin.Event[Any]:
        got: list[tocsin.Event[Any]] = []
        pipeline = make_pipeline(workers=0)
        pipeline.register(MOTOR, PUMP)
        pipeline.subscribe(event, lambda event: got.append(event))
        pipeline.notify(event, payload, timestamp)
        pipeline.close()
        return got[0]

    return deliver


def test_an_event_tells_what_it_was(deliver: Callable[..., Any]) -> None:
    event = deliver(MOTOR.limit, (3, 9000), 8123402118334)
    assert isinstance(event, tocsin.Event)
    assert (event.protocol, event.event, event.source) == (0x80, 0, 3)
    assert (event.timestamp, event.lost) == (8123402118334, 0)
    assert event.payload == MOTOR.limit.pack(3, 9000)
    assert event.report == Limit(3, 9000)
    assert isinstance(event.report, Limit)
    assert event.key == tocsin.Key(0x80, 0, 3)
    assert event.type is MOTOR.limit


def test_a_repr_of_an_event_shows_its_name_source_time_and_report(
    deliver: Callable[..., Any],
) -> None:
    expected = "<Event motor.limit source=3 t=8123.402118334 lost=0 Limit(motor=3, rpm=9000)>"
    assert repr(deliver(MOTOR.limit, (3, 9000), 8123402118334)) == expected


def test_the_key_of_a_source_above_65534_is_all(deliver: Callable[..., Any]) -> None:
    assert deliver(MOTOR.limit, (70000, 0)).key == MOTOR.limit.key()


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 5000])
def test_an_event_of_any_size_outlives_its_pipeline(deliver: Callable[..., Any], size: int) -> None:
    payload = bytes(n % 256 for n in range(size))
    event = deliver(MOTOR.raw, payload)
    assert event.payload == payload
    assert event.payload is event.payload
    assert event.report == payload


MIXED = tocsin.Protocol(0x90, "mixed", {"some": tocsin.EventType(0), "other": tocsin.EventType(1)})


def payload_of(number: int) -> bytes:
    return bytes([number % 251]) * (number * 7 % 150)


@pytest.mark.parametrize("workers", [0, 2])
def test_events_that_are_kept_stay_as_they_were_while_others_come(
    make_pipeline: Callable[..., Any], workers: int
) -> None:
    """Between two that are kept come events that are looked at, wholly or not at all, and forgotten."""
    kept: list[tuple[int, tocsin.Event[Any]]] = []
    payloads: list[bytes] = []
    pipeline = make_pipeline(workers=workers)
    pipeline.register(MIXED, queue_size=1 << 20)

    def called(event: tocsin.Event[Any]) -> None:
        number = event.timestamp
        if number % 3 == 0:
            kept.append((number, event))
        elif number % 3 == 1:
            payloads.append(event.payload)

    pipeline.subscribe(MIXED, called)
    pipeline.freeze()
    for number in range(1, 1501):
        pipeline.notify(MIXED.other if number % 5 else MIXED.some, payload_of(number), timestamp=number)
    pipeline.thaw()
    assert pipeline.flush(30)
    assert [number for number, _ in kept] == list(range(3, 1501, 3))
    for number, event in kept:
        assert event.timestamp == number
        assert event.type is (MIXED.other if number % 5 else MIXED.some)
        assert event.payload == payload_of(number)
        assert event.lost == 0
    assert payloads == [payload_of(number) for number in range(1, 1501, 3)]


def test_each_may_keep_an_event_that_another_one_forgets(make_pipeline: Callable[..., Any]) -> None:
    kept: list[tocsin.Event[Any]] = []
    pipeline = make_pipeline()
    pipeline.register(MIXED)
    pipeline.subscribe(MIXED.some, lambda event: None, priority=1)
    pipeline.subscribe(MIXED.some, lambda event: kept.append(event))
    pipeline.subscribe(MIXED.some, lambda event: None, priority=-1)
    pipeline.freeze()
    for number in range(100):
        pipeline.notify(MIXED.some, payload_of(number))
    pipeline.thaw()
    assert pipeline.flush(30)
    assert [event.payload for event in kept] == [payload_of(number) for number in range(100)]


def test_an_event_that_an_error_holds_stays_as_it_was(make_pipeline: Callable[..., Any]) -> None:
    told: list[Any] = []
    pipeline = make_pipeline(on_error=told.append)
    pipeline.register(MIXED)

    def called(event: tocsin.Event[Any]) -> None:
        if event.timestamp % 2:
            raise ValueError(event.timestamp)

    pipeline.subscribe(MIXED.some, called)
    pipeline.freeze()
    for number in range(100):
        pipeline.notify(MIXED.some, payload_of(number), timestamp=number)
    pipeline.thaw()
    assert pipeline.flush(30)
    assert [failure.event.payload for failure in told] == [payload_of(number) for number in range(1, 100, 2)]
    for failure in told:
        assert failure.exception.args == (failure.event.timestamp,)
        assert failure.exception.__traceback__.tb_frame.f_locals["event"] is failure.event


def test_events_handed_to_another_thread_stay_as_they_were(make_pipeline: Callable[..., Any]) -> None:
    """It reads them while the next ones come, and lets go of each in its own time."""
    handed: queue.SimpleQueue[tocsin.Event[Any] | None] = queue.SimpleQueue()
    wrong: list[int] = []
    seen: list[int] = []

    def read() -> None:
        while (event := handed.get()) is not None:
            number = event.timestamp
            seen.append(number)
            if event.payload != payload_of(number):
                wrong.append(number)

    pipeline = make_pipeline()
    pipeline.register(MIXED, queue_size=1 << 20)
    pipeline.subscribe(MIXED.some, lambda event: handed.put(event) if event.timestamp % 3 else None)
    reader = threading.Thread(target=read)
    reader.start()
    for number in range(3000):
        assert pipeline.notify(MIXED.some, payload_of(number), timestamp=number, timeout=30)
    assert pipeline.flush(30)
    handed.put(None)
    reader.join()
    assert wrong == []
    assert seen == [number for number in range(3000) if number % 3]


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        (MOTOR.limit, (3, -1)),
        (MOTOR.limit, (70000, 1)),
        (MOTOR.raw, bytes(200)),
        (PUMP.note, (1,)),
        (MOTOR.readings, (1, [(2, 3), (4, 5)])),
    ],
)
@pytest.mark.parametrize(
    "twin",
    [copy.copy, copy.deepcopy]
    + [lambda event, p=p: pickle.loads(pickle.dumps(event, p)) for p in range(2, 6)],
    ids=["copy", "deepcopy", "pickle2", "pickle3", "pickle4", "pickle5"],
)
def test_a_copy_is_equal_in_all_that_it_tells(
    deliver: Callable[..., Any], event: Any, payload: Any, twin: Callable[[Any], Any]
) -> None:
    original = deliver(event, payload, 123)
    other = twin(original)
    assert other == original
    assert hash(other) == hash(original)
    for name in ("protocol", "event", "source", "timestamp", "payload", "report", "lost", "key"):
        assert getattr(other, name) == getattr(original, name), name
    assert other.type == original.type


def test_events_are_equal_if_all_that_they_tell_is() -> None:
    event = make_event(MOTOR.limit, (3, 1), timestamp=5, lost=2)
    assert event == make_event(MOTOR.limit, Limit(3, 1), timestamp=5, lost=2)
    assert event != make_event(MOTOR.limit, (3, 2), timestamp=5, lost=2)
    assert event != make_event(MOTOR.limit, (3, 1), timestamp=6, lost=2)
    assert event != make_event(MOTOR.limit, (3, 1), timestamp=5, lost=3)
    assert event != make_event(PUMP.limit, (3, 1), timestamp=5, lost=2)
    assert event != (3, 1)


@pytest.mark.parametrize(
    "name", ["protocol", "event", "source", "timestamp", "payload", "report", "lost", "type", "x"]
)
def test_an_event_cannot_be_changed(name: str) -> None:
    event = make_event(MOTOR.limit, (3, 1))
    with pytest.raises(AttributeError):
        setattr(event, name, 5)


def test_only_pipelines_and_make_event_make_events() -> None:
    with pytest.raises(TypeError, match="made by a pipeline"):
        tocsin.Event()
    with pytest.raises(TypeError, match="made by a pipeline"):
        tocsin.Batch()
    with pytest.raises(TypeError, match="not bound"):
        make_event(type(MOTOR).limit, (3, 1))
    with pytest.raises(tocsin.PayloadError):
        make_event(MOTOR.limit, b"123")


def test_a_report_function_that_raises_raises_where_the_report_is_read(
    make_pipeline: Callable[..., Any],
) -> None:
    def refuse(fields: Any) -> Any:
        raise KeyError(fields)

    protocol = tocsin.Protocol(0x90, "odd", {"e": tocsin.EventType(0, report=refuse)})
    pipeline = make_pipeline(workers=0)
    pipeline.register(protocol)
    got: list[Any] = []
    pipeline.subscribe(protocol.e, lambda event: got.append(event))
    pipeline.notify(protocol.e, b"abc")
    pipeline.flush()
    with pytest.raises(KeyError):
        got[0].report  # noqa: B018
    assert "no report" in repr(got[0])
    assert got[0].payload == b"abc"


def test_fields_that_a_short_payload_lacks_have_their_default(
    deliver: Callable[..., Any],
) -> None:
    assert deliver(MOTOR.note, b"\1\0\0\0").report == (1, 0)
    assert deliver(MOTOR.note, (1, 2)).report == (1, 2)


def test_a_surplus_behind_the_count_is_ignored(deliver: Callable[..., Any]) -> None:
    payload = b"\x12\0" + bytes(range(10))  # a count of 2 in 4 bits, and two bytes too many
    assert deliver(MOTOR.counted, payload).report.values == (0x03020100, 0x07060504)
