"""tocsin replay: captures through a pipeline, in their order, as fast as possible or as recorded.

Queues of different protocols are independent, so each message is flushed out before the next: what is
printed has the order of the capture, there is always room, and a capture without end needs no more memory
than a short one. A file that can't be read is complained of and the next one is taken, as cat does.
"""

import sys
import threading
import time
from collections.abc import Sequence
from typing import BinaryIO, cast

from tocsin.cli import INTERRUPTED, UNUSABLE, Trouble, complain
from tocsin.cli.feed import Feed
from tocsin.cli.inputs import Watched, messages_of, opened, troubled
from tocsin.cli.progress import Progress
from tocsin.cli.show import plural
from tocsin.key import Key
from tocsin.sources import trace

__all__ = ["replay"]

LONGEST_WAIT = 3600.0  # seconds in one go; what a lock takes is limited


def replay(
    files: Sequence[str], keys: Sequence[Key], *, as_json: bool, speed: float | None, books: bool
) -> int:
    """Replay the files, - for stdin, and return the exit status."""
    status = 0
    with Feed("replay", keys, as_json=as_json) as feed:
        pace = Pace(speed, feed.failed) if speed else None
        try:
            with Progress(files, sys.stderr) as progress:
                for name in files:
                    try:
                        replay_file(name, feed, pace, progress)
                    except Trouble as trouble:
                        complain(f"tocsin replay: {trouble}")
                        status = UNUSABLE
        except KeyboardInterrupt:
            feed.interrupted = True
        feed.finish(as_json=as_json, books=books)
    return INTERRUPTED if feed.interrupted else max(status, feed.status)


def replay_file(name: str, feed: Feed, pace: "Pace | None", progress: Progress) -> None:
    """Replay one file; Trouble if it can't be read or is no capture."""
    with opened(name) as file:
        watched = Watched(file, progress.advance)
        with troubled(name):
            reader = trace.read(cast(BinaryIO, watched))
        try:
            for message in messages_of(name, reader):
                if pace:
                    pace.wait(message.timestamp)
                feed.give(message, f"{name}: line {reader.lines}")
                feed.flush()
        finally:
            feed.count(reader)
        if reader.lines and not watched.is_trace:
            raise Trouble(f"{name}: no SCMI event in {plural(reader.lines, 'line')}; is it a capture?")


class Pace:
    """Wait until the time of a message has come, counted from the first one. Main thread.

    Where time goes backwards, in the next file perhaps, it is counted anew.
    """

    def __init__(self, speed: float, stop: threading.Event) -> None:
        self._speed = speed
        self._stop = stop
        self._began = 0.0
        self._first = self._last = -1

    def wait(self, timestamp: int) -> None:
        """Wait for a timestamp (ns); Ctrl-C ends it, and so does `stop`."""
        if self._first < 0 or timestamp < self._last:
            self._began, self._first = time.monotonic(), timestamp
        self._last = timestamp
        due = self._began + (timestamp - self._first) / 1e9 / self._speed
        while (left := due - time.monotonic()) > 0 and not self._stop.is_set():
            self._stop.wait(min(left, LONGEST_WAIT))
