"""A short life of everything: run by itself, without pytest or NumPy, under valgrind or LeakSanitizer.

Whatever it makes has gone when it ends, threads included, so what is left then is a leak. The last line
that it prints says how many events were delivered.
"""

import ctypes
import gc
import os
import sys
import threading
import time

import tocsin


class Motor(tocsin.Protocol):
    limit = tocsin.EventType(0, {"motor": "u4", "rpm": "i4"}, source="motor")
    raw = tocsin.EventType(1, max_size=600)


EVENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 200
NOW = 2**64 - 1
MOTOR = Motor(0x80)
NOTIFY = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_uint8, ctypes.c_char_p, ctypes.c_uint32, ctypes.c_uint64
)
SUBSCRIBER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


def await_threads() -> None:
    """Wait until the threads of what was closed or dropped have ended."""
    deadline = time.monotonic() + 60
    while len(os.listdir("/proc/self/task")) > 1:
        assert time.monotonic() < deadline, "threads are left"
        time.sleep(0.01)


def write(producer: tocsin.Producer) -> None:
    notify = NOTIFY(producer.function)
    for number in range(EVENTS):
        payload = number.to_bytes(4, "little") * 2
        while notify(producer.address, 0, payload, 8, NOW) != 0:
            time.sleep(0.001)


def live(exclusive: bool) -> int:
    """Let one pipeline see it all: the events that it delivered."""
    with tocsin.Pipeline(workers=2) as pipeline:
        pipeline.register(MOTOR, queue_size=4096)
        kept = []
        last = pipeline.subscribe(MOTOR, kept.append)
        batches = pipeline.subscribe(MOTOR, lambda batch: kept.append(batch), batch=True)
        single = pipeline.subscribe(MOTOR.limit, lambda event: event.report, source=3)
        native = pipeline.subscribe_native(MOTOR.limit, SUBSCRIBER(lambda context, event: 0))
        for number in range(EVENTS):
            pipeline.notify(MOTOR.limit, (number, -number), timeout=30)
            pipeline.notify(MOTOR.raw, bytes(number % 600), timeout=30)
            if number % 20 == 0:
                other = pipeline.subscribe(MOTOR, lambda event: None, priority=number)
                other.cancel()
        pipeline.notify_many(MOTOR.limit, bytes(8 * 16))
        with pipeline.producer(MOTOR, exclusive=exclusive) as producer:
            threads = [threading.Thread(target=write, args=[producer]) for _ in range(1 if exclusive else 3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        pipeline.freeze()
        pipeline.notify(MOTOR.limit, bytes(8))
        pipeline.thaw()
        pipeline.flush()
        native.cancel()
        single.cancel()
        batches.cancel()
        last.cancel()
        for part in kept:
            if isinstance(part, tocsin.Batch):
                assert [event.payload for event in part] == [part.payload(n) for n in range(len(part))]
        assert len(repr(kept)) > EVENTS
        return pipeline.stats().protocols[MOTOR.id].delivered


def drop() -> None:
    """Drop pipelines and a workqueue that nobody closed, with events and works under way."""
    for number in range(5):
        pipeline = tocsin.Pipeline(workers=number % 3)
        pipeline.register(MOTOR)
        pipeline.subscribe(MOTOR, lambda event, pipeline=pipeline: None)
        pipeline.notify(MOTOR.raw, bytes(100))
        del pipeline
        gc.collect()
    queue = tocsin.WorkQueue("dropped")
    works = [tocsin.Work(lambda: None) for _ in range(4)]
    for work in works[:2]:
        queue.queue(work)
    for work in works[2:]:
        queue.queue_delayed(work, 0.005)


def use_fifos() -> None:
    for fifo in (tocsin.Kfifo(64), tocsin.RecordFifo(64, 2)):
        for number in range(20):
            fifo.in_(bytes([number] * 12))
            assert fifo.out(12) == bytes([number] * 12)


if __name__ == "__main__":
    delivered = live(exclusive=False) + live(exclusive=True)
    use_fifos()
    drop()
    gc.collect()
    await_threads()
    print(f"{delivered} events delivered")
