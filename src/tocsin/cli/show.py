"""How events, values and tables look: as text for people, as JSON lines for programs.

A Printer is called on the workers of a pipeline, several perhaps: a slow terminal keeps one inside, and
another protocol's events come from the next. Its lock keeps lines whole. Each line is flushed: whoever
reads it may be waiting for it.

Colour is for terminals only, and rich decides what that is: NO_COLOR, FORCE_COLOR and TERM count.
Tables in a pipe are as wide as they need to be.
"""

import json
import os
import threading
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from tocsin.event import Event
    from tocsin.eventtype import EventType

__all__ = ["Printer", "as_text", "assignments", "fields_of", "name_of", "plain", "plural", "print_table"]

UNLIMITED = 1 << 16  # columns; more than any table here needs


class Printer:
    """Print each event that it is called with as one line."""

    def __init__(self, out: TextIO, *, as_json: bool) -> None:
        self._out = out
        self._line = json_line if as_json else (coloured_line if has_colour(out) else text_line)
        self._lock = threading.Lock()

    def __call__(self, event: "Event[Any]") -> None:
        """Print one event. Any thread."""
        line = self._line(event)
        with self._lock:
            self._out.write(line)
            self._out.flush()


def json_line(event: "Event[Any]") -> str:
    """Return an event as a JSON object: the timestamp in ns, integers as they are."""
    return (
        json.dumps(
            {
                "timestamp": event.timestamp,
                "protocol": event.type.protocol.name,
                "event": event.type.name,
                "source": event.source,
                "lost": event.lost,
                "report": plain(event.report),
            }
        )
        + "\n"
    )


def text_line(event: "Event[Any]") -> str:
    """Return an event as text: time, name, source, fields."""
    return "  ".join(parts_of(event)) + "\n"


def coloured_line(event: "Event[Any]") -> str:
    """Return an event as text for a terminal."""
    from rich.style import Style

    time, name, *middle, fields = parts_of(event)
    styled = [Style(dim=True).render(time), Style(color="cyan").render(name), *middle, fields]
    return "  ".join(styled) + "\n"


def parts_of(event: "Event[Any]") -> list[str]:
    seconds, nanoseconds = divmod(event.timestamp, 10**9)
    parts = [
        f"{seconds}.{nanoseconds // 1000:06}",
        name_of(event.type),
        f"source {event.source}",
    ]
    if event.lost:
        parts.append(f"lost {event.lost}")
    report = event.report
    counts = [f"{name}_count" for name, value in fields_of(report).items() if isinstance(value, tuple)]
    # What is there to see as the source, or by counting, is left out.
    return [*parts, assignments(report, {event.type.source, *counts})]


def name_of(event: "EventType[Any]") -> str:
    """Return the name of a bound event with that of its protocol."""
    return f"{event.protocol.name if event.protocol else '?'}.{event.name}"


def fields_of(report: Any) -> dict[str, Any]:
    """Return the fields of a report by name, in a new dict."""
    return dict(report._asdict()) if hasattr(report, "_asdict") else {"report": report}


def assignments(report: Any, left_out: Container[str | None] = ()) -> str:
    """Return the fields of a report as name=value."""
    fields = fields_of(report).items()
    return " ".join(f"{name}={as_text(value)}" for name, value in fields if name not in left_out)


def as_text(value: Any) -> str:
    """Return a field's value in few words: of a record in a sequence the first field stands for all."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Sequence) and not isinstance(value, str):
        firsts = (item[0] if isinstance(item, tuple) and item else item for item in value)
        return f"({', '.join(map(as_text, firsts))})"
    return str(value)


def plain(value: Any) -> Any:
    """Return a report, or a part of one, in the types of JSON: nothing is left out, bytes are hex."""
    if hasattr(value, "_asdict"):
        return {name: plain(part) for name, part in value._asdict().items()}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def plural(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def has_colour(out: TextIO) -> bool:
    """Return whether rich would colour what is written there."""
    if not (out.isatty() or os.environ.get("FORCE_COLOR")):
        return False  # as rich would say, which takes long to import
    from rich.console import Console

    console = Console(file=out)
    return console.color_system is not None and not console.no_color


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]], out: TextIO) -> None:
    """Print a table without frames: columns of numbers to the right, all others to the left."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for place, name in enumerate(head):
        numbers = all(isinstance(row[place], int) for row in rows)
        table.add_column(name, justify="right" if numbers else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console = Console(file=out, width=UNLIMITED, color_system="auto" if has_colour(out) else None)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip(), file=out)
