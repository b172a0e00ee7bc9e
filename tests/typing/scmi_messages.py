"""What type checkers know of SCMI reports and of sources; checked by mypy --strict and pyright, never run."""

from typing import Literal, assert_type

import tocsin
from tocsin import scmi
from tocsin.sources import Message, raw, trace

assert_type(scmi.SENSOR.update, tocsin.EventType[scmi.SensorUpdate])
assert_type(scmi.BASE.error.unpack(b"").reports, tuple[int, ...])
assert_type(scmi.SYSTEM.power_state.unpack(b"").graceful, bool)
assert_type(scmi.PERF.limits_changed.unpack(b"").range_max_freq, int)
assert_type(scmi.POWER.state_change_requested.unpack(b""), scmi.PowerState)
assert_type(scmi.SENSOR.trip_point.unpack(b"").direction, Literal["positive", "negative"])

assert_type(scmi.perf({0: {500: 500_000_000}}).level_changed, tocsin.EventType[scmi.PerfLevel])
assert_type(scmi.sensor({8: 3}).trip_point, tocsin.EventType[scmi.TripPoint])
assert_type(scmi.system(2), scmi.System)

with tocsin.Pipeline(workers=0) as pipeline:
    pipeline.register(*scmi.PROTOCOLS)

    @pipeline.subscribe(scmi.SENSOR.update)
    def on_update(event: tocsin.Event[scmi.SensorUpdate]) -> None:
        assert_type(event.report.readings[0].value, int)

    with trace.read("x.trace") as messages:
        assert_type(messages, trace.TraceReader)
        for message in messages:
            assert_type(message, Message)
            assert_type(scmi.notify_message(pipeline, message.data, message.timestamp), bool)
    assert_type(messages.skipped, int)
    assert_type(next(raw.read("/sys/kernel/debug/scmi/0/raw/notification")), Message)

_ = scmi.SENSOR.update.unpack(b"").axes  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
