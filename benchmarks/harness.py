"""Cases, topics, and the rounds in which they are measured in turn."""

import gc
import statistics
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

COUNTERS = ("activations", "empty_activations", "wakeups")
NOTHING = dict.fromkeys(COUNTERS, 0)


@dataclass
class Round:
    """What a world yields: one round to run, as often as anybody likes.

    run() gives the ns that the round took, from its first call to its last delivery, or a list of the
    ns of each operation; the ns of `n` operations are divided by n. books() are those of the queue.
    """

    run: Callable[[], Any]
    books: Callable[[], Any] | None = None
    expected: Callable[[int], dict[str, int]] | None = None
    runs: int = 0

    def __call__(self) -> Any:
        self.runs += 1
        return self.run()

    def counters(self) -> dict[str, int]:
        books = self.books() if self.books else None
        return {name: getattr(books, name) for name in COUNTERS} if books else NOTHING

    def check(self) -> None:
        """See that the books say what was to happen."""
        if self.books is None or self.expected is None:
            return
        books = self.books()
        for name, wanted in self.expected(self.runs).items():
            found = getattr(books, name)
            assert found == wanted, f"{name} is {found}, not {wanted}, after {self.runs} rounds"


World = Callable[[int], AbstractContextManager[Round]]


@dataclass
class Sample:
    values: list[float]  # ns per operation: one, or one for each operation
    counters: dict[str, int]


@dataclass
class Case:
    """One thing to measure: `n` operations in a world that is made for each measurement."""

    name: str
    n: int
    world: World
    peer: bool = False
    samples: list[Sample] = field(default_factory=list)

    def quick_n(self) -> int:
        return max(self.n // 8, 1)

    def measure(self, quick: bool, collect: bool) -> None:
        n = self.quick_n() if quick else self.n
        with settled(self.world(n), collect) as measured:
            measured()
            gc.collect()
            before = measured.counters()
            result = measured()
            after = measured.counters()
            measured.check()
        values = result if isinstance(result, list) else [result / n]
        self.samples.append(Sample(values, {name: after[name] - before[name] for name in COUNTERS}))

    def figures(self) -> list[tuple[str, list[float]]]:
        """One row of a value per round; for a distribution, one row for each percentile."""
        if len(self.samples[0].values) == 1:
            return [(self.name, [sample.values[0] for sample in self.samples])]
        rows = []
        for percent in (50, 99):
            values = [percentile(sample.values, percent) for sample in self.samples]
            rows.append((f"{self.name}, p{percent}", values))
        return rows

    def rows(self) -> list[dict[str, Any]]:
        rows = []
        for name, values in self.figures():
            best = min(range(len(values)), key=values.__getitem__)
            rows.append(
                {
                    "case": name,
                    "n": self.n,
                    "peer": self.peer,
                    "best": values[best],
                    "median": statistics.median(values),
                    "worst": max(values),
                    "rounds": values,
                    **self.samples[best].counters,
                }
            )
        return rows


class Topic:
    """Cases that are measured in turn, and the ratios that make sense among them."""

    def __init__(self, name: str, title: str, unit: str = "ns") -> None:
        self.name, self.title, self.unit = name, title, unit
        self.cases: list[Case] = []
        self.ratios: list[tuple[str, str]] = []

    def case(
        self, name: str, n: int, *, peer: bool = False
    ) -> Callable[[Callable[..., Iterator[Round]]], World]:
        """Make a case of a generator function of n that yields one Round."""

        def add(function: Callable[..., Iterator[Round]]) -> World:
            world = contextmanager(function)
            self.add(name, n, world, peer=peer)
            return world

        return add

    def add(self, name: str, n: int, world: World, *, peer: bool = False) -> None:
        self.cases.append(Case(name, n, world, peer))

    def ratio(self, slower: str, faster: str) -> None:
        """Have a table say how many times faster one case was than another."""
        self.ratios.append((slower, faster))

    def measure(self, rounds: int, quick: bool, collect: bool) -> None:
        for _ in range(rounds):
            for case in self.cases:
                case.measure(quick, collect)

    def results(self) -> dict[str, Any]:
        rows = [row for case in self.cases for row in case.rows()]
        by_name = {row["case"]: row for row in rows}
        ratios = []
        for slower, faster in self.ratios:
            a, b = by_name[slower], by_name[faster]
            pairs = [x / y for x, y in zip(a["rounds"], b["rounds"], strict=True)]
            ratios.append(
                {
                    "slower": slower,
                    "faster": faster,
                    "best": a["best"] / b["best"],
                    "median": statistics.median(pairs),
                    "worst": min(pairs),
                }
            )
        return {"title": self.title, "unit": self.unit, "rows": rows, "ratios": ratios}

    def main(self) -> None:
        """Run this topic alone, from the command line."""
        from benchmarks.__main__ import main

        raise SystemExit(main(topics=[self]))


@contextmanager
def settled(world: AbstractContextManager[Round], collect: bool) -> Iterator[Round]:
    """Enter a world with no garbage about and all that lives already out of the collector's sight."""
    gc.collect()
    gc.freeze()
    was_on = gc.isenabled()
    if not collect:
        gc.disable()
    try:
        with world as measured:
            yield measured
    finally:
        if was_on:
            gc.enable()
        gc.unfreeze()


def percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]
