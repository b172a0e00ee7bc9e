"""Targets: what we promise, how the figure is found in the rows of a path, and the bound that it must keep.

A figure is found twice: best to best, and as the median of the rounds, each round's own ratio taken first.
MET says that the median keeps the bound; MET AT BEST that only the best round does; MISSED that neither
does; UNREACHABLE that the floor doesn't either, so that nobody could keep it on this machine. NOT RUN, with
the reason, is no better than MISSED, and neither is UNREACHABLE. An aim is printed and never counted.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin import backend

Row = dict[str, Any]  # what Case.rows() gives
MET, AT_BEST, MISSED, NOT_RUN, ELSEWHERE = "MET", "MET AT BEST", "MISSED", "NOT RUN", "-"
UNREACHABLE = "UNREACHABLE"


@dataclass(frozen=True)
class Figure:
    """How a figure is found: from our case, and from another one's or the best one of several.

    alone: the others are only printed beside it, and `value` takes ours alone.
    """

    ours: str
    others: tuple[str, ...]
    value: Callable[..., float]
    alone: bool = False

    def values(self, rows: Sequence[Row]) -> tuple[list[float], float] | None:
        """Give the figure of each round, and that of the best ones; None: a case was not measured."""
        ours, other = self.rows(rows)
        if ours is None or (other is None and not self.alone):
            return None
        if self.alone:
            return [self.value(ns) for ns in ours["rounds"]], self.value(ours["best"])
        assert other is not None
        pairs = zip(ours["rounds"], other["rounds"], strict=True)
        return [self.value(*pair) for pair in pairs], self.value(ours["best"], other["best"])

    def rows(self, rows: Sequence[Row]) -> tuple[Row | None, Row | None]:
        """Give our row and the other's: of several, the one with the best median."""
        by_name = {row["case"]: row for row in rows}
        found = [by_name[name] for name in self.others if name in by_name]
        return by_name.get(self.ours), min(found, key=lambda row: float(row["median"]), default=None)


def value_of(ours: str, *, beside: str | Sequence[str] = ()) -> Figure:
    """Take a case's own figure; `beside`: the peer to print next to it."""
    return Figure(ours, listed(beside), lambda ours: ours, alone=True)


def times_faster(ours: str, than: str | Sequence[str]) -> Figure:
    """How many times faster our case is than the other, or than the best of several."""
    return Figure(ours, listed(than), lambda ours, other: other / ours)


def share(ours: str, of: str | Sequence[str]) -> Figure:
    """Our case as a part of the other one."""
    return Figure(ours, listed(of), lambda ours, other: ours / other if other else float(ours > 0))


def difference(ours: str, other: str, steps: int = 1) -> Figure:
    """What our case takes more than the other one, for each of so many steps."""
    return Figure(ours, (other,), lambda ours, other: (ours - other) / steps)


def listed(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


@dataclass(frozen=True)
class Target:
    """What is promised: text, figure, bound.

    floor: the same figure of the least that would have to be done, printed beside ours. on: "gil" or
    "free-threaded", for the builds that the promise is about. aim: to be reached for.
    """

    text: str
    figure: Figure
    at_most: float | None = None
    at_least: float | None = None
    unit: str = "ns"
    floor: Figure | None = None
    on: str = ""
    aim: bool = False

    def keeps(self, value: float) -> bool:
        if self.at_least is not None:
            return value >= self.at_least
        assert self.at_most is not None, f"{self.text}: no bound"
        return value <= self.at_most

    def is_about_this_build(self) -> bool:
        return self.on in ("", "free-threaded" if backend.gil_is_off else "gil")

    def verdict(self, rows: Sequence[Row], missing: dict[str, str | None]) -> dict[str, Any]:
        """Hold the rows against the target; `missing` says of cases why they didn't run."""
        ours, other = self.figure.rows(rows)
        found: dict[str, Any] = {
            "target": self.text,
            "unit": self.unit,
            "aim": self.aim,
            "ours": ours,
            "peer": other,
            "median": None,
            "best": None,
            "floor": None,
            "why": "",
        }
        if not self.is_about_this_build():
            return found | {"verdict": ELSEWHERE, "why": f"for {self.on} builds"}
        values = self.figure.values(rows)
        if values is None:
            names = [self.figure.ours, *self.figure.others]
            reasons = [
                f"{case}: {why}" for case, why in missing.items() if any(case in name for name in names)
            ]
            return found | {"verdict": NOT_RUN, "why": "; ".join(reasons) or "not measured"}
        rounds, best = values
        median = statistics.median(rounds)
        word = MET if self.keeps(median) else AT_BEST if self.keeps(best) else MISSED
        least = self.floor.values(rows) if self.floor else None
        floor = statistics.median(least[0]) if least else None
        if word == MISSED and floor is not None and not self.keeps(floor):
            word = UNREACHABLE
        return found | {"median": median, "best": best, "floor": floor, "verdict": word}


def is_missed(verdict: dict[str, Any]) -> bool:
    """Whether --check fails for it."""
    return verdict["verdict"] in (MISSED, UNREACHABLE, NOT_RUN) and not verdict["aim"]
