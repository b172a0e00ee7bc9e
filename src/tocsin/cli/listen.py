"""tocsin listen: live notifications, from the kernel's file to stdout.

The main thread reads and hands over; it never waits for the printing. So the kernel's own small queue is
emptied even while stdout is slow, and what finds no room in the pipeline is counted and shown: `lost` at
the next event, `refused` in the books.
"""

import os
from collections.abc import Sequence
from typing import Any

from tocsin.cli import INTERRUPTED, UNUSABLE, Trouble, complain
from tocsin.cli.feed import Feed
from tocsin.cli.inputs import messages_of, troubled
from tocsin.key import Key
from tocsin.sources import raw as raw_source
from tocsin.sources import trace

__all__ = ["listen"]

RAW_NAME = "notification"  # in the raw/ of the kernel's SCMI debugfs


def listen(path: str, keys: Sequence[Key], *, raw: bool | None, as_json: bool, books: bool) -> int:
    """Print what comes from a file until it ends or Ctrl-C, and return the exit status."""
    if raw is None:
        raw = os.path.basename(path) == RAW_NAME
    status = 0
    with troubled(path):
        file = os.dup(0) if path == "-" else path
        reader: Any = raw_source.read(file) if raw else trace.read(file)
    with reader, Feed("listen", keys, as_json=as_json) as feed:
        try:
            for message in messages_of(path, reader):
                place = f"message {reader.notifications}" if raw else f"line {reader.lines}"
                feed.give(message, f"{path}: {place}")
        except KeyboardInterrupt:
            feed.interrupted = True  # that is how it ends
        except Trouble as trouble:
            complain(f"tocsin listen: {trouble}")
            status = UNUSABLE
        feed.count(reader)
        feed.finish(as_json=as_json, books=books)
    return INTERRUPTED if feed.stuck else max(status, feed.status)
