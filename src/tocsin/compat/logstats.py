"""Snapshots of what a handler and a listener of tocsin.compat.logging have counted.

``offered``, of all handlers of a queue, is what they ``dropped``, what its listener ``delivered``, and what
is ``pending``: exactly, while nobody logs and nothing is being taken.
"""

from typing import NamedTuple

__all__ = ["HandlerStats", "ListenerStats"]


class HandlerStats(NamedTuple):
    """What a handler has counted in this process.

    offered: records that passed its filters; dropped: those of them that found no room, or made room for
    another one, or could not be put for another reason. waits: how often a thread waited for room. capacity:
    what its queue holds at most; None: no bound is known.
    """

    offered: int
    dropped: int
    waits: int
    capacity: int | None


class ListenerStats(NamedTuple):
    """What a listener has counted in this process.

    delivered: records that handlers were called with, or are just now; errors: how often one of these
    raised. pending: records in the queue. runs: how often it found records in a row, until there were
    none or somebody flushed; longest_run: the most of them.
    """

    delivered: int
    errors: int
    pending: int
    runs: int
    longest_run: int
