"""The commands as the shell knows them: names, options, help. What they do is in a module each.

The help is plain text, the same on a terminal and in a pipe; a paragraph after a line with \\b keeps its
line ends.
"""

from typing import Annotated, Any

import typer
from typer import Abort

from tocsin.cli import Trouble

__all__ = ["Abort", "UsageError", "app"]

# What typer raises for arguments that it can't use; the class itself it does not export.
UsageError: Any = typer.BadParameter.__mro__[1]

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
Protocols = Annotated[
    list[str] | None,
    typer.Option("--protocol", metavar="NAME|ID", help="Only this protocol (repeatable)."),
]
Events = Annotated[
    list[str] | None,
    typer.Option("--event", metavar="NAME|ID", help="Only this event; also PROTOCOL.EVENT (repeatable)."),
]
Sources = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="NUMBER", help="Only events of this source (repeatable)."),
]
Books = Annotated[
    bool | None,
    typer.Option(
        "--books/--no-books",
        help="Say at the end, on stderr, what became of the events; the default, but with --json.",
        show_default=False,
    ),
]


@app.callback(invoke_without_command=True)
def tocsin(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Replay, watch and decode the notifications of SCMI firmware.

    \b
    tocsin replay capture.trace            print the notifications in a capture
    tocsin listen .../raw/notification     print them live, until Ctrl-C
    tocsin decode 01570000...              say what a message means
    tocsin protocols                       list what tocsin knows
    tocsin doctor                          check this installation

    Events go to stdout, all talk to stderr. NO_COLOR is honoured.

    \b
    Exit status:
    0    done
    1    done, but something was not delivered, or doctor found something broken
    2    wrong usage, or input or output that can't be used
    130  ended by Ctrl-C (listen, which ends no other way: 0 or 1)
    141  whoever read the output, head perhaps, went away
    """
    if version:
        import tocsin

        typer.echo(f"tocsin {tocsin.__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


@app.command()
def replay(
    file: Annotated[list[str], typer.Argument(help="Captures; - is stdin.")],
    json: Json = False,
    speed: Annotated[
        float | None,
        typer.Option(metavar="X", help="1: as fast as recorded, 10: ten times that; default: no waiting."),
    ] = None,
    protocol: Protocols = None,
    event: Events = None,
    source: Sources = None,
    books: Books = None,
) -> int:
    """Replay captures through a pipeline and print each event.

    A capture is what trace-cmd or cat /sys/kernel/tracing/trace_pipe print while the trace event
    scmi/scmi_msg_dump is enabled. Its notifications are printed with the time of the trace, in the order
    of the capture; all other lines are counted.

    \b
    tocsin replay capture.trace
    tocsin replay capture.trace --protocol sensor --source 8
    tocsin replay capture.trace --speed 1
    ssh board cat /sys/kernel/tracing/trace_pipe | tocsin replay - --json
    tocsin replay capture.trace --json | jq .report.readings[0].value
    """
    from tocsin.cli.replay import replay

    keys = chosen(protocol, event, source)
    if speed is not None and not 0 < speed < float("inf"):
        raise Trouble(f"--speed {speed:g} is not above 0 and finite")
    return replay(file, keys, as_json=json, speed=speed, books=shown(books, json))


@app.command()
def listen(
    path: Annotated[str, typer.Argument(help="The file to read; - is stdin.")],
    raw: Annotated[
        bool | None,
        typer.Option(
            "--raw/--trace",
            help="Binary messages or lines of text; default: raw if the name is notification.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    protocol: Protocols = None,
    event: Events = None,
    source: Sources = None,
    books: Books = None,
) -> int:
    """Print notifications as they come, until Ctrl-C.

    PATH is raw/notification of the kernel's SCMI debugfs, or trace_pipe. Events are taken in at once: if
    stdout is slow they wait in the pipeline, and those that find no room there are counted.

    \b
    tocsin listen /sys/kernel/debug/scmi/0/raw/notification
    tocsin listen /sys/kernel/tracing/trace_pipe --protocol perf --json
    """
    from tocsin.cli.listen import listen

    keys = chosen(protocol, event, source)
    return listen(path, keys, raw=raw, as_json=json, books=shown(books, json))


@app.command(context_settings={"ignore_unknown_options": True})
def decode(
    hex: Annotated[list[str], typer.Argument(help="The bytes of one message; - is stdin.")],
    json: Json = False,
) -> None:
    """Say what one SCMI message means.

    That is the fields of its header and, for a notification, its report. HEX are the bytes in the order
    of the wire: the header word 0x00004700 is 00 47 00 00. Spaces, colons, commas, dashes and 0x between
    them don't matter.

    \b
    tocsin decode 00470000 00000000 02000000 00000000
    tocsin decode 00:47:00:00:00:00:00:00:02:00:00:00:00:00:00:00 --json
    xxd -p message.bin | tocsin decode -
    """
    from tocsin.cli.decode import decode

    decode(hex, as_json=json)


@app.command()
def protocols(json: Json = False) -> None:
    """List the SCMI protocols and their events.

    bytes is the size of the payload, source the field that an event's source is taken from. In payload,
    u4 is an unsigned integer of 4 bytes, i8 a signed one of 8; [x] may be absent, (x)* repeats.

    \b
    tocsin protocols
    tocsin protocols --json | jq '.[] | .name'
    """
    from tocsin.cli.listing import print_protocols

    print_protocols(as_json=json)


@app.command()
def doctor(json: Json = False) -> int:
    """Show what this installation is made of.

    Also what works less well than it could, and why, and whether a pipeline delivers.

    \b
    tocsin doctor
    tocsin doctor --json | jq .degraded
    """
    from tocsin.cli.doctor import examine

    return examine(as_json=json)


def chosen(protocols: list[str] | None, events: list[str] | None, sources: list[str] | None) -> Any:
    """Return the keys that the filters let through; a usage error says what there is."""
    from tocsin import scmi
    from tocsin.cli.choice import choose

    try:
        return choose(scmi.PROTOCOLS, protocols or (), events or (), sources or ())
    except ValueError as error:
        raise Trouble(str(error)) from None


def shown(books: bool | None, as_json: bool) -> bool:
    """Return whether the books are shown: as was asked for, else to people only."""
    return not as_json if books is None else books
