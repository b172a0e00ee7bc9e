"""Protocol 0x16, reset domains: one was reset.

reset_state: 0 cold, bit 31 set for a state of the vendor. Domain ids are not checked: any arrives.
"""

from typing import NamedTuple

from tocsin.protocol import EventType, Protocol
from tocsin.types import u4

__all__ = ["RESET", "Reset", "ResetIssued"]


class ResetIssued(NamedTuple):
    """Report the reset of a domain and the agent that caused it."""

    agent_id: u4
    domain_id: u4
    reset_state: u4


class Reset(Protocol):
    """Declare the event of the reset domain protocol; the source is the domain."""

    issued = EventType(0, ResetIssued, source="domain_id")


RESET = Reset(0x16)
