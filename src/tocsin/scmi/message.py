"""Messages of SCMI: a header word, then the payload. And the way of a notification into a pipeline.

The word is little-endian: message id in bits 7..0, type 9..8, protocol id 17..10, token 27..18; the rest is
reserved, and ignored. Only type 3 is a notification: its payload has no status word, its message id is the
id of the event, and its token means nothing to an agent. Nothing here keeps state; any thread.
"""

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tocsin.errors import TocsinError
from tocsin.key import checked
from tocsin.scmi.context import ContextEvent

if TYPE_CHECKING:
    from tocsin.pipeline import Pipeline
    from tocsin.protocol import EventType

__all__ = ["NOTIFICATION", "Header", "MessageError", "notify_message", "split"]

Buffer: TypeAlias = "bytes | bytearray | memoryview"

HEADER_SIZE = 4
NOTIFICATION = 3
TYPES = ("a command or its response", "not defined", "a delayed response", "a notification")


class MessageError(TocsinError, ValueError):
    """Bytes that are no SCMI notification."""


class Header(NamedTuple):
    """Hold the fields of a header word; int(header) is the word."""

    message_id: int
    message_type: int
    protocol_id: int
    token: int = 0

    @classmethod
    def from_int(cls, word: int) -> "Header":
        """Return the fields of a word; the reserved bits are left out."""
        return cls(word & 0xFF, word >> 8 & 3, word >> 10 & 0xFF, word >> 18 & 0x3FF)

    def __int__(self) -> int:
        return (
            checked("message id", self.message_id, 0xFF)
            | checked("message type", self.message_type, 3) << 8
            | checked("protocol id", self.protocol_id, 0xFF) << 10
            | checked("token", self.token, 0x3FF) << 18
        )


def split(message: Buffer) -> tuple[Header, bytes]:
    """Return header and payload of any SCMI message; MessageError if it is too short to have a header."""
    try:
        data = bytes(memoryview(message))
    except TypeError:
        raise TypeError(f"a message is a bytes-like object, not {type(message).__name__}") from None
    if len(data) < HEADER_SIZE:
        raise MessageError(f"{len(data)} bytes; an SCMI message has at least {HEADER_SIZE} (its header)")
    return Header.from_int(int.from_bytes(data[:HEADER_SIZE], "little")), data[HEADER_SIZE:]


def notify_message(
    pipeline: "Pipeline", message: Buffer, timestamp: int | None = None, *, timeout: float | None = 0
) -> bool:
    """Hand the notification in an SCMI message over to a pipeline: True accepted, False no room.

    message: header word and payload, as raw/notification of the kernel gives them. timestamp and timeout
    as for Pipeline.notify(). Any thread.

    MessageError: it is none, being too short or of another type. UnknownEventError: no registered
    protocol has the event. PayloadError: the event can't have this payload; counted as invalid.
    """
    header, payload = split(message)
    if header.message_type != NOTIFICATION:
        raise MessageError(
            f"protocol {header.protocol_id:#04x}, message {header.message_id}: type {header.message_type} "
            f"is {TYPES[header.message_type]}; a notification has type {NOTIFICATION}"
        )
    given: Any = payload
    event = registered(pipeline, header)
    if isinstance(event, ContextEvent):
        given = event.plain(payload)
    return pipeline.notify((header.protocol_id, header.message_id), given, timestamp, timeout=timeout)


def registered(pipeline: "Pipeline", header: Header) -> "EventType[Any] | None":
    """Return the event type that the pipeline knows for a notification, None if it knows none."""
    for protocol in pipeline.protocols:
        if protocol.id == header.protocol_id:
            for event in protocol.events:
                if event.id == header.message_id:
                    return event
    return None
