"""No GIL in the path: events arrive at a native subscriber while somebody holds the GIL all the time."""

import ctypes
import sys
from typing import Any

import pytest

import tocsin
from probe import BENCH, Probe, Witness

EVENTS = 10_000
MILLISECONDS = 500

pytestmark = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="there is no GIL to hold"
)


@pytest.fixture
def pipeline(make_pipeline: Any) -> tocsin.Pipeline:
    pipeline = make_pipeline()
    pipeline.register(BENCH)
    return pipeline


@pytest.mark.parametrize("exclusive", [False, True], ids=["shared", "exclusive"])
def test_native_subscriber_needs_no_gil(pipeline: Any, probe: Probe, exclusive: bool) -> None:
    witness = Witness()
    at = ctypes.addressof(witness)
    pipeline.subscribe_native(BENCH.pair, probe.witness, at)
    with pipeline.producer(BENCH, exclusive=exclusive) as producer:
        seen = probe.notify_and_sleep(producer.address, at, EVENTS, MILLISECONDS)
    assert witness.accepted == EVENTS
    assert seen == EVENTS


def test_python_subscriber_waits_and_holds_nobody_up(pipeline: Any, probe: Probe) -> None:
    witness = Witness()
    at = ctypes.addressof(witness)

    def on_pair(event: tocsin.Event[Any]) -> None:
        witness.python_calls += 1

    pipeline.subscribe(BENCH.pair, on_pair)
    pipeline.subscribe_native(BENCH.pair, probe.witness, at)
    with pipeline.producer(BENCH) as producer:
        seen = probe.notify_and_sleep(producer.address, at, EVENTS, MILLISECONDS)
    assert witness.accepted == EVENTS
    assert seen == EVENTS
    assert witness.python_seen == 0  # looked at in C, before the GIL was let go
    assert pipeline.flush(10)
    assert witness.python_calls == EVENTS
    assert pipeline.stats().protocols[BENCH.id].delivered == EVENTS
