"""A producer and a subscriber compiled by numba: written in Python, run as native code, without the GIL.

A subscriber is a `@cfunc`; subscribe_native() takes its `.address`, which keeps nothing alive: hold on to the
function. A producer calls tocsin_notify as a ctypes function made of `producer.function`, which compiled code
does directly, without ctypes.
"""

import ctypes
from typing import Any, NamedTuple

import numpy as np
from numba import carray, cfunc, from_dtype, njit, types
from numba.extending import intrinsic

import tocsin
from tocsin.types import f4, u4


class Sample(NamedTuple):
    sensor: u4
    value: f4


class Sampler(tocsin.Protocol):
    sample = tocsin.EventType(0, Sample, source="sensor")


SAMPLER = Sampler(0x86)
TOCSIN_NOW = np.uint64(2**64 - 1)
Notify = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_size_t,  # the producer's address
    ctypes.c_uint8,  # the event's id
    ctypes.c_void_p,  # payload,
    ctypes.c_uint32,  # and its size
    ctypes.c_uint64,  # ns, or TOCSIN_NOW
)

# -- numba's types: what comes in an event, and what stands behind the pointers --------------------

SAMPLE = SAMPLER.sample.dtype
SUMS = np.dtype([("events", "u8"), ("total", "f8")])
EVENT = np.dtype(  # tocsin_event of tocsin.h
    {
        "names": ["timestamp", "source", "lost", "payload", "size", "protocol", "event", "reserved"],
        "formats": ["u8", "u8", "u8", "u8", "u4", "u1", "u1", "u2"],
    }
)
sample_pointer, sums_pointer, event_pointer = (
    types.CPointer(from_dtype(dtype)) for dtype in (SAMPLE, SUMS, EVENT)
)


@intrinsic
def sample_at(context: Any, address: Any) -> Any:
    """Make an address a pointer, for which numba has no word of its own."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(sample_pointer))

    return sample_pointer(types.uint64), generate


# -- native code -----------------------------------------------------------------------------------


@cfunc(types.int32(sums_pointer, event_pointer))
def add(context: Any, event: Any) -> int:
    """Sum up samples. On a worker of the pipeline, never on two at once."""
    sums = carray(context, 1)[0]
    sample = carray(sample_at(carray(event, 1)[0].payload), 1)[0]
    sums.events += 1
    sums.total += sample.value
    return 0


def compile_producer(producer: tocsin.Producer) -> Any:
    """Compile a loop that notifies each value of an array, for this one producer."""
    notify, address = Notify(producer.function), producer.address

    @njit(nogil=True)
    def produce(values: Any) -> int:
        sample = np.zeros(1, SAMPLE)
        accepted = 0
        for number, value in enumerate(values):
            sample[0].sensor = number % 16
            sample[0].value = value
            accepted += notify(address, 0, sample.ctypes, sample.itemsize, TOCSIN_NOW) == 0
        return accepted

    return produce


# -- the program -----------------------------------------------------------------------------------

sums = np.zeros(1, SUMS)

with tocsin.Pipeline() as pipeline:
    pipeline.register(SAMPLER)
    pipeline.subscribe_native(SAMPLER.sample, add.address, sums.ctypes.data)
    with pipeline.producer(SAMPLER, exclusive=True) as producer:
        produce = compile_producer(producer)
        print(f"{produce(np.full(16_000, 0.5, 'f4'))} accepted")

print(f"{sums['events'][0]} events, total {sums['total'][0]}")
