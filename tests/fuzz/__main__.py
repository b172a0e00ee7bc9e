"""Fuzz the doors through which bytes come in.

    python -m tests.fuzz                             every target, a minute each
    python -m tests.fuzz --seconds 600 declarations  one target, ten minutes
    python -m tests.fuzz --keep messages             and keep the inputs that reached something new

A target is a short file in targets/: one(data) must not raise. A crash is printed with its input; mended, it
goes into corpora/ with a word on what it was, and the plain suite runs it from then on. Exit status 1 if
anything crashed.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz import corpus, running
from tests.fuzz.running import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60, help="for each target (60)")
    parser.add_argument("--keep", action="store_true", help="keep in corpora/ what reaches something new")
    parser.add_argument("--empty", action="store_true", help="begin with no input at all")
    parser.add_argument("--folder", type=Path, help="where to build, and to take what was built there before")
    parser.add_argument("names", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    options = parser.parse_args()
    if unknown := set(options.names) - set(TARGETS):
        parser.error(f"there is no target {', '.join(sorted(unknown))}: there are {', '.join(TARGETS)}")
    crashed = False
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        tree = running.whole_tree(folder.resolve())
        for name in options.names or TARGETS:
            inputs = Path(temporary) / f"inputs-{name}"
            if not options.empty:
                corpus.unfold(name, inputs)
            outcome = running.run(name, tree, options.seconds, inputs)
            print(f"{name}: {outcome.executions:,} inputs, {outcome.edges} edges", flush=True)
            if outcome.crash is not None:
                crashed = True
                print(f"{outcome.report.strip()}\n{name} stopped at: {outcome.crash.hex()}", flush=True)
            if options.keep:
                print(f"{name}: {corpus.keep(name, inputs)} inputs are kept", flush=True)
    return crashed


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
