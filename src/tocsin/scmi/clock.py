"""Protocol 0x14, clocks: the rate of one changed, or somebody asked for it.

On the wire the rate is two words, the low one first: one little-endian u64 in Hz.
"""

from typing import NamedTuple

from tocsin.protocol import EventType, Protocol
from tocsin.types import u4, u8

__all__ = ["CLOCK", "Clock", "ClockRate"]


class ClockRate(NamedTuple):
    """Report the rate of a clock in Hz and the agent that changed it, or wants it."""

    agent_id: u4
    clock_id: u4
    rate: u8


class Clock(Protocol):
    """Declare the events of the clock protocol; the source is the clock."""

    rate_changed = EventType(0, ClockRate, source="clock_id")
    rate_change_requested = EventType(1, ClockRate, source="clock_id")


CLOCK = Clock(0x14)
