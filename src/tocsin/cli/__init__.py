"""The command line: what the shell sees of it, which is arguments, exit statuses and signals.

run() is the program; main() is the same without its signals and its exit, for tests. Each command is a
module of its own, imported when it is called: nobody waits for what he does not use. typer and rich come
with the extra `cli` only; without them run() says so.

Exit statuses: 0 done. 1 done, but something was not delivered: it was invalid, unknown, or found no
room; or `doctor` found something broken. 2 wrong usage, input that can't be read, output that can't be
written. 130 Ctrl-C, but `listen`, which ends no other way: 0 or 1. 141 whoever read the output went away,
`head` perhaps. The last two are deaths by the signal itself, as shells expect of their children: a loop
around the command ends too.

Signals. SIGINT becomes KeyboardInterrupt on the main thread, which reads and waits, and never runs a
callback; so Ctrl-C finds nothing half printed. To end takes two seconds at the most, even if stdout is
stuck. SIGPIPE is set back to what it does in every other program. Events are printed on a worker of the
pipeline, which has all signals blocked and gets an exception instead; it passes the signal on, because
the main thread may be waiting for input that never comes.
"""

import os
import signal
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NoReturn

from tocsin.cli.interrupts import raise_interrupts

__all__ = ["INTERRUPTED", "NOT_DELIVERED", "UNUSABLE", "Trouble", "complain", "main", "run"]

NOT_DELIVERED = 1
UNUSABLE = 2
INTERRUPTED = 128 + signal.SIGINT


class Trouble(Exception):
    """Say in one line why a command can't do what it was asked for; exit status 2."""


def run() -> NoReturn:
    """Run the command line and exit: the entry point. Main thread."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    fill_closed_streams()
    raise_interrupts()
    try:
        status = main()
        if status != INTERRUPTED:  # else stdout may be stuck
            sys.stdout.flush()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except OSError as error:
        complain(f"tocsin: output: {error.strerror}")
        status = UNUSABLE
        silence(sys.stdout.fileno())
    if status == INTERRUPTED:
        die_of(signal.SIGINT)
    sys.exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, default sys.argv, and return its exit status.

    KeyboardInterrupt and errors of the output pass through.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    missing = [name for name in ("typer", "rich") if find_spec(name) is None]
    if missing:
        complain(f"tocsin: the command line needs {' and '.join(missing)}: pip install 'tocsin[cli]'")
        return UNUSABLE
    from tocsin.cli.commands import Abort, UsageError, app

    try:
        status: int | None = app(arguments, prog_name="tocsin", standalone_mode=False)
    except UsageError as error:
        path = error.ctx.command_path if error.ctx else "tocsin"
        complain(f"{path}: {error.format_message().rstrip('.')}; see {path} --help")
        return UNUSABLE
    except Trouble as error:
        complain(f"tocsin {arguments[0]}: {error}")
        return UNUSABLE
    except Abort:  # what older versions of typer make of a KeyboardInterrupt
        return INTERRUPTED
    return status or 0


def complain(text: str) -> None:
    """Write one line to stderr, whatever the text holds."""
    line = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in " ".join(text.split("\n")))
    print(line, file=sys.stderr)


def fill_closed_streams() -> None:
    """Put /dev/null where the shell closed a stream (>&-), or the next file that is opened gets its place."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w"))  # noqa: SIM115 (open till the end)


def die_of(number: signal.Signals) -> None:
    """End this process by the signal; returns where that is impossible, as in process 1."""
    sys.stderr.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def silence(descriptor: int) -> None:
    """Send what is still in a buffer to nowhere: the interpreter flushes once more at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
