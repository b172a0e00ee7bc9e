"""The row of the checked build: what TOCSIN_DEBUG=1 looks at finds nothing, and finds what is planted.

Both forms run the stress driver of tests/native on checked memory, and again with planted bugs. The long form
also builds the whole package checked, runs the suite on it, and one program that breaks the rule of the
exclusive producer; and it says with which bugs an ordinary build of the driver runs on.
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.sanitize import tools
from tests.verify.row import NotRun, Row

from compiling import compile_library
from native import programs

HERE = Path(__file__).resolve().parent
FULL = 100.0  # seconds: with less, the short form
ORDINARY = ["-O1"]
CHECKED = [*ORDINARY, "-DTOCSIN_CHECKS"]
SHORT_PLANTED = ["subscriber_cleared_late"]
COMPLAINT = "tocsin, checked build: "
TWO_WRITERS = "two threads write to a queue at once"
LONG_ENOUGH = 60.0  # for a run with a planted bug
SUITE = [
    "tests/unit",
    "tests/capi",
    "tests/concurrency",
    "-m",
    "not slow",
    "--ignore=tests/unit/test_docs.py",
]
# Their figures are those of an ordinary build.
MEASURED = {
    "tests/capi/test_allocations.py": "counts calls of malloc()",
    "tests/capi/test_real_time.py": "notes system calls and page faults",
}


def rows(budget: float, folder: Path) -> list[Row]:
    tools.need("gcc", "gcc libc6-dev")
    is_whole = budget >= FULL
    told, events = drive(None, max(2, budget / 20), folder)
    plants = [name for name in planted() if is_whole or name in SHORT_PLANTED]
    caught = [name for name in plants if is_told(name, drive(name, 2, folder)[0])]
    wrong = [told] if COMPLAINT in told or not events else []
    words, ran = [], "gcc, stress driver"
    if is_whole:
        copy = checked_tree(folder)
        passed, complaints = suite(copy)
        wrong += complaints
        plants.append("two writers")
        caught += ["two writers"] if TWO_WRITERS in misuse(copy, folder) else []
        words.append(f"{passed} tests on a checked core")
        quiet = [name for name in planted() if drive(name, 2, folder, ORDINARY)[1]]
        words.append(f"an ordinary build runs on with {', '.join(quiet)}")
        ran += ", suite"
    missed = [name for name in plants if name not in caught]
    words += wrong[:3] + [f"not noticed: {', '.join(missed)}"] * bool(missed)
    return [
        Row(
            check="checked build",
            ran=f"TOCSIN_DEBUG=1: {ran}",
            work=events,
            unit="events",
            minimum=100_000,
            violations=len(wrong),
            planted=len(plants),
            caught=len(caught),
            note="; ".join(words),
        )
    ]


# ---------------------------------------------------------------------------------- the driver


def planted() -> dict[str, programs.Mutant]:
    return {path.stem: programs.read_mutant(path) for path in sorted((HERE / "planted").glob("*.patch"))}


def drive(name: str | None, seconds: float, folder: Path, flags: list[str] = CHECKED) -> tuple[str, int]:
    """Run the driver, perhaps with a planted bug: what it said, and its events, 0 if it failed."""
    place = folder / f"{name or 'driver'}{''.join(flags)}"
    place.mkdir()
    pyx = planted()[name].plant(place) if name else programs.PYX
    try:
        program = programs.build("stress", flags, place, pyx)
        done = programs.execute(program, str(seconds), "100", timeout=seconds + LONG_ENOUGH)
    except programs.pytest.fail.Exception as missing:
        raise NotRun(str(missing)) from None
    except subprocess.TimeoutExpired:
        return "hangs", 0
    events = re.search(r"(\d+) events", done.stdout)
    return done.stdout + done.stderr, int(events[1]) if events and done.returncode == 0 else 0


def is_told(name: str, told: str) -> bool:
    """Return whether the complaint is the one that the patch names."""
    [(_, complaint)] = planted()[name].runs
    return COMPLAINT + complaint in told


# --------------------------------------------------------------------------------- the package


def checked_tree(folder: Path) -> Path:
    """Return a copy of the tree in which the core was built with TOCSIN_DEBUG=1 and no sanitizer."""
    return tools.tree(folder, "checked")


def environment(copy: Path) -> dict[str, str]:
    return {"PYTHONPATH": f"{copy / 'src'}:{copy}", "PYTHONDONTWRITEBYTECODE": "1"}


def suite(copy: Path) -> tuple[int, list[str]]:
    """Run the tests: how many passed, and what failed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SUITE]
    command += [f"--ignore={name}" for name in MEASURED]
    done = subprocess.run(
        command, cwd=copy, env=os.environ | environment(copy), capture_output=True, text=True
    )
    text = done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", text)
    failed = re.findall(r"^(?:FAILED|ERROR) \S+|" + COMPLAINT + ".*", text, re.MULTILINE)
    if done.returncode and not failed:
        failed = [text[-300:]]
    return int(passed[1]) if passed else 0, failed


def misuse(copy: Path, folder: Path) -> str:
    """Use an exclusive producer from two threads; what the process said before it was aborted."""
    library = compile_library(HERE.parent / "capi" / "flood.c", folder)
    done = subprocess.run(
        [sys.executable, str(HERE / "misuse.py"), str(library)],
        env=os.environ | environment(copy),
        capture_output=True,
        text=True,
        timeout=LONG_ENOUGH,
    )
    return done.stderr if done.returncode == -signal.SIGABRT else done.stdout
