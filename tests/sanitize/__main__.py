"""`python -m tests.sanitize [--budget SECONDS] [NAME...]`: run the sanitizers and print their rows."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.sanitize.check import EVERY
from tests.verify.row import NotRun


def main() -> int:
    names = [check.__name__ for check in EVERY]
    parser = argparse.ArgumentParser(prog="python -m tests.sanitize", description=__doc__)
    parser.add_argument("--budget", type=float, default=150, help="seconds for all together (150)")
    parser.add_argument("--folder", type=Path, help="where to build; kept afterwards (a temporary folder)")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones: {', '.join(names)}")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"there is no {', '.join(unknown)}")
    good = True
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for check in EVERY:
            if options.names and check.__name__ not in options.names:
                continue
            began = time.monotonic()
            try:
                row = check(options.budget, folder.resolve())
            except NotRun as missing:
                good = False
                print(f"{check.__name__}: NOT RUN: {missing}", flush=True)
                continue
            good &= row.verdict == "ok"
            print(
                f"{row.check}: {row.verdict}: {row.work} {row.unit}, {row.violations} violations, "
                f"{row.caught} of {row.planted} planted bugs caught, {time.monotonic() - began:.0f} s "
                f"({row.ran})\n    {row.note}",
                flush=True,
            )
    return not good


if __name__ == "__main__":
    sys.exit(main())
