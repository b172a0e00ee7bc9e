"""Channels: what is taken from one, in which order, and how one waits for it and ends."""

import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from helpers import MOTOR, PATIENCE, PUMP, STARTS, Crew, Hold, books_of, eventually

pytestmark = pytest.mark.parametrize("queue_start", STARTS, indirect=True)


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, PUMP)
    return pipeline


@pytest.fixture
def stepwise(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, PUMP)
    return pipeline


def ticks(pipeline: Any, *numbers: int, event: Any = MOTOR.tick) -> None:
    for n in numbers:
        assert pipeline.notify(event, (n,))
    pipeline.flush()


def taken(channel: Any) -> list[int]:
    """Return the numbers of all ticks that are there now."""
    found = []
    while channel.stats().pending:
        found.append(channel.get(timeout=0).report.n)
    return found


# --------------------------------------------------------------------------------- taking


def test_events_come_in_order_with_all_that_they_tell(pipeline: Any) -> None:
    with pipeline.channel(MOTOR.limit) as channel:
        for n in range(3):
            pipeline.notify(MOTOR.limit, (n, -n), timestamp=100 + n)
        events = [channel.get(timeout=PATIENCE) for _ in range(3)]
    assert [(event.source, event.report, event.timestamp, event.lost) for event in events] == [
        (n, (n, -n), 100 + n, 0) for n in range(3)
    ]
    assert events[0].type is MOTOR.limit
    assert type(events[0]) is tocsin.Event


def test_only_what_it_listens_to_comes(stepwise: Any) -> None:
    channel = stepwise.channel(MOTOR.limit, source=3)
    for source in (3, 4, 3):
        stepwise.notify(MOTOR.limit, (source, 0))
    stepwise.notify(MOTOR.tick, (1,))
    stepwise.notify(PUMP.limit, (3, 0))
    stepwise.flush()
    assert channel.stats().pending == 2
    assert books_of(stepwise).unclaimed == 2


def test_several_protocols_and_events_share_one_channel(stepwise: Any) -> None:
    channel = stepwise.channel([MOTOR.tick, PUMP])
    ticks(stepwise, 1)
    ticks(stepwise, 2, event=PUMP.tick)
    stepwise.notify(PUMP.raw, b"x" * 100)
    stepwise.flush()
    assert [event.type for event in (channel.get(0), channel.get(0), channel.get(0))] == [
        MOTOR.tick,
        PUMP.tick,
        PUMP.raw,
    ]


def test_an_event_that_two_keys_name_comes_once(stepwise: Any) -> None:
    channel = stepwise.channel([MOTOR.limit.key(3), MOTOR.limit.key()])
    stepwise.notify(MOTOR.limit, (3, 1))
    stepwise.flush()
    assert channel.stats().offered == channel.stats().pending == 1


def test_long_payloads_and_none_come_whole(stepwise: Any) -> None:
    channel = stepwise.channel(MOTOR.raw)
    payloads = [bytes([n % 256]) * n for n in (0, 1, 15, 16, 17, 64, 65, 500, 5000)]
    for payload in payloads:
        stepwise.notify(MOTOR.raw, payload)
    stepwise.flush()
    assert [channel.get(0).payload for _ in payloads] == payloads


def test_a_callback_may_look_but_not_wait(pipeline: Any) -> None:
    problems: list[Any] = []
    channel = pipeline.channel(PUMP.tick)

    @pipeline.subscribe(MOTOR.tick)
    def look(event: Any) -> None:
        for timeout in (0, None, 5):
            try:
                channel.get(timeout=timeout)
            except (TimeoutError, RuntimeError) as error:
                problems.append(error)

    ticks(pipeline, 1)
    assert [type(problem) for problem in problems] == [TimeoutError, RuntimeError, RuntimeError]
    assert "inside a callback" in str(problems[1])


def test_no_stop_keeps_an_event_from_a_channel(stepwise: Any) -> None:
    stepwise.subscribe(MOTOR.tick, lambda event: tocsin.STOP, priority=10)
    channel = stepwise.channel(MOTOR.tick)
    ticks(stepwise, 1)
    assert taken(channel) == [1]


def test_a_full_channel_changes_nothing_in_the_books_of_the_protocol(stepwise: Any) -> None:
    channel = stepwise.channel(MOTOR.tick, capacity=2)
    ticks(stepwise, *range(5))
    assert (books_of(stepwise).delivered, books_of(stepwise).unclaimed) == (5, 0)
    assert channel.stats().dropped == 3


# --------------------------------------------------------------------------------- batches


def test_a_batch_has_one_type_and_ends_where_another_one_begins(stepwise: Any) -> None:
    channel = stepwise.channel(MOTOR)
    ticks(stepwise, 1, 2)
    stepwise.notify(MOTOR.limit, (3, 4))
    ticks(stepwise, 5)
    batches = [channel.get_batch(timeout=0) for _ in range(3)]
    assert [(batch.type, len(batch)) for batch in batches] == [
        (MOTOR.tick, 2),
        (MOTOR.limit, 1),
        (MOTOR.tick, 1),
    ]
    assert batches[0].array["n"].tolist() == [1, 2]
    with pytest.raises(TimeoutError):
        channel.get_batch(timeout=0)


def test_a_batch_has_at_most_so_many_events(stepwise: Any) -> None:
    channel = stepwise.channel(MOTOR.tick)
    ticks(stepwise, *range(300))
    sizes = [len(channel.get_batch(200)), len(channel.get_batch(1)), len(channel.get_batch())]
    assert sizes == [200, 1, 99]
    with pytest.raises(ValueError, match="max_events must be at least 1, not 0"):
        channel.get_batch(0)


def test_a_batch_that_is_kept_stays_as_it_is(stepwise: Any) -> None:
    channel = stepwise.channel(MOTOR.tick)
    kept = []
    arrays = []
    for n in range(10):
        ticks(stepwise, n, n)
        batch = channel.get_batch()
        if n % 3 == 0:
            kept.append((n, batch))
        elif n % 3 == 1:
            arrays.append((n, batch.array["n"]))
    assert [(n, batch.array["n"].tolist()) for n, batch in kept] == [(n, [n, n]) for n in range(0, 10, 3)]
    assert [(n, array.tolist()) for n, array in arrays] == [(n, [n, n]) for n in range(1, 10, 3)]


def test_a_loop_takes_no_event_that_it_doesnt_give(stepwise: Any) -> None:
    channel = stepwise.channel(MOTOR.tick)
    ticks(stepwise, 1, 2, 3, 4)
    for event in channel:
        if event.report.n == 2:
            break
    assert next(iter(channel)).report.n == 3
    assert channel.get(0).report.n == 4


def test_batches_end_with_the_channel(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.tick)
    seen: list[int] = []
    reader = Crew(lambda: seen.extend(n for batch in channel.batches() for n in batch.array["n"].tolist()))
    ticks(pipeline, *range(500))
    channel.close()
    reader.join()
    assert seen == list(range(500))


# --------------------------------------------------------------------------------- losses


def test_losses_are_told_once_by_the_next_event(stepwise: Any) -> None:
    channel = stepwise.channel(MOTOR.tick, capacity=2)
    ticks(stepwise, 1, 2, 3, 4)
    assert [channel.get(0).lost for _ in range(2)] == [0, 0]
    ticks(stepwise, 5, 6)
    assert [(event.report.n, event.lost) for event in (channel.get(0), channel.get(0))] == [(5, 2), (6, 0)]


def test_what_the_queue_refused_is_told_too(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, queue_size=1024)
    channel = pipeline.channel(MOTOR.tick, capacity=10)
    accepted = sum(pipeline.notify(MOTOR.tick, (n,)) for n in range(40))
    assert accepted == 32
    pipeline.flush()
    taken(channel)
    ticks(pipeline, 99)
    assert channel.get(0).lost == 22 + 8


# --------------------------------------------------------------------------------- waiting


def test_a_reader_that_waits_gets_the_event(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.tick)
    got: list[Any] = []
    reader = Crew(lambda: got.append(channel.get(timeout=PATIENCE)))
    ticks(pipeline, 7)
    reader.join()
    assert got[0].report.n == 7


def test_an_empty_channel_lets_time_run_out(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.tick)
    for timeout in (0, 0.001):
        with pytest.raises(TimeoutError, match="no event came in time"):
            channel.get(timeout=timeout)
        with pytest.raises(TimeoutError):
            channel.get_batch(timeout=timeout)
    with pytest.raises(ValueError, match="at least 0"):
        channel.get(timeout=-1)
    with pytest.raises(TypeError, match="number of seconds"):
        channel.get(timeout="1")


def test_a_waiting_reader_answers_signals(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.tick)

    def interrupt(number: int, frame: Any) -> None:
        raise InterruptedError("a signal came")

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises(InterruptedError):
            channel.get()
    finally:
        signal.signal(signal.SIGALRM, before)
    ticks(pipeline, 1)
    assert taken(channel) == [1]


# --------------------------------------------------------------------------------- the end


def test_a_closed_channel_gives_what_it_has_and_then_ends(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.tick)
    ticks(pipeline, 1, 2, 3)
    channel.close()
    channel.close()
    assert channel.closed
    assert channel.subscription.state == "cancelled"
    ticks(pipeline, 4)
    assert channel.get().report.n == 1
    assert [event.report.n for event in channel] == [2, 3]
    for ask in (channel.get, channel.get_batch):
        with pytest.raises(tocsin.ClosedError, match="nothing is left in it"):
            ask(timeout=0)


@pytest.mark.parametrize("end", ["channel", "subscription", "pipeline", "dropped"])
def test_every_end_wakes_all_readers(make_pipeline: Callable[..., Any], end: str) -> None:
    pipeline = tocsin.Pipeline()
    pipeline.register(MOTOR)
    channel = pipeline.channel([MOTOR.tick, (0x99, 0)])
    ended: list[str] = []

    def read() -> None:
        for _ in channel:
            pytest.fail("nothing was sent")
        with pytest.raises(tocsin.ClosedError):
            channel.get()
        ended.append(end)

    readers = Crew(read, read, read)
    if end == "channel":
        channel.close()
    elif end == "subscription":
        channel.subscription.cancel()
    elif end == "pipeline":
        pipeline.close()
    else:
        del pipeline
    readers.join()
    assert ended == [end] * 3


def test_closing_the_pipeline_leaves_readers_what_was_accepted(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR)
    channel = pipeline.channel(MOTOR.tick)
    for n in range(100):
        pipeline.notify(MOTOR.tick, (n,))
    assert pipeline.close() is True
    assert [event.report.n for event in channel] == list(range(100))


def test_closing_a_channel_waits_for_nobody(pipeline: Any, make_hold: Callable[[], Hold]) -> None:
    hold = make_hold()
    pipeline.subscribe(MOTOR.tick, hold)
    channel = pipeline.channel(MOTOR.tick)
    pipeline.notify(MOTOR.tick, (1,))
    hold.await_entry()
    channel.close()
    assert taken(channel) == [1]


def test_a_channel_may_be_closed_inside_a_callback(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.tick)
    pipeline.subscribe(MOTOR.tick, lambda event: channel.close())
    ticks(pipeline, 1)
    assert [event.report.n for event in channel] == [1]


def test_dropping_a_channel_does_not_end_it(stepwise: Any) -> None:
    stepwise.channel(MOTOR.tick)
    ticks(stepwise, 1)
    assert books_of(stepwise).delivered == 1
    (subscription,) = stepwise.subscriptions
    assert taken(subscription.callback) == [1]


def test_a_channel_outlives_its_pipeline(make_pipeline: Callable[..., Any]) -> None:
    pipeline = tocsin.Pipeline(workers=0)
    pipeline.register(MOTOR)
    channel = pipeline.channel(MOTOR.tick)
    ticks(pipeline, 1, 2)
    del pipeline
    assert [event.report.n for event in channel] == [1, 2]
    channel.close()
    assert "closed" in repr(channel)


# --------------------------------------------------------------------------------- late binding


def test_a_channel_waits_for_its_protocol_and_outlives_it(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline(workers=0)
    channel = pipeline.channel((0x80, 1), capacity=10)
    assert channel.subscription.state == "pending"
    with pytest.raises(TimeoutError):
        channel.get(timeout=0)
    for round_ in range(3):
        pipeline.register(MOTOR)
        ticks(pipeline, round_)
        pipeline.unregister(MOTOR)
        assert channel.subscription.state == "pending"
    assert taken(channel) == [0, 1, 2]


def test_events_of_an_earlier_registration_keep_their_types(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline(workers=0)
    one = tocsin.Protocol(0x80, "one", {"e": tocsin.EventType(0, {"a": "u1"})})
    other = tocsin.Protocol(0x80, "other", {"e": tocsin.EventType(0, {"b": "u8", "c": "u8"}, source="b")})
    channel = pipeline.channel((0x80, 0), capacity=4)
    for protocol, report in ((one, (1,)), (other, (2, 3)), (one, (4,))):
        pipeline.register(protocol)
        pipeline.notify((0x80, 0), report if protocol is one else protocol.events[0].pack(*report))
        pipeline.flush()
        pipeline.unregister(protocol)
    events = [channel.get(0) for _ in range(3)]
    assert [(event.type.protocol.name, event.report, event.source) for event in events] == [
        ("one", (1,), 0),
        ("other", (2, 3), 2),
        ("one", (4,), 0),
    ]
    assert channel.stats().offered == 3


def test_several_protocols_that_come_one_after_the_other_fit(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline(workers=0)
    protocols = [
        tocsin.Protocol(n, f"p{n}", {"e": tocsin.EventType(0, max_size=1 << n, source=None)})
        for n in range(1, 9)
    ]
    channel = pipeline.channel([(n, 0) for n in range(1, 9)], capacity=16)
    for protocol in protocols:
        pipeline.register(protocol)
        for _ in range(2):
            pipeline.notify((protocol.id, 0), bytes([protocol.id]) * (1 << protocol.id))
        pipeline.flush()
    events = [channel.get(0) for _ in range(16)]
    assert [(event.protocol, len(event.payload)) for event in events] == [
        (n, 1 << n) for n in range(1, 9) for _ in range(2)
    ]
    assert channel.stats().dropped == 0


def test_an_event_that_the_protocol_lacks_ends_a_channel(make_pipeline: Callable[..., Any]) -> None:
    failures: list[Any] = []
    pipeline = make_pipeline(workers=0, on_error=failures.append)
    channel = pipeline.channel((0x80, 77))
    pipeline.register(MOTOR)
    assert channel.subscription.state == "purged"
    assert isinstance(failures[0].exception, tocsin.UnknownEventError)
    with pytest.raises(tocsin.ClosedError):
        channel.get()


# --------------------------------------------------------------------------------- what it says


def test_repr_and_books(stepwise: Any) -> None:
    channel = stepwise.channel(MOTOR.tick, capacity=8)
    ticks(stepwise, *range(12))
    channel.get(0)
    assert repr(channel) == "<Channel 0x80/1 source=ALL active drop_newest 7 of 8>"
    stats = channel.stats()
    assert stats == tocsin.ChannelStats(
        offered=12, delivered=1, dropped=4, conflated=0, pending=7, capacity=8, high_water=8, waits=0
    )
    assert (channel.capacity, channel.overflow, channel.timeout) == (8, "drop_newest", None)
    assert [thread.name for thread in threading.enumerate() if "channel" in thread.name] == []


def test_high_water_is_the_most_that_were_queued(stepwise: Any) -> None:
    channel = stepwise.channel(MOTOR.tick, capacity=8)
    for n in (3, 5, 2):
        ticks(stepwise, *range(n))
        taken(channel)
    assert channel.stats().high_water == 5


def test_sources_are_switched_for_a_channel(make_pipeline: Callable[..., Any]) -> None:
    commands: list[Any] = []
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, set_enabled=lambda event, source, on: commands.append((source, on)))
    with pipeline.channel(MOTOR.limit, source=3):
        pass
    eventually(lambda: len(commands) == 2)
    assert commands == [(3, True), (3, False)]
