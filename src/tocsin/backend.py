"""Choose the backend: the compiled core.

Everything above imports what it needs of the core from here, so that this file is the list of names
that a backend owes. There is no silent fallback: a core that can't be imported raises. Constant after
import; any thread.
"""

import os
import sys
from typing import Literal, TypedDict

from tocsin._core.batch import Batch
from tocsin._core.bridge import close_gil
from tocsin._core.capi import ProducerCore, function_address
from tocsin._core.chain import BAD, DONE, OK, STOP, NotifierChain, NotifyResult
from tocsin._core.engine import PipelineCore
from tocsin._core.event import Event, EventCode, make_event
from tocsin._core.header import EventHeader
from tocsin._core.kfifo import Kfifo, RecordFifo, TypedFifo
from tocsin._core.ties import SubscriptionCore
from tocsin._core.works import WorkCore, WorkQueueCore

__all__ = [
    "BAD",
    "DONE",
    "OK",
    "STOP",
    "Batch",
    "Event",
    "EventCode",
    "EventHeader",
    "Kfifo",
    "NotifierChain",
    "NotifyResult",
    "PipelineCore",
    "ProducerCore",
    "RecordFifo",
    "SubscriptionCore",
    "Switches",
    "TypedFifo",
    "WorkCore",
    "WorkQueueCore",
    "close_gil",
    "function_address",
    "gil_is_off",
    "make_event",
    "name",
    "switches",
]

name = "cython"

gil_is_off = "t" in getattr(sys, "abiflags", "")  # a free-threaded build


class Switches(TypedDict):
    """The switches for tests in force."""

    writers: Literal["gil", "cas"]
    portable: bool


def switches() -> Switches:
    """Return the switches for tests in force: writers "gil" or "cas", portable True or False.

    TOCSIN_WRITERS=cas: the GIL is not taken for the lock of the writers, as on free-threaded builds.
    TOCSIN_PORTABLE=1: no futex. Read when a pipeline is made. ValueError for any other value.
    """
    writers = os.environ.get("TOCSIN_WRITERS", "gil")
    portable = os.environ.get("TOCSIN_PORTABLE", "0")
    if writers not in ("gil", "cas"):
        raise ValueError(f"TOCSIN_WRITERS must be gil or cas, not {writers!r}")
    if portable not in ("0", "1"):
        raise ValueError(f"TOCSIN_PORTABLE must be 0 or 1, not {portable!r}")
    return {
        "writers": "cas" if gil_is_off or writers == "cas" else "gil",
        "portable": portable == "1",
    }
