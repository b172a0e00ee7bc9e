"""Build the explorer around the text of a checkout, and run it.

The engine (arena, machine, search) is plain C. The core's text, the driver and the scenes are compiled with
-fsanitize=thread but not linked with its runtime: the calls that the compiler puts before every access lead
to the arena instead (arena.h), which so knows what is touched and what is changed.
"""

import platform
import re
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from native import programs

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parent / "native"
ENGINE = ["arena", "machine", "search", "main"]
SCENES = ["litmus", "works", "events", "channels", "parking"]
CORE = {
    "driver": NATIVE / "driver.pyx",
    "parts": HERE / "parts.pyx",
    "channelparts": HERE / "channelparts.pyx",
    "parkingparts": HERE / "parkingparts.pyx",
}
WATCHED = ["-fsanitize=thread"]
KNOWS_PYTHON = {"parkingparts"}  # its text calls Python when something fails, which no scene brings about


def flags(pyx: Path) -> list[str]:
    folders = [HERE / "seam", HERE, pyx, pyx / "tocsin" / "include", NATIVE, sysconfig.get_path("include")]
    words = ["-std=gnu11", "-g1", "-w", "-DTOCSIN_EXPLORE", "-D_GNU_SOURCE", "-U_FORTIFY_SOURCE"]
    words += ["-ffunction-sections", "-fdata-sections"]
    return words + [f"-I{folder}" for folder in folders]


def runs_here() -> bool:
    """Whether the explorer can switch threads on this machine: it does so by hand, for x86-64."""
    return platform.machine() == "x86_64" and sys.platform == "linux" and programs.COMPILER is not None


def compile_c(source: Path, target: Path, options: list[str]) -> Path:
    programs.run([str(programs.COMPILER), *options, "-c", str(source), "-o", str(target)])
    return target


def compile_core(name: str, folder: Path, pyx: Path, optimize: str) -> Path:
    generated = folder / f"{name}.c"
    translate = [sys.executable, "-m", "cython", "-3", "-I", str(pyx), "-o", str(generated)]
    translate += [word for directive in programs.DIRECTIVES for word in ("-X", directive)]
    programs.run([*translate, str(CORE[name])])
    target = compile_c(generated, folder / f"{name}.o", [optimize, *WATCHED, *flags(pyx)])
    if name in KNOWS_PYTHON:
        take_python_out(target)
    return target


def take_python_out(target: Path) -> None:
    """Give an object file stand-ins for Python's functions: no error has occurred, and the rest stops."""
    listing = subprocess.run(["nm", "-u", str(target)], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"\bU (_?Py\w+)", listing)
    source, joined = target.with_suffix(".python.c"), target.with_suffix(".joined.o")
    bodies = {"PyErr_Occurred": "return 0;"}
    stand_ins = [f"void *{name}(void) {{ {bodies.get(name, '__builtin_trap();')} }}\n" for name in names]
    source.write_text("".join(stand_ins))
    python = compile_c(source, target.with_suffix(".python.o"), ["-w", "-ffunction-sections"])
    programs.run(["ld", "-r", str(target), str(python), "-o", str(joined)])
    programs.run(
        ["objcopy", "-w", "--localize-symbol=Py*", "--localize-symbol=_Py*", str(joined), str(target)]
    )


def build_engine(folder: Path) -> list[Path]:
    """Compile what doesn't depend on the text under test."""
    folder.mkdir(parents=True, exist_ok=True)
    options = {name: ["-O2", *flags(programs.PYX)] for name in ENGINE}
    options |= {name: ["-O2", *WATCHED, *flags(programs.PYX)] for name in SCENES}
    with ThreadPoolExecutor(2) as pool:
        return list(
            pool.map(lambda name: compile_c(HERE / f"{name}.c", folder / f"{name}.o", options[name]), options)
        )


def build(
    engine: list[Path],
    folder: Path,
    pyx: Path = programs.PYX,
    optimize: str = "-O2",
    ready: Mapping[str, Path] = MappingProxyType({}),
) -> Path:
    """Put the engine and a core together, of which some parts may be ready: the program."""
    folder.mkdir(parents=True, exist_ok=True)
    core = [ready.get(name) or compile_core(name, folder, pyx, optimize) for name in CORE]
    program = folder / "explore"
    programs.run([str(programs.COMPILER), "-Wl,--gc-sections", *map(str, engine + core), "-o", str(program)])
    return program


@dataclass(frozen=True)
class Found:
    """What one run of the program said."""

    command: str
    outcome: str  # exhausted, time, table, sampled; or the failed check
    steps: int
    accesses: int
    ends: int
    seconds: float
    text: str

    @property
    def failed(self) -> bool:
        return self.text.startswith("FAILED")


_LINE = re.compile(r"outcome=(\w+) steps=(\d+) accesses=(\d+).* ends=(\d+) depth=\d+ seconds=([\d.]+)")


def explore(program: Path, *words: str, timeout: float = 3600) -> Found:
    """Run one exploration; an answer that can't be read is an error, not a success."""
    result = subprocess.run([str(program), *words], capture_output=True, text=True, timeout=timeout)
    text = result.stdout + result.stderr
    command = "explore " + " ".join(words)
    if result.returncode == 1 and (failed := re.match(r"FAILED ([\w-]+): ", text)):
        steps = re.search(r"after steps=(\d+)", text)
        return Found(command, failed[1], int(steps[1]) if steps else 0, 0, 0, 0.0, text)
    line = _LINE.search(text)
    if result.returncode != 0 or line is None:
        raise RuntimeError(f"{command}: exit status {result.returncode}\n{text}")
    outcome, steps_, accesses, ends, seconds = line.groups()
    return Found(command, outcome, int(steps_), int(accesses), int(ends), float(seconds), text)


def scenes(program: Path) -> list[str]:
    return subprocess.run([str(program), "--list"], capture_output=True, text=True, check=True).stdout.split()


def explore_all(program: Path, commands: list[list[str]], at_once: int = 2) -> list[Found]:
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda words: partial(explore, program)(*words), commands))
