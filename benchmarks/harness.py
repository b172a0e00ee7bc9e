"""Cases, the paths that they belong to, and the rounds in which they are measured in turn.

A case that can't run here (no compiler, no peer, not in this build) is never silently left out: it keeps
its place in the results, with the reason.
"""

import gc
import statistics
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from math import log10
from time import monotonic, sleep
from typing import Any

from benchmarks.targets import Row, Target

COUNTERS = ("activations", "empty_activations", "wakeups", "refused")
NOTHING = dict.fromkeys(COUNTERS, 0)
WARM_UP = 10  # where each operation is timed, the unmeasured round has this part of the operations
BINS_PER_DECADE = 20
LOWEST, DECADES = 10.0, 8  # ns: the histograms span 10 ns to 1 s


@dataclass
class Round:
    """What a world yields: something to run, as often as anybody likes.

    run(n) gives the ns of n operations, from the first call to the last delivery; where each operation is
    timed, a list with the ns of each. books() are those of the queue, whose `fate` counts every event that
    was sent.
    """

    run: Callable[[int], Any]
    books: Callable[[], Any] | None = None
    fate: str = "delivered"
    patience: float = 5.0  # seconds
    sent: int = 0

    def __call__(self, n: int) -> Any:
        self.sent += n
        return self.run(n)

    def counters(self) -> dict[str, int]:
        books = self.books() if self.books else None
        return {name: getattr(books, name) for name in COUNTERS} if books else NOTHING

    def check(self) -> None:
        """See that the books have every event that was sent, once."""
        if self.books is None:
            return
        books = self.books()
        until = monotonic() + self.patience
        while getattr(books, self.fate) < self.sent and monotonic() < until:
            sleep(0.001)  # a handler is called before its stage has entered the event
            books = self.books()
        for name in ("accepted", self.fate):
            found = getattr(books, name)
            assert found == self.sent, f"{name} is {found}, not {self.sent}"


World = Callable[[], AbstractContextManager[Round]]
Yields = Callable[[], Iterator[Round]]
Need = Callable[[], str | None]


@dataclass
class Sample:
    values: list[float]  # per operation: one, or one for each operation
    counters: dict[str, int]


@dataclass
class Case:
    """One thing to measure: `n` operations in a world that is made for each measurement.

    each: every operation is timed, and the case has a p50 and a p99 in place of one figure. needs: what
    says why it can't run here. package: what must be installed for it. note: for a peer, how it is set up.
    """

    name: str
    n: int
    world: World
    unit: str = "ns"
    peer: bool = False
    each: bool = False
    needs: tuple[Need, ...] = ()
    package: str = ""
    note: str = ""
    samples: list[Sample] = field(default_factory=list)

    def quick_n(self) -> int:
        return max(self.n // 10, 1)

    def missing(self) -> str | None:
        """Say why it can't run here; None: it can."""
        if self.package and version_of(self.package) is None:
            return f"{self.package} is not installed"
        return next((reason for need in self.needs if (reason := need())), None)

    def measure(self, quick: bool = False, collect: bool = True) -> None:
        n = self.quick_n() if quick else self.n
        with settled(self.world(), collect) as measured:
            measured(max(n // WARM_UP, 1) if self.each else n)
            gc.collect()
            before = measured.counters()
            result = measured(n)
            after = measured.counters()
            measured.check()
        values = result if self.each else [result / n]
        if self.each:
            assert len(values) == n, f"{len(values)} of {n} were timed"
        self.samples.append(Sample(values, {name: after[name] - before[name] for name in COUNTERS}))

    def figures(self) -> list[tuple[str, list[float]]]:
        """One row of a value per round; where each operation is timed, one row for each percentile."""
        if not self.each:
            return [(self.name, [sample.values[0] for sample in self.samples])]
        return [
            (f"{self.name}, p{percent}", [percentile(sample.values, percent) for sample in self.samples])
            for percent in (50, 99)
        ]

    def rows(self) -> list[Row]:
        rows = []
        for name, values in self.figures() if self.samples else []:
            best = min(range(len(values)), key=values.__getitem__)
            row = Row(
                case=name,
                unit=self.unit,
                n=len(self.samples[0].values) if self.each else self.n,
                peer=self.peer,
                note=self.note,
                version=version_of(self.package) if self.package else None,
                best=values[best],
                median=statistics.median(values),
                worst=max(values),
                rounds=values,
                **self.samples[best].counters,
            )
            if self.each:
                row["histogram"] = histogram([ns for sample in self.samples for ns in sample.values])
            rows.append(row)
        return rows


class Path:
    """A way that events take: cases that are measured in turn, and the targets that they are held against."""

    def __init__(self, name: str, title: str) -> None:
        self.name, self.title = name, title
        self.cases: list[Case] = []
        self.targets: list[Target] = []

    def case(self, name: str, n: int, **options: Any) -> Callable[[Yields], Yields]:
        """Make a case of a generator function that yields one Round; the options are those of Case."""

        def add(function: Yields) -> Yields:
            self.cases.append(Case(name, n, contextmanager(function), **options))
            return function

        return add

    def target(self, text: str, figure: Any, **options: Any) -> None:
        """Promise something; the options are those of Target."""
        self.targets.append(Target(text, figure, **options))

    def measure(self, rounds: int, quick: bool = False, collect: bool = True) -> None:
        present = [case for case in self.cases if case.missing() is None]
        for _ in range(rounds):
            for case in present:
                case.measure(quick, collect)

    def results(self) -> dict[str, Any]:
        rows = [row for case in self.cases for row in case.rows()]
        missing = {case.name: case.missing() for case in self.cases if not case.samples}
        return {
            "title": self.title,
            "rows": rows,
            "missing": missing,
            "targets": [target.verdict(rows, missing) for target in self.targets],
        }

    def main(self) -> None:
        """Run this path alone, from the command line."""
        from benchmarks.__main__ import measure

        raise SystemExit(measure(paths=[self]))


@contextmanager
def settled(world: AbstractContextManager[Round], collect: bool = True) -> Iterator[Round]:
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


def version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]


def histogram(values: list[float]) -> list[int]:
    """Count values in bins of equal ratio: bin i begins at LOWEST * 10 ** (i / BINS_PER_DECADE)."""
    counts = [0] * (DECADES * BINS_PER_DECADE)
    for value in values:
        place = int(log10(max(value, LOWEST) / LOWEST) * BINS_PER_DECADE)
        counts[min(place, len(counts) - 1)] += 1
    return counts
