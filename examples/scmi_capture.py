"""Replay captured notifications of real firmware through a pipeline.

    python examples/scmi_capture.py [FILE ...]

The captures are what `trace-cmd` and `cat /sys/kernel/tracing/trace_pipe` print for the kernel's trace
event scmi_msg_dump, one message a line. The notifications among them are handed over with the time of the
trace; a callback prints them, decoded, and at the end the books are shown.
"""

import os
import sys
from pathlib import Path
from typing import Any

import tocsin
from tocsin import scmi
from tocsin.sources import trace

CAPTURE = Path(__file__).resolve().parent / "captures" / "sensor_update.trace"
COLUMNS = ["accepted", "refused", "invalid", "delivered", "unclaimed", "pending"]


def show(event: tocsin.Event[Any]) -> None:
    """Print one event. Called on a worker of the pipeline."""
    seconds, nanos = divmod(event.timestamp, 10**9)
    fields = event.report._asdict()
    fields.pop(event.type.source, None)  # it stands beside the name
    if "readings" in fields:
        del fields["readings_count"]
        fields["readings"] = tuple(reading.value for reading in fields["readings"])
    words = " ".join(f"{name}={value}" for name, value in fields.items())
    name = f"{event.type.protocol.name}.{event.type.name}"
    print(f"{seconds}.{nanos // 1000:06}  {name}  source {event.source}  {words}")


def replay(files: list[Path]) -> None:
    """Hand over what the files hold and print what became of it."""
    lines = notifications = 0
    failures: list[tocsin.Failure] = []
    with tocsin.Pipeline(on_error=failures.append) as pipeline:
        pipeline.register(*scmi.PROTOCOLS)
        pipeline.subscribe([*scmi.PROTOCOLS], show)
        for file in files:
            with trace.read(file) as messages:
                for message in messages:
                    try:
                        # A replay can wait for room; whoever hands over live events leaves the timeout at 0.
                        scmi.notify_message(pipeline, message.data, message.timestamp, timeout=60)
                    except tocsin.TocsinError as error:  # counted as unknown or invalid
                        print(f"{file.name} line {messages.lines}: {error}", file=sys.stderr)
                    if failures:
                        break
            lines += messages.lines
            notifications += messages.notifications
        pipeline.flush()
        if failures:
            raise failures[0].exception
        print_books(pipeline)
    print(f"{lines} lines, {notifications} notifications, {lines - notifications} others skipped")


def print_books(pipeline: tocsin.Pipeline) -> None:
    print("\nprotocol", *COLUMNS, sep="  ")
    for protocol in pipeline.protocols:
        books = pipeline.stats().protocols[protocol.id]
        numbers = [getattr(books, column) for column in COLUMNS]
        if any(numbers):
            cells = (f"{number:>{len(column)}}" for number, column in zip(numbers, COLUMNS, strict=True))
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
