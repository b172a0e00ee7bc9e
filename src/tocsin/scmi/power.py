"""Protocol 0x11, power domains: an agent changed the state of one, or asked for it.

power_state: bit 30 is the type, bits 27..0 the state. The kernel knows the first event only, the second is
from ARM's SCP firmware. Domain ids are not checked: any arrives.
"""

from typing import NamedTuple

from tocsin.protocol import EventType, Protocol
from tocsin.types import u4

__all__ = ["POWER", "Power", "PowerState"]


class PowerState(NamedTuple):
    """Report the state of a power domain and the agent that changed it, or wants it."""

    agent_id: u4
    domain_id: u4
    power_state: u4


class Power(Protocol):
    """Declare the events of the power domain protocol; the source is the domain."""

    state_changed = EventType(0, PowerState, source="domain_id")
    state_change_requested = EventType(1, PowerState, source="domain_id")


POWER = Power(0x11)
