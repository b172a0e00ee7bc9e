"""One row of the table: what a check ran, how much, and whether it would have noticed.

A check is a function `(budget: float, folder: Path) -> list[Row]`: it may use about `budget` seconds and
builds in `folder`. Its figures are read from the output of the tools, never assumed. A tool that is missing
raises NotRun, naming what to install; the table says NOT RUN then, which counts as a failure.

Next to every zero stand the mutants (or planted bugs) that the same check caught in the same run.
"""

from dataclasses import dataclass


class NotRun(Exception):
    """The check can't run here; the message says what is missing and how to get it."""


@dataclass(frozen=True)
class Row:
    """What came of one check."""

    check: str  # which one, in two or three words
    ran: str  # what ran and under which tool: "spin 6.5.2, 12 models"
    work: int  # how much was done, in `unit`
    unit: str  # "states", "steps", "tests", "events"
    minimum: int  # less work than this shows nothing
    violations: int
    planted: int  # mutants or planted bugs that were tried
    caught: int
    note: str = ""  # what to look at: the failing scenario, the seed, what was not exhausted
    is_measure: bool = False  # a figure that must be reached; nothing can be planted

    @property
    def verdict(self) -> str:
        if self.violations:
            return "VIOLATION"
        if self.caught < self.planted:
            return "SURVIVED"
        if self.planted == 0 and not self.is_measure:
            return "UNPROVEN"
        if self.work < self.minimum:
            return "TOO LITTLE"
        return "ok"
