"""The Python side of tests/capi/watched.c: a producer's thread, and what the kernel saw it do."""

import ctypes
import os
from ctypes import c_int32, c_uint32, c_uint64, c_void_p
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest

import tocsin
from probe import NOW

SOURCE = Path(__file__).resolve().parent / "capi" / "watched.c"


class Planted(IntEnum):
    """The bugs that a watched thread can be given."""

    NOTHING = 0
    SYSTEM_CALL = 1
    WAIT = 2
    PAGE = 3


class Watched(ctypes.Structure):
    _fields_ = (
        ("producer", c_void_p),
        ("timestamp", c_uint64),
        ("events", c_uint32),
        ("may_wake", c_uint32),
        ("planted", c_uint32),
        ("accepted", c_uint32),
        ("refused", c_uint32),
        ("disturbed", c_uint32),
        ("noted", c_uint32),
        ("last", c_int32),
    )


class Watch:
    def __init__(self, library: Path) -> None:
        self.library = ctypes.CDLL(str(library))

    def calls(self, producer: tocsin.Producer, events: int, **options: Any) -> Watched:
        """Notify from a thread of its own; the system calls that it made."""
        return self._run(self.library.watched_calls, producer, events, **options)

    def pages(self, producer: tocsin.Producer, events: int, **options: Any) -> Watched:
        """Notify from a thread of its own; the page faults that it had."""
        return self._run(self.library.watched_pages, producer, events, **options)

    def _run(
        self, run: Any, producer: tocsin.Producer, events: int, timestamp: int = NOW, **options: Any
    ) -> Watched:
        watched = Watched(producer.address, timestamp, events, **options)
        error = run(ctypes.byref(watched))
        if error != 0:
            pytest.fail(f"no thread to watch: {os.strerror(-error)}")
        assert watched.disturbed == 0, "errno was changed"
        return watched
