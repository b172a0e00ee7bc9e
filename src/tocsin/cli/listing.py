"""tocsin protocols: what tocsin knows of SCMI, read from the declarations themselves."""

import json
import sys
from typing import TYPE_CHECKING, Any

from tocsin import scmi
from tocsin.cli.show import print_table

if TYPE_CHECKING:
    from tocsin.eventtype import EventType
    from tocsin.protocol import Protocol

__all__ = ["print_protocols"]

HEAD = ("protocol", "event", "id", "bytes", "source", "payload")


def print_protocols(*, as_json: bool) -> None:
    """Print each event of each protocol: ids, payload, sizes, and the field that is its source."""
    if as_json:
        print(json.dumps([protocol_object(protocol) for protocol in scmi.PROTOCOLS]))
        return
    rows = [row_of(protocol, event) for protocol in scmi.PROTOCOLS for event in protocol.events]
    print_table(HEAD, rows, sys.stdout)


def row_of(protocol: "Protocol", event: "EventType[Any]") -> tuple[object, ...]:
    name = f"{protocol.name}.{event.name}"
    source = event.source or "always 0"
    return f"{protocol.id:#04x}", name, event.id, sizes_of(event), source, layout_of(event.fields)


def protocol_object(protocol: "Protocol") -> dict[str, Any]:
    events = [
        {
            "id": event.id,
            "name": event.name,
            "min_size": event.min_size,
            "max_size": event.max_size,
            "source": event.source,
            "fields": event.fields,
        }
        for event in protocol.events
    ]
    return {"id": protocol.id, "name": protocol.name, "events": events}


def sizes_of(event: "EventType[Any]") -> str:
    """Return the sizes that a payload can have, in bytes."""
    rule = event.rule
    if rule.sizes:
        return " or ".join(map(str, rule.sizes))
    if event.min_size == event.max_size:
        return str(event.min_size)
    step = f" by {rule.item_size}" if rule.item_size else ""
    return f"{event.min_size}..{event.max_size or ''}{step}"


def layout_of(fields: dict[str, Any]) -> str:
    """Return the fields in order with their NumPy type strings; (...)* repeats, [...] may be absent."""
    return " ".join(field_of(name, text) for name, text in fields.items()) or "raw bytes"


def field_of(name: str, text: Any) -> str:
    if isinstance(text, list):
        return f"{name}:({layout_of(text[0]) if isinstance(text[0], dict) else text[0]})*"
    if isinstance(text, tuple):
        return f"[{name}:{text[0]}]"
    return f"{name}:{text}"
