"""Show that the core keeps its promises: every check, one table, what each zero is worth.

    python -m tests.verify                  everything, about 40 minutes on two cores
    python -m tests.verify --budget 60      the short form
    python -m tests.verify litmus models    only checks with one of these words in their name

A row a check: what ran, how much, violations, and how many of the planted bugs the same check caught.
Exit status 1 on any violation, any surviving mutant, any row below its minimum of work, any check that did
not run. docs/verification.md says what each can and cannot see.
"""

import argparse
import importlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from tests.verify.row import NotRun, Row  # noqa: E402

Check = Callable[[float, Path], list[Row]]

# Which module has the check, and its share of the time.
CHECKS = {
    "models": ("tests.model.models", "rows", 0.15),
    "interleavings": ("tests.interleave.check", "rows", 0.35),
    "situations": ("tests.native.check", "rows", 0.1),
    "sanitizers": ("tests.sanitize.check", "CHECKS", 0.3),
    "sanitized-threads": ("tests.sanitize.check", "THREADS", 0.3),
    "sanitized-memory": ("tests.sanitize.check", "MEMORY", 0.3),
    "endings": ("tests.endings.check", "rows", 0.1),
    "faults": ("tests.faults.check", "rows", 0.1),
    "free-threaded": ("tests.free_threaded.check", "rows", 0.1),
    "parking": ("tests.parking.check", "rows", 0.1),
    "fuzzing": ("tests.fuzz.check", "rows", 0.1),
    "checked": ("tests.checked.check", "rows", 0.1),
    "soak": ("tests.soak.check", "rows", 0.1),
}
COLUMNS = "{:<24} {:<11} {:>16} {:<8} {:>10} {:>9}  {:>5}  {}"


def parts(name: str) -> list[Check]:
    """Return what a check consists of: a missing tool stops one part, not those beside it."""
    module, attribute, _ = CHECKS[name]
    found = getattr(importlib.import_module(module), attribute)
    if callable(found):
        return [found]
    return [lambda budget, folder, one=one: [one(budget, folder)] for one in found]


def tell(row: Row, seconds: float) -> None:
    planted = "-" if row.is_measure else f"{row.caught}/{row.planted}"
    work = (f"{row.work:,}", row.unit)
    print(COLUMNS.format(row.check, row.verdict, *work, row.violations, planted, f"{seconds:.0f} s", row.ran))
    if row.note:
        print(f"    {row.note}")


def run(name: str, budget: float, folder: Path) -> list[str]:
    """Run a check and print its rows. What is not as it should be."""
    bad = []
    for number, part in enumerate(parts(name)):
        began = time.monotonic()
        target = folder / f"{name}-{number}"
        target.mkdir()
        try:
            rows = part(budget, target)
        except NotRun as missing:
            print(COLUMNS.format(name, "NOT RUN", "", "", "", "", "", missing))
            bad.append(f"{name}: not run")
            continue
        seconds = time.monotonic() - began
        for row in rows:
            tell(row, seconds / len(rows))
        bad += [f"{row.check}: {row.verdict}" for row in rows if row.verdict != "ok"]
        sys.stdout.flush()
    return bad


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--budget",
        type=float,
        default=1200,
        metavar="SECONDS",
        help="about what all may take, without what has no shorter form (1200)",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CHECKS))
    options = parser.parse_args()
    chosen = [name for name in CHECKS if not options.names or any(word in name for word in options.names)]
    if not chosen:
        parser.error(f"no check is called {' or '.join(options.names)}: there are {', '.join(CHECKS)}")
    began = time.monotonic()
    print(COLUMNS.format("check", "verdict", "work", "", "violations", "caught", "time", "what ran"))
    bad = []
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            bad += run(name, options.budget * CHECKS[name][2], Path(folder))
    print(f"\n{time.monotonic() - began:.0f} s. " + ("; ".join(bad) or "All as it should be."))
    return bool(bad)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
