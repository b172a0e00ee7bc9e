"""Tools, copies of the tree with a sanitized core, and runs of the tests in them."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tests.native import programs
from tests.sanitize import reports, suite
from tests.verify.row import NotRun

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
GENERATED = shutil.ignore_patterns("build", "dist", "*.so", "__pycache__", ".*", "*.egg-info")
GIVEN_UP = 1800.0  # seconds after which a run has hung
LONG_ENOUGH = 90.0  # with a planted bug: what it breaks may hang, and it was reported long before

SWITCHES = {
    "plain": {"TOCSIN_DEBUG": "symbols"},  # for valgrind, which looks after memory by itself
    "checked": {},  # for tests/checked
    "thread": {"TOCSIN_SANITIZE": "thread"},
    "address": {"TOCSIN_SANITIZE": "address,undefined"},
    # For tests/fuzz: the compiler of the library that is loaded there, which counts edges too.
    "fuzz": {"TOCSIN_SANITIZE": "fuzzer-no-link,address", "CC": "clang", "LDSHARED": "clang -shared"},
}


def need(tool: str, package: str) -> str:
    """Return the path of a tool; a missing one is NotRun."""
    found = shutil.which(tool)
    if found is None:
        raise NotRun(f"{tool} is missing: apt-get install {package}")
    return found


def runtime(name: str) -> str:
    """Return the path of a sanitizer's runtime, to be preloaded."""
    gcc = need("gcc", "gcc libc6-dev")
    found = subprocess.run(
        [gcc, f"-print-file-name={name}.so"], capture_output=True, text=True
    ).stdout.strip()
    if "/" not in found:
        raise NotRun(f"{name}.so is missing: apt-get install gcc (it brings the runtimes of the sanitizers)")
    return found


def run(command: list[str], folder: Path, **extra: str) -> str:
    """Run a command that must succeed; its output."""
    done = subprocess.run(command, cwd=folder, env=os.environ | extra, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
    return done.stdout


# ------------------------------------------------------------------------------------- trees


def source(folder: Path) -> Path:
    """Return a copy of the tree, made once: what is edited meanwhile is not seen."""
    copy = folder / "source"
    if not copy.exists():
        shutil.copytree(ROOT, copy, ignore=GENERATED)
    return copy


def tree(folder: Path, kind: str) -> Path:
    """Return a copy of the tree in which the core was built in place, made once per kind."""
    need("gcc", "gcc libc6-dev")
    copy = folder / kind
    if not copy.exists():
        shutil.copytree(source(folder), copy)
        translated = next(
            (path for other in SWITCHES if (path := folder / other / "build/cython").exists()), None
        )
        if translated:  # the C text is the same for each kind
            shutil.copytree(translated, copy / "build/cython")
        try:
            build(copy, kind)
        except BaseException:  # half a tree must not be taken for one the next time
            shutil.rmtree(copy)
            raise
    return copy


def build(copy: Path, kind: str, *options: str) -> None:
    switches = {"TOCSIN_DEBUG": "1", "PYTHONPATH": ""} | SWITCHES[kind]
    run([sys.executable, "setup.py", "-q", "build_ext", "--inplace", *options], copy, **switches)


def planted_tree(folder: Path, kind: str, plants: list["Planted"], name: str = "planted") -> Path:
    """Return a copy of tree() with planted bugs; only the modules that the patches name are built anew."""
    copy = folder / f"{kind}-{name}"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(tree(folder, kind), copy, ignore=shutil.ignore_patterns("pyx", "temp*", "lib*"))
    modules = {module for plant in plants for module in plant.modules}
    hunks = list({hunk: None for plant in plants for hunk in plant.mutant.hunks})
    programs.Mutant("all of them", [], hunks).plant(copy)
    for path in (copy / "pyx").rglob("*.pyx"):
        if path.stem not in modules:
            path.unlink()
    build(copy, kind, "--force")
    return copy


# ------------------------------------------------------------------------------ planted bugs


@dataclass(frozen=True)
class Planted:
    """A wrong core and what one check must say of it."""

    name: str
    mutant: programs.Mutant
    modules: list[str]
    tests: list[str]
    complaint: str

    def is_in(self, found: list[str]) -> bool:
        return any(re.search(self.complaint, report) for report in found)


def planted(target: str, folder: Path = HERE / "planted") -> list[Planted]:
    """Return what a folder holds for a check. `Run:` gives the check, the modules to build and the tests."""
    plants = []
    for path in sorted(folder.glob("*.patch")):
        mutant = programs.read_mutant(path)
        for (check, *words), complaint in mutant.runs:
            if check == target:
                modules = words[0].split(",") if words else []
                plants.append(Planted(path.stem, mutant, modules, words[1:], complaint))
    return plants


def in_turn(plants: list[Planted], is_whole: bool) -> list[Planted]:
    """Return all, or in the short form the one whose turn it is today."""
    return plants if is_whole or not plants else [plants[date.today().toordinal() % len(plants)]]


def missed(plants: list[Planted], caught: list[Planted]) -> str:
    names = [plant.name for plant in plants if plant not in caught]
    return f"not noticed: {', '.join(names)}" if names else ""


# -------------------------------------------------------------------------------- test runs


@dataclass
class Outcome:
    passed: int
    failed: int
    found: list[str]  # reports that are findings
    others: int  # leaks of the interpreter
    text: str


def environment(copy: Path, kind: str, logs: Path, more: str = "") -> dict[str, str]:
    """Return the environment in which an interpreter and its children run the core of a tree."""
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    variables = {
        "PYTHONPATH": f"{copy / 'src'}{os.pathsep}{copy}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONMALLOC": "malloc",  # every object is a block of its own
    }
    if kind == "thread":
        variables["LD_PRELOAD"] = runtime("libtsan")
        variables["TSAN_OPTIONS"] = f"exitcode=66{more}:log_path={logs}/tsan"
    elif kind == "address":
        hook = logs.parent / "on_report.so"
        compile_it = [need("gcc", "gcc libc6-dev"), "-shared", "-fPIC", str(HERE / "on_report.c")]
        run([*compile_it, "-o", str(hook)], copy)
        variables["LD_PRELOAD"] = " ".join([runtime("libasan"), str(hook), runtime("libubsan")])
        variables["UBSAN_REPORTS"] = str(logs / "ubsan")
        # Leaks are looked for in interpreters only: compilers, which tests start too, free little. What is
        # found is read in the log, so it needs no exit code. use_sigaltstack: when the interpreter
        # ends a thread by pthread_exit(), the runtime would report its own write to the stack that is left.
        for name in {Path(sys.executable).name, Path(sys.executable).resolve().name, "python", "python3"}:
            (logs.parent / f"{name}.options").write_text("detect_leaks=1\nexitcode=0\n")
        options = "detect_leaks=0:abort_on_error=1:use_sigaltstack=0:malloc_context_size=40"
        options += f":include_if_exists={logs.parent}/%b.options{more}"
        variables["ASAN_OPTIONS"] = f"{options}:log_path={logs}/asan"
        # At its first report libubsan gives its own path to everybody.
        variables["UBSAN_OPTIONS"] = f"print_stacktrace=1:log_path={logs}/asan"
    return os.environ | variables


def reported(copy: Path, kind: str, plants: list[Planted]) -> list[Planted]:
    """Run for each planted bug the tests that its patch names; those that the sanitizer reported."""
    caught = []
    for plant in plants:
        outcome = pytest(copy, kind, plant.tests, ":halt_on_error=1", LONG_ENOUGH)
        caught += [plant] if plant.is_in(outcome.found) else []
    return caught


def judge(logs: Path) -> tuple[list[str], int]:
    """Return the findings in a folder of logs, and how many other reports there are."""
    every, allowed = reports.read(logs), reports.suppressions()
    found = [report for report in every if reports.is_ours(report, allowed)]
    return found, len(every) - len(found)


def pytest(
    copy: Path, kind: str, arguments: list[str], options: str = "", timeout: float = GIVEN_UP
) -> Outcome:
    """Run tests of a tree under its sanitizer. A run that ends before its summary counts as one failure."""
    logs = copy / "logs"
    left_out = suite.left_out(suite.THREAD if kind == "thread" else suite.ADDRESS)
    command = [sys.executable, "-u", "-m", "pytest"]
    command += ["-p", "no:cacheprovider", "-p", "tests.sanitize.children"]
    try:
        done = subprocess.run(
            [*command, *left_out, *arguments],
            cwd=copy,
            env=environment(copy, kind, logs, options),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
        )
        text = done.stdout
    except subprocess.TimeoutExpired as expired:
        output = expired.stdout or b""
        text = output if isinstance(output, str) else output.decode(errors="replace")
    (copy / "pytest.txt").write_text(text)
    if "unexpected memory mapping" in text:
        raise NotRun("ThreadSanitizer doesn't start here; as root: sysctl vm.mmap_rnd_bits=28")
    assert f"tocsin from {copy / 'src' / 'tocsin'}" in text, f"the tests had another core:\n{text}"
    summary = re.findall(r"^=+ (.* in [\d.]+s.*) =+$", text, re.MULTILINE)[-1:]
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", str(summary))}
    failed = counts.get("failed", 0) + counts.get("error", 0) + (not counts)
    return Outcome(counts.get("passed", 0), failed, *judge(logs), text)


def failures(outcome: Outcome) -> str:
    """Return the findings of a run in a few words, each kind once."""
    lines = list(dict.fromkeys(map(reports.title, outcome.found)))
    lines += re.findall(r"^(?:FAILED|ERROR) .*", outcome.text, re.MULTILINE) if outcome.failed else []
    return "; ".join(lines)
