"""What a run prints: the machine and the versions, the cases of each path, and what became of the targets."""

import os
import platform
import sys
from typing import Any

import tocsin
from tocsin import backend

try:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
except ImportError:
    sys.exit("the benchmarks print with rich: pip install 'tocsin[bench]'")

from benchmarks.harness import version_of
from benchmarks.targets import AT_BEST, ELSEWHERE, MET, MISSED, NOT_RUN, UNREACHABLE

WIDTH = 150  # where the output is no terminal
STYLES = {
    **{MET: "green", AT_BEST: "yellow", MISSED: "bold red"},
    **{UNREACHABLE: "red", NOT_RUN: "red", ELSEWHERE: "dim"},
}
PLACES = {"ns": 1, "bytes": 1, "times": 2, "of it": 2, "ms": 1, "kB": 0, "%": 3, "threads": 0}


def console() -> Console:
    return Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)


def table_of(title: str, *headings: str) -> Table:
    """Begin a table: the first column is text, the others are figures, those without a heading units."""
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1))
    table.add_column(headings[0])
    for heading in headings[1:]:
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    return table


def machine() -> dict[str, Any]:
    """Say where and with what the figures were made."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "kernel": platform.release(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "compiler": platform.python_compiler(),
        "gil": not backend.gil_is_off,
        "tocsin": version_of("tocsin") or "not installed",
        "numpy": version_of("numpy") or "not installed",
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
        f"{where['python']}{'' if where['gil'] else ' without the GIL'} ({where['compiler']}), "
        f"NumPy {where['numpy']}\n"
        f"tocsin {where['tocsin']} ({where['backend']}{writers}) from {where['from']}\n"
        f"rounds in turn: {rounds}, the garbage collector {'on' if collect else 'off'}\n"
        f"spread: worst less best, of the median\n"
        f"of the best round: batches (runs of the stages), empty (those that found nothing), wakes (sleeping "
        f"workers\n"
        f"woken, each by a kick with a system call; any other kick that mattered began a run), refused (and "
        f"tried again)"
    )


def number(value: float | None, unit: str = "ns") -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.{PLACES.get(unit, 2)}f}"


def spread(row: dict[str, Any]) -> str:
    return f"{(row['worst'] - row['best']) / row['median']:.0%}" if row["median"] else ""


def print_path(result: dict[str, Any]) -> None:
    """Print the cases of a path and, below, those that could not run."""
    counters = ("batches", "empty", "wakes", "refused")
    table = table_of(result["title"], "case", "best", "median", "", "spread", *counters)
    for row in result["rows"]:
        counts = [row[name] for name in ("activations", "empty_activations", "wakeups", "refused")]
        table.add_row(
            row["case"],
            number(row["best"], row["unit"]),
            number(row["median"], row["unit"]),
            row["unit"],
            spread(row),
            *(f"{count:,}" if any(counts) else "" for count in counts),
            style="dim" if row["peer"] else None,
        )
    out = console()
    out.print(table)
    for case, why in result["missing"].items():
        out.print(f"  not run: {case}: {why}", markup=False)
    out.print()


def print_targets(results: dict[str, Any]) -> None:
    """Print what became of every target of the paths that were measured."""
    verdicts = [(name, verdict) for name, result in results.items() for verdict in result["targets"]]
    if not verdicts:
        return
    table = table_of(
        "targets", "target", "ours", "peer's", "ratio", "found", "best", "floor", "", "spread", ""
    )
    last = ""
    for name, verdict in verdicts:
        if name != last:
            table.add_row(f"[bold]{name}[/]")
        table.add_row(f"  {verdict['target']}", *figures(verdict), word(verdict))
        last = name
    out = console()
    out.print(table)
    out.print(
        "ours, peer's: medians; ratio: peer's by ours; found: what the target is about, the median of the\n"
        "rounds; floor: the same for the least that would have to be done here, by whatever means;\n"
        "MET AT BEST: only the best round keeps the bound; UNREACHABLE: the floor doesn't keep it either;\n"
        "in brackets: an aim, not counted"
    )
    out.print()


def figures(verdict: dict[str, Any]) -> tuple[str, ...]:
    ours, peer = verdict["ours"], verdict["peer"]
    if verdict["median"] is None:
        return ("",) * 8
    both = peer is not None and ours["median"]
    return (
        number(ours["median"], ours["unit"]),
        number(peer["median"], peer["unit"]) if peer else "",
        f"{peer['median'] / ours['median']:,.2f}" if both else "",
        number(verdict["median"], verdict["unit"]),
        number(verdict["best"], verdict["unit"]),
        number(verdict["floor"], verdict["unit"]),
        verdict["unit"],
        spread(ours),
    )


def word(verdict: dict[str, Any]) -> str:
    """Give the verdict in its colour; an aim's in brackets, for it doesn't count."""
    plain = verdict["verdict"]
    return f"[{STYLES[plain]}]{f'({plain})' if verdict['aim'] else plain}[/]"


def print_comparison(result: dict[str, Any]) -> None:
    """Print the peers of one kind of work, fastest first, beside ours; and which are missing."""
    table = table_of(result["title"], "who", "version", "best", "median", "", "spread", "of ours")
    table.add_column("how")
    ours = next((row["median"] for row in result["rows"] if not row["peer"]), None)
    for row in sorted(result["rows"], key=lambda row: float(row["median"])):
        table.add_row(
            row["case"],
            row["version"] or "",
            number(row["best"], row["unit"]),
            number(row["median"], row["unit"]),
            row["unit"],
            spread(row),
            f"{row['median'] / ours:,.1f}" if ours else "",
            row["note"],
            style=None if row["peer"] else "bold",
        )
    out = console()
    out.print(table)
    for case, why in result["missing"].items():
        out.print(f"  missing: {case}: {why}", markup=False)
    out.print()
