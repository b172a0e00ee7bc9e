"""Run under callgrind by __main__.py: each scene, with few and with many operations. Argument: mark.so.

A scene is prepare(n), not counted, and run(n), counted. The pipeline has no threads (workers=0), so notify
only puts in, and flush() dispatches here.
"""

import ctypes
import gc
import sys
from itertools import repeat

import tocsin
from benchmarks import native
from benchmarks.worlds import BENCH, PAYLOAD, nothing, pipeline_of

FEW, MANY = 5000, 15_000


def notifying(pipeline):
    def run(n):
        notify, event, payload = pipeline.notify, BENCH.raw, PAYLOAD
        for _ in repeat(None, n):
            notify(event, payload)

    return lambda n: None, run


def notifying_many(pipeline):
    buffers = {n: PAYLOAD * n for n in (FEW, MANY)}
    return lambda n: None, lambda n: pipeline.notify_many(BENCH.fixed, buffers[n])


def native_notifying(exclusive):
    def scene(pipeline):
        producer = pipeline.producer(BENCH, exclusive=exclusive)
        return lambda n: None, lambda n: native.produce(producer, n, 1)

    return scene


def dispatching(subscribe):
    """Return a scene of flush() with so many events in the queue."""

    def scene(pipeline):
        subscribe(pipeline)
        return lambda n: pipeline.notify_many(BENCH.fixed, PAYLOAD * n), lambda n: pipeline.flush()

    return scene


def to_native(pipeline):
    pipeline.subscribe_native(BENCH.fixed, native.helper().ignore)


def to_python(pipeline):
    pipeline.subscribe(BENCH.fixed, nothing)


def to_batch(pipeline):
    pipeline.subscribe(BENCH.fixed, nothing, batch=True)


def unclaimed(pipeline):
    pass


SCENES = {
    "notify from Python": notifying,
    "notify_many, per event": notifying_many,
    "native notify, exclusive": native_notifying(True),
    "native notify, shared": native_notifying(False),
    "dispatch to nobody": dispatching(unclaimed),
    "dispatch to a native subscriber": dispatching(to_native),
    "dispatch to a Python callable": dispatching(to_python),
    "dispatch to a batch callable": dispatching(to_batch),
}


def main(library: str) -> None:
    mark = ctypes.CDLL(library)
    mark.scene_ends.argtypes = [ctypes.c_char_p]
    gc.disable()
    for name, scene in SCENES.items():
        with pipeline_of(workers=0) as pipeline:
            prepare, run = scene(pipeline)
            for n, label in ((FEW, None), (FEW, "few"), (MANY, "many")):  # the first one warms up
                prepare(n)
                if label is None:
                    run(n)
                else:
                    mark.scene_begins()
                    run(n)
                    mark.scene_ends(f"{label} {name}".encode())
                pipeline.flush()
            books = pipeline.stats().protocols[BENCH.id]
            assert books.accepted == 2 * FEW + MANY, f"{name}: {books}"
            assert isinstance(pipeline, tocsin.Pipeline)


if __name__ == "__main__":
    main(sys.argv[1])
