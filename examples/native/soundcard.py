"""Half a second of audio, a block each 1.333 ms, while Python is busy; card and callback are in soundcard.c.

The callback has the protocol for itself (exclusive) and never waits for Python, which reads its levels in
batches whenever it gets round to it. What is late here is so by the scheduler: without the right to real-time
priority (rtprio in limits.conf) any thread may be kept waiting on a busy system.
"""

import ctypes
from typing import Any, NamedTuple

from building import build

import tocsin
from tocsin.types import f4


class Level(NamedTuple):
    left: f4
    right: f4


class Audio(tocsin.Protocol):
    level = tocsin.EventType(0, Level)


class Card(ctypes.Structure):
    """struct card of soundcard.c."""

    _fields_ = (
        ("blocks", ctypes.c_uint32),
        ("late", ctypes.c_uint32),
        ("longest_ns", ctypes.c_uint64),
        ("is_real_time", ctypes.c_uint32),
        ("done", ctypes.c_uint32),
        ("producer", ctypes.c_void_p),
        ("thread", ctypes.c_ulong),
    )


AUDIO = Audio(0x85)
library = ctypes.CDLL(str(build("soundcard.c")))
card = Card(blocks=375)
levels: list[Level] = []


def on_levels(batch: tocsin.Batch[Any]) -> None:
    levels.extend(event.report for event in batch)


with tocsin.Pipeline() as pipeline:
    pipeline.register(AUDIO)
    pipeline.subscribe(AUDIO.level, on_levels, batch=True)
    with pipeline.producer(AUDIO, exclusive=True) as producer:
        card.producer = producer.address
        if library.card_start(ctypes.byref(card)) != 0:
            raise SystemExit("soundcard: no thread to be had")
        while not card.done:
            sum(range(10_000))  # Python has better things to do, and the GIL
        library.card_stop(ctypes.byref(card))
    books = pipeline.stats().protocols[AUDIO.id]

left, right = (max(channel) for channel in zip(*levels, strict=True))
print(f"{len(levels)} of {card.blocks} blocks, {books.refused} refused; peak {left:.2f} {right:.2f}")
print(f"{card.late} late; the longest callback took {card.longest_ns} ns", end="")
print(", with real-time priority" if card.is_real_time else "")
