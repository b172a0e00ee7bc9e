"""The sanitizers' rows: each runs the core as it is, and then with bugs that the same tool must report.

Budget: seconds for all rows together. From WHOLE on the whole suite runs and the drivers run long; with less
there is a short form of each, which is mostly the time to build.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.native import programs
from tests.sanitize import reports, suite, tools
from tests.sanitize.portable import aarch64, musl
from tests.verify.row import NotRun, Row

WHOLE = 300
REPORTED = 66


# ---------------------------------------------------------------------------------- the driver


def driver(kind: str, check: str, flags: list[str], budget: float, folder: Path) -> Row:
    """Run the stress driver under a sanitizer, as it is and with each planted bug."""
    tools.need("gcc", "gcc libc6-dev")
    pyx, target = tools.source(folder) / "pyx", f"{kind}-driver"
    try:
        program = programs.build("stress", flags, folder / target, pyx)
        result = programs.execute(program, str(max(3, budget / 50)), "100", timeout=tools.GIVEN_UP)
    except programs.pytest.fail.Exception as missing:
        raise NotRun(str(missing)) from None
    told = result.stdout + result.stderr
    figures = re.match(r"(\d+) rounds, (\d+) events", result.stdout)
    rounds, events = map(int, figures.groups()) if figures else (0, 0)
    plants = tools.in_turn(tools.planted(target), budget >= WHOLE)
    caught = [plant for plant in plants if notices(plant, flags, folder / target / plant.name)]
    note = f"{rounds} rounds" if result.returncode == 0 else told.strip()[:2000]
    return Row(
        check,
        f"{Path(str(programs.COMPILER)).name} {flags[1]}, tests/native/stress.c",
        events,
        "events",
        10_000,
        int(result.returncode != 0),
        len(plants),
        len(caught),
        " ".join([note, tools.missed(plants, caught)]).strip(),
    )


def notices(plant: tools.Planted, flags: list[str], folder: Path) -> bool:
    """Return whether the driver, built with a planted bug, ends with the report that the patch names.

    The driver's own checks may end a run before the tool has seen the second of two accesses: then it runs
    once more.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    program = programs.build("stress", flags, folder, plant.mutant.plant(folder))
    given_up = time.monotonic() + tools.LONG_ENOUGH
    while (left := given_up - time.monotonic()) > 0:
        try:
            result = programs.execute(program, "5", "100", timeout=left)
        except subprocess.TimeoutExpired:
            return False
        if result.returncode == REPORTED and plant.is_in([result.stdout + result.stderr]):
            return True
    return False


def thread_driver(budget: float, folder: Path) -> Row:
    return driver("thread", "TSan, driver", programs.THREAD, budget, folder)


def address_driver(budget: float, folder: Path) -> Row:
    return driver("address", "ASan+UBSan, driver", programs.ADDRESS, budget, folder)


# --------------------------------------------------------------------------- the tests of Python


def thread_suite(budget: float, folder: Path) -> Row:
    """Run the tests with threads on a core under ThreadSanitizer: whatever it reports is a finding."""
    tools.runtime("libtsan")
    whole = budget >= WHOLE
    where = ["tests/concurrency", "tests/capi", "tests/unit"] if whole else suite.SHORT_THREAD
    outcome = tools.pytest(tools.tree(folder, "thread"), "thread", where)
    plants = tools.planted("thread-suite")
    caught = tools.reported(tools.planted_tree(folder, "thread", plants), "thread", plants)
    return Row(
        "TSan, extension",
        f"libtsan preloaded, {sys.version.split()[0]}, {' '.join(where)}",
        outcome.passed,
        "tests",
        1200 if whole else 50,
        len(outcome.found) + outcome.failed,
        len(plants),
        len(caught),
        " ".join([tools.failures(outcome), tools.missed(plants, caught)]).strip(),
    )


def address_suite(budget: float, folder: Path) -> Row:
    """Run the suite under AddressSanitizer and its company, then one program with whole stacks."""
    tools.runtime("libasan"), tools.runtime("libubsan")
    whole = budget >= WHOLE
    where = ["tests"] if whole else [*suite.short_address(), "-m", "not slow and not stress"]
    copy = tools.tree(folder, "address")
    outcome = tools.pytest(copy, "address", where)
    stacks = scenario(copy)
    outcome.found += stacks.found
    planted, told_by_stacks = tools.planted("address-suite"), tools.planted("stacks")
    every = tools.in_turn(planted + told_by_stacks, whole)
    plants, deep = ([plant for plant in every if plant in of] for of in (planted, told_by_stacks))
    caught = []
    if plants:
        caught += tools.reported(tools.planted_tree(folder, "address", plants), "address", plants)
    if deep:
        found = scenario(tools.planted_tree(folder, "address", deep, "kept")).found
        caught += [plant for plant in deep if plant.is_in(found)]
    words = [f"{outcome.others} leaks of the interpreter's own; whole stacks: {stacks.passed} events"]
    words += [tools.failures(outcome), tools.missed(plants + deep, caught)]
    return Row(
        "ASan+UBSan+LSan, suite",
        f"libasan and libubsan preloaded, {sys.version.split()[0]}, {' '.join(where)}",
        outcome.passed,
        "tests",
        1200 if whole else 100,
        len(outcome.found) + outcome.failed,
        len(plants + deep),
        len(caught),
        "; ".join(filter(None, words)),
    )


def scenario(copy: Path) -> tools.Outcome:
    """Run scenario.py with leaks told by whole stacks, through the interpreter: slow, so not for the suite.

    There a reference that the core forgets to drop shows the frame of ours that made the object.
    """
    logs = copy / "stacks"
    variables = tools.environment(copy, "address", logs)
    variables["ASAN_OPTIONS"] = "fast_unwind_on_malloc=0:" + variables["ASAN_OPTIONS"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.sanitize.scenario", "50"],
        cwd=copy,
        env=variables,
        capture_output=True,
        text=True,
        timeout=tools.GIVEN_UP,
    )
    found, others = tools.judge(logs)
    events = delivered(done.stdout)
    if events == 0:
        found.append(f"scenario.py ended with {done.returncode}: {done.stderr}")
    return tools.Outcome(events, 0, found, others, done.stdout)


def delivered(text: str) -> int:
    figure = re.search(r"^(\d+) events delivered$", text, re.MULTILINE)
    return int(figure[1]) if figure else 0


# ------------------------------------------------------------------------------------ memcheck


def memcheck(budget: float, folder: Path) -> Row:
    """Run scenario.py under valgrind: an error with a frame of ours anywhere in its stack is a finding."""
    valgrind = tools.need("valgrind", "valgrind")
    version = subprocess.run([valgrind, "--version"], capture_output=True, text=True).stdout.strip()
    events = 1000 if budget >= WHOLE else 100
    text, every = under_valgrind(valgrind, tools.tree(folder, "plain"), events)
    found = [error for error in every if reports.OURS.search(error)]
    note = "; ".join(dict.fromkeys(map(reports.title, found)))
    if not delivered(text):
        found.append(text)
        note += f" scenario.py failed: {text}"
    plants = tools.planted("memcheck")
    _, others = under_valgrind(valgrind, tools.planted_tree(folder, "plain", plants), 100)
    others = [error for error in others if reports.OURS.search(error)]
    caught = [plant for plant in plants if plant.is_in(others)]
    return Row(
        "memcheck",
        f"{version}, tests/sanitize/scenario.py",
        delivered(text),
        "events",
        500,
        len(found),
        len(plants),
        len(caught),
        f"{len(every) - len(found)} errors outside the core {note} {tools.missed(plants, caught)}".strip(),
    )


def under_valgrind(valgrind: str, copy: Path, events: int) -> tuple[str, list[str]]:
    """Run scenario.py: what it printed, and every error of its process."""
    log = copy / "memcheck.xml"
    command = [valgrind, "--xml=yes", f"--xml-file={log}", "--num-callers=40", "--leak-check=full"]
    command += ["--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect"]
    command += ["--fair-sched=yes", sys.executable, "-m", "tests.sanitize.scenario", str(events)]
    done = subprocess.run(
        command,
        cwd=copy,
        env=tools.environment(copy, "plain", copy / "logs"),
        capture_output=True,
        text=True,
        timeout=tools.GIVEN_UP,
    )
    return done.stdout + done.stderr, reports.read_memcheck(log)


# --------------------------------------------------------------------------------------- all

Check = Callable[[float, Path], Row]

CHECKS: list[Check] = [thread_driver, address_driver, memcheck, aarch64, musl]
THREADS: list[Check] = [thread_suite]
MEMORY: list[Check] = [address_suite]
EVERY = CHECKS + THREADS + MEMORY


def rows(budget: float, folder: Path) -> list[Row]:
    """Run everything; the first missing tool ends it. For a row each, call the CHECKS one by one."""
    return [check(budget, folder) for check in EVERY]
