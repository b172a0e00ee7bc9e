"""Protocol 0x10, base: the platform tells an agent that commands of it went wrong.

The low ten bits of error_status count the 64-bit reports that follow, bit 31 says that the error is fatal.
A payload with fewer reports than it counts is refused; what follows the counted ones is ignored. Errors
come from the platform as a whole: source 0.
"""

from typing import NamedTuple

from tocsin.protocol import EventType, Protocol
from tocsin.types import u4, u8

__all__ = ["BASE", "Base", "BaseError"]

COUNT = 0x3FF
FATAL = 1 << 31


class ErrorFields(NamedTuple):
    """Lay out a base error as it is on the wire."""

    agent_id: u4
    error_status: u4
    reports: tuple[u8, ...]


class BaseError(NamedTuple):
    """Report errors: whether they are fatal, how many, and for each 64 bits that stay as they are."""

    agent_id: int
    fatal: bool
    cmd_count: int
    reports: tuple[int, ...]


def report(fields: ErrorFields) -> BaseError:
    """Return the report of a base error."""
    status = fields.error_status
    return BaseError(fields.agent_id, bool(status & FATAL), status & COUNT, fields.reports)


class Base(Protocol):
    """Declare the event of the base protocol."""

    error = EventType(0, ErrorFields, count=("error_status", COUNT), max_size=8200, report=report)


BASE = Base(0x10)
