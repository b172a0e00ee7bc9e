"""Batches: many events of one type in columns, for NumPy, which is imported when an array is asked for.

The stage copies each record into the columns of a batch: payloads one behind the other, and beside them
where each ends, its timestamp, source and lost. Arrays are views of the columns without another copy. Each
call gets a batch of its own, so whoever keeps one, or an array of it, has it for himself.

Filled by the stage, constant during the call and afterwards.
"""

from array import array
from collections.abc import Iterator
from itertools import accumulate
from operator import index as as_index
from typing import TYPE_CHECKING, Any, Generic, TypeVar, final

from tocsin.pure.event import Event, event_of
from tocsin.pure.payload import field

if TYPE_CHECKING:
    import numpy
    import numpy.typing

__all__ = ["Batch", "batch_of"]

R_co = TypeVar("R_co", covariant=True)


@final
class Batch(Generic[R_co]):
    """Hold the events of one type that arrived together, in order.

    `len(batch)` and iteration give Events; `array`, `timestamp`, `source` and `lost` are NumPy
    arrays of the same length. It may be kept, and so may its arrays; they stay as they are.
    """

    __slots__ = ("_ends", "_losts", "_payloads", "_sources", "_timestamps", "_type")

    _type: Any
    _payloads: bytearray
    _ends: "array[int]"
    _timestamps: "array[int]"
    _sources: "array[int]"
    _losts: "array[int]"

    def __init__(self, /, *args: Any, **kwargs: Any) -> None:
        raise TypeError("a Batch is made by a pipeline")

    def __init_subclass__(cls) -> None:
        raise TypeError("type 'Batch' is not an acceptable base type")

    def _add(self, payload: bytes, timestamp: int, source: int, lost: int) -> None:
        """Append a record. The stage, before the call."""
        self._payloads += payload
        self._ends.append(len(self._payloads))
        self._timestamps.append(timestamp)
        self._sources.append(source)
        self._losts.append(lost)

    def _span(self, at: int) -> tuple[int, int]:
        """Return where the payload of an event begins and ends."""
        return self._ends[at - 1] if at else 0, self._ends[at]

    @property
    def type(self) -> Any:
        """The event type, bound to its protocol."""
        return self._type

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int, /) -> Event[R_co]:
        """Return one event as an Event."""
        at = as_index(index)
        at += len(self) if at < 0 else 0
        if not 0 <= at < len(self):
            raise IndexError(f"event {index} of a batch of {len(self)}")
        begin, end = self._span(at)
        payload = bytes(self._payloads[begin:end])
        return event_of(self._type, payload, self._timestamps[at], self._sources[at], self._losts[at])

    def __iter__(self) -> Iterator[Event[R_co]]:
        return (self[index] for index in range(len(self)))

    def payload(self, index: int) -> bytes:
        """Return the payload of one event."""
        return self[index].payload

    @property
    def array(self) -> "numpy.typing.NDArray[Any]":
        """The payloads' fields: a structured array of shape (len,), dtype `type.dtype`.

        Of a type with a repeated part these are the fixed fields; see `groups`. Fields that a short
        payload lacks are 0.
        """
        import numpy

        dtype = self._type.dtype
        spans = [self._span(at) for at in range(len(self))]
        if spans and all(end - begin == dtype.itemsize for begin, end in spans):
            return numpy.frombuffer(self._payloads, dtype)
        rows = numpy.zeros(len(self), dtype)
        parts = [
            self._payloads[begin:end][: dtype.itemsize].ljust(dtype.itemsize, b"\0") for begin, end in spans
        ]
        if parts:
            rows[:] = numpy.frombuffer(b"".join(parts), dtype)
        return rows

    @property
    def groups(self) -> "numpy.typing.NDArray[Any]":
        """The repeated parts of all events, one behind the other: dtype `type.item_dtype`.

        Those of event i are groups[offsets[i]:offsets[i + 1]].
        """
        import numpy

        dtype, groups = self._type.item_dtype, self._groups()
        parts = [numpy.frombuffer(self._payloads, dtype, count, start) for start, count in groups]
        return numpy.concatenate(parts) if parts else numpy.zeros(0, dtype)

    @property
    def offsets(self) -> "numpy.typing.NDArray[numpy.int64]":
        """Where the repeated part of each event begins in `groups`: int64, shape (len + 1,)."""
        import numpy

        counts = (count for _, count in self._groups())
        return numpy.array(list(accumulate(counts, initial=0)), "i8")

    def _groups(self) -> list[tuple[int, int]]:
        """Return where each event's repeated part begins, and how often it repeats."""
        if self._type.item_dtype is None:
            raise TypeError(f"{self._type!r} has no repeated part")
        rule, groups = self._type.rule, []
        for at in range(len(self)):
            begin, end = self._span(at)
            count = (end - begin - rule.fixed_size) // rule.item_size
            if rule.count_width:
                said = field(self._payloads[begin:end], rule.count_offset, rule.count_width)
                count = said & rule.count_mask
            groups.append((begin + rule.fixed_size, count))
        return groups

    @property
    def timestamp(self) -> "numpy.typing.NDArray[numpy.uint64]":
        """The timestamps in ns: uint64, shape (len,)."""
        return column(self._timestamps)

    @property
    def source(self) -> "numpy.typing.NDArray[numpy.uint64]":
        """The sources: uint64, shape (len,)."""
        return column(self._sources)

    @property
    def lost(self) -> "numpy.typing.NDArray[numpy.uint64]":
        """How many events were refused before each: uint64, shape (len,)."""
        return column(self._losts)

    def __repr__(self) -> str:
        return f"<Batch {self._type.protocol.name}.{self._type.name} of {len(self)} events>"


def column(numbers: "array[int]") -> "numpy.typing.NDArray[numpy.uint64]":
    import numpy

    return numpy.frombuffer(numbers, "u8")


def batch_of(event_type: Any) -> Batch[Any]:
    """Make an empty batch. The stage."""
    batch: Batch[Any] = Batch.__new__(Batch)
    batch._type = event_type
    batch._payloads = bytearray()
    batch._ends, batch._timestamps = array("Q"), array("Q")
    batch._sources, batch._losts = array("Q"), array("Q")
    return batch
