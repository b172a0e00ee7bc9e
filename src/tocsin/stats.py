"""Snapshots of what a pipeline has counted; plain data, frozen when it is taken."""

from __future__ import annotations

from tocsin.namedtuples import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ChannelStats", "PipelineStats", "ProtocolStats", "SubscriptionStats"]


class ProtocolStats(NamedTuple):
    """What became of the events of one protocol.

    ``accepted == delivered + unclaimed + abandoned + pending``, where pending is counted by walking
    the queue. An event is delivered if a call was started for it, unclaimed if nobody wanted it,
    abandoned if the pipeline was closed before its turn. refused found no room, invalid had a size
    or a count that the event can't have; neither was accepted. lost_markers: accepted events that
    told of refused ones before them. activations: runs of the stages, some of them empty; wakeups:
    how often a notify had to wake a sleeping worker. high_water: the most bytes in the queue that a
    look of the first stage found. callback_errors: callables that raised.
    """

    accepted: int
    refused: int
    invalid: int
    delivered: int
    unclaimed: int
    abandoned: int
    pending: int
    lost_markers: int
    activations: int
    empty_activations: int
    wakeups: int
    high_water: int
    callback_errors: int


class PipelineStats(NamedTuple):
    """What a pipeline has counted.

    protocols: by id. unknown: events that named no registered protocol or event. closed: events that
    came after close(). workers: threads at this moment.
    """

    protocols: Mapping[int, ProtocolStats]
    unknown: int
    closed: int
    workers: int


class ChannelStats(NamedTuple):
    """What became of the events that a channel was offered.

    ``offered == delivered + dropped + conflated + pending``, where pending is counted by walking its
    ring. delivered: taken by a reader; dropped: found no room, or made room for another one;
    conflated: overwritten by a later one of the same source. capacity: events that it has room for;
    high_water: the most that were queued. waits: how often a protocol waited for room in it.
    """

    offered: int
    delivered: int
    dropped: int
    conflated: int
    pending: int
    capacity: int
    high_water: int
    waits: int


class SubscriptionStats(NamedTuple):
    """What a Python subscription has counted.

    calls: begun, of the callable; errors: those that raised; last_error: what the last one raised.
    slowest_ns: the longest call; calls too short to time one by one are timed in streaks, so it is an
    upper bound, off by the other calls of a streak, some microseconds.
    """

    calls: int
    errors: int
    last_error: BaseException | None
    slowest_ns: int
