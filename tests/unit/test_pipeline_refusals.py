"""What notify() refuses: the error names value and limit, the books say how often, the rest goes on."""

from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from helpers import MOTOR, PUMP, TICK_BYTES, Crew, Hold, Limit, Motor, books_of


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, queue_size=1024)
    return pipeline


def good_event_arrives(pipeline: Any) -> bool:
    """Return whether an event notified now is delivered, alone."""
    got: list[int] = []
    with pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n)):
        pipeline.flush()
        got.clear()
        assert pipeline.notify(MOTOR.tick, (77,))
        pipeline.flush()
    return got == [77]


@pytest.mark.parametrize("many", [False, True])
def test_an_unknown_protocol_is_an_unknown_event_and_counted(pipeline: Any, many: bool) -> None:
    notify = pipeline.notify_many if many else pipeline.notify
    with pytest.raises(tocsin.UnknownEventError, match=r"0x81.*not registered"):
        notify(PUMP.tick, bytes(8))
    with pytest.raises(LookupError, match="0xff"):
        notify((255, 0), bytes(8))
    assert pipeline.stats().unknown == 2
    assert good_event_arrives(pipeline)


@pytest.mark.parametrize("many", [False, True])
def test_an_unknown_event_of_a_registered_protocol_is_counted(pipeline: Any, many: bool) -> None:
    notify = pipeline.notify_many if many else pipeline.notify
    with pytest.raises(tocsin.UnknownEventError, match=r"event 4.*no such event"):
        notify((0x80, 4), b"")
    with pytest.raises(tocsin.UnknownEventError, match="event 4"):
        notify(tocsin.Key(0x80, 4), (1, 2))
    assert pipeline.stats().unknown == 2
    assert books_of(pipeline).accepted == 0


def test_an_unbound_event_type_is_refused(pipeline: Any) -> None:
    with pytest.raises(tocsin.UnknownEventError, match="belongs to no protocol"):
        pipeline.notify(Motor.tick, bytes(8))


@pytest.mark.parametrize(
    "event", [None, 5, "limit", b"", (), (1,), (128, 0, 0), (128, 1.0), [128, 1], MOTOR, object]
)
@pytest.mark.parametrize("many", [False, True])
def test_what_names_no_event_is_a_type_error(pipeline: Any, event: Any, many: bool) -> None:
    notify = pipeline.notify_many if many else pipeline.notify
    with pytest.raises(TypeError, match="an event is"):
        notify(event, bytes(8))
    assert good_event_arrives(pipeline)


@pytest.mark.parametrize("event", [(256, 0), (0, 256), (-1, 0), (0x80, -1), (2**70, 0)])
def test_ids_out_of_range_are_named(pipeline: Any, event: Any) -> None:
    with pytest.raises(ValueError, match=r"0\.\.255"):
        pipeline.notify(event, b"")


@pytest.mark.parametrize(
    ("event", "payload", "words"),
    [
        (MOTOR.tick, b"", "0 bytes.* 8"),
        (MOTOR.tick, bytes(7), "7 bytes.* 8"),
        (MOTOR.tick, bytes(9), "9 bytes.* 8"),
        (MOTOR.note, bytes(3), "3 bytes.* 4 or 8"),
        (MOTOR.note, bytes(6), "6 bytes.* 4 or 8"),
        (MOTOR.readings, bytes(1), "1 bytes.* 2"),
        (MOTOR.readings, bytes(9), r"9 bytes.*2 \+ n \* 8"),
        (MOTOR.counted, b"\x02\0" + bytes(7), "count of 2 needs 10"),
        (MOTOR.raw, bytes(497), "497 bytes.* 496"),
    ],
)
def test_a_payload_of_a_wrong_size_is_named_and_counted(
    pipeline: Any, event: Any, payload: bytes, words: str
) -> None:
    with pytest.raises(tocsin.PayloadError, match=words):
        pipeline.notify(event, payload)
    books = books_of(pipeline)
    assert (books.invalid, books.accepted) == (1, 0)
    assert good_event_arrives(pipeline)


@pytest.mark.parametrize(
    ("event", "payload", "words"),
    [
        (MOTOR.limit, (1,), "rpm"),
        (MOTOR.limit, (1, 2, 3), "3 values.* 2 fields"),
        (MOTOR.limit, (1, 2**31), "rpm=2147483648 .* i4"),
        (MOTOR.limit, (-1, 0), "motor=-1 .* u4"),
        (MOTOR.limit, ("x", 0), "motor='x'"),
        (MOTOR.limit, {"motor": 1}, "rpm"),
        (MOTOR.limit, None, "rpm"),
        (MOTOR.raw, (1, 2), "bytes-like"),
        (MOTOR.readings, (1, 5), "values=5"),
        (MOTOR.readings, (1, [(1, 2, 3)]), r"values\[0\]"),
    ],
)
def test_a_report_that_cannot_be_packed_is_named(pipeline: Any, event: Any, payload: Any, words: str) -> None:
    with pytest.raises(tocsin.PayloadError, match=words):
        pipeline.notify(event, payload)
    assert books_of(pipeline).accepted == 0
    assert good_event_arrives(pipeline)


def test_a_report_that_cannot_be_packed_is_counted(pipeline: Any) -> None:
    with pytest.raises(tocsin.PayloadError):
        pipeline.notify(MOTOR.limit, (1, 2**31))
    assert books_of(pipeline).invalid == 1


def test_a_full_queue_refuses_and_counts_without_an_error(pipeline: Any) -> None:
    capacity = 1024 // TICK_BYTES
    answers = [pipeline.notify(MOTOR.tick, (n,)) for n in range(capacity + 5)]
    assert answers == [True] * capacity + [False] * 5
    books = books_of(pipeline)
    assert (books.accepted, books.refused, books.pending) == (capacity, 5, capacity)
    assert books.high_water in (0, 1024)
    assert good_event_arrives(pipeline)


def test_a_refused_payload_leaves_no_trace_in_the_queue(pipeline: Any) -> None:
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
    for n in range(100):
        pipeline.notify(MOTOR.tick, (n,))
    pipeline.flush()
    assert got == list(range(1024 // TICK_BYTES))


def test_a_closed_pipeline_refuses_and_counts(pipeline: Any) -> None:
    pipeline.close()
    for _ in range(2):
        with pytest.raises(tocsin.ClosedError, match="closed"):
            pipeline.notify(MOTOR.tick, bytes(8))
    with pytest.raises(tocsin.ClosedError, match="closed"):
        pipeline.notify_many(MOTOR.tick, bytes(16))
    assert pipeline.stats().closed == 3
    assert books_of(pipeline).accepted == 0


def test_a_payload_that_raises_passes_its_error_on(pipeline: Any) -> None:
    class Bad(dict[str, int]):
        def keys(self) -> Any:
            raise ZeroDivisionError

        __iter__ = items = keys

    with pytest.raises((ZeroDivisionError, tocsin.PayloadError)):
        pipeline.notify(MOTOR.tick, Bad(n=1))
    assert good_event_arrives(pipeline)


# ------------------------------------------------------------------------------- waiting for room


def test_a_timeout_waits_until_the_worker_made_room(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold]
) -> None:
    pipeline, hold = make_pipeline(), make_hold()
    pipeline.register(MOTOR, queue_size=1024)
    pipeline.subscribe(MOTOR.tick, hold)
    while pipeline.notify(MOTOR.tick, (0,)):
        pass
    hold.await_entry()
    answers: list[bool] = []
    crew = Crew(lambda: answers.append(pipeline.notify(MOTOR.tick, (1,), timeout=60)))
    assert answers == []
    hold.go.set()
    crew.join()
    assert answers == [True]


def test_a_timeout_that_runs_out_is_one_refusal(pipeline: Any) -> None:
    while pipeline.notify(MOTOR.tick, (0,)):
        pass
    assert pipeline.notify(MOTOR.tick, (1,), timeout=0.01) is False
    assert pipeline.notify(MOTOR.tick, (1,), timeout=0.0) is False
    assert books_of(pipeline).refused == 3


def test_closing_ends_the_wait_for_room(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold]
) -> None:
    pipeline, hold = make_pipeline(), make_hold()
    pipeline.register(MOTOR, queue_size=1024)
    pipeline.subscribe(MOTOR.tick, hold)
    while pipeline.notify(MOTOR.tick, (0,)):
        pass
    hold.await_entry()

    def wait_for_room() -> None:
        with pytest.raises(tocsin.ClosedError):
            pipeline.notify(MOTOR.tick, (1,), timeout=None)

    crew = Crew(wait_for_room)
    assert pipeline.close(timeout=0.05) is False
    crew.join()


def test_waiting_for_room_inside_a_callback_is_an_error(pipeline: Any) -> None:
    errors: list[Any] = []

    def callback(event: Any) -> None:
        while pipeline.notify(MOTOR.raw, b""):
            pass
        with pytest.raises(RuntimeError, match="wait for itself") as caught:
            pipeline.notify(MOTOR.raw, b"", timeout=1)
        errors.append(caught.value)

    with pipeline.subscribe(MOTOR.tick, callback):
        pipeline.notify(MOTOR.tick, (1,))
        pipeline.flush()
    assert len(errors) == 1


@pytest.mark.parametrize(
    ("timeout", "error"),
    [(-1, ValueError), (float("nan"), ValueError), ("soon", (TypeError, ValueError))],
)
@pytest.mark.parametrize("full", [True, False])
def test_a_timeout_that_is_none_is_refused(pipeline: Any, timeout: Any, error: Any, full: bool) -> None:
    while full and pipeline.notify(MOTOR.limit, Limit(0, 0)):
        pass
    with pytest.raises(error):
        pipeline.notify(MOTOR.tick, (1,), timeout=timeout)
    assert good_event_arrives(pipeline)
