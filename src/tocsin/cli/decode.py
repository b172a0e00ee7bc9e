"""tocsin decode: one SCMI message, from hex to header fields and report.

The bytes are those of the wire, in their order: words are little-endian, so the header 0x00005701 reads
01 57 00 00.
"""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tocsin import scmi
from tocsin.cli import Trouble
from tocsin.cli.inputs import opened, troubled
from tocsin.cli.show import as_text, assignments, fields_of, name_of, plain, plural
from tocsin.errors import PayloadError
from tocsin.scmi.message import NOTIFICATION, Header, split

if TYPE_CHECKING:
    from tocsin.eventtype import EventType
    from tocsin.protocol import Protocol

__all__ = ["decode"]

LONGEST_INPUT = 1 << 20  # characters; the longest message has 8,204 bytes
KINDS = ("command or response", "undefined", "delayed response", "notification")
SEPARATORS = str.maketrans(":,-", "   ")


def decode(words: Sequence[str], *, as_json: bool) -> None:
    """Print what a message says; Trouble if it is none, or its payload is not that of its event."""
    message = bytes_of(read_stdin() if list(words) == ["-"] else " ".join(words))
    try:
        header, payload = split(message)
    except scmi.MessageError as error:
        raise Trouble(str(error)) from None
    word = int.from_bytes(message[:4], "little")
    protocol = next((known for known in scmi.PROTOCOLS if known.id == header.protocol_id), None)
    if as_json:
        print(json.dumps(as_object(word, header, protocol, payload)))
        return
    pairs = header_pairs(word, header, protocol)
    try:
        pairs += payload_pairs(header, protocol, payload)
    finally:  # a header says something even if what follows is wrong
        width = max(len(name) for name, _ in pairs)
        for name, value in pairs:
            print(f"{name:<{width}}  {value}")
        sys.stdout.flush()  # before what is said on stderr


def as_object(word: int, header: Header, protocol: "Protocol | None", payload: bytes) -> dict[str, Any]:
    """Return all that a message says; the payload in hex if it is no notification."""
    said = {"header": {"word": word, **header._asdict()}, "protocol": protocol and protocol.name}
    if header.message_type != NOTIFICATION:
        return said | {"payload": payload.hex()}
    event = event_of(header, protocol)
    report = plain(report_of(event, payload))
    return said | {"event": event.name, "source": event.source_of(payload), "report": report}


def header_pairs(word: int, header: Header, protocol: "Protocol | None") -> list[tuple[str, Any]]:
    return [
        ("header", f"{word:#010x}"),
        ("protocol", f"{header.protocol_id:#04x}" + (f" ({protocol.name})" if protocol else "")),
        ("type", f"{header.message_type} ({KINDS[header.message_type]})"),
        ("message", f"{header.message_id:#04x}"),
        ("token", header.token),
    ]


def payload_pairs(header: Header, protocol: "Protocol | None", payload: bytes) -> list[tuple[str, Any]]:
    """Return what the payload says; of a sequence of records each takes a line."""
    if header.message_type != NOTIFICATION:
        return [("payload", f"{payload.hex(' ', -4)} ({plural(len(payload), 'byte')})".lstrip())]
    event = event_of(header, protocol)
    report = report_of(event, payload)
    pairs: list[tuple[str, Any]] = [("event", name_of(event)), ("source", event.source_of(payload))]
    for name, value in fields_of(report).items():
        if isinstance(value, tuple) and value and hasattr(value[0], "_asdict"):
            pairs += ((f"{name}[{place}]", assignments(record)) for place, record in enumerate(value))
        else:
            pairs.append((name, as_text(value)))
    return pairs


def read_stdin() -> str:
    with opened("-") as file, troubled("-"):
        data = file.read(LONGEST_INPUT + 1)
    if len(data) > LONGEST_INPUT:
        raise Trouble(f"more than {LONGEST_INPUT} characters; one message in hex has at most some 20,000")
    return data.decode("ascii", "replace")


def bytes_of(text: str) -> bytes:
    """Return the bytes of a hex text; between them may stand spaces, colons, commas, dashes and 0x."""
    message = bytearray()
    for token in text.translate(SEPARATORS).split():
        digits = token[2:] if token[:2] in ("0x", "0X") else token
        shown = token if len(token) <= 24 else token[:20] + "..."
        strange = next((sign for sign in digits if sign not in "0123456789abcdefABCDEF"), None)
        if strange is not None:
            raise Trouble(f"{shown!r} is not hex: {strange!r} is no hex digit")
        if len(digits) % 2 or not digits:
            raise Trouble(f"{shown!r} has {plural(len(digits), 'hex digit')}; a byte has two")
        message += bytes.fromhex(digits)
    return bytes(message)


def event_of(header: Header, protocol: "Protocol | None") -> "EventType[Any]":
    """Return the event that a notification tells of; Trouble lists what there is."""
    if protocol is None:
        known = ", ".join(f"{known.name} ({known.id:#04x})" for known in scmi.PROTOCOLS)
        raise Trouble(f"no protocol {header.protocol_id:#04x} is known; there are {known}")
    for event in protocol.events:
        if event.id == header.message_id:
            return event
    known = ", ".join(f"{event.name} ({event.id})" for event in protocol.events)
    raise Trouble(f"{protocol.name} has no event {header.message_id}; there are {known}")


def report_of(event: "EventType[Any]", payload: bytes) -> Any:
    """Return the report of a payload; Trouble if the event can't have it."""
    try:
        return event.unpack(payload)
    except PayloadError as error:
        raise Trouble(str(error)) from None
