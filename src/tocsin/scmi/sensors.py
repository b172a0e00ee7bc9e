"""Protocol 0x15, sensors: one crossed a trip point, or has new readings.

An update carries a reading for each axis of the sensor, at least one, and does not say how many: SENSOR
reports all that came. How many there must be stands in the description of the sensor, which an agent asks
for: sensor(axes) makes a protocol that knows it, refuses updates of unknown sensors and those with too few
readings, and ignores surplus ones, as the kernel does. Trip points arrive from any sensor.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple, cast

from tocsin.errors import PayloadError
from tocsin.key import checked
from tocsin.protocol import EventType, Protocol
from tocsin.scmi.context import ContextEvent
from tocsin.types import i8, u4, u8

__all__ = ["SENSOR", "Reading", "Sensor", "SensorUpdate", "TripPoint", "sensor"]

MOST_AXES = 63
TRIP_ID = 0xFF
TRIP_POSITIVE = 1 << 16


class TripFields(NamedTuple):
    """Lay out a crossed trip point as it is on the wire."""

    agent_id: u4
    sensor_id: u4
    trip_point_desc: u4


class TripPoint(NamedTuple):
    """Report a crossed trip point: which one, and in which direction."""

    agent_id: int
    sensor_id: int
    trip_point_desc: int
    trip_point_id: int
    direction: Literal["positive", "negative"]


class Reading(NamedTuple):
    """Lay out, and report, the value of an axis and its time by the platform's clock; 0: no time."""

    value: i8
    timestamp: u8


class UpdateFields(NamedTuple):
    """Lay out new readings as they are on the wire."""

    agent_id: u4
    sensor_id: u4
    readings: tuple[Reading, ...]


class SensorUpdate(NamedTuple):
    """Report the readings of a sensor, one for each axis."""

    agent_id: int
    sensor_id: int
    readings_count: int
    readings: tuple[Reading, ...]


def trip_point(fields: TripFields) -> TripPoint:
    """Return the report of a crossed trip point."""
    desc = fields.trip_point_desc
    return TripPoint(*fields, desc & TRIP_ID, "positive" if desc & TRIP_POSITIVE else "negative")


def update(axes: Mapping[int, int] | None, fields: UpdateFields) -> SensorUpdate:
    """Return the report of the readings that the sensor has, or of all where nothing is known."""
    agent, sensor, readings = fields
    if axes is not None:
        if sensor not in axes:
            raise PayloadError(f"sensor.update: sensor {sensor} is none of the {len(axes)} known ones")
        if len(readings) < axes[sensor]:
            raise PayloadError(
                f"sensor.update: sensor {sensor} has {axes[sensor]} axes; readings came for {len(readings)}"
            )
        readings = readings[: axes[sensor]]
    return SensorUpdate(agent, sensor, len(readings), readings)


class UpdateEvent(ContextEvent[SensorUpdate]):
    """Take no payload without a reading."""

    def __init__(
        self, id: int, fields: Any = UpdateFields, *, report: Callable[[Any], SensorUpdate], **options: Any
    ) -> None:
        super().__init__(id, fields, report=report, **options)
        rule = self.layout.rule
        self.layout.rule = rule._replace(min_size=rule.fixed_size + rule.item_size)


def update_event(axes: Mapping[int, int] | None) -> EventType[SensorUpdate]:
    """Return the event type of updates from sensors with so many axes."""
    return UpdateEvent(1, source="sensor_id", max_size=8 + 16 * MOST_AXES, report=partial(update, axes))


class Sensor(Protocol):
    """Declare the events of the sensor protocol; the source is the sensor."""

    trip_point = EventType(0, TripFields, source="sensor_id", report=trip_point)
    update = update_event(None)


SENSOR = Sensor(0x15)


def sensor(axes: Mapping[int, int]) -> Sensor:
    """Return a sensor protocol that knows its sensors, for registering instead of SENSOR.

    axes: for each sensor the number of its axes, 0..63; 0 is a sensor without axes, with one reading. It
    is copied. An update of a sensor without entry, or with fewer readings, is refused with PayloadError.
    """
    if not isinstance(axes, Mapping):
        raise TypeError(f"axes must map sensors to their numbers of axes, not {axes!r}")
    known = {
        checked("sensor", number, 0xFFFF_FFFF): checked("axes", count, MOST_AXES) or 1
        for number, count in axes.items()
    }
    events = {"update": update_event(known)}
    return cast(Sensor, Sensor(SENSOR.id, SENSOR.name, events))
