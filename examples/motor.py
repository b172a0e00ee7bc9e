"""The ten lines: declare, register, subscribe, notify."""

import tocsin


class Motor(tocsin.Protocol):
    limit = tocsin.EventType(0, {"motor": "u4", "rpm": "i4"}, source="motor")


MOTOR = Motor(0x80)

with tocsin.Pipeline() as pipeline:
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.limit, lambda event: print(event.source, event.report.rpm))
    pipeline.notify(MOTOR.limit, (3, 9000))
