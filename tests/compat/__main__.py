"""Run the public suites against the stand-ins of tocsin.compat.

    python -m tests.compat [queue] [logging] [janus]

Needs pytest for janus, and the package index. Exit code 1: a suite failed, or ran less than it should.
"""

import sys

from tests.compat.suites import PYTHON, SUITES, carry_out


def main(names: list[str]) -> int:
    unknown = set(names) - set(SUITES)
    if unknown:
        print(f"no suite is called {', '.join(sorted(unknown))}; there are: {', '.join(SUITES)}")
        return 2
    wrong = 0
    for name in names or SUITES:
        outcome, complaints = carry_out(name)
        print(f"{name} on Python {PYTHON}: {outcome.run} run, {outcome.skipped} skipped")
        for line in outcome.notes:
            print(f"  {line}")
        for line in complaints:
            print(f"  WRONG: {line}")
        if complaints:
            print(outcome.output[-6000:])
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
