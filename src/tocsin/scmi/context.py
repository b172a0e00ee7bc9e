"""Event types whose report needs more than the payload: the context, a description of the platform.

The core checks sizes, in C, whoever brings the payload. It knows nothing of a context, so a ContextEvent
checks that where Python is at hand: when a report is packed, which is how notify() and notify_message()
bring their events, a payload that contradicts the context is refused, and counted as invalid. One that came
as bytes, from notify() or from native code, is delivered, and asking for its report raises.
"""

from typing import Any, TypeVar

from tocsin.errors import PayloadError
from tocsin.protocol import EventType

__all__ = ["ContextEvent"]

R_co = TypeVar("R_co", covariant=True)


class ContextEvent(EventType[R_co]):
    """Refuse to pack what the report function refuses, by PayloadError, to report."""

    def pack(self, *args: Any, **kwargs: Any) -> bytes:
        """Return the payload, as EventType does, once its report could be made."""
        payload = super().pack(*args, **kwargs)
        self.unpack(payload)
        return payload

    def plain(self, payload: bytes) -> Any:
        """Return the fields as they are on the wire, which pack() checks.

        A payload of a wrong size comes back as it is: the core refuses it.
        """
        try:
            return self.layout.unpack(payload)
        except PayloadError:
            return payload
