"""A bar on stderr while a long capture is replayed, for whoever sees nothing else.

Only on a terminal, and only if stdout is none: where events are printed they are the progress. It appears
after half a second and is gone when it is done. rich draws it, from a thread of its own.
"""

import os
import stat
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

__all__ = ["Progress"]

DELAY = 0.5  # seconds
STEP = 1 << 16  # bytes between two looks at the clock


class Progress:
    """Count the bytes that are read of files with a known size, and show how far that is. Main thread."""

    def __init__(self, files: Sequence[str], out: TextIO) -> None:
        self._out = out
        self._total = total_size(files) if out.isatty() and not sys.stdout.isatty() else 0
        self._began = time.monotonic()
        self._done = self._shown = 0
        self._bar: Bar | None = None

    def advance(self, count: int) -> None:
        """Take note of so many bytes more."""
        self._done += count
        if self._total and self._done - self._shown >= STEP:
            self._shown = self._done
            self._show()

    def _show(self) -> None:
        if self._bar is None:
            if time.monotonic() - self._began < DELAY:
                return
            from rich.console import Console
            from rich.progress import Progress as Bar

            self._bar = Bar(console=Console(file=self._out), transient=True, redirect_stdout=False)
            self._bar.add_task("replay", total=self._total)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=self._done)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def total_size(files: Sequence[str]) -> int:
    """Return the size of all files together in bytes; 0 if one of them has none."""
    total = 0
    for name in files:
        try:
            found = os.stat(name)
        except (OSError, ValueError):
            return 0
        if not stat.S_ISREG(found.st_mode):
            return 0
        total += found.st_size
    return total
