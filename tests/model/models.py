"""Search the models exhaustively with spin, and say whether each came out as the table of cases demands.

A search counts as "verified" only if it ended by itself with nothing left to look at: one that met a limit of
depth, memory or time has shown nothing. It counts as "violated" only for a broken assertion or a cycle that
never delivers, not for an error in the model. All figures are read from the output of the search.
"""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

from tests.model.cases import CASES, Case
from tests.verify.row import NotRun, Row

HERE = Path(__file__).resolve().parent
AT_ONCE = 2
WHOLE = 60  # seconds for this check: with less a planted bug has its turn in as many days as TURNS
TURNS = 4
DEPTH, DEPTH_OF_LARGE = 200_000, 2_000_000  # steps on one path
MEGABYTES = 4_000  # that one search may take
# Less than this shows nothing.
MINIMUM = {"models": 5_000_000, "liveness": 100_000, "store buffers": 50_000}


@dataclass(frozen=True)
class Found:
    """What came of one case."""

    case: Case
    verdict: str  # "verified", "violated", or what kept the search from an answer
    states: int
    seconds: float

    @property
    def as_expected(self) -> bool:
        return self.verdict == ("verified" if self.case.holds else "violated")

    def __str__(self) -> str:
        expected = "verified" if self.case.holds else "violated"
        mark = "  " if self.as_expected else "! "
        kind = "live" if self.case.is_live else ""
        line = f"{mark}{self.verdict:9} {expected:9} {self.states:>11,} {self.seconds:6.1f} s  {kind:4} "
        return line + self.case.name


_NO_ANSWER = {
    "max search depth too small": "too deep",
    "reached -DMEMLIM bound": "too big",
    "out of memory": "too big",
}
_VIOLATION = re.compile(r"^pan:1: (assertion violated|acceptance cycle)", re.MULTILINE)
_COUNTS = re.compile(r"errors: (\d+)\s+([\d.e+]+) states, stored")


def judge(text: str) -> tuple[str, int]:
    """Read the verdict and the number of states out of what a search printed."""
    counts = _COUNTS.search(text)
    if counts is None:
        return "no answer", 0
    states = int(float(counts[2]))
    if counts[1] != "0":
        return ("violated" if _VIOLATION.search(text) else "bad model"), states
    for words, verdict in _NO_ANSWER.items():
        if words in text:
            return verdict, states
    return ("no answer" if "Search not completed" in text else "verified"), states


def command(*words: str, folder: Path, timeout: float) -> str:
    result = subprocess.run(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout
    )
    return result.stdout


def build(case: Case, folder: Path) -> Path:
    """Translate and compile one case: the program that searches it."""
    source = HERE / f"{case.model}.pml"
    defines = [f"-D{switch}" for switch in case.switches.split()]
    said = command("spin", "-a", *defines, str(source), folder=folder, timeout=60)
    if "Error" in said or "error" in said or not (folder / "pan.c").exists():
        raise RuntimeError(f"{case.name}: spin can't read the model\n{said}")
    kind = ["-DNFAIR=3"] if case.is_live else ["-DSAFETY", "-DNOCLAIM"]
    kind += ["-O2" if case.many else "-O0", "-DVECTORSZ=1024", f"-DMEMLIM={MEGABYTES}"]
    said = command("gcc", "-w", *kind, "-o", "pan", "pan.c", folder=folder, timeout=120)
    if not (folder / "pan").exists():
        raise RuntimeError(f"{case.name}: gcc can't compile what spin made\n{said}")
    return folder / "pan"


def search(case: Case, folder: Path, timeout: float) -> Found:
    """Build and run one case, in a folder of its own."""
    began = time.monotonic()
    place = folder / re.sub(r"\W+", "-", f"{case.row} {case.name}").strip("-")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    program = build(case, place)
    words = [f"-m{DEPTH_OF_LARGE if case.budget else DEPTH}", "-w22"]
    if case.is_live:
        words += ["-a", "-f", "-A", "-N", "live"]  # cycles, weakly fair, whatever the assertions say
    try:
        verdict, states = judge(command(str(program), *words, folder=place, timeout=timeout))
    except subprocess.TimeoutExpired:
        verdict, states = "too long", 0
    for left in place.glob("pan*"):
        left.unlink()
    return Found(case, verdict, states, time.monotonic() - began)


def chosen(budget: float, containing: str = "") -> list[Case]:
    return [case for case in CASES if case.budget <= budget and containing in f"{case.row} {case.name}"]


def require_tools() -> str:
    """Give the version of spin; raise NotRun if something is missing."""
    for tool in ("spin", "gcc"):
        if shutil.which(tool) is None:
            raise NotRun(f"{tool} is missing: apt-get install {tool}")
    said = subprocess.run(["spin", "-V"], capture_output=True, text=True).stdout
    version = re.search(r"Version ([\d.]+)", said)
    return f"spin {version[1]}" if version else "spin"


def search_all(cases: list[Case], folder: Path, timeout: float) -> Iterator[Found]:
    """Search the cases, two at a time; results in the order of the cases."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(partial(search, folder=folder, timeout=timeout), cases)


def row(name: str, tool: str, found: list[Found]) -> Row:
    """Sum up the cases of one row."""
    verified = [one for one in found if one.case.holds]
    planted = [one for one in found if not one.case.holds]
    wrong = [f"{one.case.name}: {one.verdict}" for one in found if not one.as_expected]
    return Row(
        check=name,
        ran=f"{tool}, {len(verified)} cases exhausted",
        work=sum(one.states for one in verified if one.as_expected),
        unit="states",
        minimum=MINIMUM[name],
        violations=sum(not one.as_expected for one in verified),
        planted=len(planted),
        caught=sum(one.as_expected for one in planted),
        note="; ".join(wrong),
    )


def in_turn(cases: list[Case], budget: float) -> list[Case]:
    """Return all, or in the short form all that must hold and the planted bugs whose turn it is today."""
    if budget >= WHOLE:
        return cases
    chosen = [case for case in cases if case.holds]
    for name in MINIMUM:
        plants = [case for case in cases if case.row == name and not case.holds]
        chosen += plants[date.today().toordinal() % TURNS :: TURNS]
    return chosen


def rows(budget: float, folder: Path) -> list[Row]:
    """Search all cases for which `budget` seconds are enough; the small ones always."""
    tool = require_tools()
    found = list(search_all(in_turn(chosen(budget), budget), folder, timeout=max(300, budget)))
    return [row(name, tool, [one for one in found if one.case.row == name]) for name in MINIMUM]
