"""Batches: many events of one type at once, as events and as arrays that never change."""

import gc
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import tocsin
from helpers import MOTOR, PUMP, Limit, books_of
from tocsin import backend


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Any]) -> Any:
    pipeline = make_pipeline(workers=0)
    pipeline.register(MOTOR, PUMP)
    return pipeline


@pytest.fixture
def batches(pipeline: Any) -> list[tocsin.Batch[Any]]:
    """Keep every batch that anything in MOTOR becomes."""
    kept: list[tocsin.Batch[Any]] = []
    pipeline.subscribe(MOTOR, lambda batch: kept.append(batch), batch=True)
    return kept


def total(batches: list[Any]) -> int:
    return sum(len(batch) for batch in batches)


def test_a_batch_holds_events_of_one_type_in_order(pipeline: Any, batches: list[Any]) -> None:
    for n in range(5):
        pipeline.notify(MOTOR.limit, (n, -n), 100 + n)
        pipeline.notify(MOTOR.tick, (n,))
    pipeline.flush()
    limits = [event for batch in batches if batch.type is MOTOR.limit for event in batch]
    assert [event.report for event in limits] == [Limit(n, -n) for n in range(5)]
    assert [event.timestamp for event in limits] == list(range(100, 105))
    assert [event.source for event in limits] == list(range(5))
    assert all(isinstance(event, tocsin.Event) for event in limits)
    ticks = [event.report.n for b in batches if b.type is MOTOR.tick for event in b]
    assert ticks == list(range(5))
    assert total(batches) == 10 == books_of(pipeline).delivered


def test_a_batch_is_a_sequence(pipeline: Any, batches: list[Any]) -> None:
    pipeline.notify_many(MOTOR.tick, numpy.arange(3, dtype="<u8"))
    pipeline.flush()
    (batch,) = batches
    assert len(batch) == 3
    assert [batch[n].report.n for n in (0, 1, 2, -1, -3)] == [0, 1, 2, 2, 0]
    assert [batch.payload(n) for n in range(3)] == [MOTOR.tick.pack(n) for n in range(3)]
    for index in (3, -4, 2**40):
        with pytest.raises(IndexError, match="batch of 3"):
            batch[index]
    with pytest.raises(TypeError):
        batch["0"]
    assert list(batch) == list(batch)
    assert repr(batch) == "<Batch motor.tick of 3 events>"


def test_arrays_have_the_declared_types_and_values(pipeline: Any, batches: list[Any]) -> None:
    for n in range(4):
        pipeline.notify(MOTOR.limit, (n, -n), 2**63 + n)
    pipeline.flush()
    (batch,) = batches
    assert batch.array.dtype == MOTOR.limit.dtype
    assert batch.array.shape == (4,)
    assert batch.array["rpm"].tolist() == [0, -1, -2, -3]
    assert batch.array["motor"].tolist() == [0, 1, 2, 3]
    assert (batch.timestamp.dtype, batch.timestamp.tolist()) == ("u8", [2**63 + n for n in range(4)])
    assert (batch.source.dtype, batch.source.tolist()) == ("u8", [0, 1, 2, 3])
    assert (batch.lost.dtype, batch.lost.tolist()) == ("u8", [0, 0, 0, 0])


def test_fields_that_a_short_payload_lacks_are_0(pipeline: Any, batches: list[Any]) -> None:
    for payload in ((1,), (2, 20), (3,), (4, 40)):
        pipeline.notify(MOTOR.note, payload)
    pipeline.flush()
    (batch,) = batches
    assert batch.array["a"].tolist() == [1, 2, 3, 4]
    assert batch.array["b"].tolist() == [0, 20, 0, 40]
    assert [event.report for event in batch] == [(1, 0), (2, 20), (3, 0), (4, 40)]


@pytest.mark.parametrize("lengths", [[0], [3], [0, 0], [2, 0, 3], [1, 2, 0], [0, 5]])
def test_repeated_parts_are_groups_and_offsets(pipeline: Any, batches: list[Any], lengths: list[int]) -> None:
    for n, length in enumerate(lengths):
        pipeline.notify(MOTOR.readings, (n, [(n, -k) for k in range(length)]))
    pipeline.flush()
    (batch,) = batches
    assert batch.array["sensor"].tolist() == list(range(len(lengths)))
    assert batch.groups.dtype == MOTOR.readings.item_dtype
    assert batch.offsets.dtype == numpy.dtype("i8")
    assert batch.offsets.tolist() == numpy.cumsum([0, *lengths]).tolist()
    for n, length in enumerate(lengths):
        part = batch.groups[batch.offsets[n] : batch.offsets[n + 1]]
        assert part["value"].tolist() == [-k for k in range(length)]
        assert part["at"].tolist() == [n] * length


def test_repeated_parts_with_a_count_leave_the_surplus_out(pipeline: Any, batches: list[Any]) -> None:
    pipeline.notify(MOTOR.counted, (0xF0, [1, 2]))
    pipeline.notify(MOTOR.counted, b"\x01\x00" + bytes([9, 0, 0, 0, 7, 7, 7]))
    pipeline.notify(MOTOR.counted, b"\x00\x00" + bytes(3))
    pipeline.flush()
    (batch,) = batches
    assert batch.groups.tolist() == [1, 2, 9]
    assert batch.offsets.tolist() == [0, 2, 3, 3]


def test_what_has_no_repeated_part_has_no_groups(pipeline: Any, batches: list[Any]) -> None:
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.flush()
    for name in ("groups", "offsets"):
        with pytest.raises(TypeError, match="no repeated part"):
            getattr(batches[0], name)


def test_raw_bytes_have_no_array(pipeline: Any, batches: list[Any]) -> None:
    pipeline.notify(MOTOR.raw, b"")
    pipeline.notify(MOTOR.raw, b"abc")
    pipeline.flush()
    with pytest.raises(TypeError, match="raw bytes"):
        batches[0].array  # noqa: B018
    assert [event.payload for event in batches[0]] == [b"", b"abc"]


@pytest.mark.parametrize("keep", ["batch", "array", "timestamp", "source", "lost", "events"])
def test_what_is_kept_never_changes(pipeline: Any, keep: str) -> None:
    kept: list[tuple[int, Any]] = []

    def callback(batch: Any) -> None:
        part = {"batch": batch, "events": list(batch)}.get(keep)
        kept.append((batch[0].report.rpm, getattr(batch, keep) if part is None else part))

    pipeline.subscribe(MOTOR.limit, callback, batch=True)
    for n in range(50):
        for _ in range(n % 5 + 1):
            pipeline.notify(MOTOR.limit, (n, n), n)
        pipeline.flush()
    pipeline.close()
    gc.collect()
    assert [n for n, _ in kept] == list(range(50))
    for n, part in kept:
        length = n % 5 + 1
        if keep == "batch":
            assert part.array["rpm"].tolist() == part.timestamp.tolist() == [n] * length
        elif keep == "events":
            assert [event.report for event in part] == [Limit(n, n)] * length
        elif keep == "array":
            assert part.tolist() == [(n, n)] * length
        else:
            assert part.tolist() == [0 if keep == "lost" else n] * length


@pytest.mark.skipif(backend.gil_is_off, reason="without a GIL nobody can tell that nobody keeps it")
@pytest.mark.native_only("the pure backend makes each batch anew")
def test_a_batch_that_nobody_keeps_is_filled_again(pipeline: Any) -> None:
    seen: list[int] = []
    pipeline.subscribe(MOTOR.tick, lambda batch: seen.append(id(batch)), batch=True)
    for n in range(20):
        pipeline.notify(MOTOR.tick, (n,))
        pipeline.flush()
    assert len(set(seen)) == 1


def test_two_batch_subscribers_never_share_a_batch(pipeline: Any) -> None:
    one: list[Any] = []
    other: list[Any] = []
    pipeline.subscribe(MOTOR.tick, lambda batch: one.append(batch), batch=True)
    pipeline.subscribe(MOTOR.tick, lambda batch: other.append(batch), batch=True)
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.flush()
    assert one[0] is not other[0]
    one[0].array["n"] = 99  # its own memory
    assert other[0].array["n"].tolist() == [1]


def test_of_several_types_the_batch_of_the_first_event_comes_first(pipeline: Any) -> None:
    got: list[str] = []
    pipeline.subscribe([MOTOR.tick, MOTOR.limit], lambda batch: got.append(batch.type.name), batch=True)
    pipeline.notify(MOTOR.tick, (1,))
    pipeline.flush()
    pipeline.notify(MOTOR.limit, (1, 1))
    pipeline.notify(MOTOR.tick, (2,))
    pipeline.flush()
    assert got == ["tick", "limit", "tick"]


def test_a_large_batch_arrives_whole_and_in_order(make_pipeline: Callable[..., Any]) -> None:
    pipeline = make_pipeline()
    pipeline.register(MOTOR)
    kept: list[Any] = []
    pipeline.subscribe(MOTOR.tick, lambda batch: kept.append(batch.array), batch=True)
    pipeline.freeze()
    pipeline.notify_many(MOTOR.tick, numpy.arange(100_000, dtype="<u8"))
    pipeline.thaw()
    assert pipeline.close(60)
    assert numpy.array_equal(numpy.concatenate(kept)["n"], numpy.arange(100_000))


def test_one_subscription_gets_a_batch_for_each_type_and_protocol(pipeline: Any) -> None:
    names: list[tuple[str, int]] = []

    def callback(batch: Any) -> None:
        names.append((f"{batch.type.protocol.name}.{batch.type.name}", len(batch)))

    pipeline.subscribe([MOTOR, PUMP], callback, batch=True)
    for protocol in (MOTOR, PUMP):
        pipeline.notify(protocol.tick, (1,))
        pipeline.notify(protocol.raw, b"")
        pipeline.notify(protocol.tick, (2,))
    pipeline.flush()
    assert sorted(names) == [
        ("motor.raw", 1),
        ("motor.tick", 2),
        ("pump.raw", 1),
        ("pump.tick", 2),
    ]
