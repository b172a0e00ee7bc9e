"""Failures injected and things begun very often: the rows of tests.verify, and the bugs planted for them.

A bug is a place in the text, what stands there instead, and a run that must notice it. It is planted in a
copy of the installed package: in the face as it is, in the core with the one module compiled anew.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tests.faults.injector import ROOT, Kind, run_driver, survives
from tests.verify.row import NotRun, Row

import tocsin
from tocsin import backend

FULL = 100.0  # seconds
ROUNDS = 1_000_000  # of each cycle, in the long form
SHORT_ROUNDS = 20_000
LEAKING_ROUNDS = 2_000
DRIVER = "tests.faults.driver"


@dataclass(frozen=True)
class Bug:
    """Tell what is planted where, and who must notice."""

    title: str
    path: str  # below src/ or pyx/
    old: str
    new: str
    run: tuple[str, ...]
    expected: str  # in the output, a regular expression


BUGS = [
    Bug(
        "a channel that forgets to free what it had got",
        "pyx/tocsin/_core/opening.pyx",
        "        memory_free(origin)\n        raise MemoryError(f",
        "        raise MemoryError(f",
        ("core", "passing.channel"),
        r"the core holds 1 blocks more",
    ),
    Bug(
        "an event that there is no memory for vanishes from the books",
        "pyx/tocsin/_core/calls.pyx",
        "        report_raised(bridge, member, None)\n",
        "        PyErr_Fetch(&event, &event, &event)\n",
        ("python", "passing.dispatch"),
        r"one vanished",
    ),
    Bug(
        "a subscribe that fails leaves what it had entered",
        "src/tocsin/subscribers.py",
        '            self._end(subscription, "cancelled")\n            self._let_go(subscription, False)\n',
        "",
        ("python", "subscribing.of_many"),
        r"left half a state",
    ),
    Bug(
        "a claim of an exclusive producer stays when the producer could not be made",
        "src/tocsin/pipeline.py",
        "                self._exclusive.pop(protocol.id, None)\n                raise\n",
        "                raise\n",
        ("core", "opening.exclusive_producer"),
        r"ExclusiveError",
    ),
    Bug(
        "a turn of set_enabled that is kept after a failure",
        "src/tocsin/enabling.py",
        "            self._let_in()\n            raise\n",
        "            raise\n",
        ("python", "subscribing.cancel_with_sources"),
        r"inside set_enabled",
    ),
]


def rows(budget: float, folder: Path) -> list[Row]:
    """Inject every failure, plant the bugs, go round."""
    if backend.name != "cython" or backend.gil_is_off:
        raise NotRun(
            "this needs the compiled core, on a Python with a GIL: there its allocators may be wrapped"
        )
    return [failures(folder), cycles(budget, folder)]


def failures(folder: Path) -> Row:
    kinds = list(Kind) if survives(folder) else [Kind.core, Kind.threads]
    bugs = [bug for bug in BUGS if Kind[bug.run[0]] in kinds]
    done = {kind: run_driver(folder, DRIVER, kind.name) for kind in kinds}
    told = {kind: figures(one.stdout) for kind, one in done.items()}
    wrong = [line for one in done.values() for line in one.stdout.splitlines()[:-1]]
    wrong += [
        f"{kind.name}: {one.stderr[-300:]}" for kind, one in done.items() if one.returncode not in (0, 1)
    ]
    unnoticed = [bug.title for bug in bugs if not is_noticed(bug, folder)]
    left_out = [] if Kind.python in kinds else ["without those of Python, which this CPython doesn't survive"]
    return Row(
        check="failed allocations",
        ran=f"{sum(one['attempts'] for one in told.values()):,} calls; failed: "
        + ", ".join(f"{kind.name} {one['failures injected']:,}" for kind, one in told.items()),
        work=sum(one["failures injected"] for one in told.values()),
        unit="failures",
        minimum=4000 if Kind.python in kinds else 350,
        violations=len(wrong),
        planted=len(bugs),
        caught=len(bugs) - len(unnoticed),
        note="; ".join(wrong[:3] + [f"survived: {title}" for title in unnoticed] + left_out),
    )


def figures(output: str) -> dict[str, int]:
    """Return what the driver or the cycles said last."""
    last = output.strip().rpartition("\n")[2]
    found = {what: int(number) for number, what in re.findall(r"(\d+) ([a-z ]+)", last)}
    return {"attempts": 0, "failures injected": 0} | found


def is_noticed(bug: Bug, folder: Path) -> bool:
    """Run what must notice a bug on the package with it; it passes without, as failures() has seen."""
    package = plant(bug, folder / f"planted-{BUGS.index(bug)}")
    done = run_driver(folder, DRIVER, *bug.run, package=package)
    return done.returncode == 1 and re.search(bug.expected, done.stdout) is not None


def plant(bug: Bug, folder: Path) -> Path:
    """Copy the installed package and change it: the folder to import it from."""
    shutil.copytree(Path(tocsin.__file__).parent, folder / "tocsin")
    source = ROOT / bug.path
    text = source.read_text()
    assert text.count(bug.old) == 1, f"{bug.path} has changed; plant anew:\n{bug.old}"
    text = text.replace(bug.old, bug.new)
    if source.suffix == ".py":
        (folder / Path(bug.path).relative_to("src")).write_text(text)
        return folder
    shutil.copytree(ROOT / "pyx", folder / "pyx")
    changed = folder / bug.path
    changed.write_text(text)
    module = folder / "tocsin" / "_core" / f"{changed.stem}{sysconfig.get_config_var('EXT_SUFFIX')}"
    cython = [sys.executable, "-m", "cython", "-3", "-I", str(folder / "pyx"), str(changed)]
    gcc = ["gcc", "-O1", "-shared", "-fPIC", "-D_GNU_SOURCE", f"-I{sysconfig.get_path('include')}"]
    gcc += [f"-I{ROOT / 'pyx'}", f"-I{ROOT / 'pyx' / 'tocsin' / 'include'}"]
    for command in (cython, [*gcc, str(changed.with_suffix(".c")), "-o", str(module)]):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return folder


def cycles(budget: float, folder: Path) -> Row:
    rounds = ROUNDS if budget >= FULL else SHORT_ROUNDS
    done = run_driver(folder, "tests.faults.cycles", str(rounds), timeout=3600)
    told = figures(done.stdout)
    leaking = figures(run_driver(folder, "tests.faults.cycles", str(LEAKING_ROUNDS), "--leak").stdout)
    wrong = [line for line in done.stdout.splitlines()[:-1] if not line.endswith("flat")]
    number = told.get("cycles", 0)
    return Row(
        check="begun and ended",
        ran=f"{number} cycles: subscribe and cancel, notify, batches, channels; blocks and memory",
        work=number * rounds,
        unit="rounds",
        minimum=4 * SHORT_ROUNDS,
        violations=len(wrong) or (done.returncode != 0),
        planted=4,
        caught=leaking.get("violations", 0),
        note="; ".join(wrong),
    )
