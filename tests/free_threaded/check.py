"""The tests on a Python without a GIL: they pass, the GIL stays off, and bugs planted there are caught.

Each patch of mutants/ begins with what is wrong, then `Run:` the test that must notice and `Check:` what its
output must then hold, a regular expression. The same tests pass on the text as it is.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.native.programs import Mutant, read_mutant
from tests.verify.row import NotRun, Row

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MUTANTS = sorted((HERE / "mutants").glob("*.patch"))

NAMES = ("python3.14t", "python3.13t")
PLACES = ("~/.pyenv/versions/*t/bin/python", "/opt/python3*t/bin/python3*t", "~/.local/bin/python3*t")
HOW = (
    "no free-threaded CPython here: name one in TOCSIN_FREE_THREADED, or get one, by `pyenv install 3.14t`, "
    "by `uv python install 3.14t`, or from the sources of CPython by `./configure --disable-gil "
    "--prefix=/opt/python3.14t && make && make install`"
)
WHICH = """
import platform, sysconfig
print(platform.python_version(), sysconfig.get_config_var("Py_GIL_DISABLED"))
"""

# What can't be installed for such a build is left out, and with it the tests that need it.
OPTIONAL = {
    "build": ["tests/test_artifacts.py"],
    "mypy": ["tests/typing", "tests/test_house_rules.py"],
    "pyright": ["tests/typing"],
    "cffi": [],  # the tests of these three skip themselves
    "numba": [],
    "uvloop": [],
}
# These compile the core's text into programs of their own: no Python takes part in them.
WITHOUT_PYTHON = ["tests/native", "tests/interleave", "tests/verify"]
TRIES = 20  # of a test to notice a mutant
FULL = 100.0  # seconds: with less the tests with many threads are all that runs
SHORT = [["-m", "stress", "tests/concurrency"], ["tests/free_threaded"]]
CERTAIN = {"gil_on"}  # the mutants that a test notices whatever the timing: all that the short form plants
COUNT = re.compile(r"(\d+) (passed|failed|errors?)\b")


def rows(budget: float, folder: Path) -> list[Row]:
    """Install the project for a free-threaded Python, run its tests, then each mutant's own."""
    began = time.monotonic()
    is_whole = budget >= FULL
    interpreter, version = find_interpreter()
    python, missing = make_environment(interpreter, folder / "venv")
    tree = copy_tree(folder / "shipped")
    must(run(python, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", tree, cwd=folder))
    counts, note = run_tests(python, tree, is_whole, missing)
    planted = [path for path in MUTANTS if is_whole or path.stem in CERTAIN]
    unnoticed = [not_noticed(path, python, tree, folder) for path in planted]
    note += [f"survived: {title}" for title in unnoticed if title]
    note += [f"{name} can't be installed" for name in missing]
    what = "the whole suite" if is_whole else "the tests with many threads"
    return [
        Row(
            check="free-threaded",
            ran=f"CPython {version} without a GIL: {what}, {time.monotonic() - began:.0f} s",
            work=counts["passed"],
            unit="tests",
            minimum=1000 if is_whole else 30,
            violations=counts["failed"],
            planted=len(planted),
            caught=unnoticed.count(""),
            note="; ".join(note),
        )
    ]


# --------------------------------------------------------------------------------- the interpreter


def find_interpreter() -> tuple[str, str]:
    """Return a free-threaded interpreter and its version, or raise NotRun saying how to get one."""
    named = os.environ.get("TOCSIN_FREE_THREADED")
    found = [shutil.which(name) for name in NAMES]
    found += sorted((path for place in PLACES for path in glob.glob(os.path.expanduser(place))), reverse=True)
    for candidate in [named] if named else filter(None, found):
        try:
            told = run(candidate, "-c", WHICH, cwd=Path.cwd()).stdout.split()
        except OSError:
            continue
        if told[1:] == ["1"]:
            return str(candidate), told[0]
    raise NotRun(f"TOCSIN_FREE_THREADED={named} is no free-threaded CPython" if named else HOW)


def extras() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: dict[str, list[str]] = project["optional-dependencies"]
    return found


def expanded(extras: dict[str, list[str]], name: str) -> Iterator[str]:
    """Yield what an extra asks for, with what the extras that it names ask for."""
    for requirement in extras[name]:
        ours = re.fullmatch(r"tocsin\[(.+)\]", requirement)
        if ours is None:
            yield requirement
        else:
            for other in ours[1].split(","):
                yield from expanded(extras, other.strip())


def make_environment(interpreter: str, venv: Path) -> tuple[Path, list[str]]:
    """Make an environment with what the tests need: its Python, and what could not be had."""
    must(run(interpreter, "-m", "venv", "--clear", venv, cwd=venv.parent))
    python = venv / "bin" / "python"
    missing = []
    for requirement in expanded(extras(), "test"):
        name = re.split(r"\W", requirement)[0]
        # Only wheels: what has none for such a build mostly can't be compiled for it either.
        result = run(python, "-m", "pip", "install", "-q", "--only-binary=:all:", requirement, cwd=venv)
        if result.returncode and name not in OPTIONAL:
            raise NotRun(f"pip finds no wheel of {requirement} for {interpreter}: {result.stdout[-500:]}")
        if result.returncode:
            missing.append(name)
    return python, missing


def copy_tree(target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    unwanted = "build dist .git .venv* venv .*cache .hypothesis __pycache__ *.egg-info *.so"
    shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(*unwanted.split()))
    return target


def run(*command: object, cwd: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a command that knows nothing of this one's switches and paths."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "PYTHON"))}
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=kept | extra,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def must(result: subprocess.CompletedProcess[str]) -> str:
    if result.returncode:
        raise RuntimeError(f"{result.args} ended with {result.returncode}: {result.stdout[-4000:]}")
    return result.stdout


# ---------------------------------------------------------------------------------------- the tests


def run_tests(
    python: Path, tree: Path, is_whole: bool, missing: list[str]
) -> tuple[dict[str, int], list[str]]:
    """Run the suite: its figures, and what failed. A run that ends without figures is a failure."""
    left_out = [*WITHOUT_PYTHON, *(path for name in missing for path in OPTIONAL[name])]
    whole = [["tests", *(f"--ignore={path}" for path in sorted(set(left_out)))]]
    counts = {"passed": 0, "failed": 0}
    note = []
    for arguments in whole if is_whole else SHORT:
        result = pytest(python, tree, *arguments)
        last = result.stdout.strip().rpartition("\n")[2]
        told = {word: int(n) for n, word in COUNT.findall(last)}
        counts["passed"] += told.get("passed", 0)
        failed = told.get("failed", 0) + told.get("errors", 0) + told.get("error", 0)
        counts["failed"] += failed or (result.returncode != 0)
        note += re.findall(r"^(?:FAILED|ERROR) .*", result.stdout, re.MULTILINE)
        note += re.findall(r"^Fatal Python error: .*", result.stdout, re.MULTILINE)
    return counts, note


def pytest(python: Path, tree: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, cwd=tree, **extra)


def not_noticed(path: Path, python: Path, shipped: Path, folder: Path) -> str:
    """Return the title of a mutant that its test did not notice, or nothing.

    Two threads must meet in a few instructions: so a test has several tries, and must pass as many on the
    text as it is.
    """
    mutant: Mutant = read_mutant(path)
    tree = folder / path.stem
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(shipped, tree)  # with what was built: what the mutant touches is made anew
    shutil.rmtree(tree / "pyx")
    mutant.plant(tree)
    must(run(python, "setup.py", "-q", "build_ext", cwd=tree))
    (built,) = tree.glob("build/lib.*")
    for (test, *_), expected in mutant.runs:
        tries = 1
        result = pytest(python, tree, test, PYTHONPATH=str(built))
        while result.returncode == 0 and tries < TRIES:
            tries += 1
            result = pytest(python, tree, test, PYTHONPATH=str(built))
        if result.returncode == 0 or not re.search(expected, result.stdout):
            return mutant.title
        if any(pytest(python, shipped, test).returncode for _ in range(tries)):
            return f"{mutant.title} (but {test} fails without it too)"
    return ""


if __name__ == "__main__":
    for row in rows(float(sys.argv[1]), Path(sys.argv[2])):
        print(row.verdict, row)
