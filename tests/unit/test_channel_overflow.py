"""What becomes of events for which a channel has no room, policy by policy."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from helpers import MOTOR, PATIENCE, PUMP, STARTS, Crew, Hold, books_of, eventually

pytestmark = pytest.mark.parametrize("queue_start", STARTS, indirect=True)

LONG = 1000.0  # seconds: a test that waited for these would fail by PATIENCE


@pytest.fixture
def stepwise(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, PUMP)
    return pipeline


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline()
    pipeline.register(MOTOR, PUMP)
    return pipeline


def limits(pipeline: Any, *pairs: tuple[int, int], event: Any = MOTOR.limit) -> None:
    for pair in pairs:
        assert pipeline.notify(event, pair)
    pipeline.flush()


def taken(channel: Any) -> list[tuple[int, int, int]]:
    """Return source, rpm and lost of all that is there now."""
    found = []
    while channel.stats().pending:
        event = channel.get(timeout=0)
        found.append((event.source, event.report.rpm, event.lost))
    return found


# --------------------------------------------------------------------------------- dropping


@pytest.mark.parametrize("overflow", ["drop_newest", "drop_oldest", "latest"])
def test_capacity_is_counted_exactly(stepwise: Any, overflow: str) -> None:
    for capacity in (1, 2, 3, 7, 64, 100):
        with stepwise.channel(MOTOR.limit, capacity=capacity, overflow=overflow) as channel:
            for _ in range(5):  # so that the ring wraps
                limits(stepwise, *((n, n) for n in range(capacity + 3)))
                assert channel.stats().pending == channel.stats().high_water == capacity
                assert len(taken(channel)) == capacity


def test_drop_newest_keeps_what_was_there(stepwise: Any) -> None:
    channel = stepwise.channel(MOTOR.limit, capacity=2)
    limits(stepwise, (1, 1), (2, 2), (3, 3), (4, 4))
    assert taken(channel) == [(1, 1, 0), (2, 2, 0)]


def test_drop_oldest_keeps_the_newest_and_tells_what_went(stepwise: Any) -> None:
    channel = stepwise.channel(MOTOR.limit, capacity=2, overflow="drop_oldest")
    limits(stepwise, *((n, n) for n in range(5)))
    assert taken(channel) == [(3, 3, 3), (4, 4, 0)]
    limits(stepwise, (8, 8))
    assert taken(channel) == [(8, 8, 0)]
    stats = channel.stats()
    assert (stats.offered, stats.dropped, stats.delivered) == (6, 3, 3)


def test_drop_oldest_adds_up_what_dropped_events_had_to_tell(stepwise: Any) -> None:
    channel = stepwise.channel(MOTOR.limit, capacity=1, overflow="drop_oldest")
    limits(stepwise, *((n, n) for n in range(10)))
    assert taken(channel) == [(9, 9, 9)]


def test_latest_overwrites_in_place(stepwise: Any) -> None:
    channel = stepwise.channel(MOTOR.limit, capacity=3, overflow="latest")
    limits(stepwise, (1, 10), (2, 20), (1, 11), (3, 30), (2, 21), (1, 12))
    assert taken(channel) == [(1, 12, 0), (2, 21, 0), (3, 30, 0)]
    stats = channel.stats()
    assert (stats.offered, stats.conflated, stats.dropped, stats.delivered) == (6, 3, 0, 3)


def test_latest_drops_a_new_source_without_room_and_tells_it(stepwise: Any) -> None:
    channel = stepwise.channel(MOTOR.limit, capacity=2, overflow="latest")
    limits(stepwise, (1, 10), (2, 20), (3, 30), (1, 11))
    assert taken(channel) == [(1, 11, 1), (2, 20, 0)]
    limits(stepwise, (3, 31))
    assert taken(channel) == [(3, 31, 0)]
    assert channel.stats().dropped == 1


def test_latest_knows_a_source_only_while_its_event_is_queued(stepwise: Any) -> None:
    channel = stepwise.channel(MOTOR.limit, capacity=64, overflow="latest")
    for round_ in range(200):
        limits(stepwise, *((n, round_) for n in range(round_ % 60)))
        assert taken(channel) == [(n, round_, 0) for n in range(round_ % 60)]
    assert channel.stats().conflated == 0


def test_latest_tells_protocols_events_and_sources_apart(stepwise: Any) -> None:
    channel = stepwise.channel([MOTOR.limit, PUMP.limit, MOTOR.note], overflow="latest")
    limits(stepwise, (1, 1), (65537, 2), (1, 3))
    limits(stepwise, (1, 4), event=PUMP.limit)
    stepwise.notify(MOTOR.note, (1, 2))
    stepwise.flush()
    events = [channel.get(0) for _ in range(4)]
    assert [(event.type, event.report[1]) for event in events] == [
        (MOTOR.limit, 3),
        (MOTOR.limit, 2),
        (PUMP.limit, 4),
        (MOTOR.note, 2),
    ]


@pytest.mark.parametrize("capacity", [1, 4])
def test_latest_overwrites_what_was_queued_before_another_protocol_came_anew(
    stepwise: Any, capacity: int
) -> None:
    channel = stepwise.channel([MOTOR.limit, PUMP.limit], capacity=capacity, overflow="latest")
    for round_ in range(3):
        limits(stepwise, (1, round_))
        stepwise.unregister(PUMP)
        stepwise.register(PUMP)
    limits(stepwise, (1, 3))
    assert (channel.stats().conflated, channel.stats().dropped) == (3, 0)
    assert taken(channel) == [(1, 3, 0)]


def test_latest_leaves_what_an_earlier_registration_queued(stepwise: Any) -> None:
    channel = stepwise.channel([MOTOR.limit, PUMP.limit], overflow="latest")
    limits(stepwise, (1, 1))
    stepwise.unregister(MOTOR)
    stepwise.register(MOTOR)
    limits(stepwise, (1, 2), (1, 3))
    limits(stepwise, (1, 4), event=PUMP.limit)
    assert taken(channel) == [(1, 1, 0), (1, 3, 0), (1, 4, 0)]


def test_a_longer_payload_fits_in_the_place_of_a_shorter_one(stepwise: Any) -> None:
    protocol = tocsin.Protocol(0x90, "texts", {"text": tocsin.EventType(0, max_size=100)})
    stepwise.register(protocol)
    channel = stepwise.channel(protocol.text, capacity=2, overflow="latest")
    for text in (b"a", b"b" * 100, b"", b"c" * 50):
        stepwise.notify(protocol.text, text)
    stepwise.flush()
    assert channel.get(0).payload == b"c" * 50
    assert channel.stats().conflated == 3


def test_more_losses_than_a_header_can_tell_are_told_at_once(stepwise: Any) -> None:
    channel = stepwise.channel(MOTOR.limit, capacity=8)
    many = bytes(8) * 70_000
    assert stepwise.notify_many(MOTOR.limit, many) == 70_000
    stepwise.flush()
    taken(channel)
    limits(stepwise, (1, 1))
    assert taken(channel) == [(1, 1, 69_992)]


def test_events_without_a_largest_size_share_as_many_bytes_as_their_queue(
    make_pipeline: Callable[..., Any],
) -> None:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, queue_size=1024)
    channel = pipeline.channel(MOTOR.raw, capacity=1000)
    for _ in range(20):
        pipeline.notify(MOTOR.raw, bytes(48))  # and 16 of header: 64 of 1024
        pipeline.flush()
    stats = channel.stats()
    assert (stats.pending, stats.dropped) == (16, 4)


# --------------------------------------------------------------------------------- blocking


def fill(pipeline: Any, channel: Any) -> None:
    """Fill a channel until its protocol waits."""
    for n in range(channel.capacity + 1):
        pipeline.notify(MOTOR.limit, (n, n))
    eventually(lambda: channel.stats().waits)


def test_block_waits_until_a_reader_has_made_room(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.limit, capacity=2, overflow="block", timeout=LONG)
    fill(pipeline, channel)
    assert pipeline.flush(0) is False
    assert (books_of(pipeline).delivered, books_of(pipeline).pending) == (2, 1)
    assert channel.get(0).report.rpm == 0
    assert pipeline.flush(PATIENCE) is True
    assert taken(channel) == [(1, 1, 0), (2, 2, 0)]
    assert channel.stats().dropped == 0


def test_block_lets_no_other_subscriber_go_ahead(pipeline: Any) -> None:
    got: list[int] = []
    pipeline.subscribe(MOTOR.limit, lambda event: got.append(event.source))
    channel = pipeline.channel(MOTOR.limit, capacity=2, overflow="block", timeout=LONG)
    fill(pipeline, channel)
    eventually(lambda: got == [0, 1], lambda: got)
    channel.get()
    assert pipeline.flush(PATIENCE)
    assert got == [0, 1, 2]


def test_block_holds_no_other_protocol_up_and_no_worker(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline(workers=1, max_workers=1)
    pipeline.register(MOTOR, PUMP)
    channel = pipeline.channel(MOTOR.limit, capacity=2, overflow="block", timeout=LONG)
    others = pipeline.channel(PUMP.limit)
    fill(pipeline, channel)
    for n in range(100):
        pipeline.notify(PUMP.limit, (n, n))
        assert others.get(timeout=PATIENCE).source == n
    channel.close()


def test_block_drops_when_time_is_over_and_then_at_once(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.limit, capacity=2, overflow="block", timeout=0.05)
    began = time.monotonic()
    for n in range(1000):
        pipeline.notify(MOTOR.limit, (n, n))
    assert pipeline.flush(PATIENCE)
    assert time.monotonic() - began < 1000 * 0.05 / 2
    stats = channel.stats()
    assert (stats.waits, stats.dropped, stats.pending) == (1, 998, 2)
    assert taken(channel) == [(0, 0, 0), (1, 1, 0)]
    limits(pipeline, (7, 7))
    assert taken(channel) == [(7, 7, 998)]


def test_block_waits_anew_when_a_reader_has_made_room(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.limit, capacity=1, overflow="block", timeout=0.02)
    limits(pipeline, (0, 0), (1, 1))
    assert channel.stats().dropped == 1
    channel.get(0)
    limits(pipeline, (2, 2), (3, 3))
    assert (channel.stats().waits, channel.stats().dropped) == (2, 2)
    limits(pipeline, (4, 4))
    assert (channel.stats().waits, channel.stats().dropped) == (2, 3)


def test_block_offers_an_event_once_although_another_channel_is_full(pipeline: Any) -> None:
    roomy = pipeline.channel(MOTOR.limit, overflow="block", timeout=LONG)
    small = pipeline.channel(MOTOR.limit, capacity=1, overflow="block", timeout=LONG)
    late = pipeline.channel(MOTOR.limit, source=1, overflow="block", timeout=LONG)
    fill(pipeline, small)
    assert roomy.stats().pending == 2
    small.get()
    assert pipeline.flush(PATIENCE)
    assert (roomy.stats().offered, small.stats().offered, late.stats().offered) == (2, 2, 1)
    assert books_of(pipeline).delivered == 2


def test_block_with_two_full_channels_waits_for_both_at_once(pipeline: Any) -> None:
    channels = [pipeline.channel(MOTOR.limit, capacity=1, overflow="block", timeout=LONG) for _ in range(2)]
    fill(pipeline, channels[0])
    eventually(lambda: channels[1].stats().waits)
    channels[1].get()
    assert pipeline.flush(0.01) is False
    channels[0].get()
    assert pipeline.flush(PATIENCE) is True
    assert [channel.stats().pending for channel in channels] == [1, 1]


def test_block_in_both_chains_of_an_event_waits_once(pipeline: Any) -> None:
    keys = [MOTOR.limit.key(), MOTOR.limit.key(1)]
    channel = pipeline.channel(keys, capacity=1, overflow="block", timeout=LONG)
    fill(pipeline, channel)
    before = books_of(pipeline).activations
    channel.get()
    assert pipeline.flush(PATIENCE)
    assert (channel.stats().offered, channel.stats().waits, channel.stats().dropped) == (2, 1, 0)
    assert taken(channel) == [(1, 1, 0)]
    assert books_of(pipeline).activations - before <= 2


def test_block_without_threads_never_waits(stepwise: Any) -> None:
    channel = stepwise.channel(MOTOR.limit, capacity=2, overflow="block", timeout=LONG)
    limits(stepwise, *((n, n) for n in range(5)))
    assert (channel.stats().dropped, channel.stats().waits) == (3, 0)


@pytest.mark.parametrize("end", ["channel", "subscription", "unregister", "close"])
def test_no_end_hangs_on_a_channel_that_blocks(pipeline: Any, end: str) -> None:
    timeout = LONG if end in ("channel", "subscription") else 0.05
    channel = pipeline.channel(MOTOR.limit, capacity=2, overflow="block", timeout=timeout)
    fill(pipeline, channel)
    if end == "channel":
        channel.close()
        assert pipeline.flush(PATIENCE)
    elif end == "subscription":
        channel.subscription.cancel()
        assert pipeline.flush(PATIENCE)
    elif end == "unregister":
        assert pipeline.unregister(MOTOR, timeout=PATIENCE)
    else:
        assert pipeline.close(PATIENCE)
    assert len(taken(channel)) == 2


def test_a_close_that_runs_out_of_time_abandons_what_waits(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.limit, capacity=2, overflow="block", timeout=LONG)
    fill(pipeline, channel)
    assert pipeline.close(0.01) is False
    assert (books_of(pipeline).delivered, books_of(pipeline).abandoned) == (2, 1)
    assert len(list(channel)) == 2


def test_what_waits_stays_frozen_until_the_thaw(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.limit, capacity=2, overflow="block", timeout=LONG)
    fill(pipeline, channel)
    pipeline.freeze()
    channel.get(0)
    assert pipeline.flush(0.02) is False
    assert channel.stats().pending == 1
    pipeline.thaw()
    assert pipeline.flush(PATIENCE)
    assert channel.stats().pending == 2


def test_a_subscriber_that_comes_while_an_event_waits_hears_it(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.limit, capacity=1, overflow="block", timeout=LONG)
    fill(pipeline, channel)
    got: list[int] = []
    pipeline.subscribe(MOTOR.limit, lambda event: got.append(event.source))
    channel.get()
    assert pipeline.flush(PATIENCE)
    assert got == [1]


def test_batches_in_hand_are_called_although_the_next_event_waits(pipeline: Any) -> None:
    sizes: list[int] = []
    pipeline.subscribe(MOTOR.limit, lambda batch: sizes.append(len(batch)), batch=True)
    channel = pipeline.channel(MOTOR.limit, capacity=3, overflow="block", timeout=LONG)
    fill(pipeline, channel)
    eventually(lambda: sum(sizes) == 3, lambda: sizes)
    channel.close()
    assert pipeline.flush(PATIENCE)
    assert sum(sizes) == 4


def test_a_flood_into_a_full_channel_keeps_no_worker_busy(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Hold]
) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR)
    channel = pipeline.channel(MOTOR.limit, capacity=1, overflow="block", timeout=LONG)
    fill(pipeline, channel)
    before = books_of(pipeline).activations
    for n in range(20_000):
        pipeline.notify(MOTOR.limit, (n, n))
    assert books_of(pipeline).activations - before < 100
    channel.close()


def test_a_reader_empties_what_blocks(pipeline: Any) -> None:
    channel = pipeline.channel(MOTOR.limit, capacity=4, overflow="block", timeout=LONG)
    got: list[int] = []
    done = threading.Event()

    def read() -> None:
        for batch in channel.batches():
            got.extend(batch.array["rpm"].tolist())
        done.set()

    reader = Crew(read)
    for n in range(5000):
        pipeline.notify(MOTOR.limit, (n % 3, n))
    assert pipeline.flush(PATIENCE)
    channel.close()
    reader.join()
    assert got == list(range(5000))
    assert channel.stats().dropped == 0
