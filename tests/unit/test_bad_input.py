"""Anything at all as an argument, from anywhere: a clear error, and the next good event arrives."""

import array
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis.strategies as st
import numpy
import pytest
from hypothesis import given, settings

import tocsin
from helpers import MOTOR, PATIENCE, PUMP, Crew, Motor, assert_ends_well

PLAIN = (TypeError, ValueError, LookupError, tocsin.TocsinError, OverflowError, BufferError)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, 8, 0x80, 0x81, 0xFFFF, 2**31, 2**32, 2**63, 2**64 - 1, 2**64, -1]),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=40),
    st.binary(min_size=450, max_size=550),
    st.builds(bytearray, st.binary(max_size=20)),
    st.sampled_from([MOTOR, Motor, MOTOR.tick, Motor.tick, PUMP.raw, tocsin.ALL, object, print]),
    st.builds(numpy.uint32, st.integers(0, 2**32 - 1)),
    st.builds(numpy.float64, st.floats()),
    st.builds(lambda b: memoryview(b)[::2], st.binary(max_size=20)),
    st.builds(lambda b: array.array("B", b), st.binary(max_size=20)),
    st.builds(lambda n: numpy.zeros(n, "f4"), st.integers(0, 9)),
    st.builds(lambda n: numpy.array([None] * n, object), st.integers(0, 3)),
)
anything = st.recursive(
    scalars,
    lambda part: st.one_of(
        st.lists(part, max_size=4),
        st.tuples(part, part),
        st.lists(part, max_size=4).map(tuple),
        st.dictionaries(st.sampled_from(["n", "motor", "rpm", "a", "b", "values", "x"]), part),
    ),
    max_leaves=6,
)
events = st.one_of(
    st.sampled_from(MOTOR.events),
    st.sampled_from(MOTOR.events).map(lambda event: event.key()),
    st.tuples(st.sampled_from([0x80, 0x81, 300, -1]), st.integers(-2, 260)),
    anything,
)
numbers = st.one_of(st.none(), st.integers(-5, 2**70), anything)
timeouts = st.one_of(st.sampled_from([0, 0.0, None, -1, 1e-9, float("nan"), "x"]), anything)


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Any, list[Any]]]:
    """One pipeline for a whole test, emptied after each example."""
    got: list[Any] = []
    pipeline = tocsin.Pipeline(workers=0, on_error=lambda failure: got.append(failure))
    pipeline.register(MOTOR, queue_size=1024)
    pipeline.subscribe(MOTOR, lambda event: got.append(event))
    yield pipeline, got
    pipeline.close()


def assert_says_something(error: BaseException) -> None:
    assert str(error)


def would_wait(timeout: Any) -> bool:
    """Return whether a full queue would be waited for, with nobody there to empty it."""
    try:
        return timeout is None or float(timeout) > 0.001
    except (TypeError, ValueError, OverflowError):
        return False


def the_next_good_event_arrives(world: tuple[Any, list[Any]], accepted: int) -> None:
    pipeline, got = world
    assert pipeline.flush()
    assert len(got) == accepted
    for event in got:
        repr(event)
        assert event.report is not None
    got.clear()
    assert pipeline.notify(MOTOR.limit, (4, 5)) is True
    assert pipeline.flush()
    assert [event.report for event in got] == [(4, 5)]
    got.clear()
    books = pipeline.stats().protocols[0x80]
    assert books.accepted == books.delivered


@given(event=events, payload=anything, timestamp=numbers, timeout=timeouts)
@settings(max_examples=400, deadline=None)
def test_notify_takes_it_or_says_why_not(
    world: tuple[Any, list[Any]], event: Any, payload: Any, timestamp: Any, timeout: Any
) -> None:
    before = world[0].stats().protocols[0x80].accepted
    try:
        answer = world[0].notify(event, payload, timestamp, timeout=timeout)
    except PLAIN as error:
        answer = False
        assert_says_something(error)
    assert answer in (True, False)
    assert world[0].stats().protocols[0x80].accepted == before + answer
    the_next_good_event_arrives(world, answer)


@given(event=events, payloads=anything, timestamps=numbers, timeout=timeouts)
@settings(max_examples=500, deadline=None)
def test_notify_many_takes_a_prefix_or_says_why_not(
    world: tuple[Any, list[Any]], event: Any, payloads: Any, timestamps: Any, timeout: Any
) -> None:
    if would_wait(timeout):
        timeout = 0.001
    before = world[0].stats().protocols[0x80].accepted
    try:
        answer = world[0].notify_many(event, payloads, timestamps, timeout=timeout)
    except PLAIN as error:
        answer = 0
        assert_says_something(error)
    assert world[0].stats().protocols[0x80].accepted == before + answer
    the_next_good_event_arrives(world, answer)


@given(event=events, callback=anything, source=numbers, priority=numbers, batch=anything)
@settings(max_examples=400, deadline=None)
def test_subscribe_takes_it_or_says_why_not(
    world: tuple[Any, list[Any]],
    event: Any,
    callback: Any,
    source: Any,
    priority: Any,
    batch: Any,
) -> None:
    pipeline, _ = world
    function = callback if callable(callback) else (lambda event: None)
    try:
        pipeline.subscribe(event, callback)
        pipeline.subscribe(event, function, source=source, priority=priority, batch=bool(batch))
    except PLAIN as error:
        assert_says_something(error)
    for subscription in pipeline.subscriptions[1:]:
        repr(subscription)
        subscription.cancel()
    the_next_good_event_arrives(world, 0)


@given(arguments=st.lists(anything, max_size=2), size=numbers)
@settings(max_examples=200, deadline=None)
def test_register_takes_it_or_says_why_not(
    world: tuple[Any, list[Any]], arguments: list[Any], size: Any
) -> None:
    if not any(argument is MOTOR for argument in arguments):
        with pytest.raises(PLAIN):
            world[0].register(*arguments, None, queue_size=size)
    with pytest.raises(PLAIN):
        world[0].register(MOTOR, *arguments, queue_size=size)
    assert world[0].protocols == (MOTOR,)
    the_next_good_event_arrives(world, 0)


BAD_CALLS: list[Callable[[Any], object]] = [
    lambda pipeline: pipeline.notify(None, None),
    lambda pipeline: pipeline.notify(MOTOR.tick, b"123"),
    lambda pipeline: pipeline.notify(MOTOR.tick, (-1,)),
    lambda pipeline: pipeline.notify((0x99, 1), b""),
    lambda pipeline: pipeline.notify_many(MOTOR.tick, b"123"),
    lambda pipeline: pipeline.subscribe((0x80, 99), print),
    lambda pipeline: pipeline.subscribe(MOTOR.tick, 5),
    lambda pipeline: pipeline.register(MOTOR),
    lambda pipeline: pipeline.flush(-1),
    lambda pipeline: pipeline.notify(MOTOR.tick),
    lambda pipeline: pipeline.notify(),
]


@pytest.mark.parametrize("call", BAD_CALLS)
def test_the_same_from_a_callback_and_from_another_thread(
    make_pipeline: Callable[..., Any], call: Callable[[Any], object]
) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR)
    raised: list[BaseException] = []

    def attempt(event: Any = None) -> None:
        try:
            call(pipeline)
        except PLAIN as error:
            raised.append(error)
        except RuntimeError as error:
            raised.append(error)

    pipeline.subscribe(MOTOR.limit, attempt)
    pipeline.notify(MOTOR.limit, (1, 1))
    Crew(attempt, attempt).join()
    assert pipeline.flush(PATIENCE)
    assert len(raised) == 3
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
    pipeline.notify(MOTOR.tick, (8,))
    assert pipeline.flush(PATIENCE)
    assert got == [8]


@pytest.mark.parametrize(
    "call",
    [
        "p.now()",
        "p.notify(MOTOR.tick, bytes(8))",
        "p.notify_many(MOTOR.tick, bytes(8))",
        "p.register(MOTOR)",
        "p.subscribe(MOTOR.tick, print)",
        "p.flush()",
        "p.stats()",
        "p.freeze()",
        "p.close()",
        "tocsin.WorkQueue.__new__(tocsin.WorkQueue).queue(tocsin.Work(print))",
        "tocsin.WorkQueue.__new__(tocsin.WorkQueue).flush()",
        "tocsin.WorkQueue.__new__(tocsin.WorkQueue).freeze()",
        "tocsin.WorkQueue.__new__(tocsin.WorkQueue).close()",
        "tocsin.Event.__new__(tocsin.Event).report",
        "tocsin.Batch.__new__(tocsin.Batch).array",
        "tocsin.Batch.__new__(tocsin.Batch).timestamp",
        "tocsin.Producer.__new__(tocsin.Producer).notify(0, b'')",
        "tocsin.Subscription.__new__(tocsin.Subscription).stats()",
        "tocsin.Subscription.__new__(tocsin.Subscription).cancel()",
    ],
)
def test_an_object_that_was_never_initialised_raises_and_does_not_crash(call: str) -> None:
    code = f"""
from helpers import MOTOR
import tocsin
class P(tocsin.Pipeline):
    def __init__(self):
        pass
p = P()
try:
    {call}
except Exception:
    pass
print("alive", end="")
"""
    assert assert_ends_well(code) == "alive"


def test_initialising_a_pipeline_twice_loses_nothing() -> None:
    code = """
from helpers import MOTOR
import tocsin
pipeline = tocsin.Pipeline()
pipeline.register(MOTOR)
got = []
pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
try:
    pipeline.__init__()
except (RuntimeError, TypeError):
    pass
pipeline.notify(MOTOR.tick, (1,))
assert pipeline.flush(60)
print(got, end="")
"""
    assert assert_ends_well(code) == "[1]"
