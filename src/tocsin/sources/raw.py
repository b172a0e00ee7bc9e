"""SCMI notifications from the kernel's raw mode: the file raw/notification below debugfs.

Its reads follow a rule of their own: each message is read to its end, in as many reads as the buffer needs,
then one read returns nothing, and the next begins the next message. A read waits for a message, or fails
with EAGAIN if the descriptor is non-blocking; then poll() tells when to go on. There is no time in it: we
take CLOCK_BOOTTIME when the first bytes of a message are here, the clock that the kernel stamps
notifications with. The queue in the kernel is short and drops its oldest message in silence, so the reader
should do little itself: hand over and read on.

Nothing at all where a message should begin is the end: debugfs never says that, but a pipe or a saved
message does. Written after the kernel's documentation and text, and tried on files that behave like that;
not run on hardware yet.
"""

import errno
import os
import select
import time
from typing import TypeAlias

from tocsin.sources.message import Message, Source

__all__ = ["RawReader", "read"]

Path: TypeAlias = "str | os.PathLike[str] | int"

CHUNK = 1 << 14  # bytes; a whole message in one read, by the limits of all transports known
LONGEST = 1 << 20  # bytes; beyond that it is no such file, and memory must not fill up


def read(path: Path) -> "RawReader":
    """Return an iterator over the notifications in a file such as /sys/kernel/debug/scmi/0/raw/notification.

    path: a path, or an open descriptor, which is taken over; both are closed at the end. Blocks until
    there is a message, also if the descriptor is non-blocking. OSError if it can't be opened or read,
    with EMSGSIZE for a message of more than 1 MiB.
    """
    return RawReader(path)


class RawReader(Source):
    """Iterate over the notifications of the raw mode; `notifications` is how many came."""

    def __init__(self, path: Path) -> None:
        self.notifications = 0
        self.name = path
        self._fd = -1
        if isinstance(path, bool):
            raise TypeError(f"raw notifications are read from a path or a descriptor, not {path!r}")
        if isinstance(path, int):
            os.fstat(path)  # OSError now rather than at the first read
            self._fd = path
        else:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __repr__(self) -> str:
        return f"<RawReader {self.name!r} notifications={self.notifications}>"

    def fileno(self) -> int:
        """Return the descriptor, -1 when closed."""
        return self._fd

    def close(self) -> None:
        """Close the descriptor; harmless to repeat."""
        fd, self._fd = getattr(self, "_fd", -1), -1
        if fd >= 0:
            os.close(fd)

    def _take(self) -> Message | None:
        if self._fd < 0:
            return None
        data = self._read()
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if not data:
            return None
        while piece := self._read():
            data += piece
            if len(data) > LONGEST:
                raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        self.notifications += 1
        return Message(now, data)

    def _read(self) -> bytes:
        """Wait for bytes and return them; b"" at the end of a message."""
        while True:
            try:
                return os.read(self._fd, CHUNK)
            except BlockingIOError:
                poll = select.poll()
                poll.register(self._fd, select.POLLIN)
                poll.poll()
