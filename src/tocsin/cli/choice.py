"""Which events to show: names and numbers from the command line become what to subscribe to.

The filters are subscriptions: what nobody chose is never decoded, and the books call it unclaimed. A name
that nothing has is an error, which lists what there is, and so is a choice that can match nothing.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from tocsin.key import ALL, Key

if TYPE_CHECKING:
    from tocsin.eventtype import EventType
    from tocsin.protocol import Protocol

    Offer: TypeAlias = tuple[Protocol, EventType[Any]]

__all__ = ["choose", "number"]

LAST_SOURCE = 65534


def choose(
    known: Sequence["Protocol"], protocols: Sequence[str], events: Sequence[str], sources: Sequence[str]
) -> list[Key]:
    """Return the keys of all events that the filters let through; an empty filter lets all through.

    protocols: names or ids. events: names, ids, or protocol.event. sources: numbers. ValueError says
    what is unknown and what there is.
    """
    chosen = [protocol_of(known, text) for text in protocols] or known
    numbers = [source_of(text) for text in sources] or [ALL]
    offered = [(protocol, event) for protocol in chosen for event in protocol.events]
    if events:
        offered = [pair for text in events for pair in events_of(offered, text)]
    return list(dict.fromkeys(event.key(source) for _, event in offered for source in numbers))


def protocol_of(known: Sequence["Protocol"], text: str) -> "Protocol":
    wanted = number(text)
    for protocol in known:
        if text.lower() == protocol.name or wanted == protocol.id:
            return protocol
    names = listing(f"{protocol.name} ({protocol.id:#04x})" for protocol in known)
    raise ValueError(f"there is no protocol {text!r}; there are {names}")


def events_of(offered: Sequence["Offer"], text: str) -> list["Offer"]:
    """Return the offered events of this name or id, of one protocol or of several."""
    owner, _, name = text.lower().rpartition(".")
    found = [
        (protocol, event)
        for protocol, event in offered
        if (name == event.name or number(name) == event.id)
        and (not owner or owner == protocol.name or number(owner) == protocol.id)
    ]
    if not found:
        names = listing(f"{protocol.name}.{event.name}" for protocol, event in offered)
        raise ValueError(f"there is no event {text!r}; there are {names}")
    return found


def source_of(text: str) -> int:
    found = number(text)
    if found is None or found > LAST_SOURCE:
        raise ValueError(f"a source is a number in 0..{LAST_SOURCE}, not {text!r}")
    return found


def number(text: str) -> int | None:
    """Return the number that the text is, decimal or 0x; None if it is none."""
    digits, base = (text[2:], 16) if text[:2] in ("0x", "0X") else (text, 10)
    # int() alone takes signs, underscores and the digits of all scripts.
    if not digits.isascii() or not digits.isalnum() or len(digits) > 10:
        return None
    try:
        return int(digits, base)
    except ValueError:
        return None


def listing(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
