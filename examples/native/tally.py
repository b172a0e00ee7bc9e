"""A Cython module (tally.pyx) that produces and subscribes without the GIL."""

from typing import NamedTuple

from building import build_module

import tocsin
from tocsin.types import f4, u4


class Sample(NamedTuple):
    sensor: u4
    value: f4


class Sampler(tocsin.Protocol):
    sample = tocsin.EventType(0, Sample, source="sensor")


SAMPLER = Sampler(0x84)
tally = build_module("tally.pyx")
everything, third = tally.Tally(), tally.Tally()
add = tally.__pyx_capi__["add"]

with tocsin.Pipeline() as pipeline:
    pipeline.register(SAMPLER)
    pipeline.subscribe_native(SAMPLER.sample, add, everything.context)
    pipeline.subscribe_native(SAMPLER.sample, add, third.context, source=3)
    with pipeline.producer(SAMPLER) as producer:
        accepted = tally.produce(producer.address, 16_000)

print(f"{accepted} accepted")
print(f"all: {everything.events} events, total {everything.total}")
print(f"sensor 3: {third.events} events, total {third.total}")
