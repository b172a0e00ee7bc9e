"""What a run prints: the machine and the versions, a table for each topic, the ratios, the marks."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import tocsin
from tocsin import backend

try:
    from rich.console import Console
    from rich.table import Table
except ImportError:
    Console = Table = None

HEADINGS = ("case", "best", "median", "spread", "activations", "empty", "wakeups")


def machine() -> dict[str, Any]:
    """Say where and with what the figures were made."""
    try:
        installed = version("tocsin")
    except PackageNotFoundError:
        installed = "not installed"
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "kernel": platform.release(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "gil": not backend.gil_is_off,
        "tocsin": installed,
        "backend": backend.name,
        "from": os.path.dirname(tocsin.__file__),
        **backend.switches(),
    }


def cpu_model() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def heading(where: dict[str, Any], rounds: int, collect: bool) -> str:
    writers = "" if where["writers"] == "gil" else f", writers={where['writers']}"
    return (
        f"{where['cpu']}, {where['cores']} cores, Linux {where['kernel']}, load {where['load'][0]}\n"
        f"{where['python']}{'' if where['gil'] else ' without the GIL'}, "
        f"tocsin {where['tocsin']} ({where['backend']}{writers}) from {where['from']}\n"
        f"{rounds} rounds in turn, the garbage collector {'on' if collect else 'off'}; "
        f"spread: worst less best, of the median; counters: of the best round"
    )


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    spread = (row["worst"] - row["best"]) / row["median"] if row["median"] else 0.0
    counters = [row[name] for name in ("activations", "empty_activations", "wakeups")]
    return (
        row["case"],
        number(row["best"]),
        number(row["median"]),
        f"{spread:.0%}",
        *(str(count) if any(counters) else "" for count in counters),
    )


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}"


def print_topic(result: dict[str, Any]) -> None:
    rows = [cells(row) for row in result["rows"]]
    if Console is not None:
        table = Table(title=result["title"], title_justify="left")
        for name in HEADINGS:
            table.add_column(name, justify="left" if name == "case" else "right", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(table)
    else:
        print_plain(result["title"], rows)
    for ratio in result["ratios"]:
        print(
            f"  {ratio['faster']}: {ratio['best']:.2f} times as fast as {ratio['slower']} "
            f"(best to best; round by round: median {ratio['median']:.2f}, least {ratio['worst']:.2f})"
        )
    print()


def print_plain(title: str, rows: list[tuple[str, ...]]) -> None:
    print(title)
    widths = [max(len(row[i]) for row in [HEADINGS, *rows]) for i in range(len(HEADINGS))]
    for row in [HEADINGS, *rows]:
        first, *others = (
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *others]).rstrip())


def print_marks(verdicts: list[dict[str, Any]]) -> None:
    print("marks")
    for verdict in verdicts:
        word = "met   " if verdict["met"] else "MISSED"
        value = verdict["found"]
        found = "not measured" if value is None else f"{number(value)} {verdict['unit']}"
        print(f"  {word} {verdict['mark']}: {found}")
    print()
