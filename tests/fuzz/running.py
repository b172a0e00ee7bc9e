"""Run targets in the fuzzer: a process each, with the address sanitizer beneath it.

The fuzzer and the sanitizer's runtime come with atheris; clang compiles the core so that both see into it. A
run begins with the kept inputs or with none, ends after a time or at the first crash, and says what it did.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.sanitize import tools
from tests.verify.row import NotRun

import tocsin
from native import programs

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGETS = sorted(path.stem for path in (HERE / "targets").glob("[a-z]*.py"))
LONGEST = 256  # bytes of an input that the fuzzer makes up
HANGS = 20  # seconds for one input
SLOW_TO_BEGIN = 120  # seconds on top of those that a run is given

SANITIZER = "detect_leaks=0:quarantine_size_mb=8:use_sigaltstack=0:allocator_may_return_null=1"


@dataclass(frozen=True)
class Outcome:
    """What came of one run."""

    name: str
    executions: int
    edges: int
    crash: bytes | None  # the input
    report: str  # what was said of it

    @property
    def title(self) -> str:
        """The crash in a line."""
        found = re.search(r"^(?:==\d+==ERROR: .*|[\w.]*(?:Error|Exception)\b.*)$", self.report, re.MULTILINE)
        return found[0] if found else self.report[-200:].strip()


def runtime() -> Path:
    """Return the library that is loaded first: the sanitizer's runtime and the fuzzer."""
    found = importlib.util.find_spec("atheris")
    if found is None or found.origin is None:
        raise NotRun(
            "atheris is missing: pip install '.[fuzz]' (it has wheels for CPython 3.11 to 3.14, Linux x86-64)"
        )
    library = Path(found.origin).parent.parent / "asan_with_fuzzer.so"
    if not library.exists():
        raise NotRun(f"this atheris has no {library.name}: install its wheel")
    return library


def run(name: str, tree: Path, seconds: float, folder: Path) -> Outcome:
    """Run a target on the core in `tree`; `folder` has the inputs to begin with and takes new ones."""
    folder.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={max(1, round(seconds))}", f"-timeout={HANGS}", f"-max_len={LONGEST}"]
    text, crash = fuzz(name, tree, [*options, "-len_control=0", str(folder)], seconds)
    executions = [int(number) for number in re.findall(r"^#(\d+)\t", text, re.MULTILINE)]
    edges = [int(number) for number in re.findall(r"\bcov: (\d+)", text)]
    if crash is None and not re.search(r"^Done \d+ runs", text, re.MULTILINE):
        crash = b""
    report = "" if crash is None else text.partition("INITED")[2] or text
    return Outcome(name, executions[-1] if executions else 0, edges[-1] if edges else 0, crash, report)


def fuzz(name: str, tree: Path, options: list[str], seconds: float) -> tuple[str, bytes | None]:
    """Run the fuzzer with options of its own: what it printed, and the input that it stopped at."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        command = [sys.executable, "-u", "-m", "tests.fuzz.under_atheris", name, f"-artifact_prefix={place}/"]
        variables = {
            "LD_PRELOAD": str(runtime()),
            "ASAN_OPTIONS": SANITIZER,
            "PYTHONMALLOC": "malloc",  # every object is a block of its own
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(map(str, (tree / "src", ROOT, ROOT / "tests"))),
        }
        try:
            done = subprocess.run(
                [*command, *options],
                cwd=place,
                env=os.environ | variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=seconds + SLOW_TO_BEGIN,
            )
        except subprocess.TimeoutExpired as expired:
            return f"INITED {name} hangs: {expired}", b""
        found = sorted(place.glob("*-*"))
        return done.stdout, found[0].read_bytes() if found else None


# ------------------------------------------------------------------------------------- builds


def compiler() -> None:
    """See that clang is here, and what it links a sanitized program with; what is missing is NotRun."""
    packages = "clang libclang-rt-dev"
    clang = tools.need("clang", packages)
    asked = [clang, "-print-file-name=libclang_rt.asan_static-x86_64.a"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    if not Path(found).is_file():
        raise NotRun(f"clang has no AddressSanitizer: apt-get install {packages}")


def whole_tree(folder: Path) -> Path:
    """Return a copy of the tree with all of the core compiled for the fuzzer, made once; about a minute."""
    runtime(), compiler()
    return tools.tree(folder, "fuzz")


def few_modules(folder: Path, modules: list[str]) -> Path:
    """Return a copy in which these modules are compiled for the fuzzer; the others are the installed ones."""
    runtime(), compiler()
    copy = folder / "-".join(["few", *modules])
    if not copy.exists():
        shutil.copytree(tools.source(folder), copy)
        for library in (Path(tocsin.__file__).parent / "_core").glob("*.so"):
            shutil.copy2(library, copy / "src/tocsin/_core")
        for path in (copy / "pyx").rglob("*.pyx"):
            if path.stem not in modules:
                path.unlink()
        tools.build(copy, "fuzz", "--force")
    return copy


def planted_tree(folder: Path, tree: Path, plant: tools.Planted) -> Path:
    """Return a copy of a tree with a planted bug; only the modules that its patch names are built anew."""
    copy = folder / plant.name
    shutil.copytree(tree, copy, ignore=shutil.ignore_patterns("pyx", "temp*", "lib*"))
    programs.Mutant(plant.name, [], plant.mutant.hunks).plant(copy)
    for path in (copy / "pyx").rglob("*.pyx"):
        if path.stem not in plant.modules:
            path.unlink()
    tools.build(copy, "fuzz", "--force")
    return copy
