"""Subscribing: who is called for an event, and in which order."""

from collections.abc import Callable
from typing import Any

import pytest

import tocsin
from helpers import MOTOR, PUMP, Motor, Names, assert_ends_well, books_of
from tocsin import ALL, BAD, OK, STOP


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, PUMP)
    return pipeline


def test_all_comes_before_source_then_priority_then_age(pipeline: Any) -> None:
    names = Names()
    for priority in (0, 5, -5, 5, 0, 2**31 - 1, -(2**31)):
        for source, word in ((7, "source"), (ALL, "all")):
            age = len(pipeline.subscriptions)
            callback = names.make(f"{word} {priority} {age}")
            pipeline.subscribe(MOTOR.limit, callback, source=source, priority=priority)
    called = names.of(pipeline, MOTOR.limit, (7, 0))
    keys = [name.split() for name in called]
    assert keys == sorted(keys, key=lambda key: (key[0], -int(key[1]), int(key[2])))
    assert len(called) == 14


def test_a_source_hears_of_its_own_events_only(pipeline: Any) -> None:
    names = Names()
    for source in (0, 3, 65534, ALL):
        pipeline.subscribe(MOTOR.limit, names.make(str(source)), source=source)
    assert names.of(pipeline, MOTOR.limit, (3, 0)) == ["ALL", "3"]
    assert names.of(pipeline, MOTOR.limit, (0, 0)) == ["ALL", "0"]
    assert names.of(pipeline, MOTOR.limit, (65534, 0)) == ["ALL", "65534"]
    assert names.of(pipeline, MOTOR.limit, (4, 0)) == ["ALL"]


@pytest.mark.parametrize("source", [65535, 65536, 65536 + 3, 70000, 2**32 - 1])
def test_a_source_above_65534_reaches_all_only(pipeline: Any, source: int) -> None:
    names = Names()
    for listened in (0, 3, 65534, ALL):
        pipeline.subscribe(MOTOR.limit, names.make(str(listened)), source=listened)
    assert names.of(pipeline, MOTOR.limit, (source, 0)) == ["ALL"]


def test_an_event_without_a_source_field_comes_from_source_0(pipeline: Any) -> None:
    names = Names()
    for source in (0, 1, ALL):
        pipeline.subscribe(MOTOR.tick, names.make(str(source)), source=source)
    assert names.of(pipeline, MOTOR.tick, (2**64 - 1,)) == ["ALL", "0"]


def test_hundreds_of_sources_are_kept_apart(pipeline: Any) -> None:
    names = Names()
    for source in range(0, 3000, 7):
        pipeline.subscribe(MOTOR.limit, names.make(str(source)), source=source)
    for source in range(0, 3000, 35):
        assert names.of(pipeline, MOTOR.limit, (source, 0)) == [str(source)]
        assert names.of(pipeline, MOTOR.limit, (source + 1, 0)) == []


def test_one_of_many_keys_changes_and_the_others_stay(pipeline: Any) -> None:
    names = Names()
    sources = (0, 1, 2, 300, 65534)

    def called() -> list[list[str]]:
        return [names.of(pipeline, MOTOR.limit, (source, 0)) for source in sources]

    many = pipeline.subscribe([MOTOR.limit.key(source) for source in sources], names.make("many"))
    assert called() == [["many"]] * 5
    guest = pipeline.subscribe(MOTOR.limit, names.make("guest"), source=2)
    assert called() == [["many"], ["many"], ["many", "guest"], ["many"], ["many"]]
    guest.cancel()
    assert called() == [["many"]] * 5
    pipeline.subscribe(MOTOR.limit, names.make("heir"), source=1)
    many.cancel()
    assert called() == [[], ["heir"], [], [], []]
    pipeline.subscribe([MOTOR.limit.key(source) for source in sources], names.make("new"))
    assert called() == [["new"], ["heir", "new"], ["new"], ["new"], ["new"]]


@pytest.mark.parametrize("stop", [STOP, BAD])
def test_a_stop_ends_its_own_chain_only(pipeline: Any, stop: object) -> None:
    names = Names()
    pipeline.subscribe(MOTOR.limit, names.make("all 2"), priority=2)
    pipeline.subscribe(MOTOR.limit, names.make("all 1 stops", stop), priority=1)
    pipeline.subscribe(MOTOR.limit, names.make("all 0"))
    pipeline.subscribe(MOTOR.limit, names.make("source 1"), source=3, priority=1)
    pipeline.subscribe(MOTOR.limit, names.make("source 0 stops", stop), source=3)
    pipeline.subscribe(MOTOR.limit, names.make("source -1"), source=3, priority=-1)
    called = ["all 2", "all 1 stops", "source 1", "source 0 stops"]
    assert names.of(pipeline, MOTOR.limit, (3, 0)) == called
    assert names.of(pipeline, MOTOR.limit, (3, 0)) == called  # and not the next event's
    assert names.of(pipeline, MOTOR.limit, (4, 0)) == called[:2]


@pytest.mark.parametrize("result", [None, OK, 0, 1, True, "stop", 2.5, object()])
def test_any_other_result_is_ignored(pipeline: Any, result: object) -> None:
    names = Names()
    pipeline.subscribe(MOTOR.tick, names.make("first", result))
    pipeline.subscribe(MOTOR.tick, names.make("second"))
    assert names.of(pipeline, MOTOR.tick, (1,)) == ["first", "second"]


def test_batches_come_after_the_per_event_ones_of_the_same_look(pipeline: Any) -> None:
    names = Names()
    pipeline.subscribe(MOTOR.tick, names.make("batch"), batch=True, priority=9)
    pipeline.subscribe(MOTOR.tick, names.make("event"), priority=-9)
    for n in range(3):
        pipeline.notify(MOTOR.tick, (n,))
    pipeline.flush()
    assert names.count("event") == 3
    assert names[-1] == "batch"
    assert names[0] == "event"


def test_the_books_are_right_inside_a_batch_that_began_behind_the_end_of_the_ring(make_pipeline: Any) -> None:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, queue_size=1024)
    inside = []
    pipeline.subscribe(MOTOR.raw, lambda batch: inside.append(books_of(pipeline)), batch=True)
    for _ in range(32):  # so that in one of these a record is longer than what is left before the end
        assert pipeline.notify(MOTOR.tick, bytes(8))
        pipeline.flush()
        assert pipeline.notify(MOTOR.raw, bytes(40))
        pipeline.flush()
    shown = [(books.accepted, books.delivered, books.unclaimed, books.pending) for books in inside]
    assert shown == [(2 * n + 2, n, n + 1, 1) for n in range(32)]


def test_a_stop_ends_its_chain_though_nobody_had_asked_for_it_when_other_results_came() -> None:
    code = """
import tocsin
called = []
def first(event):
    called.append(event.timestamp)
    return tocsin.STOP if event.timestamp == 3 else [None, False, 0x8001][event.timestamp]
with tocsin.Pipeline(workers=0) as pipeline:
    pipeline.register(tocsin.Protocol(1, "p", {"e": tocsin.EventType(0)}))
    pipeline.subscribe((1, 0), first, priority=1)
    pipeline.subscribe((1, 0), lambda event: called.append(-event.timestamp))
    for timestamp in range(4):
        pipeline.notify((1, 0), b"", timestamp=timestamp)
        pipeline.flush()
print(called, end="")
"""
    assert assert_ends_well(code) == "[0, 0, 1, -1, 2, -2, 3]"


def test_a_batch_does_not_see_what_a_stop_ended(pipeline: Any) -> None:
    seen: list[int] = []
    of_source: list[int] = []
    pipeline.subscribe(MOTOR.limit, lambda event: STOP if event.report.rpm % 2 else None)
    pipeline.subscribe(MOTOR.limit, lambda b: seen.extend(b.array["rpm"].tolist()), batch=True)
    pipeline.subscribe(MOTOR.limit, lambda b: of_source.extend(b.array["rpm"].tolist()), batch=True, source=0)
    for n in range(6):
        pipeline.notify(MOTOR.limit, (0, n))
    pipeline.flush()
    assert seen == [0, 2, 4]
    assert of_source == [0, 1, 2, 3, 4, 5]
    assert books_of(pipeline).delivered == 6


def test_a_batch_callables_result_is_ignored(pipeline: Any) -> None:
    names = Names()
    pipeline.subscribe(MOTOR.tick, names.make("first", STOP), batch=True)
    pipeline.subscribe(MOTOR.tick, names.make("second"), batch=True)
    assert names.of(pipeline, MOTOR.tick, (1,)) == ["first", "second"]


def test_as_a_decorator_subscribe_returns_the_function(pipeline: Any) -> None:
    got: list[int] = []

    @pipeline.subscribe(MOTOR.limit, source=3, priority=2)
    def callback(event: tocsin.Event[Any]) -> None:
        got.append(event.source)

    assert callback.__name__ == "callback"
    (subscription,) = pipeline.subscriptions
    assert (subscription.source, subscription.priority, subscription.state) == (3, 2, "active")
    assert subscription.callback is callback
    pipeline.notify(MOTOR.limit, (3, 0))
    pipeline.notify(MOTOR.limit, (4, 0))
    pipeline.flush()
    assert got == [3]


@pytest.mark.parametrize(
    "event",
    [MOTOR.tick, MOTOR.tick.key(), tocsin.Key(0x80, 1), (0x80, 1), [MOTOR.tick], Motor(0x80).tick],
)
def test_an_event_can_be_named_in_every_form(pipeline: Any, event: Any) -> None:
    names = Names()
    pipeline.subscribe(event, names.make("it"))
    assert names.of(pipeline, MOTOR.tick, (1,)) == ["it"]
    assert names.of(pipeline, MOTOR.raw, b"") == []
    assert names.of(pipeline, PUMP.tick, (1,)) == []


def test_a_key_with_a_source_is_that_source(pipeline: Any) -> None:
    names = Names()
    subscription = pipeline.subscribe(MOTOR.limit.key(7), names.make("7"))
    assert (subscription.event, subscription.source) == (MOTOR.limit.key(7), 7)
    assert names.of(pipeline, MOTOR.limit, (7, 0)) == ["7"]
    assert names.of(pipeline, MOTOR.limit, (8, 0)) == []
    with pytest.raises(TypeError, match="source"):
        pipeline.subscribe(MOTOR.limit.key(7), print, source=7)


def test_a_protocol_and_a_list_are_all_their_events(pipeline: Any) -> None:
    names = Names()
    whole = pipeline.subscribe(PUMP, names.make("pump"))
    several = pipeline.subscribe([MOTOR.raw, PUMP, MOTOR.tick.key()], names.make("several"))
    assert len(pipeline.subscriptions) == 2
    assert names.of(pipeline, PUMP.limit, (1, 1)) == ["pump", "several"]
    assert names.of(pipeline, MOTOR.raw, b"") == ["several"]
    assert names.of(pipeline, MOTOR.limit, (1, 1)) == []
    several.cancel()
    assert names.of(pipeline, PUMP.limit, (1, 1)) == ["pump"]
    assert names.of(pipeline, MOTOR.raw, b"") == []
    whole.cancel()
    assert names.of(pipeline, PUMP.raw, b"") == []


def test_a_list_that_names_a_key_twice_calls_once(pipeline: Any) -> None:
    names = Names()
    pipeline.subscribe([MOTOR.tick, MOTOR, (0x80, 1)], names.make("it"))
    assert names.of(pipeline, MOTOR.tick, (1,)) == ["it"]
