"""What every source gives: messages, one after the other, until it ends or is closed.

A source is an iterator and a context manager. It closes what it opened: at its end, when reading raises
(Ctrl-C is one way), on leaving its ``with`` block, and when it is dropped. It is for one thread at a time.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple, Self

__all__ = ["Message", "Source"]


class Message(NamedTuple):
    """Hold an SCMI message, header word and payload, and its time in ns."""

    timestamp: int
    data: bytes


class Source(ABC, Iterator[Message]):
    """Iterate over messages; the base of what trace.read() and raw.read() return.

    name: what is read, as it was given; an OSError that has no file name gets this one.
    """

    name: object

    @abstractmethod
    def close(self) -> None:
        """Close what this source opened; harmless to repeat. It has ended then."""

    @abstractmethod
    def _take(self) -> Message | None:
        """Wait for the next message and return it; None at the end."""

    def __next__(self) -> Message:
        try:
            message = self._take()
        except BaseException as error:
            self.close()
            if isinstance(error, OSError) and error.filename is None:
                error.filename = self.name
            raise
        if message is None:
            self.close()
            raise StopIteration
        return message

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
