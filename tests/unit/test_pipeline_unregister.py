"""Unregistering: nothing accepted is lost, nothing new comes in, and all of it can begin anew."""

import ctypes
import errno
import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tocsin
from helpers import MOTOR, PUMP, Crew, Motor, Names, Switch, books_of, eventually, off, on

NOTIFY = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_uint8, ctypes.c_char_p, ctypes.c_uint32, ctypes.c_uint64
)


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    return make_pipeline()


def test_what_was_accepted_is_delivered_and_nothing_else_comes_in(pipeline: Any) -> None:
    pipeline.register(MOTOR)
    got: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
    for n in range(1000):
        assert pipeline.notify(MOTOR.tick, (n,))
    assert pipeline.unregister(MOTOR) is True
    assert got == list(range(1000))
    with pytest.raises(tocsin.UnknownEventError, match="not registered"):
        pipeline.notify(MOTOR.tick, (1,))
    with pytest.raises(tocsin.UnknownEventError, match="not registered"):
        pipeline.notify_many(MOTOR.tick, bytes(8))
    assert pipeline.protocols == ()
    assert dict(pipeline.stats().protocols) == {}
    assert pipeline.stats().unknown == 2


def test_registered_again_it_has_new_books_and_the_old_subscriptions(pipeline: Any) -> None:
    names = Names()
    subscription = pipeline.subscribe(MOTOR.tick, names.make("it"))
    for round_ in range(3):
        pipeline.register(MOTOR, queue_size=1024 << round_)
        pipeline.notify(MOTOR.tick, (1,))
        pipeline.flush()
        books = books_of(pipeline)
        assert (books.accepted, books.delivered) == (1, 1)
        assert pipeline.unregister(MOTOR)
        assert subscription.state == "pending"
    assert names == ["it"] * 3
    assert subscription.stats().calls == 3
    assert pipeline.subscriptions == (subscription,)


def test_a_queue_that_never_had_an_event_goes_as_well(pipeline: Any) -> None:
    pipeline.register(MOTOR, PUMP)
    assert pipeline.unregister(PUMP)
    assert pipeline.protocols == (MOTOR,)


def test_sources_are_switched_off_after_the_last_event_and_on_again(pipeline: Any) -> None:
    switch = Switch()
    pipeline.register(MOTOR, num_sources=2, set_enabled=switch)
    pipeline.subscribe(MOTOR.limit, lambda event: switch.commands.append("event"))
    pipeline.subscribe(MOTOR.limit, print, source=1)
    pipeline.notify(MOTOR.limit, (0, 1))
    assert pipeline.unregister(MOTOR)
    assert switch.take() == [*on(0, 1), "event", *off(0, 1)]
    pipeline.register(MOTOR, num_sources=1, set_enabled=switch)
    assert switch.take() == on(0)


def test_an_error_when_switching_off_is_told(make_pipeline: Callable[..., Any]) -> None:
    failures: list[Any] = []
    pipeline = make_pipeline(on_error=failures.append)
    pipeline.register(MOTOR, set_enabled=Switch(lambda source, on: not on))
    pipeline.subscribe(MOTOR.limit, print)
    assert pipeline.unregister(MOTOR) is True
    assert [str(failure.exception) for failure in failures] == ["source ALL is stuck"]


def test_failures_of_sources_go_with_the_protocol(pipeline: Any) -> None:
    pipeline.register(MOTOR, num_sources=2, set_enabled=Switch(lambda source, on: source == 1))
    subscription = pipeline.subscribe(MOTOR.limit, print)
    assert list(subscription.failed_sources) == [1]
    pipeline.unregister(MOTOR)
    assert subscription.failed_sources == {}


def test_other_parts_of_a_subscription_stay_active(pipeline: Any) -> None:
    pipeline.register(MOTOR, PUMP)
    names = Names()
    both = pipeline.subscribe([MOTOR.tick, PUMP.tick], names.make("both"))
    pipeline.unregister(MOTOR)
    assert both.state == "active"
    assert names.of(pipeline, PUMP.tick, (1,)) == ["both"]


def test_subscribing_while_it_is_away_waits(pipeline: Any) -> None:
    pipeline.register(MOTOR)
    pipeline.unregister(MOTOR)
    assert pipeline.subscribe(MOTOR.tick, print).state == "pending"
    assert pipeline.subscribe((0x80, 77), print).state == "pending"


@pytest.mark.parametrize("given", [None, 0x80, "motor", Motor, MOTOR.limit, [MOTOR]])
def test_only_protocols_can_be_unregistered(pipeline: Any, given: Any) -> None:
    with pytest.raises(TypeError, match="takes a registered Protocol"):
        pipeline.unregister(given)


def test_what_is_not_registered_can_not_be_unregistered(pipeline: Any) -> None:
    with pytest.raises(tocsin.UnknownEventError, match="not registered"):
        pipeline.unregister(MOTOR)
    pipeline.register(MOTOR)
    with pytest.raises(tocsin.UnknownEventError, match="not registered"):
        pipeline.unregister(tocsin.Protocol(0x80, "other", {"e": tocsin.EventType(0)}))
    pipeline.unregister(Motor(0x80))  # an equal one is the same
    with pytest.raises(tocsin.UnknownEventError, match="not registered"):
        pipeline.unregister(MOTOR)


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_a_timeout_out_of_range_is_refused(pipeline: Any, timeout: float) -> None:
    pipeline.register(MOTOR)
    with pytest.raises(ValueError, match="timeout"):
        pipeline.unregister(MOTOR, timeout=timeout)
    assert pipeline.notify(MOTOR.tick, (1,))


def test_a_closed_pipeline_says_so(pipeline: Any) -> None:
    pipeline.register(MOTOR)
    pipeline.close()
    with pytest.raises(tocsin.ClosedError):
        pipeline.unregister(MOTOR)


@pytest.mark.parametrize("workers", [0, None])
def test_inside_a_callback_it_would_wait_for_itself(
    make_pipeline: Callable[..., Any], workers: int | None
) -> None:
    pipeline = make_pipeline(workers=workers)
    pipeline.register(MOTOR, PUMP)
    errors: list[str] = []

    @pipeline.subscribe(MOTOR.tick)
    def leave(event: Any) -> None:
        for protocol in (MOTOR, PUMP):
            try:
                pipeline.unregister(protocol)
            except RuntimeError as error:
                errors.append(str(error))

    pipeline.notify(MOTOR.tick, (1,))
    assert pipeline.flush(60)
    assert len(errors) == 2
    assert "inside a callback" in errors[0]
    assert pipeline.protocols == (MOTOR, PUMP)


def test_frozen_without_timeout_it_would_wait_for_ever(pipeline: Any) -> None:
    pipeline.register(MOTOR)
    names = Names()
    pipeline.subscribe(MOTOR.tick, names.make("it"))
    pipeline.freeze()
    pipeline.notify(MOTOR.tick, (1,))
    with pytest.raises(RuntimeError, match="thaw"):
        pipeline.unregister(MOTOR)
    assert pipeline.notify(MOTOR.tick, (2,))
    assert pipeline.unregister(MOTOR, timeout=0.01) is False
    with pytest.raises(tocsin.UnknownEventError):
        pipeline.notify(MOTOR.tick, (3,))
    assert names == []
    pipeline.thaw()
    assert pipeline.unregister(MOTOR) is True
    assert names == ["it", "it"]


def test_out_of_time_it_goes_on_and_can_be_taken_up_again(
    pipeline: Any, make_hold: Callable[[], Any]
) -> None:
    hold = make_hold()
    pipeline.register(MOTOR)
    subscription = pipeline.subscribe(MOTOR.tick, hold)
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.notify(MOTOR.tick, (2,))
    hold.await_entry()
    assert pipeline.unregister(MOTOR, timeout=0) is False
    assert pipeline.protocols == ()
    assert books_of(pipeline).accepted == 2  # its books are there as long as it has events
    assert subscription.state == "active"
    with pytest.raises(tocsin.UnknownEventError, match="not registered"):
        pipeline.producer(MOTOR)
    with pytest.raises(ValueError, match="is being unregistered"):
        pipeline.register(MOTOR)
    late = pipeline.subscribe(MOTOR.tick, print)
    assert late.state == "pending"
    late.cancel()
    hold.go.set()
    assert pipeline.unregister(MOTOR) is True
    assert len(hold.calls) == 2
    assert subscription.state == "pending"
    pipeline.register(MOTOR)


def test_flush_and_close_wait_for_what_a_leaving_protocol_has(
    pipeline: Any, make_hold: Callable[[], Any]
) -> None:
    hold = make_hold()
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.tick, hold)
    pipeline.notify(MOTOR.tick, (1,))
    hold.await_entry()
    assert pipeline.unregister(MOTOR, timeout=0) is False
    assert pipeline.flush(0.01) is False
    hold.go.set()
    assert pipeline.flush(60) is True
    assert pipeline.close(60) is True
    assert books_of(pipeline).delivered == 1


def test_two_threads_may_unregister_the_same(pipeline: Any, make_hold: Callable[[], Any]) -> None:
    hold = make_hold()
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.tick, hold)
    pipeline.notify(MOTOR.tick, (1,))
    hold.await_entry()
    came: list[object] = []
    started = threading.Barrier(4)

    def leave() -> None:
        started.wait(60)
        try:
            came.append(pipeline.unregister(MOTOR))
        except tocsin.UnknownEventError:  # it came when the others were through
            came.append("late")

    crew = Crew(*[leave] * 3)
    started.wait(60)
    eventually(lambda: not pipeline.protocols)
    hold.go.set()
    crew.join()
    assert True in came
    assert len(came) == 3
    assert set(came) <= {True, "late"}
    assert pipeline.protocols == ()


def test_whoever_waits_for_room_is_told(pipeline: Any, make_hold: Callable[[], Any]) -> None:
    hold = make_hold()
    pipeline.register(MOTOR, queue_size=1024)
    pipeline.subscribe(MOTOR.tick, hold)
    while pipeline.notify(MOTOR.tick, (1,)):
        pass
    hold.await_entry()
    errors: list[Exception] = []

    def wait() -> None:
        try:
            pipeline.notify(MOTOR.tick, (1,), timeout=None)
        except tocsin.UnknownEventError as error:
            errors.append(error)

    crew = Crew(wait)
    assert pipeline.unregister(MOTOR, timeout=0) is False
    crew.join()
    assert len(errors) == 1
    hold.go.set()
    assert pipeline.unregister(MOTOR)


@pytest.mark.native_only("subscribe_native")
def test_batches_and_native_subscribers_are_called_before_it_goes(pipeline: Any) -> None:
    function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    calls = [0]

    def count(context: Any, event: Any) -> int:
        calls[0] += 1
        return 0

    pipeline.register(MOTOR)
    batches: list[int] = []
    pipeline.subscribe_native(MOTOR.tick, function(count))
    pipeline.subscribe(MOTOR.tick, lambda batch: batches.append(len(batch)), batch=True)
    for _ in range(3):
        pipeline.notify_many(MOTOR.tick, bytes(8 * 1000))
        assert pipeline.unregister(MOTOR)
        pipeline.register(MOTOR)
    assert calls == [3000]
    assert sum(batches) == 3000


def test_it_works_step_by_step_without_threads(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline(workers=0)
    names = Names()
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.tick, names.make("it"))
    pipeline.notify(MOTOR.tick, (1,))
    assert names == []
    assert pipeline.unregister(MOTOR)
    assert names == ["it"]
    pipeline.register(MOTOR)
    assert names.of(pipeline, MOTOR.tick, (1,)) == ["it"]


# -- producers --------------------------------------------------------------------------------------


@pytest.mark.native_only("the producer's address")
@pytest.mark.parametrize("exclusive", [False, True])
def test_a_producer_answers_that_it_is_shut_also_from_native_code(pipeline: Any, exclusive: bool) -> None:
    pipeline.register(MOTOR)
    producer = pipeline.producer(MOTOR, exclusive=exclusive)
    notify = NOTIFY(producer.function)
    assert notify(producer.address, 1, bytes(8), 8, 0) == 0
    assert pipeline.unregister(MOTOR)
    assert producer.closed
    assert notify(producer.address, 1, bytes(8), 8, 0) == -errno.ESHUTDOWN
    with pytest.raises(tocsin.ClosedError):
        producer.notify(1, bytes(8))
    pipeline.register(MOTOR)
    assert notify(producer.address, 1, bytes(8), 8, 0) == -errno.ESHUTDOWN
    assert "closed" in repr(producer)
    fresh = pipeline.producer(MOTOR, exclusive=exclusive)
    assert notify(fresh.address, 1, bytes(8), 8, 0) == 0
    producer.close()
    assert notify(fresh.address, 1, bytes(8), 8, 0) == 0
    assert pipeline.flush(60)
    assert books_of(pipeline).accepted == 2


@pytest.mark.native_only("the producer's address")
def test_a_handle_stays_valid_memory_when_all_else_has_gone() -> None:
    pipeline = tocsin.Pipeline()
    pipeline.register(MOTOR)
    producer = pipeline.producer(MOTOR)
    notify = NOTIFY(producer.function)
    pipeline.unregister(MOTOR)
    pipeline.close()
    del pipeline
    gc.collect()
    for _ in range(100):
        assert notify(producer.address, 1, bytes(8), 8, 0) == -errno.ESHUTDOWN
        assert notify(producer.address, 1, None, 8, 0) == -errno.EINVAL


def test_a_protocol_that_an_exclusive_producer_had_is_free_again(pipeline: Any) -> None:
    pipeline.register(MOTOR)
    pipeline.producer(MOTOR, exclusive=True)
    pipeline.unregister(MOTOR)
    pipeline.register(MOTOR)
    assert pipeline.notify(MOTOR.tick, (1,))
    with pipeline.producer(MOTOR, exclusive=True) as producer:
        assert producer.notify(1, bytes(8))


# -- memory -----------------------------------------------------------------------------------------


def resident() -> int:
    """Return how many KiB of memory the process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


def mapped() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * 4


def test_registering_and_unregistering_for_ever_keeps_no_memory(pipeline: Any) -> None:
    subscription = pipeline.subscribe(MOTOR.tick, lambda event: None)
    kept = [pipeline.subscribe(MOTOR.limit, print)]

    def cycle() -> None:
        pipeline.register(MOTOR)
        kept[0].cancel()  # cancelled while bound, and still in somebody's hands
        kept.append(pipeline.subscribe(MOTOR.limit, print))
        del kept[0]
        pipeline.notify(MOTOR.tick, (1,))
        assert pipeline.unregister(MOTOR)

    for _ in range(200):
        cycle()
    gc.collect()
    before = resident(), mapped()
    for _ in range(2000):
        cycle()
    gc.collect()
    grown = resident() - before[0], mapped() - before[1]
    # One of the queue's pages for each, kept, would be 8,000; one ring 4,096.
    assert grown[0] < 1000, grown
    assert grown[1] < 4096, grown
    assert subscription.stats().calls == 2200


def test_a_cancelled_subscription_in_hand_keeps_no_ring(pipeline: Any) -> None:
    before = mapped()
    kept = []
    for _ in range(20):
        pipeline.register(MOTOR, queue_size=64 << 20)
        kept.append(pipeline.subscribe(MOTOR.tick, lambda event: None))
        pipeline.notify(MOTOR.tick, (1,))
        pipeline.flush()
        kept[-1].cancel()
        assert pipeline.unregister(MOTOR)
    assert mapped() - before < 5 * (64 << 10)


def test_a_producer_in_hand_keeps_no_ring(pipeline: Any) -> None:
    before = mapped()
    kept = []
    for _ in range(20):
        pipeline.register(MOTOR, queue_size=16 << 20)
        kept.append(pipeline.producer(MOTOR))
        assert pipeline.unregister(MOTOR)
    assert mapped() - before < 5 * (16 << 10)


# -- while others are at it -------------------------------------------------------------------------


@pytest.mark.stress
@pytest.mark.parametrize("native", [False, True])
def test_protocols_that_come_and_go_under_a_flood_lose_nothing(pipeline: Any, native: bool) -> None:
    """Every accepted event is delivered, from Python writers and through a producer's shared ring."""
    accepted = [0, 0]
    got = [0]
    over = threading.Event()

    def hear(event: Any) -> None:
        got[0] += 1

    def flood(me: int) -> None:
        while not over.is_set():
            try:
                accepted[me] += pipeline.notify(MOTOR.tick, (1,))
            except tocsin.UnknownEventError:
                continue

    def look() -> None:
        while not over.is_set():
            for books in pipeline.stats().protocols.values():
                assert books.accepted == (books.delivered + books.unclaimed + books.abandoned + books.pending)

    pipeline.subscribe(MOTOR.tick, hear)
    crew = Crew(lambda: flood(0), lambda: flood(1), look)
    try:
        for _ in range(200):
            pipeline.register(MOTOR, queue_size=1024)
            if native:
                pipeline.producer(MOTOR)
            assert pipeline.unregister(MOTOR)
    finally:
        over.set()
    crew.join()
    assert got[0] == sum(accepted)


@pytest.mark.native_only("the producer's address")
@pytest.mark.stress
def test_native_writers_at_a_protocol_that_goes_get_an_answer_each_time(pipeline: Any) -> None:
    got = [0]
    answers: list[set[int]] = []
    accepted: list[int] = []

    def hear(event: Any) -> None:
        got[0] += 1

    def write(producer: Any) -> None:
        notify = NOTIFY(producer.function)
        seen = [notify(producer.address, 1, bytes(8), 8, 0) for _ in range(200)]
        while seen[-1] != -errno.ESHUTDOWN:
            seen.append(notify(producer.address, 1, bytes(8), 8, 0))
        answers.append(set(seen))
        accepted.append(seen.count(0))

    pipeline.subscribe(MOTOR.tick, hear)
    for _ in range(20):
        pipeline.register(MOTOR, queue_size=1024)
        producer = pipeline.producer(MOTOR)
        crew = Crew(*[lambda producer=producer: write(producer)] * 2)
        assert pipeline.unregister(MOTOR)
        crew.join()
    assert set().union(*answers) <= {0, -errno.ENOBUFS, -errno.ESHUTDOWN}
    assert got[0] == sum(accepted)
