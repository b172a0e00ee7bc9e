"""Twenty-one defects and limits of the notification core that this one was rebuilt from, each provoked here.

They were found by reading. The number in a test's name is that of the list: 1 an empty payload stops the
queue; 2 a refused callback stays on the chain; 3 registering twice; 4 unregistering what is not there; 5 ALL
with some sources refused; 6 sources wider than 16 bits; 7 ids must be dense; 8 sizes are not checked against
the payload's own count; 9 one report buffer for all; 10 a single writer, unchecked; 11 no counters; 12 a
queue that takes one event; 13 a flood keeps the worker; 14 callbacks are not isolated; 15 purged in silence;
16 sources stay on at the end; 17 the end races with the receiver; 18 pending is looked at without the lock;
19 all errors look the same; 20 gaps can't be seen; 21 initialisation that fails leaves things behind.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tocsin
from helpers import MOTOR, PUMP, Crew, Names, Switch, books_of, off, on


@pytest.fixture
def failures() -> list[Any]:
    return []


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any], failures: list[Any]) -> Any:
    return make_pipeline(workers=0, on_error=failures.append)


def test_01_an_empty_payload_is_an_event_like_any_other(pipeline: Any) -> None:
    got: list[bytes] = []
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.raw, lambda event: got.append(event.payload))
    for payload in (b"", b"x", b""):
        pipeline.notify(MOTOR.raw, payload)
        pipeline.flush()
    assert got == [b"", b"x", b""]
    assert books_of(pipeline).pending == 0


def test_02_a_refused_callback_is_on_no_chain_while_others_are(pipeline: Any) -> None:
    names = Names()
    switch = Switch()
    pipeline.register(MOTOR, num_sources=2, set_enabled=switch)
    pipeline.subscribe(MOTOR.limit, names.make("all"), source=0)
    switch.refuse = lambda source, on: True
    with pytest.raises(tocsin.SourceError):
        pipeline.subscribe(MOTOR.limit, names.make("refused"), source=1)
    assert names.of(pipeline, MOTOR.limit, (1, 0)) == []
    assert names.of(pipeline, MOTOR.limit, (0, 0)) == ["all"]


def test_03_the_same_callback_twice_is_refused_and_counts_once(pipeline: Any) -> None:
    switch = Switch()
    pipeline.register(MOTOR, num_sources=1, set_enabled=switch)
    subscription = pipeline.subscribe(MOTOR.limit, print)
    with pytest.raises(ValueError, match="already"):
        pipeline.subscribe(MOTOR.limit, print)
    subscription.cancel()
    assert switch.take() == [*on(0), *off(0)]


def test_04_cancelling_again_takes_nothing_from_the_others(pipeline: Any) -> None:
    names = Names()
    switch = Switch()
    pipeline.register(MOTOR, num_sources=1, set_enabled=switch)
    pipeline.subscribe(MOTOR.limit, names.make("stays"))
    goes = pipeline.subscribe(MOTOR.limit, names.make("goes"))
    for _ in range(5):
        goes.cancel()
    assert names.of(pipeline, MOTOR.limit, (0, 0)) == ["stays"]
    assert switch.take() == on(0)


def test_05_only_what_was_switched_on_is_counted_and_switched_off(pipeline: Any) -> None:
    stuck = {1}
    switch = Switch(lambda source, on: source in stuck)
    pipeline.register(MOTOR, num_sources=3, set_enabled=switch)
    every = pipeline.subscribe(MOTOR.limit, print)
    every.cancel()
    assert switch.take() == [*on(0, 1, 2), *off(0, 2)]
    stuck.clear()
    pipeline.subscribe(MOTOR.limit, print, source=1)
    assert switch.take() == on(1)  # a command, not a count that never was zero


def test_06_a_source_wider_than_16_bits_reaches_all_once_and_nobody_else(pipeline: Any) -> None:
    names = Names()
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.limit, names.make("all"))
    pipeline.subscribe(MOTOR.limit, names.make("two"), source=2)
    for source in (0x10002, 0xFFFF, 0x1FFFF):
        assert names.of(pipeline, MOTOR.limit, (source, 0)) == ["all"]
    with pytest.raises(ValueError, match="65534"):
        pipeline.subscribe(MOTOR.limit, print, source=0x10002)


def test_07_event_ids_need_not_be_dense_nor_in_order(pipeline: Any) -> None:
    names = Names()
    sparse = tocsin.Protocol(0x82, "sparse", {f"e{n}": tocsin.EventType(n) for n in (200, 3, 255)})
    pipeline.register(sparse)
    pipeline.subscribe(sparse.e3, names.make("three"))
    assert names.of(pipeline, sparse.e3, b"") == ["three"]
    assert names.of(pipeline, sparse.e200, b"") == []


def test_08_a_payload_shorter_than_its_own_count_is_refused(pipeline: Any) -> None:
    pipeline.register(MOTOR)
    full = (2).to_bytes(2, "little") + bytes(8)
    assert pipeline.notify(MOTOR.counted, full)
    for payload in (full[:-4], full[:1], b""):
        with pytest.raises(tocsin.PayloadError):
            pipeline.notify(MOTOR.counted, payload)
    assert books_of(pipeline).invalid == 3


def test_09_an_event_that_is_kept_keeps_its_own_report(pipeline: Any) -> None:
    kept: list[Any] = []
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.note, kept.append)
    pipeline.notify(MOTOR.note, (1, 77))
    pipeline.notify(MOTOR.note, (2).to_bytes(4, "little"))  # without the field that may be absent
    pipeline.flush()
    assert [tuple(event.report) for event in kept] == [(1, 77), (2, 0)]


def test_10_several_writers_of_one_protocol_corrupt_nothing(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline()
    got: list[int] = []
    pipeline.register(MOTOR, queue_size=4096)
    pipeline.producer(MOTOR)  # from here on writers work side by side
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))

    def write(me: int) -> None:
        for n in range(2000):
            while not pipeline.notify(MOTOR.tick, (me << 32 | n,), timeout=10):
                pass

    Crew(*(lambda me=me: write(me) for me in range(3))).join()
    assert pipeline.flush(60)
    for me in range(3):
        assert [n & 0xFFFFFFFF for n in got if n >> 32 == me] == list(range(2000))


def test_11_every_event_that_is_not_delivered_is_counted(pipeline: Any) -> None:
    pipeline.register(MOTOR, queue_size=1024)
    accepted = sum(pipeline.notify(MOTOR.tick, (n,)) for n in range(100))
    with pytest.raises(tocsin.PayloadError):
        pipeline.notify(MOTOR.tick, b"short")
    with pytest.raises(tocsin.UnknownEventError):
        pipeline.notify((0x80, 99), b"")
    pipeline.flush()
    books = books_of(pipeline)
    assert (books.accepted, books.refused, books.invalid) == (accepted, 100 - accepted, 1)
    assert books.unclaimed == accepted
    assert books.high_water == 1024
    assert pipeline.stats().unknown == 1


def test_12_a_queue_takes_at_least_two_of_the_longest_event(pipeline: Any) -> None:
    base = tocsin.Protocol(0x10, "base", {"error": tocsin.EventType(0, max_size=8200)})
    with pytest.raises(ValueError, match="more than half"):
        pipeline.register(base, queue_size=16384)
    pipeline.register(base, queue_size=16385)
    assert [pipeline.notify(base.error, bytes(8200)) for _ in range(4)] == [True, True, True, False]


def test_13_a_flood_lets_another_protocol_have_its_turn(pipeline: Any) -> None:
    order: list[int] = []
    pipeline.register(MOTOR, PUMP)
    pipeline.subscribe(MOTOR.tick, lambda event: order.append(0))
    pipeline.subscribe(PUMP.tick, lambda event: order.append(1))
    pipeline.notify_many(MOTOR.tick, bytes(8 * 20_000))
    pipeline.notify(PUMP.tick, (1,))
    pipeline.flush()
    assert order.index(1) <= 2 * 4096
    assert len(order) == 20_001


def test_14_a_callback_that_raises_or_changes_the_chain_harms_nobody(
    pipeline: Any, failures: list[Any]
) -> None:
    names = Names()
    pipeline.register(MOTOR)

    @pipeline.subscribe(MOTOR.tick, priority=9)
    def raises(event: Any) -> None:
        raise ValueError("broken")

    @pipeline.subscribe(MOTOR.tick, priority=8)
    def changes(event: Any) -> None:
        victim.cancel()
        pipeline.subscribe(MOTOR.tick, names.make("new"))

    victim = pipeline.subscribe(MOTOR.tick, names.make("victim"))
    pipeline.subscribe(MOTOR.tick, names.make("other"))
    assert names.of(pipeline, MOTOR.tick, (1,)) == ["other"]
    assert [str(failure.exception) for failure in failures] == ["broken"]


def test_14_a_callback_that_hangs_stops_its_own_protocol_only(
    make_pipeline: Callable[..., Any], make_hold: Callable[[], Any]
) -> None:
    pipeline, hold = make_pipeline(), make_hold()
    heard = threading.Event()
    pipeline.register(MOTOR, PUMP)
    pipeline.subscribe(MOTOR.tick, hold)
    pipeline.subscribe(PUMP.tick, lambda event: heard.set())
    pipeline.notify(MOTOR.tick, (1,))
    hold.await_entry()
    pipeline.notify(PUMP.tick, (1,))
    assert heard.wait(60)


def test_15_a_pending_one_that_is_purged_is_told(pipeline: Any, failures: list[Any]) -> None:
    subscription = pipeline.subscribe((0x80, 99), print)
    pipeline.register(MOTOR)
    assert subscription.state == "purged"
    assert [failure.subscription for failure in failures] == [subscription]


def test_16_closing_switches_sources_off(pipeline: Any) -> None:
    switch = Switch()
    pipeline.subscribe(PUMP.tick, print)  # still pending at the end: no trouble
    pipeline.register(MOTOR, num_sources=2, set_enabled=switch)
    pipeline.subscribe(MOTOR.limit, print)
    pipeline.close()
    assert switch.take() == [*on(0, 1), *off(0, 1)]


def test_17_unregistering_waits_for_no_work_of_its_own_and_leaves_none(
    make_pipeline: Callable[..., Any],
) -> None:
    pipeline = make_pipeline()
    errors: list[str] = []

    def leave(event: Any) -> None:
        subscription.cancel()  # the last one there is
        try:
            pipeline.unregister(MOTOR)
        except RuntimeError as error:
            errors.append(str(error))

    pipeline.register(MOTOR)
    subscription = pipeline.subscribe(MOTOR.tick, leave)
    over = threading.Event()

    def receive() -> None:
        while not over.is_set():
            try:
                pipeline.notify(MOTOR.tick, (1,))
            except tocsin.UnknownEventError:
                over.set()

    crew = Crew(receive)
    while not errors:
        over.wait(0.001)
    assert pipeline.unregister(MOTOR) is True
    crew.join()
    assert "inside a callback" in errors[0]


@pytest.mark.stress
def test_18_one_command_however_subscribing_and_registering_cross(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline()
    for _ in range(200):
        switch = Switch()
        made: list[Any] = []
        both = threading.Barrier(2)

        def register(both: threading.Barrier = both, switch: Switch = switch) -> None:
            both.wait(60)
            pipeline.register(MOTOR, queue_size=1024, num_sources=1, set_enabled=switch)

        def subscribe(both: threading.Barrier = both, made: list[Any] = made) -> None:
            both.wait(60)
            made.append(pipeline.subscribe(MOTOR.limit, print))

        Crew(register, subscribe).join()
        assert switch.take() == on(0)
        assert made[0].state == "active"
        made[0].cancel()
        assert pipeline.unregister(MOTOR)
        assert switch.take() == off(0)


def test_19_each_mistake_has_an_error_of_its_own(pipeline: Any) -> None:
    pipeline.register(MOTOR, num_sources=1, set_enabled=Switch(lambda source, on: True))
    pipeline.register(PUMP)
    pipeline.subscribe(PUMP.tick, print)
    producer = pipeline.producer(PUMP, exclusive=True)
    mistakes: list[tuple[type[Exception], Callable[[], object]]] = [
        (tocsin.SourceError, lambda: pipeline.subscribe(MOTOR.limit, print)),
        (tocsin.UnknownEventError, lambda: pipeline.subscribe((0x80, 99), print)),
        (ValueError, lambda: pipeline.subscribe(PUMP.tick, print)),
        (tocsin.PayloadError, lambda: pipeline.notify(MOTOR.tick, b"x")),
        (tocsin.ExclusiveError, lambda: pipeline.notify(PUMP.tick, (1,))),
    ]
    for error, mistake in mistakes:
        with pytest.raises(error) as raised:
            mistake()
        assert type(raised.value) is error
    producer.close()
    pipeline.close()
    with pytest.raises(tocsin.ClosedError):
        pipeline.subscribe(MOTOR.tick, print)


def test_20_order_is_that_of_acceptance_and_gaps_are_told(pipeline: Any) -> None:
    got: list[Any] = []
    pipeline.register(MOTOR, queue_size=1024)
    pipeline.subscribe(MOTOR.tick, got.append)
    for n in range(40):
        pipeline.notify(MOTOR.tick, (n,), timestamp=100 - n)
    pipeline.flush()
    pipeline.notify(MOTOR.tick, (40,))
    pipeline.flush()
    numbers = [event.report.n for event in got]
    assert numbers == [*range(32), 40]
    assert [event.timestamp for event in got[:3]] == [100, 99, 98]
    assert got[-1].lost == 8


def test_21_what_fails_at_the_beginning_leaves_nothing_behind(pipeline: Any) -> None:
    tasks = Path("/proc/self/task")
    threads = {task.name for task in tasks.iterdir()}
    with pytest.raises(ValueError, match="clock"):
        tocsin.Pipeline(clock="sundial")
    assert {task.name for task in tasks.iterdir()} <= threads
    waiting = pipeline.subscribe(MOTOR.tick, print)
    with pytest.raises(ZeroDivisionError):
        pipeline.register(MOTOR, is_supported=lambda event, source: 1 // 0)
    with pytest.raises(ValueError, match="already"):
        pipeline.register(MOTOR, MOTOR)
    assert waiting.state == "pending"
    pipeline.register(MOTOR)
    assert waiting.state == "active"
