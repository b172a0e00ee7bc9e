"""Run subjects with a failure at the n-th call, for every n until none happened, and judge what came.

    python -m tests.faults.driver KIND [WORD...]        (under failing.c, see injector.py)

KIND is core, threads or python; WORDs choose subjects by part of their name. Prints a line for each violation
and, last, the figures: subjects, attempts, failures injected, violations.

Leaks. After each run the core must hold no more blocks than before the subject's first. What Python has
varies by itself and is not judged. When Python's own allocations fail no leak is: the interpreter leaks in
its own failed calls, and with a frame it leaks all that the frame refers to.
"""

import argparse
import gc
import importlib
import pkgutil
import sys
import time

from tests.faults import subjects
from tests.faults.injector import Injector, Kind
from tests.faults.trial import Subject, Trial, run

WARM_UP = 3  # runs without failure, after which nothing is made for the first time
MOST = 5000  # failures in one subject, which would mean that it doesn't end
PATIENCE = 2.0  # seconds that threads may take to end


def all_subjects() -> dict[str, tuple[Subject, set[Kind]]]:
    """Return what is in the modules of subjects/, by name: the function, and what can fail in it."""
    found: dict[str, tuple[Subject, set[Kind]]] = {}
    for module in pkgutil.iter_modules(subjects.__path__):
        of_module = importlib.import_module(f"tests.faults.subjects.{module.name}").SUBJECTS
        found |= {f"{module.name}.{one.__name__}": (one, kinds) for one, kinds in of_module.items()}
    return found


class Driver:
    """Run subjects in this process."""

    def __init__(self, injector: Injector, kind: Kind) -> None:
        self.injector = injector
        self.kind = kind
        self.attempts = self.failures = self.violations = 0

    def tell(self, name: str, n: int, what: str) -> None:
        self.violations += 1
        print(f"{name}, {self.kind.name} call {n}: {what}", flush=True)

    def once(self, subject: Subject, n: int, and_all_later: bool) -> Trial:
        """Run a subject."""
        trial = Trial(self.injector, self.kind, n, and_all_later)
        run(subject, trial)
        gc.collect()
        self.attempts += 1
        self.failures += trial.failed
        return trial

    def more_blocks(self, base: int) -> int:
        """Return how many blocks the core holds above a base, once its threads had time to end."""
        deadline = time.monotonic() + PATIENCE
        while self.injector.blocks > base and time.monotonic() < deadline:
            time.sleep(0.001)
        return self.injector.blocks - base

    def exhaust(self, name: str, subject: Subject, and_all_later: bool = False) -> None:
        """Run a subject for each n until no call failed."""
        for _ in range(WARM_UP):
            trial = self.once(subject, 0, False)
            if trial.wrong:
                self.tell(name, 0, "; ".join(trial.wrong))
                return
        gc.freeze()
        base = self.injector.blocks
        for n in range(1, MOST):
            print(f"{name} {n}", file=sys.stderr, flush=True)
            trial = self.once(subject, n, and_all_later)
            judges_leaks = self.kind is not Kind.python
            more = self.more_blocks(base) if judges_leaks else 0
            base += more  # less, if a thread of an earlier run had not quite ended when it was taken
            if more > 0:
                trial.wrong.append(f"the core holds {more} blocks more")
            if trial.wrong:
                self.tell(name, n, "; ".join(trial.wrong))
            if not trial.failed:
                return
        self.tell(name, MOST, "no end")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=[kind.name for kind in Kind])
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    kind = Kind[options.kind]
    injector = Injector()
    driver = Driver(injector, kind)
    chosen = 0
    for name, (subject, kinds) in all_subjects().items():
        if kind in kinds and (not options.words or any(word in name for word in options.words)):
            chosen += 1
            driver.exhaust(name, subject)
            if kind is not Kind.python:  # with nothing left at all, as it really is
                driver.exhaust(name, subject, and_all_later=True)
    print(
        f"{chosen} subjects, {driver.attempts} attempts, {driver.failures} failures injected, "
        f"{driver.violations} violations"
    )
    return driver.violations != 0


if __name__ == "__main__":
    sys.exit(main())
