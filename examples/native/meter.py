"""An audio callback in C (meter.c) as producer, a Python function as subscriber."""

import ctypes
from typing import NamedTuple

from building import build

import tocsin
from tocsin.types import f4, u4


class Level(NamedTuple):
    channel: u4
    peak: f4


class Audio(tocsin.Protocol):
    level = tocsin.EventType(0, Level, source="channel")


AUDIO = Audio(0x81)
meter = ctypes.CDLL(str(build("meter.c")))

with tocsin.Pipeline() as pipeline:
    pipeline.register(AUDIO)
    pipeline.subscribe(AUDIO.level, print)
    with pipeline.producer(AUDIO) as producer:
        block = (ctypes.c_float * 64)(0.25, 0.5)  # stands in for the sound card
        meter.on_audio(ctypes.c_void_p(producer.address), block, 64, 1)
