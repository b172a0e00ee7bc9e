"""Search the models: one line per case; exit status 1 if one did not come out as expected."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.model.models import chosen, require_tools, search_all
from tests.verify.row import NotRun


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("containing", nargs="?", default="", help="only cases whose name contains this")
    parser.add_argument("--budget", type=float, default=60, help="seconds; 150 and 600 bring larger cases")
    parser.add_argument("--folder", type=Path, help="where to build, and keep the trails of violations")
    options = parser.parse_args()
    try:
        tool = require_tools()
    except NotRun as reason:
        print(f"not run: {reason}")
        return 1
    cases = chosen(options.budget, options.containing)
    if not cases:
        parser.error(f"no case contains {options.containing!r}")
    began = time.monotonic()
    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        print(f"  {'verdict':9} {'expected':9} {'states':>11} {'time':>8}        case")
        for found in search_all(cases, options.folder or Path(temporary), timeout=3600):
            wrong += not found.as_expected
            print(found, flush=True)
    took = time.monotonic() - began
    print(f"{tool}: {len(cases)} cases, {wrong} not as expected, {took:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
