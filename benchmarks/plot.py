"""Draw the last run and the last comparison for the documentation: python -m benchmarks plot

Reads what the two commands wrote and writes three pictures into docs/: latencies as histograms on a
logarithmic scale, and bars of the throughput of tocsin's paths and of the peers on the same work. What was
not measured is said in the picture. The same figures give the same bytes.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path as Folder
from typing import Any

from benchmarks.__main__ import COMPARISON, RESULTS
from benchmarks.harness import BINS_PER_DECADE, DECADES, LOWEST
from benchmarks.paths import (
    channel,
    lone,
    lone_native,
    main_thread,
    native_shared,
    native_to_native,
    native_to_python,
    notify_many,
    python_to_python,
    spinning,
)

DOCS = Folder(__file__).resolve().parent.parent / "docs"
OURS, PEERS = "#1f6f8b", "#c9c9c9"
UNITS = (
    (LOWEST, "10 ns"),
    (1e2, "100 ns"),
    (1e3, "1 us"),
    (1e4, "10 us"),
    (1e5, "100 us"),
    (1e6, "1 ms"),
    (1e7, "10 ms"),
)

MILLIONS = (0.1, 1, 10, 100)

LATENCIES = (
    ("lone", lone.OURS, "to a Python callable, worker asleep"),
    ("lone", lone.SQ, "SimpleQueue, consumer asleep"),
    ("spinning", spinning.SPINNING, "to a native subscriber, worker spinning"),
    ("lone_native", lone_native.OURS, "to a native subscriber, GIL burnt"),
    ("lone_native", lone_native.SQ, "SimpleQueue, GIL burnt"),
    ("main_thread", main_thread.SPINNING, "to the main thread, which computes"),
    ("main_thread", main_thread.SQ, "SimpleQueue, main thread computing"),
)
THROUGHPUTS = (
    ("native_to_native", native_to_native.OURS),
    ("native_to_native", native_to_native.TAKE_ALLS[1]),
    ("native_to_native", native_to_native.TAKE_ONES[1]),
    ("native_shared", native_shared.CLOCK),
    ("native_shared", native_shared.SHARED),
    ("channel", channel.BATCHES),
    ("channel", channel.ITERATION),
    ("native_to_python", native_to_python.ARRAY),
    ("native_to_python", native_to_python.CALLABLE),
    ("notify_many", notify_many.TO_ARRAY),
    ("notify_many", notify_many.TO_CALLABLE),
    ("python_to_python", python_to_python.OURS),
    ("python_to_python", python_to_python.SQ),
    ("python_to_python", python_to_python.JOB),
)


def row_of(results: dict[str, Any], path: str, case: str) -> dict[str, Any] | None:
    rows = results.get("paths", {}).get(path, {}).get("rows", [])
    return next((row for row in rows if row["case"] == case), None)


def caption(results: dict[str, Any]) -> str:
    """Say where the figures come from: a number needs a machine and its command."""
    if not results:
        return "not measured yet"
    where = results["machine"]
    quick = " --quick" if results["quick"] else ""
    return f"{where['cpu']}, {where['cores']} cores, {where['python']}; {results['rounds']} rounds{quick}"


def finish(axes: Any, results: dict[str, Any], title: str, command: str, missing: list[str]) -> None:
    axes.set_title(title, loc="left")
    text = f"{command}: {caption(results)}"
    if results and missing:
        text += f"\nnot in this run: {'; '.join(missing)}"
    axes.figure.text(0.01, 0.01, text, fontsize=7, color="#666666")
    axes.spines[["top", "right"]].set_visible(False)


def latencies(axes: Any, results: dict[str, Any]) -> None:
    """Draw each latency as a histogram of its own, one above the other."""
    left = [LOWEST * 10 ** (i / BINS_PER_DECADE) for i in range(DECADES * BINS_PER_DECADE + 1)]
    labels, missing = [], []
    for path, case, label in LATENCIES:
        row = row_of(results, path, f"{case}, p50")
        if row is None:
            missing.append(label)
            continue
        place, counts = len(labels), row["histogram"]
        top = max(counts)
        heights = [0.85 * count / top for count in counts]
        axes.stairs(
            [place + height for height in heights], left, baseline=place, fill=True, color=colour(row)
        )
        axes.plot([row["median"]] * 2, [place, place + 0.85], color="black", linewidth=1)
        labels.append(label)
    axes.set_xscale("log")
    axes.set_xticks([at for at, _ in UNITS], [text for _, text in UNITS])
    axes.minorticks_off()
    axes.set_xlim(3e1, 2e7)
    axes.set_yticks([place + 0.4 for place in range(len(labels))], labels)
    axes.tick_params(axis="y", length=0)
    command = "python -m benchmarks"
    finish(axes, results, "A lone event: how long until its handler runs (line: p50)", command, missing)


def colour(row: dict[str, Any]) -> str:
    return PEERS if row["peer"] else OURS


def bars(axes: Any, rows: list[dict[str, Any]]) -> None:
    """Draw one bar of million events a second for each row, with its best round as a mark."""
    places = range(len(rows))[::-1]
    axes.barh(places, [1000 / row["median"] for row in rows], color=[colour(row) for row in rows])
    axes.plot([1000 / row["best"] for row in rows], places, "|", color="black", markersize=9)
    for place, row in zip(places, rows, strict=True):
        axes.text(1000 / row["best"] * 1.08, place, f"{row['median']:,.0f} ns", va="center", fontsize=8)
    axes.set_yticks(places, [row["case"] for row in rows])
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks(MILLIONS, [f"{million:g}" for million in MILLIONS])
    axes.set_xlim(0.05, 500)
    axes.set_xlabel("million events a second (bar: median, mark: best round)")


def throughput(axes: Any, results: dict[str, Any]) -> None:
    found = [(case, row_of(results, path, case)) for path, case in THROUGHPUTS]
    bars(axes, [row for _, row in found if row])
    missing = [case for case, row in found if row is None]
    finish(axes, results, "Throughput, 32-byte events", "python -m benchmarks", missing)


def peers(axes: Any, results: dict[str, Any]) -> None:
    hop = results.get("paths", {}).get("hop", {"rows": [], "missing": {}})
    bars(axes, sorted(hop["rows"], key=lambda row: float(row["median"])))
    title = "Through a thread hop to a Python function"
    finish(axes, results, title, "python -m benchmarks compare", list(hop["missing"]))


def draw(results: dict[str, Any], comparison: dict[str, Any], folder: Folder) -> list[Folder]:
    """Write the pictures; what was written."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "tocsin", "svg.fonttype": "none", "font.size": 9}
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, picture, figures, height in (
        ("latency", latencies, results, 4.2),
        ("throughput", throughput, results, 4.2),
        ("peers", peers, comparison, 4.0),
    ):
        figure = Figure(figsize=(8.5, height), layout="constrained")
        figure.get_layout_engine().set(rect=(0, 0.07, 1, 0.93))
        picture(figure.add_subplot(), figures)
        file = folder / f"benchmarks-{name}.svg"
        figure.savefig(file, metadata={"Date": None, "Creator": None})
        written.append(file)
    return written


def main(argv: Sequence[str] | None = None) -> int:
    """Draw; without a file of figures the pictures say that nothing was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks plot", description=__doc__)
    parser.add_argument("results", nargs="?", type=Folder, default=RESULTS, help="default: %(default)s")
    parser.add_argument("comparison", nargs="?", type=Folder, default=COMPARISON, help="default: %(default)s")
    parser.add_argument("--out", type=Folder, default=DOCS, help="folder for the pictures; default: docs")
    options = parser.parse_args(argv)
    read = []
    for file in (options.results, options.comparison):
        if not file.exists():
            print(f"{file} is not there: nothing to draw of it", file=sys.stderr)
        read.append(json.loads(file.read_text()) if file.exists() else {})
    try:
        written = draw(*read, options.out)
    except ImportError:
        print("the pictures need matplotlib: pip install 'tocsin[docs]'", file=sys.stderr)
        return 2
    for file in written:
        print(f"written: {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
