"""Run the benchmarks: python -m benchmarks [topic ...]"""

import argparse
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from benchmarks import report
from benchmarks.harness import Topic
from benchmarks.native import compiler

MODULES = (
    "fifo",
    "queue_work",
    "notify",
    "dispatch",
    "end_to_end",
    "latency",
    "memory",
    "compare.simple_queue",
    "compare.lone",
)


def all_topics() -> list[Topic]:
    return [import_module(f"benchmarks.{name}").topic for name in MODULES]


def arguments(alone: bool, argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    if not alone:
        parser.add_argument("topics", nargs="*", help="topics to run; default: all of them")
        parser.add_argument("--check", action="store_true", help="exit 1 if a mark is missed")
    parser.add_argument("--rounds", type=int, help="of each case, in turn; default 9, with --quick 3")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: a first look")
    parser.add_argument("--no-gc", action="store_true", help="measure with the garbage collector off")
    parser.add_argument("--json", metavar="FILE", help="write everything there too")
    options = parser.parse_args(argv)
    options.rounds = options.rounds or (3 if options.quick else 9)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def main(argv: Sequence[str] | None = None, topics: list[Topic] | None = None) -> int:
    """Measure, print, and say 1 if --check found a mark missed."""
    options = arguments(topics is not None, argv)
    if topics is None:
        topics = all_topics()
        wanted = options.topics or [topic.name for topic in topics]
        unknown = set(wanted) - {topic.name for topic in topics}
        if unknown:
            known = ", ".join(topic.name for topic in topics)
            print(f"no topic {', '.join(sorted(unknown))}; there are {known}", file=sys.stderr)
            return 2
        topics = [topic for topic in topics if topic.name in wanted]
    if compiler() is None:
        print("no C compiler: the native cases are left out", file=sys.stderr)
        for topic in topics:
            topic.cases = [case for case in topic.cases if "native" not in case.name]
    where = report.machine()
    print(report.heading(where, options.rounds, not options.no_gc), end="\n\n", flush=True)
    results: dict[str, Any] = {}
    for topic in topics:
        topic.measure(options.rounds, options.quick, not options.no_gc)
        results[topic.name] = topic.results()
        report.print_topic(results[topic.name])
    verdicts = []
    if getattr(options, "check", False):
        from benchmarks.marks import verdicts as hold

        verdicts = hold(results)
        report.print_marks(verdicts)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"machine": where, "topics": results, "marks": verdicts}, file, indent=1)
    if getattr(options, "check", False) and not verdicts:
        print("--check: none of these topics has a mark", file=sys.stderr)
        return 1
    return 0 if all(verdict["met"] for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
