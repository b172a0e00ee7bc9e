"""The notifications of SCMI firmware as tocsin protocols, and the way in for their messages.

    from tocsin import scmi

    pipeline.register(*scmi.PROTOCOLS)
    pipeline.subscribe(scmi.SENSOR.update, lambda event: print(event.report.readings))
    scmi.notify_message(pipeline, bytes.fromhex("00570000" "00000000" "03000000" "01000100"))

Each family of events has a module: its layout on the wire, its report, its protocol. Where the meaning
of a payload depends on something that the wire does not carry (the frequency of a performance level,
the axes of a sensor, the version of the system power protocol), the plain protocol reports what it can,
and perf(), sensor(), system() make a protocol that knows the rest, to be registered instead.

Everything here is constant after import; any thread. Layouts as the Linux kernel's SCMI notification core
and ARM's SCP firmware have them; u32 little-endian unless said.
"""

from tocsin.scmi.base import BASE, Base, BaseError
from tocsin.scmi.clock import CLOCK, Clock, ClockRate
from tocsin.scmi.message import Header, MessageError, notify_message
from tocsin.scmi.performance import PERF, Perf, PerfLevel, PerfLimits, perf
from tocsin.scmi.power import POWER, Power, PowerState
from tocsin.scmi.powercap import POWERCAP, Cap, Measurement, Powercap
from tocsin.scmi.reset import RESET, Reset, ResetIssued
from tocsin.scmi.sensors import SENSOR, Reading, Sensor, SensorUpdate, TripPoint, sensor
from tocsin.scmi.system_power import SYSTEM, System, SystemPower, system

__all__ = [
    "BASE",
    "CLOCK",
    "PERF",
    "POWER",
    "POWERCAP",
    "PROTOCOLS",
    "RESET",
    "SENSOR",
    "SYSTEM",
    "Base",
    "BaseError",
    "Cap",
    "Clock",
    "ClockRate",
    "Header",
    "Measurement",
    "MessageError",
    "Perf",
    "PerfLevel",
    "PerfLimits",
    "Power",
    "PowerState",
    "Powercap",
    "Reading",
    "Reset",
    "ResetIssued",
    "Sensor",
    "SensorUpdate",
    "System",
    "SystemPower",
    "TripPoint",
    "notify_message",
    "perf",
    "sensor",
    "system",
]

PROTOCOLS = (BASE, POWER, SYSTEM, PERF, CLOCK, SENSOR, RESET, POWERCAP)
