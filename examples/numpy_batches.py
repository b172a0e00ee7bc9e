"""Hand over many events in one call, and get them in batches as NumPy arrays."""

from typing import Any

import numpy as np

import tocsin


class Motor(tocsin.Protocol):
    limit = tocsin.EventType(0, {"motor": "u4", "rpm": "i4"}, source="motor")


MOTOR = Motor(0x80)
MOTORS = 4

readings = np.zeros(100_000, dtype=MOTOR.limit.dtype)
readings["motor"] = np.arange(100_000) % MOTORS
readings["rpm"] = 9000
total = np.zeros(MOTORS, dtype="i8")
events = 0

with tocsin.Pipeline() as pipeline:
    pipeline.register(MOTOR)

    @pipeline.subscribe(MOTOR.limit, batch=True)
    def on_limits(batch: tocsin.Batch[Any]) -> None:
        global events
        events += len(batch)
        total[:] += np.bincount(batch.array["motor"], batch.array["rpm"], MOTORS).astype("i8")

    accepted = pipeline.notify_many(MOTOR.limit, readings)

print(f"{accepted} accepted, {events} seen")
print(total)
