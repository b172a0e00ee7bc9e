"""The half of a pipeline that readers use: channel().

A channel is a subscription whose events go to a queue of its own instead of a callable: the same keys,
sources, late binding. So it is made and ended as one; what a channel is stands in channel.py.
"""

from __future__ import annotations

from tocsin.channel import Channel
from tocsin.key import ALL
from tocsin.subscribers import Subscribers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar, overload

    from tocsin.channel import Overflow
    from tocsin.naming import Several
    from tocsin.protocol import EventType

    R = TypeVar("R")

__all__ = ["Channels"]


class Channels(Subscribers):
    """Make the channels of a pipeline."""

    if TYPE_CHECKING:

        @overload
        def channel(
            self,
            event: EventType[R],
            *,
            source: int = ALL,
            capacity: int = 1024,
            overflow: Overflow = "drop_newest",
            timeout: float | None = None,
        ) -> Channel[R]: ...
        @overload
        def channel(
            self,
            event: Several,
            *,
            source: int = ALL,
            capacity: int = 1024,
            overflow: Overflow = "drop_newest",
            timeout: float | None = None,
        ) -> Channel[Any]: ...

    def channel(
        self,
        event: Any,
        *,
        source: int = ALL,
        capacity: int = 1024,
        overflow: Overflow = "drop_newest",
        timeout: float | None = None,
    ) -> Channel[Any]:
        """Listen to events with a queue of one's own, of `capacity` events; returns the Channel.

        event, source: as for subscribe(). No Python runs until somebody reads. A full channel never holds the
        pipeline up, but for "block". overflow: "drop_newest" drops the event, "drop_oldest" the oldest one
        queued; "latest" keeps one event for each protocol, event and source, overwritten in place, and drops
        those of more sources than it has room for; "block" has the protocol wait until a reader has made
        room, for at most `timeout` seconds, then it drops the event, and later ones without waiting, until a
        reader has made room. While a protocol waits all its subscribers do, and no worker. With workers=0
        nobody could make room meanwhile: there it drops at once. No STOP keeps an event from a channel.

        When the pipeline is closed readers take what is left, then get ClosedError. ValueError if it would
        need more than 1 GiB; otherwise the errors of subscribe().
        """
        keys = self._keys(event, source)
        channel: Channel[Any] = Channel(keys, capacity, overflow, timeout)
        self._subscribe(keys, channel, channel=channel)
        return channel
