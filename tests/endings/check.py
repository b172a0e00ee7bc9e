"""Interpreters that end and processes that fork, many times: the rows of tests.verify.

Ends: each situation of situations.py again and again, on each Python that is there, a row for each: its own
exit status, in time, books as they must be. Bugs are planted in what the exit hook does. The short form runs
this Python. The long one runs two programs at a time: most of what they do is waiting.

From many threads: tests/endings/test_from_many_threads.py by pytest-run-parallel, which is fetched for it, on
a Python without a GIL if there is one; in the long form alone. The planted bug is a buffer that all share.

Forks: tests/endings/test_forks.py, once in the short form; the planted bug is a child whose pipelines do not
begin anew.
"""

import glob
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.endings.situations import PLANTED, SITUATIONS, TESTS, run
from tests.free_threaded.check import copy_tree, must
from tests.free_threaded.check import run as run_command
from tests.verify.row import NotRun, Row

from compiling import compile_library

FULL = 100.0  # seconds: with less, only the Python that runs this
ROUNDS = 500  # of a Python, all situations together, in the long form
SHORT_ROUNDS = 2 * len(SITUATIONS)
THREADS, ITERATIONS = 4, 30
FORKS = str(TESTS / "endings" / "test_forks.py")
MANY = [str(TESTS / "endings" / "test_from_many_threads.py"), f"--parallel-threads={THREADS}"]
MANY.append(f"--iterations={ITERATIONS}")
PLACES = ("~/.pyenv/versions/3.1[1-9].*/bin/python", "/opt/python3*t/bin/python3*t")
WHICH = """
import sys, sysconfig
print("%d.%d" % sys.version_info[:2] + "t" * bool(sysconfig.get_config_var("Py_GIL_DISABLED")))
"""


def rows(budget: float, folder: Path) -> list[Row]:
    """Run the situations on each Python, then the forks."""
    os.environ.setdefault("PYTHONPATH", "")
    library = compile_library(TESTS / "capi" / "flood.c", folder)
    if budget < FULL:
        return [ends(version_of(sys.executable), sys.executable, library, SHORT_ROUNDS, 1), forks(budget)]
    pythons = environments(folder)
    found = [ends(version, python, library, ROUNDS, 2) for version, python in pythons.items()]
    version = max(pythons, key=lambda version: version.endswith("t"))
    return [*found, from_many_threads(version, pythons[version], folder / "plugins"), forks(budget)]


def ends(version: str, python: str, library: Path, rounds: int, at_once: int) -> Row:
    """Have interpreters end so often, in each situation in turn; then plant what must be noticed."""
    began = time.monotonic()
    names = [list(SITUATIONS)[number % len(SITUATIONS)] for number in range(rounds)]
    with ThreadPoolExecutor(at_once) as pool:
        told = list(pool.map(lambda name: run(python, name, library), names))
    took = time.monotonic() - began
    wrong = [
        f"{name}: {end.wrong}: {end.evidence}" for name, end in zip(names, told, strict=True) if end.wrong
    ]
    kinds = {kind: sum(end.wrong == kind for end in told) for kind in ("status", "time", "books")}
    survived = [
        f"survived: {title}"
        for title, (name, kind, code) in PLANTED.items()
        if run(python, name, None, code).wrong not in kind.split()
    ]
    return Row(
        check=f"exits, {version}",
        ran=f"{len(SITUATIONS)} ends in {took:.0f} s; wrong: "
        + ", ".join(f"{kind} {n}" for kind, n in kinds.items()),
        work=rounds,
        unit="exits",
        minimum=SHORT_ROUNDS,
        violations=len(wrong),
        planted=len(PLANTED),
        caught=len(PLANTED) - len(survived),
        note="; ".join(wrong[:3] + survived),
    )


def version_of(python: str) -> str:
    """Return which Python an interpreter is: "3.13", or "3.13t" without a GIL."""
    return must(run_command(python, "-c", WHICH, cwd=TESTS)).strip()


def environments(folder: Path) -> dict[str, str]:
    """Return interpreters with this tree installed: this one, and one of each other version that is there."""
    pythons = {version_of(sys.executable): sys.executable}
    tree = copy_tree(folder / "tree")
    for place in PLACES:
        for candidate in sorted(glob.glob(os.path.expanduser(place)), reverse=True):
            version = version_of(candidate)
            if version in pythons:
                continue
            must(run_command(candidate, "-m", "venv", folder / f"venv-{version}", cwd=folder))
            python = str(folder / f"venv-{version}" / "bin" / "python")
            must(run_command(python, "-m", "pip", "install", "-q", "--no-deps", tree, cwd=folder))
            pythons[version] = python
    return pythons


def from_many_threads(version: str, python: str, plugins: Path) -> Row:
    """Run each test of the file on several threads together, again and again."""
    packages = ["pytest>=9", "pytest-run-parallel"]
    must(run_command(python, "-m", "pip", "install", "-q", "--target", plugins, *packages, cwd=TESTS))
    passed, failed, note = pytest(*MANY, python=python, path=str(plugins))
    _, noticed, _ = pytest(*MANY, python=python, path=str(plugins), planted="one_buffer")
    return Row(
        check=f"many threads, {version}",
        ran=f"{passed} tests, each {ITERATIONS} times on {THREADS} threads together",
        work=passed * ITERATIONS * THREADS,
        unit="runs",
        minimum=1000,
        violations=failed,
        planted=1,
        caught=int(noticed > 1),  # one might be anything else
        note=note,
    )


def forks(budget: float) -> Row:
    if not hasattr(os, "fork"):
        raise NotRun("this system does not fork")
    chosen = [FORKS] if budget >= FULL else [FORKS, "-k", "child or handles or prefork"]
    passed, failed, note = pytest(*chosen)
    for _ in range(9 if budget >= FULL else 0):
        more = pytest(FORKS)
        passed, failed, note = passed + more[0], failed + more[1], note + more[2]
    _, noticed, _ = pytest(FORKS, "-k", "nothing_queued", planted="no_beginning")
    return Row(
        check="forks",
        ran="forks under load, in callbacks, from C, before exec, of servers",
        work=passed,
        unit="tests",
        minimum=5,
        violations=failed,
        planted=1,
        caught=min(noticed, 1),
        note=note,
    )


def pytest(
    *arguments: str, python: str = sys.executable, path: str = "", planted: str = ""
) -> tuple[int, int, str]:
    """Run tests: how many passed, how many failed, and which. `path`: where more packages are."""
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    path = path or os.environ.get("PYTHONPATH", "")
    extra = {"PYTHONPATH": path} if path else {}
    result = run_command(*command, cwd=TESTS.parent, ENDINGS_PLANTED=planted, **extra)
    told = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error)", result.stdout)}
    names = " ".join(re.findall(r"^(?:PARALLEL )?FAILED (\S+)", result.stdout, re.MULTILINE))
    failed = told.get("failed", 0) + told.get("error", 0)  # the latter: on one of several threads
    return told.get("passed", 0), failed or int(result.returncode != 0), names
