"""The public suites, each run unmodified against a stand-in, and what a run of each must amount to.

A seam is a folder that stands first on PYTHONPATH and holds a module of the name that the suite imports, or
one that puts the stand-ins in place as the interpreter begins (seams/). Nothing of a suite lies here: the
standard library's comes from the running Python's own installation, janus' from its source distribution on
the package index, together with the plugin that it needs.

expected.json has the counts of each suite, per Python version where they differ. Fewer tests run, or more
skipped, is a failure: so a suite can't pass by shrinking. (On a free-threaded build, 3.13t, test_queue itself
skips six; later releases of 3.12 and 3.13 have up to two tests for debug builds in test_logging.)
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXPECTED = HERE / "expected.json"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}{getattr(sys, 'abiflags', '')}"
JANUS = "janus==2.0.0"
ASYNCIO = "pytest-asyncio==1.3.0"
PATIENCE = 300


@dataclass
class Outcome:
    """What one run of a suite came to."""

    run: int
    skipped: int
    failed: bool
    notes: list[str]
    output: str


def environment(seam: str, *folders: Path, **more: str) -> dict[str, str]:
    """Return an environment in which the stand-in is found first, and nothing of this tree but it."""
    path = os.pathsep.join(map(str, (HERE / "seams" / seam, *folders)))
    return {**os.environ, "PYTHONPATH": path, **more}


def count(pattern: str, text: str) -> int:
    """Return the number that a pattern finds, or 0."""
    found = re.search(pattern, text)
    return int(found[1]) if found else 0


def run(command: list[str], folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; its output in one piece."""
    out, err = subprocess.PIPE, subprocess.STDOUT
    return subprocess.run(
        command, cwd=folder, env=env, text=True, timeout=PATIENCE, stdout=out, stderr=err, check=False
    )


def queue_suite(folder: Path) -> Outcome:
    """Run CPython's test_queue against tocsin.compat.queue, and count the calls on the compiled path."""
    calls = folder / "calls"
    command = [sys.executable, "-m", "unittest", "test.test_queue"]
    done = run(command, folder, environment("queue", TOCSIN_COMPAT_CALLS=str(calls)))
    compiled, moved = map(int, calls.read_text().split()) if calls.exists() else (0, 0)
    ran = count(r"Ran (\d+) tests?", done.stdout)
    skipped = count(r"skipped=(\d+)", done.stdout)
    failed = done.returncode != 0 or compiled == 0
    note = f"{compiled} of {compiled + moved} calls found the queue on the compiled path"
    return Outcome(ran, skipped, failed, [note], done.stdout)


def logging_suite(folder: Path) -> Outcome:
    """Run what CPython's test_logging has on queues against tocsin.compat.logging."""
    calls = folder / "calls"
    command = [sys.executable, "-m", "unittest", "test.test_logging", "-k", "Queue", "-k", "queue"]
    done = run(command, folder, environment("logging", TOCSIN_COMPAT_CALLS=str(calls)))
    enqueued, handled = map(int, calls.read_text().split()) if calls.exists() else (0, 0)
    ran = count(r"Ran (\d+) tests?", done.stdout)
    skipped = count(r"skipped=(\d+)", done.stdout)
    failed = done.returncode != 0 or not enqueued or not handled
    note = f"{enqueued} records were enqueued and {handled} handled through the stand-ins"
    return Outcome(ran, skipped, failed, [note], done.stdout)


def janus_suite(folder: Path) -> Outcome:
    """Run janus' own suite against tocsin.compat.janus. Its benchmarks need a plugin: left out."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    download = [*pip, "download", "--no-deps", "--no-binary", ":all:", "--dest", str(folder), JANUS]
    install = [*pip, "install", "--no-deps", "--target", str(folder / "plugin"), ASYNCIO]
    for command in (download, install):
        fetched = run(command, folder, dict(os.environ))
        if fetched.returncode != 0:
            return Outcome(0, 0, True, ["it could not be fetched"], fetched.stdout)
    with tarfile.open(next(folder.glob("janus-*.tar.gz"))) as archive:
        if hasattr(tarfile, "data_filter"):  # not before Python 3.11.4
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder)
    tests = folder / "suite" / "tests"  # alone: beside it the real janus could be imported
    shutil.move(next(folder.glob("janus-*/tests")), tests)
    options = ["-q", "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function"]
    options += ["--ignore", "tests/test_benchmarks.py"]
    command = [sys.executable, "-m", "pytest", *options, "tests"]
    done = run(command, tests.parent, environment("janus", folder / "plugin"))
    passed, skipped = count(r"(\d+) passed", done.stdout), count(r"(\d+) skipped", done.stdout)
    note = "left out: test_benchmarks.py, 4 measurements that need pytest-benchmark"
    return Outcome(passed, skipped, done.returncode != 0, [note], done.stdout)


SUITES: dict[str, Callable[[Path], Outcome]] = {
    "queue": queue_suite,
    "logging": logging_suite,
    "janus": janus_suite,
}


def expected(name: str) -> dict[str, int] | None:
    """Return the counts that a suite must reach on this Python; None: nobody has written them down."""
    counts: dict[str, dict[str, int]] = json.loads(EXPECTED.read_text())[name]
    return counts.get(PYTHON, counts.get("any"))


def complaints(outcome: Outcome, wanted: dict[str, int] | None) -> list[str]:
    """Say what is wrong with a run."""
    found = ["it failed"] if outcome.failed else []
    if wanted is None:
        return [*found, f"no counts are known for Python {PYTHON}: enter them in {EXPECTED.name}"]
    if outcome.run < wanted["run"]:
        found.append(f"{outcome.run} tests ran, not {wanted['run']}")
    if outcome.skipped > wanted["skipped"]:
        found.append(f"{outcome.skipped} were skipped, not {wanted['skipped']}")
    return found


def carry_out(name: str) -> tuple[Outcome, list[str]]:
    """Run a suite in an empty folder; the outcome, and what is wrong with it."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = SUITES[name](Path(folder))
    return outcome, complaints(outcome, expected(name))
