"""Carry small binary events from code that must not wait to Python.

An accepted event is delivered once, in order, without waiting for a later one; an event that is not
delivered is counted. Start with Protocol, EventType and Pipeline.
"""

from tocsin.backend import EventHeader
from tocsin.channel import Channel
from tocsin.errors import (
    ClosedError,
    ExclusiveError,
    PayloadError,
    SourceError,
    TocsinError,
    UnknownEventError,
)
from tocsin.event import Batch, Event
from tocsin.failure import Failure
from tocsin.fifo import Kfifo, RecordFifo, TypedFifo
from tocsin.key import ALL, Key
from tocsin.notifier import BAD, DONE, OK, STOP, NotifierChain
from tocsin.pipeline import Pipeline
from tocsin.producer import Producer
from tocsin.protocol import EventType, Protocol
from tocsin.stats import ChannelStats, PipelineStats, ProtocolStats, SubscriptionStats
from tocsin.subscription import Subscription
from tocsin.workqueue import Work, WorkQueue

__all__ = [
    "ALL",
    "BAD",
    "DONE",
    "OK",
    "STOP",
    "Batch",
    "Channel",
    "ChannelStats",
    "ClosedError",
    "Event",
    "EventHeader",
    "EventType",
    "ExclusiveError",
    "Failure",
    "Key",
    "Kfifo",
    "NotifierChain",
    "PayloadError",
    "Pipeline",
    "PipelineStats",
    "Producer",
    "Protocol",
    "ProtocolStats",
    "RecordFifo",
    "SourceError",
    "Subscription",
    "SubscriptionStats",
    "TocsinError",
    "TypedFifo",
    "UnknownEventError",
    "Work",
    "WorkQueue",
    "get_include",
]


def get_include() -> str:
    """Return the directory of tocsin.h, for C, C++ and Cython builds."""
    from pathlib import Path

    here = Path(__file__).resolve().parent / "include"
    if not here.is_dir():  # an editable install: the header stands beside the sources
        here = Path(__file__).resolve().parents[2] / "pyx" / "tocsin" / "include"
    return str(here)


def __getattr__(name: str) -> str:
    if name == "__version__":  # looked up only when asked for: importlib.metadata is slow to import
        from importlib.metadata import version

        return version("tocsin")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
