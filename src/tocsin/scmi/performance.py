"""Protocol 0x13, performance domains: the limits of one changed, or its level.

The wire names levels. What frequency a level is stands in a table of the domain, which an agent asks for:
perf(frequencies) makes a protocol that knows it. Without one all frequencies are 0, and any domain arrives;
with one an unknown domain is refused. Limits get both frequencies or none.
"""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple, TypeAlias, cast

from tocsin.errors import PayloadError
from tocsin.key import checked
from tocsin.protocol import EventType, Protocol
from tocsin.scmi.context import ContextEvent
from tocsin.types import u4

__all__ = ["PERF", "Perf", "PerfLevel", "PerfLimits", "perf"]

WORD = 0xFFFF_FFFF
Levels: TypeAlias = Mapping[int, int]
Domains: TypeAlias = Mapping[int, Levels]


class LimitsFields(NamedTuple):
    """Lay out changed limits as they are on the wire, the upper one first."""

    agent_id: u4
    domain_id: u4
    range_max: u4
    range_min: u4


class LevelFields(NamedTuple):
    """Lay out a changed level as it is on the wire."""

    agent_id: u4
    domain_id: u4
    performance_level: u4


class PerfLimits(NamedTuple):
    """Report the limits of a domain: levels, and their frequencies in Hz or 0."""

    agent_id: int
    domain_id: int
    range_max: int
    range_min: int
    range_max_freq: int
    range_min_freq: int


class PerfLevel(NamedTuple):
    """Report the level of a domain, and its frequency in Hz or 0."""

    agent_id: int
    domain_id: int
    performance_level: int
    performance_level_freq: int


def limits(domains: Domains | None, fields: LimitsFields) -> PerfLimits:
    """Return the report of changed limits; PayloadError if the domain is none of the known ones."""
    levels = levels_of(domains, fields.domain_id)
    high, low = levels.get(fields.range_max, 0), levels.get(fields.range_min, 0)
    return PerfLimits(*fields, *((high, low) if high and low else (0, 0)))


def level(domains: Domains | None, fields: LevelFields) -> PerfLevel:
    """Return the report of a changed level; PayloadError if the domain is none of the known ones."""
    levels = levels_of(domains, fields.domain_id)
    return PerfLevel(*fields, levels.get(fields.performance_level, 0))


def levels_of(domains: Domains | None, domain: int) -> Levels:
    """Return the levels of a domain; none of any domain where nothing is known."""
    if domains is None:
        return {}
    if domain not in domains:
        raise PayloadError(f"perf: domain {domain} is none of the {len(domains)} known ones")
    return domains[domain]


class Perf(Protocol):
    """Declare the events of the performance domain protocol; the source is the domain."""

    limits_changed = EventType(0, LimitsFields, source="domain_id", report=partial(limits, None))
    level_changed = EventType(1, LevelFields, source="domain_id", report=partial(level, None))


PERF = Perf(0x13)


def perf(frequencies: Domains) -> Perf:
    """Return a performance protocol that knows its domains, for registering instead of PERF.

    frequencies: for each domain a mapping of its levels, as the wire names them, to Hz: ``{0: {1000:
    1_000_000_000}}``. It is copied. A level without entry has the frequency 0; an event of a domain
    without entry is refused with PayloadError.
    """
    if not isinstance(frequencies, Mapping):
        raise TypeError(f"frequencies must map domains to mappings of levels to Hz, not {frequencies!r}")
    domains: dict[int, Levels] = {}
    for domain, levels in frequencies.items():
        if not isinstance(levels, Mapping):
            raise TypeError(f"domain {domain}: {levels!r} is no mapping of levels to Hz")
        domains[checked("domain", domain, WORD)] = {
            checked("level", number, WORD): checked("a frequency in Hz", hertz, (1 << 64) - 1)
            for number, hertz in levels.items()
        }
    events: dict[str, EventType[object]] = {
        "limits_changed": ContextEvent(0, LimitsFields, source="domain_id", report=partial(limits, domains)),
        "level_changed": ContextEvent(1, LevelFields, source="domain_id", report=partial(level, domains)),
    }
    return cast(Perf, Perf(PERF.id, PERF.name, events))
