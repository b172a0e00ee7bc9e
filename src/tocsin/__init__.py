"""Carry small binary events from code that must not wait to Python.

An accepted event is delivered once, in order, without waiting for a later one; an event that is not
delivered is counted. Start with Protocol, EventType and Pipeline.
"""

from tocsin import backend as _backend  # noqa: F401  settled, or refused, first of all
from tocsin import exit as _exit  # noqa: F401  its hook comes before the program's
from tocsin.lazy import asked_for as _asked_for

TYPE_CHECKING = False
if TYPE_CHECKING:
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


# Where each name is, which is imported when somebody asks for the name.
_PLACES = {
    "ALL": "tocsin.key",
    "BAD": "tocsin.notifier",
    "DONE": "tocsin.notifier",
    "OK": "tocsin.notifier",
    "STOP": "tocsin.notifier",
    "Batch": "tocsin.event",
    "Channel": "tocsin.channel",
    "ChannelStats": "tocsin.stats",
    "ClosedError": "tocsin.errors",
    "Event": "tocsin.event",
    "EventHeader": "tocsin.backend",
    "EventType": "tocsin.protocol",
    "ExclusiveError": "tocsin.errors",
    "Failure": "tocsin.failure",
    "Key": "tocsin.key",
    "Kfifo": "tocsin.fifo",
    "NotifierChain": "tocsin.notifier",
    "PayloadError": "tocsin.errors",
    "Pipeline": "tocsin.pipeline",
    "PipelineStats": "tocsin.stats",
    "Producer": "tocsin.producer",
    "Protocol": "tocsin.protocol",
    "ProtocolStats": "tocsin.stats",
    "RecordFifo": "tocsin.fifo",
    "SourceError": "tocsin.errors",
    "Subscription": "tocsin.subscription",
    "SubscriptionStats": "tocsin.stats",
    "TocsinError": "tocsin.errors",
    "TypedFifo": "tocsin.fifo",
    "UnknownEventError": "tocsin.errors",
    "Work": "tocsin.workqueue",
    "WorkQueue": "tocsin.workqueue",
}


def get_include() -> str:
    """Return the directory of tocsin.h, for C, C++ and Cython builds."""
    from pathlib import Path

    here = Path(__file__).resolve().parent / "include"
    if not here.is_dir():  # an editable install: the header stands beside the sources
        here = Path(__file__).resolve().parents[2] / "pyx" / "tocsin" / "include"
    return str(here)


if TYPE_CHECKING:
    __version__: str
else:
    _look_up, __dir__ = _asked_for(__name__, _PLACES, globals())

    def __getattr__(name: str) -> object:
        if name == "__version__":  # importlib.metadata is slow to import
            from importlib.metadata import version

            return version("tocsin")
        return _look_up(name)
