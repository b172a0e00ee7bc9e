"""One subject with one failure: call it, look at what it left behind, and do it again.

A subject is a function of a Trial that sets a scene, has `trial.attempt(call, state)` make the one call that
is to fail somewhere, and then shows that what it got works. attempt() takes the place of the call: if that
raised, nothing that `state` tells may have changed, and the same call must succeed now. A subject is run over
and over, each time with the failure one call later, until none happened.
"""

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tests.faults.injector import Injector, Kind

T = TypeVar("T")

# What CPython makes of a lock that there is no memory for.
OF_THE_INTERPRETER = ("can't allocate lock", "error return without exception set")

Subject = Callable[["Trial"], None]


@dataclass
class Trial:
    """What one run of a subject is to suffer, and what was found wrong."""

    injector: Injector
    kind: Kind
    n: int
    and_all_later: bool = False
    failed: int = 0
    seen: int = 0
    raised: BaseException | None = None
    wrong: list[str] = field(default_factory=list)

    def attempt(self, call: Callable[[], T], state: Callable[[], object] = lambda: None) -> T:
        """Call under failure; if it raised, see that it left no trace and call again."""
        before = state()
        try:
            result = self.injector.call(call, self.kind, self.n, self.and_all_later)
        except BaseException as error:
            self.note()
            self.raised = error.with_traceback(None)
            error.__context__ = None
        else:
            self.note()
            return result
        if not self.is_expected(self.raised):
            self.wrong.append(f"raised {self.raised!r}")
        after = state()
        if after != before:
            self.wrong.append(f"left half a state after {self.raised!r}: {before} became {after}")
        return call()

    def note(self) -> None:
        self.failed += self.injector.failed
        self.seen = self.injector.seen

    def is_expected(self, error: BaseException) -> bool:
        """Return whether that is what such a failure is told by."""
        if self.failed == 0:
            return False
        if self.kind is Kind.python and str(error) in OF_THE_INTERPRETER:
            return True
        if isinstance(error, OSError):
            return self.kind in (Kind.threads, Kind.core) and "worker could not be started" in str(error)
        return self.kind is not Kind.threads and isinstance(error, MemoryError)

    def expect(self, condition: object, what: str) -> None:
        """Note that something is not as it should be."""
        if not condition:
            self.wrong.append(what)


def run(subject: Subject, trial: Trial) -> None:
    """Run a subject once; an exception out of it is wrong too, and so is one that nobody could be told of."""
    unraisable: list[str] = []

    def hook(args: Any) -> None:
        if not isinstance(args.exc_value, MemoryError):
            unraisable.append(f"unraisable {args.exc_value!r} in {args.object!r}")

    previous, sys.unraisablehook = sys.unraisablehook, hook
    try:
        subject(trial)
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        after = f" after {trial.raised!r}" if trial.raised is not None else ""
        trial.wrong.append(f"{error!r} at {last.name}:{last.lineno}{after}")
        error.__traceback__ = None
    finally:
        sys.unraisablehook = previous
        trial.raised = None
    trial.wrong += unraisable
