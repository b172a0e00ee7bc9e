"""Protocol 0x18, power capping: the cap of a domain changed, or what is measured there.

Powers are in the unit that the platform describes. Domain ids are not checked: any arrives.
"""

from typing import NamedTuple

from tocsin.protocol import EventType, Protocol
from tocsin.types import u4

__all__ = ["POWERCAP", "Cap", "Measurement", "Powercap"]


class Cap(NamedTuple):
    """Report the cap of a domain, its averaging interval (pai), and the agent that changed them."""

    agent_id: u4
    domain_id: u4
    power_cap: u4
    pai: u4


class Measurement(NamedTuple):
    """Report the power measured in a domain."""

    agent_id: u4
    domain_id: u4
    power: u4


class Powercap(Protocol):
    """Declare the events of the power capping protocol; the source is the domain."""

    cap_changed = EventType(0, Cap, source="domain_id")
    measurements_changed = EventType(1, Measurement, source="domain_id")


POWERCAP = Powercap(0x18)
