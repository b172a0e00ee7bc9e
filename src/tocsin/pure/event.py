"""Events, as callables get them.

An event is lazy: `report` is made each time that somebody asks. Constant after it was made; any thread.
"""

from types import GenericAlias
from typing import TYPE_CHECKING, Any, Generic, TypeVar, final

if TYPE_CHECKING:
    from typing import Self

    from tocsin.key import Key

__all__ = ["Event", "EventCode", "event_of", "make_event"]

R_co = TypeVar("R_co", covariant=True)


class EventCode(Generic[R_co]):
    """Hold the code of an event type: protocol << 24 | event << 16, or -1 while it is unbound.

    The base of EventType.
    """

    __slots__ = ("code",)

    def __class_getitem__(cls, item: Any) -> GenericAlias:
        return GenericAlias(cls, item)  # the variable's name too, which is all there is at run time

    code: int

    def __new__(cls, *args: Any, **kwargs: Any) -> "Self":
        """Begin unbound; copies are made without an __init__."""
        self = super().__new__(cls)
        self.code = -1
        return self


@final
class Event(Generic[R_co]):
    """Tell of one event: what it was, where it came from, when, and its report.

    `timestamp` is in ns of the pipeline's clock; `lost` is how many events of the queue were refused
    since the previous one that this subscriber saw. Made by tocsin, or by tocsin.testing.make_event().
    """

    __slots__ = ("_lost", "_payload", "_source", "_timestamp", "_type")

    _type: Any
    _payload: bytes
    _timestamp: int
    _source: int
    _lost: int

    def __init__(self, /, *args: Any, **kwargs: Any) -> None:
        raise TypeError("an Event is made by a pipeline")

    def __init_subclass__(cls) -> None:
        raise TypeError("type 'Event' is not an acceptable base type")

    @property
    def type(self) -> Any:
        """The event type, bound to its protocol."""
        return self._type

    @property
    def timestamp(self) -> int:
        """When it was notified, in ns of the pipeline's clock."""
        return self._timestamp

    @property
    def source(self) -> int:
        """Where it came from; 0 if its type says nothing of that."""
        return self._source

    @property
    def lost(self) -> int:
        """How many events were refused since the previous one that this subscriber saw."""
        return self._lost

    @property
    def protocol(self) -> int:
        """The id of the protocol, 0..255."""
        return int(self._type.code) >> 24 & 0xFF

    @property
    def event(self) -> int:
        """The id of the event within its protocol, 0..255."""
        return int(self._type.code) >> 16 & 0xFF

    @property
    def payload(self) -> bytes:
        """The payload as it was notified."""
        return self._payload

    @property
    def report(self) -> R_co:
        """The payload as an instance of what the event type declares, made anew each time."""
        report: R_co = self._type.unpack(self._payload)
        return report

    @property
    def key(self) -> "Key":
        """The Key of this event; ALL as its source if that is above 65534."""
        key: Key = self._type.key(self._source) if self._source < 0xFFFF else self._type.key()
        return key

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        return (
            self._timestamp == other._timestamp
            and self._lost == other._lost
            and bool(self._type == other._type)
            and self._payload == other._payload
        )

    def __hash__(self) -> int:
        return hash((self._timestamp, self._payload))

    def __reduce__(self) -> tuple[Any, ...]:
        return make_event, (self._type, self._payload, self._timestamp, self._lost)

    def __repr__(self) -> str:
        name = f"{self._type.protocol.name}.{self._type.name}"
        try:
            report = repr(self.report)
        except Exception as error:
            report = f"<no report: {error}>"
        seconds, rest = divmod(self._timestamp, 1_000_000_000)
        return f"<Event {name} source={self._source} t={seconds}.{rest:09d} lost={self._lost} {report}>"


def event_of(event_type: Any, payload: bytes, timestamp: int, source: int, lost: int) -> Event[Any]:
    """Make an event of what is known of it, unchecked."""
    event: Event[Any] = Event.__new__(Event)
    event._type, event._payload = event_type, payload
    event._timestamp, event._source, event._lost = timestamp, source, lost
    return event


def make_event(type: Any, payload: bytes, timestamp: int = 0, lost: int = 0) -> Event[Any]:
    """Make an event of a bound event type from its payload, as a pipeline would.

    Any thread. PayloadError if the event can't have this payload.
    """
    whole = bytes(payload)
    type.check_size(whole)
    return event_of(type, whole, timestamp, type.source_of(whole), lost)
