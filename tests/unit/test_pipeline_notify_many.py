"""notify_many(): equal records in one call, a prefix accepted, nothing accepted on an error."""

import array
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import tocsin
from helpers import MOTOR, TICK_BYTES, Crew, Hold, books_of

CAPACITY = 1024 // TICK_BYTES


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, queue_size=1024)
    return pipeline


@pytest.fixture
def got(pipeline: Any) -> list[tocsin.Event[Any]]:
    events: list[tocsin.Event[Any]] = []
    pipeline.subscribe(MOTOR, lambda event: events.append(event))
    return events


def ticks(*numbers: int) -> bytes:
    return b"".join(MOTOR.tick.pack(n) for n in numbers)


TICKS = numpy.array([(5,), (6,), (7,)], MOTOR.tick.dtype)


@pytest.mark.parametrize(
    "payloads",
    [
        ticks(5, 6, 7),
        bytearray(ticks(5, 6, 7)),
        memoryview(ticks(5, 6, 7)),
        array.array("Q", [5, 6, 7]),
        numpy.array([5, 6, 7], "<u8"),
        TICKS,
        TICKS.view("u1").reshape(3, 8),
        TICKS.view("<u4").reshape(3, 2),
        numpy.frombuffer(ticks(5, 6, 7), "u1"),
    ],
    ids=["bytes", "bytearray", "memoryview", "array", "ints", "structured", "grid", "words", "flat"],
)
def test_records_can_come_in_every_contiguous_buffer(pipeline: Any, got: list[Any], payloads: Any) -> None:
    assert pipeline.notify_many(MOTOR.tick, payloads) == 3
    pipeline.flush()
    assert [event.report.n for event in got] == [5, 6, 7]


def test_rows_say_the_size_where_the_event_does_not(pipeline: Any, got: list[Any]) -> None:
    rows = numpy.arange(12, dtype="u1").reshape(3, 4)
    assert pipeline.notify_many(MOTOR.raw, rows) == 3
    assert pipeline.notify_many(MOTOR.note, numpy.ones((2, 8), "u1")) == 2
    assert pipeline.notify_many(MOTOR.note, numpy.ones(2, "<u4")) == 2
    pipeline.flush()
    assert [event.payload for event in got[:3]] == [row.tobytes() for row in rows]
    assert [len(event.payload) for event in got[3:]] == [8, 8, 4, 4]


@pytest.mark.parametrize("payloads", [b"", bytearray(), numpy.zeros(0, "<u8"), TICKS[:0]])
def test_no_records_are_no_error(pipeline: Any, got: list[Any], payloads: Any) -> None:
    assert pipeline.notify_many(MOTOR.tick, payloads) == 0
    pipeline.flush()
    assert got == []


def test_one_look_at_the_clock_stamps_all(pipeline: Any, got: list[Any]) -> None:
    before = pipeline.now()
    pipeline.notify_many(MOTOR.tick, TICKS)
    after = pipeline.now()
    pipeline.flush()
    assert len({event.timestamp for event in got}) == 1
    assert before <= got[0].timestamp <= after


@pytest.mark.parametrize(
    ("timestamps", "expected"),
    [
        (9, [9, 9, 9]),
        (0, [0, 0, 0]),
        (numpy.array([1, 2, 2**64 - 2], "u8"), [1, 2, 2**64 - 2]),
        (numpy.array([1, 2, 3], "i8"), [1, 2, 3]),
        (array.array("Q", [4, 5, 6]), [4, 5, 6]),
    ],
)
def test_timestamps_are_one_for_all_or_one_each(
    pipeline: Any, got: list[Any], timestamps: Any, expected: list[int]
) -> None:
    assert pipeline.notify_many(MOTOR.tick, TICKS, timestamps) == 3
    pipeline.flush()
    assert [event.timestamp for event in got] == expected


def test_what_fits_is_accepted_and_the_rest_is_refused(pipeline: Any, got: list[Any]) -> None:
    assert pipeline.notify_many(MOTOR.tick, ticks(*range(50))) == CAPACITY
    assert pipeline.notify_many(MOTOR.tick, ticks(99)) == 0
    assert books_of(pipeline).refused == 50 - CAPACITY + 1
    pipeline.flush()
    assert [event.report.n for event in got] == list(range(CAPACITY))


@pytest.mark.parametrize("room", range(CAPACITY + 1))
def test_the_prefix_fills_whatever_room_there_is(pipeline: Any, room: int) -> None:
    for n in range(CAPACITY - room):
        pipeline.notify(MOTOR.tick, (n,))
    assert pipeline.notify_many(MOTOR.tick, ticks(*range(100, 140))) == room


def test_thousands_go_in_by_one_call_in_order(
    make_pipeline: Callable[..., Any],
) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR)
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda batch: got.extend(batch.array["n"].tolist()), batch=True)
    numbers = numpy.arange(100_000, dtype="<u8")
    assert pipeline.notify_many(MOTOR.tick, numbers) == 100_000
    assert pipeline.flush(60)
    assert got == numbers.tolist()


def test_a_timeout_lets_the_worker_make_room(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, queue_size=1024)
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
    assert pipeline.notify_many(MOTOR.tick, numpy.arange(2000, dtype="<u8"), timeout=60) == 2000
    assert pipeline.flush(60)
    assert got == list(range(2000))
    assert books_of(pipeline).refused == 0


def test_a_timeout_that_runs_out_gives_the_prefix(pipeline: Any) -> None:
    assert pipeline.notify_many(MOTOR.tick, ticks(*range(40)), timeout=0.01) == CAPACITY
    assert books_of(pipeline).refused == 40 - CAPACITY


@pytest.mark.parametrize("shut", ["close", "unregister"])
def test_a_door_that_is_shut_ends_a_wait_for_room_and_gives_the_prefix(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold], shut: str
) -> None:
    pipeline, hold = make_pipeline(), make_hold()
    pipeline.register(MOTOR, queue_size=1024)
    pipeline.subscribe(MOTOR.tick, hold)
    answers: list[int] = []
    crew = Crew(lambda: answers.append(pipeline.notify_many(MOTOR.tick, ticks(*range(100)), timeout=None)))
    hold.await_entry()
    if shut == "close":
        assert pipeline.close(timeout=0.05) is False
    else:
        assert pipeline.unregister(MOTOR, timeout=0.05) is False
    crew.join()
    books = books_of(pipeline)
    assert answers == [books.accepted]
    assert 0 < books.accepted < 100
    assert books.refused == 100 - books.accepted
    with pytest.raises((tocsin.ClosedError, tocsin.UnknownEventError)):
        pipeline.notify_many(MOTOR.tick, ticks(1))


@pytest.mark.parametrize(
    ("event", "payloads", "timestamps", "error", "words"),
    [
        (MOTOR.tick, bytes(12), None, tocsin.PayloadError, "12 bytes.* 8"),
        (MOTOR.tick, bytes(7), None, tocsin.PayloadError, "7 bytes.* 8"),
        (MOTOR.raw, bytes(12), None, tocsin.PayloadError, "two-dimensional"),
        (MOTOR.note, numpy.ones((2, 5), "u1"), None, tocsin.PayloadError, "5 bytes.* 4 or 8"),
        (MOTOR.raw, numpy.ones((2, 497), "u1"), None, tocsin.PayloadError, "497 bytes.* 496"),
        (MOTOR.readings, numpy.ones((2, 9), "u1"), None, tocsin.PayloadError, "9 bytes"),
        (MOTOR.tick, TICKS, [1, 2, 3], TypeError, None),
        (MOTOR.tick, TICKS, "now", TypeError, None),
        (MOTOR.tick, TICKS, 1.5, TypeError, None),
        (MOTOR.tick, TICKS, numpy.array([1, 2], "u8"), ValueError, "2 timestamps for 3"),
        (MOTOR.tick, TICKS, numpy.zeros(3, "f8"), TypeError, "64-bit integers"),
        (MOTOR.tick, TICKS, numpy.zeros(3, "u4"), TypeError, "64-bit integers"),
        (MOTOR.tick, TICKS, numpy.zeros(3, ">u8"), TypeError, "64-bit integers"),
        (MOTOR.tick, TICKS, -1, (ValueError, OverflowError), None),
        (MOTOR.tick, TICKS, 2**64, (ValueError, OverflowError), None),
        (MOTOR.tick, TICKS, numpy.array([1, -2, 3], "i8"), ValueError, "timestamp 1"),
        (MOTOR.tick, [1, 2], None, TypeError, None),
        (MOTOR.tick, (1,), None, TypeError, None),
        (MOTOR.tick, None, None, TypeError, None),
        (MOTOR.tick, 5, None, TypeError, None),
        (MOTOR.tick, numpy.zeros(6, "<u8")[::2], None, (ValueError, BufferError), "contiguous"),
        (MOTOR.tick, memoryview(bytes(32))[::2], None, BufferError, "contiguous"),
    ],
)
def test_an_error_accepts_nothing(
    pipeline: Any, event: Any, payloads: Any, timestamps: Any, error: Any, words: str | None
) -> None:
    with pytest.raises(error, match=words):
        pipeline.notify_many(event, payloads, timestamps)
    assert books_of(pipeline).accepted == 0
    assert pipeline.notify_many(MOTOR.tick, TICKS) == 3


def test_a_bad_record_among_good_ones_accepts_nothing(pipeline: Any) -> None:
    rows = numpy.zeros((3, 6), "u1")
    rows[2, 0] = 2  # a count that its size does not allow
    with pytest.raises(tocsin.PayloadError, match="count of 2 needs 10"):
        pipeline.notify_many(MOTOR.counted, rows)
    books = books_of(pipeline)
    assert (books.accepted, books.invalid) == (0, 1)


@pytest.mark.parametrize("timeout", [-1, float("nan"), "soon"])
def test_a_timeout_that_is_none_accepts_nothing(pipeline: Any, timeout: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        pipeline.notify_many(MOTOR.tick, TICKS, timeout=timeout)
    assert books_of(pipeline).accepted == 0


def test_waiting_for_room_inside_a_callback_is_an_error(pipeline: Any) -> None:
    errors: list[Any] = []

    def callback(event: Any) -> None:
        with pytest.raises(RuntimeError, match="wait for itself") as caught:
            pipeline.notify_many(MOTOR.note, numpy.ones((99, 4), "u1"), timeout=1)
        errors.append(caught.value)

    pipeline.subscribe(MOTOR.tick, callback)
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.flush()
    assert len(errors) == 1


@pytest.mark.parametrize("wrong", [b"123", [1]])
def test_the_buffer_is_given_back_also_after_an_error(pipeline: Any, wrong: Any) -> None:
    payloads, stamps = bytearray(ticks(1, 2)), array.array("Q", [1, 2])
    pipeline.notify_many(MOTOR.tick, payloads, stamps)
    with pytest.raises((TypeError, tocsin.PayloadError)):
        pipeline.notify_many(MOTOR.tick, wrong, stamps)
    with pytest.raises((TypeError, ValueError)):
        pipeline.notify_many(MOTOR.tick, payloads, b"12345678")
    payloads.append(1)  # BufferError while anyone held it
    stamps.append(1)
