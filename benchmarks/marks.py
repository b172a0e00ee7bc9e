"""The marks that `--check` holds the figures against: best times, and ratios round by round (median)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks import memory
from benchmarks.compare import simple_queue
from benchmarks.end_to_end import EXCLUSIVE, NATIVE, PYTHON_TO_PYTHON, STAMPED


@dataclass(frozen=True)
class Mark:
    text: str
    topic: str
    find: Callable[[dict[str, Any]], float | None]
    is_met: Callable[[float], bool]
    unit: str


def best(case: str) -> Callable[[dict[str, Any]], float | None]:
    def find(result: dict[str, Any]) -> float | None:
        return next((row["best"] for row in result["rows"] if row["case"] == case), None)

    return find


def ratio(slower: str, faster: str) -> Callable[[dict[str, Any]], float | None]:
    def find(result: dict[str, Any]) -> float | None:
        wanted = (slower, faster)
        found = (r["median"] for r in result["ratios"] if (r["slower"], r["faster"]) == wanted)
        return next(found, None)

    return find


MARKS = [
    Mark(
        "notify() with its clock, worker busy, under 120 ns",
        "notify",
        best("notify, worker busy"),
        lambda ns: ns < 120,
        "ns",
    ),
    Mark(
        "Python to Python at least 2 times as fast as the same job with SimpleQueue",
        "compare",
        ratio(simple_queue.JOB, PYTHON_TO_PYTHON),
        lambda times: times >= 2,
        "times",
    ),
    Mark(
        "native to native, timestamp given, under 50 ns",
        "end_to_end",
        best(NATIVE.format(EXCLUSIVE, STAMPED)),
        lambda ns: ns < 50,
        "ns",
    ),
    Mark(
        "48 bytes for a queued event of 32",
        "memory",
        best(memory.QUEUED),
        lambda bytes_: bytes_ == 48,
        "bytes",
    ),
]


def verdicts(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Hold the results against every mark whose topic was measured; a case left out misses its mark."""
    found = []
    for mark in MARKS:
        if mark.topic in results:
            value = mark.find(results[mark.topic])
            met = value is not None and mark.is_met(value)
            found.append({"mark": mark.text, "found": value, "unit": mark.unit, "met": met})
    return found
