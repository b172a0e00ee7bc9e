"""Count the instructions of notify and dispatch under valgrind, and compare with the baseline."""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import native
from benchmarks.instructions.driver import FEW, MANY, SCENES
from benchmarks.report import console, machine, table_of
from tocsin import backend

HERE = Path(__file__).resolve().parent
BASELINES = HERE.parent / "instructions.json"
TOLERANCE = 0.05
HEADER = Path("/usr/include/valgrind/callgrind.h")


def missing() -> str | None:
    """Say why nothing can be counted here; None: it can."""
    if shutil.which("valgrind") is None:
        return "valgrind is not installed"
    if not HEADER.exists():
        return f"{HEADER} is not installed"
    return native.here()


def count() -> dict[str, float]:
    """Return the instructions of one operation of each scene."""
    with tempfile.TemporaryDirectory() as folder:
        library = native.build(HERE / "mark.c", Path(folder))
        out = Path(folder) / "out"
        command = [
            *("valgrind", "--tool=callgrind", "--instr-atstart=no", "--quiet", f"--callgrind-out-file={out}"),
            *(sys.executable, "-m", "benchmarks.instructions.driver", str(library)),
        ]
        environment = os.environ | {"PYTHONHASHSEED": "0"}
        done = subprocess.run(
            command, env=environment, cwd=HERE.parents[1], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"the driver failed under valgrind:\n{done.stderr[-2000:]}")
        totals = dict(read_dump(file.read_text()) for file in Path(folder).glob("out.*"))
    return {name: (totals[f"many {name}"] - totals[f"few {name}"]) / (MANY - FEW) for name in SCENES}


def read_dump(text: str) -> tuple[str, int]:
    """Return the name of a scene and what callgrind counted in it."""
    name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
    total = re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)
    if name is None or total is None:
        raise ValueError(f"no dump of callgrind: {text[:200]!r}")
    return name[1], int(total[1])


def holds_for() -> str:
    """Name what a baseline holds for."""
    compiler = native.compiler()
    asked = subprocess.run([str(compiler), "-dumpfullversion"], capture_output=True, text=True, check=False)
    made_by = f"{Path(str(compiler)).resolve().name} {asked.stdout.strip()}"
    writers = backend.switches()["writers"]
    return f"{machine()['python']}, {made_by}, {platform.machine()}, writers={writers}"


def compared(counted: dict[str, float], baseline: dict[str, float]) -> list[dict[str, Any]]:
    """Hold each count against its baseline; a scene without one is new, and no failure."""
    rows = []
    for name, now in counted.items():
        was = baseline.get(name)
        change = None if was is None else now / was - 1 if was else float(now > 0)
        verdict = (
            "new"
            if change is None
            else "MORE"
            if change > TOLERANCE
            else "LESS"
            if change < -TOLERANCE
            else "same"
        )
        rows.append({"scene": name, "was": was, "now": now, "change": change, "verdict": verdict})
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    table = table_of("instructions of one operation", "scene", "baseline", "counted", "change", "")
    for row in rows:
        was, change = row["was"], row["change"]
        before = "" if was is None else f"{was:,.1f}"
        table.add_row(
            row["scene"],
            before,
            f"{row['now']:,.1f}",
            "" if change is None else f"{change:+.1%}",
            row["verdict"],
        )
    console().print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Count and compare: 1 if a count moved by more than 5 % either way, or no baseline holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks instructions", description=__doc__)
    parser.add_argument("--update", action="store_true", help="make what is counted the baseline")
    options = parser.parse_args(argv)
    if why := missing():
        print(f"not counted: {why}", file=sys.stderr)
        return 2
    key = holds_for()
    baselines = json.loads(BASELINES.read_text()) if BASELINES.exists() else {}
    rows = compared(count(), baselines.get(key, {}))
    print(key)
    show(rows)
    if options.update:
        baselines[key] = {row["scene"]: round(row["now"], 1) for row in rows}
        BASELINES.write_text(json.dumps(baselines, indent=1, sort_keys=True) + "\n")
        print(f"written: {BASELINES}")
        return 0
    if key not in baselines:
        print(f"no baseline holds for this; there are: {'; '.join(baselines) or 'none'}. --update makes one")
        return 1
    moved = [row["scene"] for row in rows if row["verdict"] in ("MORE", "LESS")]
    if moved:
        print(f"moved by more than {TOLERANCE:.0%}: {', '.join(moved)}. If it was meant, --update")
    return int(bool(moved))


if __name__ == "__main__":
    sys.exit(main())
