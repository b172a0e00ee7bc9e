# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""Events as Python sees them.

An Event is a copy of one record, made when it is handed to a callable: self-contained, so it may be kept,
sent to other threads and pickled, and lazy, so that a callable pays only for what it reads. A payload of up to
64 bytes lies in the object itself; `payload` and `report` are made on demand. Constant as long as anybody has it,
but for the bytes of `payload`: made when first asked for, in the critical section of the event, since several
threads may ask at once. An event that its callable did not keep is the next one's, which spares a hundred
instructions a dispatch.
"""

from types import GenericAlias

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy


cdef class EventCode:
    """Hold the code of an event type: protocol << 24 | event << 16, or -1 while it is unbound.

    The base of EventType, so that the core finds the queue of an event without asking Python.
    """

    __class_getitem__ = classmethod(GenericAlias)

    def __cinit__(self, *args, **kwargs):
        self.code = -1


@cython.final
cdef class TypeRef:
    """Refer to an event type, in the place of a reference to itself.

    Each event and each batch counts itself as a user of its type. Without a GIL that count is an atomic, in a cache
    line that who notifies writes as well, once per event: the two threads would hand it back and forth. So what
    is delivered refers to one of these, whose count the stage has nearly for itself.
    """


cdef TypeRef typeref_new(object type):
    """Refer to an event type. With the GIL."""
    cdef TypeRef of = TypeRef.__new__(TypeRef)
    of.type = type
    return of


@cython.final
@cython.no_gc     # an event type never refers to an event
@cython.freelist(512)
cdef class Event:
    """Tell of one event: what it was, where it came from, when, and its report.

    `timestamp` is in ns of the pipeline's clock; `lost` is how many events of the queue were refused
    since the previous one that this subscriber saw. Made by tocsin, or by tocsin.testing.make_event().
    """

    __class_getitem__ = classmethod(GenericAlias)

    def __init__(self):
        raise TypeError("an Event is made by a pipeline")

    @property
    def type(self) -> object:
        """The event type, bound to its protocol."""
        return event_type(self.of)

    @property
    def protocol(self) -> int:
        """The id of the protocol, 0..255."""
        return (event_type(self.of).code >> 24) & 0xFF

    @property
    def event(self) -> int:
        """The id of the event within its protocol, 0..255."""
        return (event_type(self.of).code >> 16) & 0xFF

    @property
    def payload(self) -> bytes:
        """The payload as it was notified."""
        with cython.critical_section(self):
            if self.whole is None:
                self.whole = PyBytes_FromStringAndSize(<char*> self.inline_, self.size)
            return self.whole

    @property
    def report(self) -> object:
        """The payload as an instance of what the event type declares, made anew each time."""
        return event_type(self.of).unpack(self.payload)

    @property
    def key(self) -> object:
        """The Key of this event; ALL as its source if that is above 65534."""
        return event_type(self.of).key(self.source) if self.source < 0xFFFF else event_type(self.of).key()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        return (
            self.timestamp == (<Event> other).timestamp
            and self.lost == (<Event> other).lost
            and event_type(self.of) == event_type((<Event> other).of)
            and self.payload == (<Event> other).payload
        )

    def __hash__(self) -> int:
        return hash((self.timestamp, self.payload))

    def __reduce__(self) -> tuple:
        return make_event, (event_type(self.of), self.payload, self.timestamp, self.lost)

    def __repr__(self) -> str:
        cdef str name = f"{event_type(self.of).protocol.name}.{event_type(self.of).name}"
        try:
            report = repr(self.report)
        except Exception as error:
            report = f"<no report: {error}>"
        return (
            f"<Event {name} source={self.source} t={self.timestamp // 1_000_000_000}."
            f"{self.timestamp % 1_000_000_000:09d} lost={self.lost} {report}>"
        )


cdef Event event_from_record(TypeRef of, const tocsin_event* record):
    """Copy a record in the ring. With the GIL, while the record's space is not freed."""
    cdef Event event = Event.__new__(Event)
    event_fill(event, of, record)
    return event


def make_event(type: object, payload: bytes, timestamp: int = 0, lost: int = 0) -> Event:
    """Make an event of a bound event type from its payload, as a pipeline would.

    Any thread. PayloadError if the event can't have this payload.
    """
    cdef Event event = Event.__new__(Event)
    cdef bytes whole = bytes(payload)
    type.check_size(whole)
    event.of = typeref_new(type)
    event.timestamp = timestamp
    event.source = type.source_of(whole)
    event.lost = lost
    event.size = <uint32_t> PyBytes_GET_SIZE(whole)
    event.whole = whole
    if event.size <= EVENT_INLINE:
        memcpy(event.inline_, PyBytes_AS_STRING(whole), event.size)
    return event
