"""Replay captured sensor notifications of real firmware through a pipeline.

    python examples/scmi_capture.py [FILE ...]

The captures are what `trace-cmd` and `cat /sys/kernel/tracing/trace_pipe` print for the kernel's trace
event scmi_msg_dump, one message a line. Of these the notifications of the sensor protocol are handed
over with the time of the trace; a callback prints them, decoded, and at the end the books are shown.
"""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tocsin

CAPTURE = Path(__file__).resolve().parent / "captures" / "sensor_update.trace"
LINE = re.compile(r"\s(\d{1,10})\.(\d{6}): scmi_msg_dump: (.*)")
COLUMNS = ["accepted", "refused", "invalid", "delivered", "unclaimed", "pending"]


class Sensor(tocsin.Protocol):
    trip_point = tocsin.EventType(0, {"agent_id": "u4", "sensor_id": "u4", "desc": "u4"}, source="sensor_id")
    update = tocsin.EventType(
        1,
        {"agent_id": "u4", "sensor_id": "u4", "readings": [{"value": "i8", "timestamp": "u8"}]},
        source="sensor_id",
        max_size=1016,
    )


SENSOR = Sensor(0x15)


def parse(line: str) -> tuple[int, int, bytes] | None:
    """Return (time in ns, event id, payload) of a sensor notification; None for any other line."""
    found = LINE.search(line)
    if found is None:
        return None
    seconds, micros, text = found.groups()
    words = dict(word.split("=", 1) for word in text.split() if "=" in word)
    try:
        if words["t"].upper() != "NOTI" or int(words["pt"], 16) != SENSOR.id:
            return None
        event = int(words["msg_id"], 16)
        payload = bytes.fromhex(words["pyld"])
    except (KeyError, ValueError):
        return None
    if event not in (SENSOR.trip_point.id, SENSOR.update.id):
        return None
    return int(seconds) * 10**9 + int(micros) * 1000, event, payload


def show(event: tocsin.Event[Any]) -> None:
    """Print one event. Called on a worker of the pipeline."""
    seconds, nanos = divmod(event.timestamp, 10**9)
    fields = event.report._asdict()
    del fields["sensor_id"]  # that is the source
    if "readings" in fields:
        fields["readings"] = tuple(reading.value for reading in fields["readings"])
    words = " ".join(f"{name}={value}" for name, value in fields.items())
    name = f"{event.type.protocol.name}.{event.type.name}"
    print(f"{seconds}.{nanos // 1000:06}  {name}  source {event.source}  {words}")


def lines_of(files: list[Path]) -> Iterator[str]:
    for path in files:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from file


def replay(files: list[Path]) -> None:
    """Hand over what the files hold and print what became of it."""
    lines = notifications = 0
    failures: list[tocsin.Failure] = []
    with tocsin.Pipeline(on_error=failures.append) as pipeline:
        pipeline.register(SENSOR)
        pipeline.subscribe(SENSOR, show)
        for line in lines_of(files):
            lines += 1
            message = parse(line)
            if message is None:
                continue
            notifications += 1
            time, event, payload = message
            try:
                # A replay can wait for room; whoever hands over live events leaves the timeout at 0.
                pipeline.notify((SENSOR.id, event), payload, time, timeout=60)
            except tocsin.PayloadError as error:  # counted as invalid
                print(f"line {lines}: {error}", file=sys.stderr)
            if failures:
                break
        pipeline.flush()
        if failures:
            raise failures[0].exception
        print_books(pipeline)
    print(f"{lines} lines, {notifications} notifications, {lines - notifications} others skipped")


def print_books(pipeline: tocsin.Pipeline) -> None:
    print("\nprotocol", *COLUMNS, sep="  ")
    for protocol in pipeline.protocols:
        books = pipeline.stats().protocols[protocol.id]
        cells = (f"{getattr(books, column):>{len(column)}}" for column in COLUMNS)
        print(f"{protocol.name:8}", *cells, sep="  ")


def main() -> int:
    files = [Path(argument) for argument in sys.argv[1:]] or [CAPTURE]
    try:
        replay(files)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads our output, `head` perhaps, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        print(f"scmi_capture: {error.filename or 'output'}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
