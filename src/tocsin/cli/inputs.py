"""Files as the command line reads them: whatever is wrong with one is said in one line, as a Trouble.

So an OSError that a command lets through is always one of the output.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from tocsin.cli import Trouble
from tocsin.sources import Message, Source

__all__ = ["Watched", "messages_of", "opened", "troubled"]

TRACE_EVENT = b"scmi_"  # so begin the names of all events of that group


@contextmanager
def troubled(name: str) -> Iterator[None]:
    """Turn what the system says about a file into a Trouble."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise Trouble(f"{name}: {getattr(error, 'strerror', None) or error}") from None


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """Open a file for reading, - for stdin; Trouble if that fails."""
    with troubled(name):
        file = open(0 if name == "-" else name, "rb", closefd=name != "-")  # noqa: SIM115 (closed below)
    with file:
        yield file


def messages_of(name: str, source: Source) -> Iterator[Message]:
    """Iterate over the messages of a source; Trouble if reading fails."""
    while True:
        with troubled(name):
            message = next(source, None)
        if message is None:
            return
        yield message


class Watched:
    """Let a reader take lines from a file, and keep in mind how many bytes, and whether it is a trace."""

    def __init__(self, file: BinaryIO, advance: Callable[[int], None] = lambda count: None) -> None:
        self.is_trace = False
        self.fileno = file.fileno
        self._file = file
        self._advance = advance

    def readline(self, limit: int = -1) -> bytes:
        """Return the next line, or as much of it as the limit lets through."""
        line = self._file.readline(limit)
        self.is_trace = self.is_trace or TRACE_EVENT in line
        self._advance(len(line))
        return line
