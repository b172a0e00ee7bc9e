"""Messages in, printed events out: the pipeline between the sources of replay and listen and the printer.

Two threads matter. The main thread reads messages and hands them over; a worker of the pipeline prints.
When printing fails the main thread hears of it at its next message, or at once if it waits in
`failed.wait()`. A closed pipe is told to the whole process, see tocsin.cli.

Messages that no event can have are complained of, the first ones one by one, and counted: a capture with
rubbish in it is still a capture.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import tocsin
from tocsin import scmi
from tocsin.cli import NOT_DELIVERED, Trouble, complain
from tocsin.cli.show import Printer, plural, print_table
from tocsin.sources import Message

__all__ = ["Feed"]

COMPLAINTS = 10  # one by one; the others are only counted
LAST_WORDS = 0.5  # seconds for what was accepted before Ctrl-C
COLUMNS = ("accepted", "refused", "invalid", "delivered", "unclaimed", "pending")
COUNTS = ("lines", "notifications", "skipped", "lost")


class Feed:
    """Hand messages to a pipeline whose only subscriber prints them. Main thread.

    failed: set when printing failed. interrupted: to be set after Ctrl-C; finish() then is in a hurry, and
    stuck says that it could not wait for the printing.
    """

    def __init__(self, command: str, keys: Sequence[tocsin.Key], *, as_json: bool) -> None:
        self.failed = threading.Event()
        self.interrupted = self.stuck = False
        self._command = command
        self._undelivered = 0
        self._counts: dict[str, int] = {}
        self._failures: list[BaseException] = []
        try:
            self._pipeline = tocsin.Pipeline(clock="boottime", on_error=self._fail, name=command)
        except ValueError as error:  # a switch of the environment with a value that it can't have
            raise Trouble(str(error)) from None
        self._pipeline.register(*scmi.PROTOCOLS)
        self._pipeline.subscribe(list(keys), Printer(sys.stdout, as_json=as_json))

    def _fail(self, failure: tocsin.Failure) -> None:
        """Take note that printing failed. A worker."""
        self._failures.append(failure.exception)
        self.failed.set()
        if isinstance(failure.exception, BrokenPipeError):
            os.kill(os.getpid(), signal.SIGPIPE)

    def _check(self) -> None:
        if self._failures:
            raise self._failures[0]

    def give(self, message: Message, place: str) -> None:
        """Hand over one message; raises what printing an earlier one raised."""
        try:
            accepted = scmi.notify_message(self._pipeline, message.data, message.timestamp)
        except (scmi.MessageError, tocsin.PayloadError, tocsin.UnknownEventError) as error:
            self._undelivered += 1
            if self._undelivered <= COMPLAINTS:
                complain(f"tocsin {self._command}: {place}: {error}")
        else:
            self._undelivered += not accepted
        self._check()

    def flush(self) -> None:
        """Wait until all that was given is printed; raises what printing raised."""
        self.stuck = not self._pipeline.flush(LAST_WORDS if self.interrupted else None)
        self._check()

    def count(self, reader: Any) -> None:
        """Add what a reader has counted; not every one counts everything."""
        for name in COUNTS:
            if hasattr(reader, name):
                self._counts[name] = self._counts.get(name, 0) + getattr(reader, name)

    @property
    def status(self) -> int:
        """The exit status."""
        return NOT_DELIVERED if self._undelivered else 0

    def finish(self, *, as_json: bool, books: bool) -> None:
        """Have the rest printed, and the books on stderr."""
        self.flush()
        if books and self._counts:
            if as_json:
                self._print_object()
            else:
                self._print_table()
                complain(self._summary())

    def _books(self) -> dict[str, tocsin.ProtocolStats]:
        """Return the books of the protocols that had events."""
        books = self._pipeline.stats().protocols
        named = {protocol.name: books[protocol.id] for protocol in scmi.PROTOCOLS}
        return {name: book for name, book in named.items() if book.accepted or book.refused or book.invalid}

    def _print_object(self) -> None:
        books = {name: book._asdict() for name, book in self._books().items()}
        counts = self._counts | {"undelivered": self._undelivered, "protocols": books}
        print(json.dumps(counts), file=sys.stderr)

    def _print_table(self) -> None:
        rows = [
            (name, *(getattr(book, column) for column in COLUMNS)) for name, book in self._books().items()
        ]
        if rows:
            print(file=sys.stderr)
            print_table(["protocol", *COLUMNS], rows, sys.stderr)

    def _summary(self) -> str:
        counts = self._counts
        parts = [plural(counts["lines"], "line")] if "lines" in counts else []
        parts.append(plural(counts["notifications"], "notification"))
        if "skipped" in counts:
            parts.append(f"{plural(counts['skipped'], 'other')} skipped")
        if counts.get("lost"):
            parts.append(f"{counts['lost']} of them lost by the kernel")
        if self._undelivered:
            parts.append(f"{self._undelivered} not delivered")
        return ", ".join(parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipeline.close(LAST_WORDS if kind or self.interrupted else None)
