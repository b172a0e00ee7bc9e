"""Measure every path and hold it against its targets: python -m benchmarks [path ...]

Other commands: python -m benchmarks compare | plot | instructions, each with --help.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path as Folder
from typing import Any

from benchmarks import report
from benchmarks.harness import Path
from benchmarks.targets import is_missed

BUILD = Folder(__file__).resolve().parent.parent / "build"
RESULTS, COMPARISON = BUILD / "benchmarks.json", BUILD / "comparison.json"


def arguments(command: str, about: str | None, what: str) -> argparse.ArgumentParser:
    """Return a parser of the options that measuring takes; `what` may be named, or nothing for all of it."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog=command, description=about, formatter_class=raw)
    if what:
        parser.add_argument("names", nargs="*", metavar=what, help=f"which {what}; default: all of them")
    parser.add_argument("--rounds", type=positive, help="of each case, in turn; default 9, with --quick 3")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: a first look")
    parser.add_argument("--no-gc", action="store_true", help="measure with the garbage collector off")
    parser.add_argument("--json", metavar="FILE", type=Folder, help="write everything there")
    return parser


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError(f"{text} is not at least 1")
    return number


def chosen(paths: list[Path], names: list[str]) -> list[Path]:
    """Return the paths of these names, all of them for none; SystemExit for a name that there isn't."""
    known = {path.name for path in paths}
    if unknown := sorted(set(names) - known):
        print(f"no {', '.join(unknown)}; there are {', '.join(sorted(known))}", file=sys.stderr)
        raise SystemExit(2)
    return [path for path in paths if path.name in names or not names]


def results_of(
    paths: list[Path], options: argparse.Namespace, show: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Measure the paths, showing each as it is done."""
    where = report.machine()
    rounds = options.rounds or (3 if options.quick else 9)
    print(report.heading(where, rounds, not options.no_gc), end="\n\n", flush=True)
    results = {}
    for path in paths:
        path.measure(rounds, options.quick, not options.no_gc)
        results[path.name] = path.results()
        show(results[path.name])
    return {"machine": where, "rounds": rounds, "quick": options.quick, "paths": results}


def write(results: dict[str, Any], file: Folder | None) -> None:
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(results, indent=1))
        print(f"written: {file}")


def measure(argv: Sequence[str] | None = None, paths: list[Path] | None = None) -> int:
    """Measure, print, write, and say 1 if --check found a target missed or not run.

    paths: these alone, and no names are taken from the command line.
    """
    from benchmarks.paths import all_paths

    parser = arguments("python -m benchmarks", __doc__, "path" if paths is None else "")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed or was not run")
    options = parser.parse_args(argv)
    is_whole = paths is None and not options.names
    if paths is None:
        paths = chosen(all_paths(), options.names)
    results = results_of(paths, options, report.print_path)
    report.print_targets(results["paths"])
    write(results, options.json or (RESULTS if is_whole else None))
    verdicts = [verdict for result in results["paths"].values() for verdict in result["targets"]]
    if options.check and not verdicts:
        print("--check: none of these paths has a target", file=sys.stderr)
        return 1
    return int(options.check and any(is_missed(verdict) for verdict in verdicts))


def compare(argv: Sequence[str]) -> int:
    """Measure the peers that are installed, and say which are missing."""
    from benchmarks.compare import all_comparisons

    options = arguments("python -m benchmarks compare", compare.__doc__, "work").parse_args(argv)
    works = chosen(all_comparisons(), options.names)
    results = results_of(works, options, report.print_comparison)
    write(results, options.json or (None if options.names else COMPARISON))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command: to measure, unless another one is named first."""
    argv = sys.argv[1:] if argv is None else list(argv)
    command, rest = argv[:1], argv[1:]
    if command == ["compare"]:
        return compare(rest)
    if command == ["plot"]:
        from benchmarks import plot

        return plot.main(rest)
    if command == ["instructions"]:
        from benchmarks.instructions.__main__ import main as count

        return count(rest)
    return measure(argv)


if __name__ == "__main__":
    sys.exit(main())
