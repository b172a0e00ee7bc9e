r"""SCMI notifications from the kernel's trace: lines of the event scmi_msg_dump.

Three forms of the line's text are known, all after the same prefix::

    <idle>-0 [000] d.h2. 535.334421: scmi_msg_dump: id=0 ch=10 pt=15 t=NOTI msg_id=01 seq=0000 s=0 pyld=00
    <idle>-0 [000] d.h2. 535.334421: scmi_msg_dump: pt=15 t=NOTI msg_id=01 seq=0000 s=0 pyld=00
    <idle>-0 [000] d.h2. 535.334421: scmi_msg_dump: [0x15]:NOTI:[0x01]:[0000]:[0]: 00

since Linux 6.3, since 6.0, and in its first posting. trace-cmd and perf print them with prefixes of their
own: other flags or none, nanoseconds, ``scmi:`` before the event. The processor in brackets and the time in
seconds are always there. The trace does not keep the wire's header word; one is put together of what is
printed, the token being a stale number there, 0 in every capture seen.

A line counts only when its end has come, so a capture that was cut gives no half message. Lines are taken
as bytes, with at most LONGEST of one in memory. No line waits for a later one: readline() of a file that is
a pipe returns as soon as there is a whole one.
"""

import io
import os
import re
from typing import IO, Any, TypeAlias

from tocsin.sources.message import Message, Source

__all__ = ["TraceReader", "read"]

File: TypeAlias = "str | os.PathLike[str] | int | IO[bytes] | IO[str]"

LONGEST = 1 << 16  # bytes; the kernel prints at most two pages in a line
NOTIFICATION = 3

# The first match in a line is its own prefix; what a later part of the line quotes is never taken for it.
PREFIX = re.compile(rb"\[\d{1,5}\]\s{1,32}(?:[^\s:]{1,16}\s{1,32})?(\d{1,10})\.(\d{1,9}):\s{1,32}")
# Both give protocol, tag, message id, seq and payload. Fields that later kernels may add are passed over.
FIELDS = re.compile(
    rb"(?:scmi:)?scmi_msg_dump:\s{1,32}(?:\w+=\S+ ){0,8}pt=([\dA-Fa-f]{2}) t=(\S+) msg_id=([\dA-Fa-f]{2}) "
    rb"seq=([\dA-Fa-f]{4}) s=-?\d+ (?:\w+=\S+ ){0,8}pyld=((?:[\dA-Fa-f]{2})*)[ \t\r]*\n"
)
FIRST_POSTING = re.compile(
    rb"(?:scmi:)?scmi_msg_dump:\s{1,32}\[0x([\dA-Fa-f]{2})\]:([^\s:]+):\[0x([\dA-Fa-f]{2})\]:"
    rb"\[([\dA-Fa-f]{4})\]:\[-?\d+\]:[ \t]*((?:[\dA-Fa-f]{2})*)[ \t\r]*\n"
)


def read(file: File) -> "TraceReader":
    """Return an iterator over the notifications in a trace, each with the time of its line.

    file: a path (trace_pipe, a FIFO, a capture), a descriptor, or a binary or text file. A path is opened
    and a descriptor taken over: both are closed at the end; a file stays its owner's. Blocks while the
    file does. OSError if it can't be opened or read; ValueError if it is in non-blocking mode.
    """
    return TraceReader(file)


class TraceReader(Source):
    """Iterate over the notifications in a trace, and count what else is there.

    lines: how many were read. notifications: how many of them were delivered. skipped: all others,
    being other events, other messages, garbage, too long or cut. lost: how many of the skipped tell of a
    notification that the kernel itself could not take (``!NOTI``).
    """

    def __init__(self, file: File) -> None:
        self.lines = self.notifications = self.lost = 0
        self.name: object = file
        self._opened: IO[bytes] | None = None
        if isinstance(file, str | os.PathLike | int) and not isinstance(file, bool):
            self._opened = open(file, "rb")  # noqa: SIM115 (closed by close())
            self._file: Any = self._opened
        elif callable(getattr(file, "readline", None)):
            self.name = getattr(file, "name", file)
            self._file = beneath(file)
        else:
            raise TypeError(f"a trace is read from a path or an open file, not {file!r}")
        refuse_non_blocking(self._file)

    @property
    def skipped(self) -> int:
        """How many lines were no notification."""
        return self.lines - self.notifications

    def __repr__(self) -> str:
        counts = f"lines={self.lines} notifications={self.notifications} skipped={self.skipped}"
        return f"<TraceReader {self.name!r} {counts}>"

    def close(self) -> None:
        """Close the file if it was opened here; harmless to repeat."""
        opened, self._file, self._opened = getattr(self, "_opened", None), None, None
        if opened is not None:
            opened.close()

    def _take(self) -> Message | None:
        while self._file is not None:
            line = self._line()
            if not line:
                return None
            self.lines += 1
            message = self._parse(line)
            if message is not None:
                self.notifications += 1
                return message
        return None

    def _line(self) -> bytes:
        """Return the next line, b"" after the last; without a line end if that is too far or missing."""
        line = piece = as_bytes(self._file.readline(LONGEST))
        while piece and not piece.endswith(b"\n"):
            piece = as_bytes(self._file.readline(LONGEST))
        return line

    def _parse(self, line: bytes) -> Message | None:
        """Return the notification in a line; None if there is none, or no line end."""
        prefix = PREFIX.search(line)
        if prefix is None:
            return None
        text = FIELDS.match(line, prefix.end()) or FIRST_POSTING.match(line, prefix.end())
        if text is None:
            return None
        protocol, tag, number, seq, payload = text.groups()
        if tag == b"!NOTI":
            self.lost += 1
        if tag.upper() != b"NOTI":
            return None
        seconds, fraction = prefix.groups()
        token = int(seq, 16) & 0x3FF
        word = int(number, 16) | NOTIFICATION << 8 | int(protocol, 16) << 10 | token << 18
        time = int(seconds) * 10**9 + int(fraction.ljust(9, b"0"))
        return Message(time, word.to_bytes(4, "little") + bytes.fromhex(payload.decode()))


def beneath(file: Any) -> Any:
    """Return the binary file below a text file, where there is one: not all bytes of a trace need be text.

    A text file that has read ahead stays as it is, or what it holds would be lost.
    """
    try:
        file.reconfigure(errors=file.errors)  # changes nothing, and is refused after reading ahead
    except (AttributeError, io.UnsupportedOperation):
        return file
    return file.buffer


def as_bytes(piece: Any) -> bytes:
    """Return what readline() gave as bytes."""
    if isinstance(piece, str):
        return piece.encode(errors="replace")
    if isinstance(piece, bytes):
        return piece
    raise TypeError(f"readline() of a trace gives bytes or str, not {type(piece).__name__}")


def refuse_non_blocking(file: Any) -> None:
    """Raise ValueError if the file would not wait: its end could not be told from a pause."""
    try:
        waits = os.get_blocking(file.fileno())
    except (AttributeError, OSError, ValueError):
        return  # no descriptor, so nothing to wait for
    if not waits:
        raise ValueError(f"{file!r} is in non-blocking mode; call os.set_blocking(file.fileno(), True) first")
