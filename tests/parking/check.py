"""The row of parked threads: the scenes on the queues as installed, and bugs planted in a copy of them.

A bug is a place in the text, what stands there instead, the scene that must notice it and the check that must
fail. The compiled module is made anew for each; the short form plants those whose turn it is today.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tests.verify.row import NotRun, Row

import tocsin
from tocsin import backend

ROOT = Path(__file__).resolve().parents[2]
FULL = 60.0  # seconds: with less, the short form
LONG, SHORT = 60.0, 2.0  # seconds of scenes
TURNS = 7
SECONDS = 4.0  # of one scene, to notice a bug
MODULE = "pyx/tocsin/compat/queuecore.pyx"
CYTHON = ["cdivision=True", "freethreading_compatible=True", "boundscheck=False", "wraparound=False"]
CYTHON += ["initializedcheck=False", "auto_pickle=False", "binding=False"]


@dataclass(frozen=True)
class Bug:
    """Tell what is planted where, which scene notices it and how."""

    title: str
    path: str  # below src/ or pyx/
    old: str
    new: str
    scene: str
    check: str


STATE, PARKING = "pyx/tocsin/compat/state.pxd", "pyx/tocsin/compat/parking.pxd"
WAITERS = "src/tocsin/compat/loopwaiters.py"
BUGS = [
    Bug(
        "who comes back answers no call, so that later ones are left out",
        PARKING,
        "    if parking.called > 0:\n        parking.called -= 1\n",
        "",
        "herd",
        "asleep",
    ),
    Bug(
        "one call is thought to do for two items",
        PARKING,
        "    if parking.called < parking.parked:",
        "    if parking.called == 0 and parking.parked > 0:",
        "one_each",
        "asleep",
    ),
    Bug(
        "a call brings everybody back",
        PARKING,
        "bell_ring(&parking.bell, 1)",
        "bell_ring(&parking.bell, EVERYONE)",
        "herd",
        "herd",
    ),
    Bug(
        "the last call of all reaches one",
        PARKING,
        "bell_ring(&parking.bell, EVERYONE)",
        "bell_ring(&parking.bell, 1)",
        "tasks",
        "asleep",
    ),
    Bug(
        "a waiter whose time is over does not look again, though he was called",
        MODULE,
        "            park(self, &self.q.getters, seen, slice)\n",
        "            park(self, &self.q.getters, seen, slice)\n"
        "            if deadline != NEVER and slice_for(False, deadline) == 0:\n"
        "                raise Empty\n",
        "time_out",
        "asleep",
    ),
    Bug(
        "a shutdown forgets those who wait for room",
        STATE,
        "    parking_call_all(&q.putters)\n",
        "",
        "ending",
        "asleep",
    ),
    Bug(
        "a shutdown forgets everybody",
        STATE,
        "            items = queue_detach(q)\n        queue_call_everybody(q)\n",
        "            items = queue_detach(q)\n",
        "ending",
        "asleep",
    ),
    Bug(
        "a get makes room and tells nobody",
        STATE,
        "    parking_call(&q.putters)\n    return TAKEN\n",
        "    return TAKEN\n",
        "room",
        "asleep",
    ),
    Bug(
        "a putter whose item can't be compared keeps his call",
        STATE,
        "        parking_call(&q.putters)\n        raise\n",
        "        raise\n",
        "raising",
        "asleep",
    ),
    Bug(
        "a queue moves and leaves its waiters behind",
        MODULE,
        "            queue_call_everybody(&self.q)\n",
        "",
        "move",
        "asleep",
    ),
    Bug(
        "a get with a time limit drops what it finds at once, if a putter was called",
        MODULE,
        "handed(item) if item != NULL else",
        "handed(item) if item != NULL and (timeout is None or self.q.putters.called == 0) else",
        "exchange",
        "lost",
    ),
    Bug(
        "a put that has called somebody puts again",
        MODULE,
        "        if outcome != ADDED:\n            self.put_later",
        "        if outcome != ADDED or self.q.getters.called > 0:\n            self.put_later",
        "exchange",
        "doubled",
    ),
    Bug(
        "the loop is said to be called no longer after it has looked",
        WAITERS,
        "        self.is_called = False\n        left = self.how_many() if self.futures else 0\n",
        "        left = self.how_many() if self.futures else 0\n        self.is_called = False\n",
        "between",
        "asleep",
    ),
    Bug(
        "a task that was called and is cancelled keeps its call",
        WAITERS,
        "                self.answer()  # it was called, and passes that on\n",
        "                pass\n",
        "cancelled",
        "asleep",
    ),
]


def rows(budget: float, folder: Path) -> list[Row]:
    """Run the scenes; plant the bugs and see each noticed."""
    if backend.name != "cython" or sys.platform != "linux" or shutil.which("gcc") is None:
        raise NotRun("this needs the compiled core and gcc, on Linux: apt-get install gcc libc6-dev")
    is_whole = budget >= FULL
    done = run(LONG if is_whole else SHORT)
    last = done.stdout.strip().rpartition("\n")[2]
    rounds, items = (int(n) for n in re.findall(r"=(\d+)", last)) if done.returncode == 0 else (0, 0)
    bugs = BUGS if is_whole else BUGS[date.today().toordinal() % TURNS :: TURNS]
    unnoticed = [bug.title for bug in bugs if not is_noticed(bug, folder)]
    note = [] if done.returncode == 0 else [(last or done.stderr)[-500:]]
    note += [f"survived: {title}" for title in unnoticed]
    if not is_whole:
        note.append(f"the bugs whose turn it is: {'; '.join(bug.title for bug in bugs)}")
    return [
        Row(
            check="parked threads",
            ran=f"queues and janus queues under threads and tasks, {rounds:,} rounds",
            work=items,
            unit="items",
            minimum=20_000 if is_whole else 2_000,
            violations=int(done.returncode != 0),
            planted=len(bugs),
            caught=len(bugs) - len(unnoticed),
            note="; ".join(note),
        )
    ]


def run(seconds: float, *scenes: str, package: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run scenes on the installed package, or on the copy in a folder."""
    path = [str(place) for place in (package, ROOT, ROOT / "tests") if place]
    command = [sys.executable, "-m", "tests.parking", str(seconds), *scenes]
    code = f"import sys, runpy; sys.path[:0] = {path!r}; sys.argv = {command[2:]!r}; "
    code += "runpy.run_module('tests.parking', run_name='__main__', alter_sys=True)"
    return subprocess.run(
        [sys.executable, "-c", code], cwd="/", capture_output=True, text=True, timeout=60 + 2 * seconds
    )


def is_noticed(bug: Bug, folder: Path) -> bool:
    """Run the scene on a package with the bug; it passes without, as rows() has seen."""
    package = plant(bug, folder / f"planted-{BUGS.index(bug)}")
    done = run(SECONDS, bug.scene, package=package)
    return done.returncode == 1 and f"FAILED {bug.check}:" in done.stdout


def plant(bug: Bug, folder: Path) -> Path:
    """Copy the installed package and change it: the folder to import it from."""
    shutil.copytree(Path(tocsin.__file__).parent, folder / "tocsin")
    text = (ROOT / bug.path).read_text()
    assert text.count(bug.old) == 1, f"{bug.path} has changed; plant anew:\n{bug.old}"
    text = text.replace(bug.old, bug.new)
    if bug.path.startswith("src/"):
        (folder / Path(bug.path).relative_to("src")).write_text(text)
        return folder
    shutil.copytree(ROOT / "pyx", folder / "pyx")
    (folder / bug.path).write_text(text)
    source, generated = folder / MODULE, folder / "queuecore.c"
    module = folder / f"tocsin/compat/queuecore{sysconfig.get_config_var('EXT_SUFFIX')}"
    cython = [sys.executable, "-m", "cython", "-3", "-I", str(folder / "pyx"), str(source)]
    cython += ["--module-name", "tocsin.compat.queuecore", "-o", str(generated)]
    cython += [word for directive in CYTHON for word in ("-X", directive)]
    gcc = ["gcc", "-O0", "-w", "-shared", "-fPIC", "-D_GNU_SOURCE", f"-I{sysconfig.get_path('include')}"]
    gcc += [f"-I{folder / 'pyx'}", f"-I{folder / 'pyx' / 'tocsin' / 'include'}", str(generated)]
    for command in (cython, [*gcc, "-o", str(module)]):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return folder
