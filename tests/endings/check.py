"""Interpreters that end and processes that fork, many times: the rows of tests.verify.

Ends: each situation of situations.py again and again, on each Python that is there: its own exit status,
in time, books as they must be. Bugs are planted in what the exit hook does. The short form runs this Python.

Forks: tests/endings/test_forks.py, once in the short form; the planted bug is a child whose pipelines do not
begin anew.
"""

import glob
import os
import re
import sys
import sysconfig
from pathlib import Path

from tests.endings.situations import PLANTED, SITUATIONS, TESTS, End, run
from tests.free_threaded.check import copy_tree, must
from tests.free_threaded.check import run as run_command
from tests.verify.row import NotRun, Row

from compiling import compile_library

FULL = 100.0  # seconds: with less, only the Python that runs this
ROUNDS = 500  # of a Python, all situations together, in the long form
SHORT_ROUNDS = 2 * len(SITUATIONS)
PLACES = ("~/.pyenv/versions/3.1[1-9].*/bin/python", "/opt/python3*t/bin/python3*t")
WHICH = (
    "import sys, sysconfig; print(sys.version_info[:2], bool(sysconfig.get_config_var('Py_GIL_DISABLED')))"
)


def rows(budget: float, folder: Path) -> list[Row]:
    """Run the situations, then the forks."""
    return [ends(budget, folder), forks(budget, folder)]


def ends(budget: float, folder: Path) -> Row:
    is_whole = budget >= FULL
    library = compile_library(TESTS / "capi" / "flood.c", folder)
    pythons = environments(folder) if is_whole else [sys.executable]
    os.environ.setdefault("PYTHONPATH", "")
    wrong: list[str] = []
    work = 0
    for python in pythons:
        for number in range(ROUNDS if is_whole else SHORT_ROUNDS):
            name = list(SITUATIONS)[number % len(SITUATIONS)]
            end = run(python, name, library)
            work += 1
            if end.wrong:
                wrong.append(f"{python}: {name}: {end.wrong}: {end.evidence}")
    found = {
        title: caught(run(sys.executable, name, None, code), kind)
        for title, (name, kind, code) in PLANTED.items()
    }
    survived = [f"survived: {title}" for title, is_caught in found.items() if not is_caught]
    kinds = {kind: sum(f": {kind}: " in line for line in wrong) for kind in ("status", "time", "books")}
    return Row(
        check="exits",
        ran=f"{len(SITUATIONS)} ends on {len(pythons)} Pythons; wrong: "
        + ", ".join(f"{kind} {n}" for kind, n in kinds.items()),
        work=work,
        unit="exits",
        minimum=ROUNDS if is_whole else SHORT_ROUNDS,
        violations=len(wrong),
        planted=len(PLANTED),
        caught=sum(found.values()),
        note="; ".join(wrong[:3] + survived),
    )


def caught(end: End, kind: str) -> bool:
    return end.wrong == kind


def environments(folder: Path) -> list[str]:
    """Return interpreters with this tree installed: this one, and one of each other version that is there."""
    pythons = [sys.executable]
    gil_is_off = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    known = {f"{sys.version_info[:2]} {gil_is_off}"}
    tree = copy_tree(folder / "tree")
    for place in PLACES:
        for candidate in sorted(glob.glob(os.path.expanduser(place)), reverse=True):
            which = must(run_command(candidate, "-c", WHICH, cwd=folder)).strip()
            if which in known:
                continue
            known.add(which)
            venv = folder / f"venv-{len(known)}"
            must(run_command(candidate, "-m", "venv", venv, cwd=folder))
            python = venv / "bin" / "python"
            must(run_command(python, "-m", "pip", "install", "-q", "--no-deps", tree, cwd=folder))
            pythons.append(str(python))
    return pythons


def forks(budget: float, folder: Path) -> Row:
    if not hasattr(os, "fork"):
        raise NotRun("this system does not fork")
    chosen = [] if budget >= FULL else ["-k", "child or handles or prefork"]
    passed, failed, note = pytest(*chosen)
    for _ in range(9 if budget >= FULL else 0):
        more = pytest()
        passed, failed, note = passed + more[0], failed + more[1], note + more[2]
    _, noticed, _ = pytest("-k", "nothing_queued", planted="no_beginning")
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


def pytest(*arguments: str, planted: str = "") -> tuple[int, int, str]:
    """Run the tests of forks: how many passed, how many failed, and which."""
    tests = str(TESTS / "endings" / "test_forks.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests, *arguments]
    extra = {"PYTHONPATH": os.environ["PYTHONPATH"]} if os.environ.get("PYTHONPATH") else {}
    result = run_command(*command, cwd=TESTS.parent, ENDINGS_PLANTED=planted, **extra)
    told = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed)", result.stdout)}
    names = " ".join(re.findall(r"^FAILED (\S+)", result.stdout, re.MULTILINE))
    return told.get("passed", 0), told.get("failed", 0) or (result.returncode != 0), names
