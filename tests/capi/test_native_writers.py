"""Several writers of one protocol: native threads, Python, a signal handler; and one that is alone."""

import ctypes
import errno
import threading
import time
from typing import Any

import pytest

import tocsin
import tocsin.backend
from probe import BENCH, Orders, Probe, pair

WRITERS = 4
COUNT = 20_000

pytestmark = pytest.mark.stress


class Check:
    """A native and a Python subscriber that both see whether each writer's events come in order."""

    def __init__(self, pipeline: tocsin.Pipeline, probe: Probe) -> None:
        self.native = Orders()
        self.numbers: list[list[int]] = [[] for _ in range(16)]
        pipeline.subscribe_native(BENCH.pair, probe.check_order, ctypes.addressof(self.native))
        pipeline.subscribe(BENCH.pair, self.note)

    def note(self, event: tocsin.Event[Any]) -> None:
        self.numbers[event.source].append(event.report.number)

    def expect(self, *counts: int) -> None:
        assert self.native.misplaced == 0
        assert list(self.native.next[: len(counts)]) == list(counts)
        assert self.native.events == sum(counts)
        for source, count in enumerate(counts):
            assert self.numbers[source] == list(range(count)), f"source {source}"


def notify_all(pipeline: tocsin.Pipeline, source: int, count: int) -> None:
    for number in range(count):
        assert pipeline.notify(BENCH.pair, pair(source, number), timeout=30)


@pytest.mark.parametrize("queue_size", [4096, 4 << 20], ids=["often full", "never full"])
def test_native_threads_and_python_at_once(make_pipeline: Any, probe: Probe, queue_size: int) -> None:
    pipeline = make_pipeline()
    pipeline.register(BENCH, queue_size=queue_size)
    check = Check(pipeline, probe)
    count = COUNT if queue_size > 4096 else COUNT // 10
    answers: list[int] = []
    with pipeline.producer(BENCH) as producer:
        address = producer.address
        thread = threading.Thread(target=lambda: answers.append(probe.write(address, WRITERS, count)))
        thread.start()
        notify_all(pipeline, WRITERS, count)
        thread.join()
    assert answers == [0]
    assert pipeline.flush(30)
    check.expect(*[count] * (WRITERS + 1))
    books = pipeline.stats().protocols[BENCH.id]
    assert books.accepted == books.delivered == count * (WRITERS + 1)


@pytest.mark.skipif(
    bool(tocsin.backend.switches()["portable"]),
    reason="without futex a wake-up takes a mutex: not for signal handlers",
)
def test_signal_handler_writes_on_top_of_its_thread(make_pipeline: Any, probe: Probe) -> None:
    pipeline = make_pipeline()
    pipeline.register(BENCH)
    check = Check(pipeline, probe)
    with pipeline.producer(BENCH) as producer:
        on_top = probe.write_interrupted(producer.address, 10 * COUNT, 200)
    assert on_top > 0
    assert pipeline.flush(30)
    check.expect(10 * COUNT, on_top)


def test_exclusive_writer_is_alone(make_pipeline: Any, probe: Probe) -> None:
    pipeline = make_pipeline()
    pipeline.register(BENCH)
    check = Check(pipeline, probe)
    with pipeline.producer(BENCH, exclusive=True) as producer:
        with pytest.raises(tocsin.ExclusiveError, match="exclusive"):
            pipeline.notify(BENCH.pair, pair(1, 0))
        with pytest.raises(tocsin.ExclusiveError, match="exclusive"):
            pipeline.notify_many(BENCH.pair, pair(1, 0))
        with pytest.raises(tocsin.ExclusiveError, match="bench"):
            pipeline.producer(BENCH, exclusive=True)
        with pytest.raises(tocsin.ExclusiveError, match="bench"):
            pipeline.producer(BENCH)
        assert probe.write(producer.address, 1, COUNT) == 0
    assert pipeline.notify(BENCH.pair, pair(1, 0))
    with pipeline.producer(BENCH, exclusive=True) as producer:
        assert producer.notify(BENCH.pair.id, pair(1, 1))
    with pipeline.producer(BENCH) as producer:
        assert producer.notify(BENCH.pair.id, pair(1, 2))
    assert pipeline.notify_many(BENCH.pair, pair(1, 3) + pair(1, 4)) == 2
    assert pipeline.flush(30)
    check.expect(COUNT, 5)


def test_exclusive_after_shared_and_shared_again(make_pipeline: Any, probe: Probe) -> None:
    pipeline = make_pipeline()
    pipeline.register(BENCH)
    check = Check(pipeline, probe)
    shared = pipeline.producer(BENCH)
    number = 0
    for _ in range(20):
        assert shared.notify(BENCH.pair.id, pair(0, number))
        with pipeline.producer(BENCH, exclusive=True) as alone:
            with pytest.raises(tocsin.ExclusiveError):
                shared.notify(BENCH.pair.id, pair(0, number))
            assert alone.notify(BENCH.pair.id, pair(0, number + 1))
        assert pipeline.notify(BENCH.pair, pair(0, number + 2))
        number += 3
    pipeline.flush()
    check.expect(number)


@pytest.mark.parametrize("exclusive", [False, True], ids=["shared", "exclusive"])
def test_close_waits_for_native_writers(make_pipeline: Any, probe: Probe, exclusive: bool) -> None:
    pipeline = make_pipeline()
    pipeline.register(BENCH)
    check = Check(pipeline, probe)
    producer = pipeline.producer(BENCH, exclusive=exclusive)
    writers = 1 if exclusive else WRITERS
    answers: list[int] = []

    def write() -> None:
        answers.append(probe.write(producer.address, writers, 2**31))

    thread = threading.Thread(target=write)
    thread.start()
    while check.native.events < 1000:
        time.sleep(0.001)
    assert pipeline.close(30)
    thread.join(10)
    assert answers == [-errno.ESHUTDOWN]
    books = pipeline.stats().protocols[BENCH.id]
    assert books.accepted == books.delivered == check.native.events
    assert check.native.misplaced == 0
