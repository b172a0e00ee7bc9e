"""Protocol 0x12, system power: somebody turns the whole system off, resets or suspends it.

Since version 2 a graceful shutdown comes with the time, in ms, after which it is forced. SYSTEM takes both
forms. system(version) takes the one of that version and refuses the other, as the kernel does. Source 0.
"""

from typing import NamedTuple, cast

from tocsin.key import checked
from tocsin.protocol import EventType, Protocol
from tocsin.types import u4

__all__ = ["SYSTEM", "System", "SystemPower", "system"]

GRACEFUL = 1
SHUTDOWN = 0

VERSION_1 = {"agent_id": "u4", "flags": "u4", "system_state": "u4"}
VERSION_2 = VERSION_1 | {"timeout": "u4"}


class PowerFields(NamedTuple):
    """Lay out a change of system power as it is on the wire; version 1 has no timeout."""

    agent_id: u4
    flags: u4
    system_state: u4
    timeout: u4 = 0


class SystemPower(NamedTuple):
    """Report what happens to the system.

    system_state: 0 shutdown, 1 cold reset, 2 warm reset, 3 power up, 4 suspend, more from the vendor.
    timeout: ms until it is forced; 0 for all but a graceful shutdown of version 2 and later.
    """

    agent_id: int
    flags: int
    graceful: bool
    system_state: int
    timeout: int


def report(fields: tuple[int, ...]) -> SystemPower:
    """Return the report of three fields or, with a timeout, four."""
    agent, flags, state, *timeout = fields
    graceful = bool(flags & GRACEFUL)
    forced = timeout[0] if timeout and graceful and state == SHUTDOWN else 0
    return SystemPower(agent, flags, graceful, state, forced)


class System(Protocol):
    """Declare the event of the system power protocol."""

    power_state = EventType(0, PowerFields, report=report)


SYSTEM = System(0x12)


def system(version: int) -> System:
    """Return the system power protocol of one version, for registering instead of SYSTEM.

    version: the major number, 1 or more. Payloads of the form of another version are refused.
    """
    if not checked("version", version, 0xFFFF):
        raise ValueError("version 0: the first version of the protocol is 1")
    fields = VERSION_1 if version == 1 else VERSION_2
    return cast(System, System(SYSTEM.id, SYSTEM.name, {"power_state": EventType(0, fields, report=report)}))
