"""Layers 0 to 4 for other machines and another libc: compiled without a new warning, and run.

The C text of tests/native/driver.pyx, as Cython made it for this machine, is compiled by another compiler. It
includes Python.h, though nothing of Python is linked: this machine's header is right for every 64-bit Linux.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from tests.native import programs
from tests.sanitize import tools
from tests.verify.row import NotRun, Row

SITUATIONS = re.findall(r'{"(\w+)", \1}', (programs.HERE / "situations.c").read_text())
STAGES = ["native", "both", "python"]
WRITERS = ["locked", "shared", "exclusive"]
WARNINGS = ["-Wall", "-Wextra", "-Wno-unused-parameter"]
PLANTED = ["pending_after", "two_workers", "index_first"]  # of tests/native/mutants


def aarch64(budget: float, folder: Path) -> Row:
    compiler = tools.need("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu libc6-dev-arm64-cross")
    qemu = tools.need("qemu-aarch64", "qemu-user")
    version = subprocess.run([qemu, "--version"], capture_output=True, text=True).stdout.split()[2]
    row = Portable(folder / "aarch64", tools.source(folder) / "pyx", compiler, ["-static"], [qemu])
    return row.row("aarch64 (qemu)", f"{Path(compiler).name}, qemu-user {version}", budget)


def musl(budget: float, folder: Path) -> Row:
    """musl has neither the kernel's headers, which the futex needs, nor the context calls of the machine."""
    compiler = tools.need("musl-gcc", "musl-tools")
    kernel = folder / "kernel"
    kernel.mkdir(exist_ok=True)
    triple = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True).stdout.strip()
    for name, place in (("linux", "linux"), ("asm-generic", "asm-generic"), ("asm", f"{triple}/asm")):
        if not Path("/usr/include", place).exists():
            raise NotRun(f"/usr/include/{place} is missing: apt-get install linux-libc-dev")
        (kernel / name).unlink(missing_ok=True)
        (kernel / name).symlink_to(Path("/usr/include", place))
    flags = ["-static", "-idirafter", str(kernel)]
    row = Portable(
        folder / "musl", tools.source(folder) / "pyx", compiler, flags, [], [tools.HERE / "ucontext.c"]
    )
    return row.row("musl", f"musl-gcc, {triple or 'this machine'}", budget)


class Portable:
    """The programs of tests/native, built by one more compiler."""

    def __init__(
        self,
        work: Path,
        pyx: Path,
        compiler: str,
        flags: list[str],
        runner: list[str],
        more: Sequence[Path] = (),
    ) -> None:
        self.work, self.pyx, self.compiler = work, pyx, compiler
        self.flags, self.runner, self.more = flags, runner, more
        self.warnings: list[str] = []
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)

    def row(self, check: str, ran: str, budget: float) -> Row:
        seconds = str(max(2, round(budget / 100)))
        situations = self.build("situations", self.work, self.pyx, programs.EXPLORE)
        stress = self.build("stress", self.work, self.pyx, [])
        problems, points = list(self.warnings), 0
        for command in self.commands(budget):
            told = self.run(situations, command)
            figure = re.fullmatch(r"\w+: (\d+) points\n", told)
            points += int(figure[1]) if figure else 0
            if not figure or not int(figure[1]):
                problems.append(f"{' '.join(command)}: {told.strip()}")
        told = self.run(stress, [seconds, "100"])
        figure = re.match(r"(\d+) rounds, (\d+) events", told)
        events = int(figure[2]) if figure else 0
        if not events:
            problems.append(f"stress: {told.strip()}")
        caught = [name for name in PLANTED if self.notices(name)]
        survived = [name for name in PLANTED if name not in caught]
        return Row(
            check,
            f"{ran}, situations and stress",
            events,
            "events",
            1000,
            len(problems),
            len(PLANTED),
            len(caught),
            f"{points} points, {len(self.warnings)} new warnings; {'; '.join([*problems, *survived])}".rstrip(
                "; "
            ),
        )

    def commands(self, budget: float) -> list[list[str]]:
        """Return the situations to run: all of them, or all but the long one with one choice each."""
        if budget >= 1500:
            return [[name, stage, way] for name in SITUATIONS for stage in STAGES for way in WRITERS]
        return [[name, "both", "shared"] for name in SITUATIONS if name != "twice"]

    def build(self, name: str, folder: Path, pyx: Path, flags: list[str]) -> Path:
        """Compile a program; warnings that this machine's compiler doesn't give go into `warnings`."""
        work = folder / name
        work.mkdir()
        translate = [sys.executable, "-m", "cython", "-3", "-I", str(pyx), "-o", str(work / "driver.c")]
        translate += [word for directive in programs.DIRECTIVES for word in ("-X", directive)]
        tools.run([*translate, str(programs.HERE / "driver.pyx")], work)
        sources = [work / "driver.c", *(programs.HERE / source for source in programs.SOURCES[name])]
        includes = [pyx, pyx / "tocsin" / "include", programs.HERE, Path(sysconfig.get_path("include"))]
        options = [
            "-std=gnu11",
            "-O2",
            "-g1",
            "-pthread",
            *flags,
            *WARNINGS,
            *(f"-I{path}" for path in includes),
        ]
        options += ["-ffunction-sections", "-fdata-sections"]
        told = self.compile([self.compiler, *options, *self.flags], sources, work / "objects")
        if told:
            self.warnings += sorted(told - self.compile(["gcc", *options], sources, work / "here"))
        program = work / name
        objects = [str(path) for path in sorted((work / "objects").glob("*.o"))]
        link = [self.compiler, "-O2", "-pthread", *self.flags, *objects, *map(str, self.more)]
        tools.run([*link, "-Wl,--gc-sections", "-o", str(program)], folder)
        return program

    def compile(self, command: list[str], sources: list[Path], folder: Path) -> set[str]:
        """Compile each file into a folder; the warnings."""
        folder.mkdir()
        warnings: set[str] = set()
        for path in sources:
            target = ["-c", str(path), "-o", str(folder / f"{path.stem}.o")]
            done = subprocess.run([*command, *target], capture_output=True, text=True)
            assert done.returncode == 0, f"{' '.join(command)} {path}:\n{done.stderr}"
            warnings |= set(re.findall(r"^.*: warning: .*$", done.stderr, re.MULTILINE))
        return warnings

    def notices(self, name: str) -> bool:
        """Return whether a planted bug is noticed on the other machine too, by the check of its patch."""
        folder = self.work / name
        folder.mkdir()
        mutant = programs.read_mutant(programs.MUTANTS[name])
        program = self.build("situations", folder, mutant.plant(folder), programs.EXPLORE)
        return all(
            self.run(program, command[1:]).startswith(f"FAILED {check}:") for command, check in mutant.runs
        )

    def run(self, program: Path, arguments: list[str]) -> str:
        """Run a program and return what it printed."""
        try:
            done = subprocess.run(
                [*self.runner, str(program), *arguments], capture_output=True, text=True, timeout=1800
            )
        except subprocess.TimeoutExpired:
            return "hangs"
        return done.stdout + done.stderr + (f"exit code {done.returncode}" if done.returncode else "")
