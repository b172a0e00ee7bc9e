"""Many records at once: what notify_many() was given, checked.

All records are copied and checked before the first one is put in: so an error accepts nothing, and what
goes in is what was checked, whatever others do to the buffer meanwhile. The caller's thread.
"""

from math import prod
from typing import Any

from tocsin.errors import PayloadError
from tocsin.pure.equeue import EventsQueue
from tocsin.pure.payload import Rule
from tocsin.pure.times import STAMP_MAX, stamp_of

__all__ = ["Many"]

SIGNED_MAX = (1 << 63) - 1


class Many:
    """Hold the records of one notify_many() and how many of them are in."""

    def __init__(self, queue: EventsQueue, event: int, rule: Rule, payloads: Any, timestamps: Any) -> None:
        """PayloadError (counted as invalid), TypeError, ValueError."""
        self.event = event
        self.done = 0
        event_type = queue.types[event]
        with memoryview(payloads) as view:
            if not view.c_contiguous:
                raise BufferError("the records must be contiguous")
            stamps = stamps_of(timestamps, queue.clock())
            try:
                size = record_size(view, rule, event_type)
                data = bytes(view)
                self.records = [data[at : at + size] for at in range(0, len(data), size)]
                for number, record in enumerate(self.records):
                    if not rule.fits(record):
                        event_type.check_size(record)
                        raise PayloadError(
                            f"record {number}: {size} bytes; its queue takes at most {rule.max_size}"
                        )
            except PayloadError:
                queue.count_invalid()
                raise
        if isinstance(stamps, list) and len(stamps) != len(self.records):
            raise ValueError(f"{len(stamps)} timestamps for {len(self.records)} records")
        self.stamps = stamps if isinstance(stamps, list) else [stamps] * len(self.records)

    @property
    def left(self) -> int:
        """How many records are not in yet."""
        return len(self.records) - self.done


def record_size(view: memoryview, rule: Rule, event_type: Any) -> int:
    """Return the size of one record: the event's own, or what the shape of the buffer says."""
    size = rule.only_size
    if not size:
        if view.ndim == 1 and view.itemsize == 1:
            raise PayloadError(
                f"{event_type!r} has payloads of several sizes: give a two-dimensional buffer, a record a row"
            )
        size = view.itemsize * prod((view.shape or ())[1:])
    if not size or view.nbytes % size:
        raise PayloadError(f"{view.nbytes} bytes are no whole number of records of {size} bytes")
    return size


def stamps_of(timestamps: Any, now: int) -> int | list[int]:
    """Return the timestamps: none is now, one is for all, or a list of one each."""
    if timestamps is None:
        return now
    try:
        view = memoryview(timestamps)
    except TypeError:
        if hasattr(timestamps, "__index__"):
            return stamp_of(timestamps)
        raise
    with view:
        code = view.format.lstrip("@=<")
        if code not in ("Q", "L", "q", "l") or view.itemsize != 8:
            raise TypeError(f"timestamps must be 64-bit integers in ns, not of format {code!r}")
        if not view.c_contiguous:
            raise BufferError("the timestamps must be contiguous")
        stamps = list(memoryview(bytes(view)).cast("Q"))
    limit = SIGNED_MAX if code in "ql" else STAMP_MAX
    for number, stamp in enumerate(stamps):
        if stamp > limit:
            raise ValueError(f"timestamp {number} is negative or 2**64 - 1")
    return stamps
