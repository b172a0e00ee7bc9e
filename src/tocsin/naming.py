"""How events are named: an event type, a key, a pair of ids, and for subscribers a protocol or a list."""

from __future__ import annotations

from tocsin.key import ALL, Key
from tocsin.protocol import EventType, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

__all__ = ["Named", "Several", "keys_of"]

Several: TypeAlias = "Key | tuple[int, int] | Protocol | list[Any]"
Named: TypeAlias = "EventType[Any] | Several"


def keys_of(event: Any, source: int = ALL) -> tuple[Key, ...]:
    """Return the keys that `event` names, from one source or from ALL.

    event: a bound EventType, a Key, (protocol, event), a Protocol, or a list of these. TypeError for
    anything else, and for a Key with a source of its own together with `source`.
    """
    if isinstance(event, list | set | frozenset):
        return tuple(dict.fromkeys(key for part in event for key in keys_of(part, source)))
    if isinstance(event, Protocol):
        return tuple(part.key(source) for part in event.events)
    if isinstance(event, EventType):
        return (event.key(source),)
    if isinstance(event, Key):
        if event.source is ALL:
            return (Key(event.protocol, event.event, source),)
        if source is not ALL:
            raise TypeError(f"{event!r} names a source already; source={source!r} can't be given too")
        return (event,)
    if isinstance(event, tuple) and len(event) == 2:
        return (Key(event[0], event[1], source),)
    raise TypeError(
        "an event is a bound EventType, a Key, (protocol, event), a Protocol or a list of these, "
        f"not {event!r}"
    )
