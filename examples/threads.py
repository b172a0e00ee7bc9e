"""A device's thread as producer; a guard that ends the chain; and how loss is told.

The device doesn't wait: what finds no room in the queue is refused and counted, and the next event that
a subscriber sees says how many are missing.
"""

import threading
from typing import NamedTuple

import tocsin
from tocsin.types import f4, u4


class Sample(NamedTuple):
    channel: u4
    volts: f4


class Device(tocsin.Protocol):
    sample = tocsin.EventType(0, Sample, source="channel")


DEVICE = Device(0x90)
shown = 0
missing = 0
nonsense: list[str] = []


def guard(event: tocsin.Event[Sample]) -> object:
    """Let nobody behind it see what can't be true."""
    if not 0 <= event.report.volts <= 5:
        nonsense.append(f"{event.report.volts} V on channel {event.source}")
        return tocsin.STOP
    return tocsin.OK


def display(event: tocsin.Event[Sample]) -> None:
    global shown, missing
    shown += 1
    missing += event.lost


def burst(pipeline: tocsin.Pipeline, volts: list[float]) -> None:
    """Run on the device's thread."""
    accepted = sum(pipeline.notify(DEVICE.sample, Sample(1, value)) for value in volts)
    print(f"device: {accepted} of {len(volts)} accepted")


def run_device(pipeline: tocsin.Pipeline, volts: list[float]) -> None:
    thread = threading.Thread(target=burst, args=(pipeline, volts), name="device")
    thread.start()
    thread.join()


with tocsin.Pipeline() as pipeline:
    pipeline.register(DEVICE, queue_size=1024)  # 32 samples: a header of 16 bytes, a payload of 8
    pipeline.subscribe(DEVICE.sample, display)
    pipeline.subscribe(DEVICE.sample, guard, priority=10)  # before display, though it came later

    run_device(pipeline, [1.5, 99.0, 2.5])
    pipeline.flush()
    print(f"display: {shown} shown, {missing} missing; guard: {', '.join(nonsense)} is nonsense")

    pipeline.freeze()  # stands in for subscribers that are too slow
    run_device(pipeline, [2.0] * 100)
    pipeline.thaw()
    pipeline.flush()
    run_device(pipeline, [3.0])  # carries the news

books = pipeline.stats().protocols[DEVICE.id]
print(f"display: {shown} shown, {missing} missing")
print(f"books: {books.accepted} accepted, {books.delivered} delivered, {books.refused} refused")
