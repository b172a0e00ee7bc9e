"""Build the C programs of this folder from the declarations of a checkout, and mutants of them.

Cython translates driver.pyx together with the .pxd text of the given pyx/ folder, and the C compiler
puts it beside the plain C files. Sections that nothing refers to are left out by the linker; what remains
names no symbol of Python, so that none is linked (a Python object anywhere on the path would be an
undefined symbol).
"""

import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PYX = HERE.parent.parent / "pyx"
COMPILER = shutil.which("gcc") or shutil.which("clang")

SOURCES = {
    "situations": ["situations.c", "crossings.c", "scene.c", "seam/machine.c"],
    "stress": ["stress.c", "watch.c"],
}
EXPLORE = ["-DTOCSIN_EXPLORE", f"-I{HERE / 'seam'}"]
THREAD = ["-O1", "-fsanitize=thread"]
ADDRESS = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
# Without this, the addresses of unused Python objects count as used.
ADDRESS += ["--param", "asan-globals=0"] if "gcc" in str(COMPILER) else ["-mllvm", "-asan-globals=0"]

# Same directives as the release build, as far as they change what is generated for this text.
DIRECTIVES = ["cdivision=True", "boundscheck=False", "wraparound=False", "initializedcheck=False"]
MISSING = (
    "{compiler} can't link {flags}; install its runtime: on Debian gcc and libc6-dev (libtsan, libasan and "
    "libubsan come with gcc), or clang and libclang-rt-14-dev"
)


def build(name: str, flags: list[str], folder: Path, pyx: Path = PYX) -> Path:
    """Compile a program into `folder`; an unusable compiler fails the test and says what to install."""
    if COMPILER is None:
        pytest.fail("no C compiler: install gcc and libc6-dev")
    folder.mkdir(parents=True, exist_ok=True)
    generated, program = folder / "driver.c", folder / name
    translate = [sys.executable, "-m", "cython", "-3", "-I", str(pyx), "-o", str(generated)]
    translate += [word for directive in DIRECTIVES for word in ("-X", directive)]
    run([*translate, str(HERE / "driver.pyx")])
    folders = [pyx, pyx / "tocsin" / "include", HERE, Path(sysconfig.get_path("include"))]
    command = [COMPILER, "-std=gnu11", "-g1", "-w", "-pthread", *flags]
    command += [f"-I{path}" for path in folders]
    command += ["-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections"]
    command += [str(generated), *(str(HERE / source) for source in SOURCES[name]), "-o", str(program)]
    run(command)
    return program


def run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True)
    told = result.stdout + result.stderr
    sanitizers = [word for word in command if word.startswith("-fsanitize")]
    if sanitizers and re.search(r"cannot find .*(san|clang_rt)|unrecognized|unsupported", told):
        pytest.fail(MISSING.format(compiler=command[0], flags=" ".join(sanitizers)) + "\n" + told)
    assert result.returncode == 0, told


def execute(program: Path, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a program; a sanitizer's report ends it with exit code 66."""
    options = "halt_on_error=1 exitcode=66"
    result = subprocess.run(
        [str(program), *arguments],
        env={"TSAN_OPTIONS": options, "ASAN_OPTIONS": options, "UBSAN_OPTIONS": options},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    if "unexpected memory mapping" in result.stderr:
        pytest.fail("ThreadSanitizer doesn't start here; as root: sysctl vm.mmap_rnd_bits=28")
    return result


# ---------------------------------------------------------------------------------------- mutants


@dataclass(frozen=True)
class Mutant:
    """A wrong core: what is changed, and which command must end with which complaint."""

    title: str
    runs: list[tuple[list[str], str]]
    hunks: list[tuple[str, str, str]]  # path below pyx/, old text, new text

    def plant(self, folder: Path) -> Path:
        """Copy pyx/ into `folder` and change it. Each old text must be there exactly once."""
        pyx = folder / "pyx"
        shutil.copytree(PYX, pyx)
        for path, old, new in self.hunks:
            target = pyx / path
            text = target.read_text()
            assert text.count(old) == 1, f"{path} has changed; write the patch anew:\n{old}"
            target.write_text(text.replace(old, new))
        return pyx


def read_mutant(path: Path) -> Mutant:
    """Read a unified diff; line numbers don't matter, the text of each hunk does."""
    head, *files = re.split(r"^--- a/pyx/.*\n\+\+\+ b/pyx/(?=.)", path.read_text(), flags=re.MULTILINE)
    runs = re.findall(r"^Run: (.*)\nCheck: (.*)$", head, re.MULTILINE)
    hunks = []
    for text in files:
        name, _, rest = text.partition("\n")
        for hunk in re.split(r"^@@.*\n", rest, flags=re.MULTILINE)[1:]:
            lines = [line for line in hunk.splitlines(keepends=True) if line[0] in " +-"]
            old = "".join(line[1:] for line in lines if line[0] != "+")
            new = "".join(line[1:] for line in lines if line[0] != "-")
            hunks.append((name.strip(), old, new))
    return Mutant(head.splitlines()[0], [(command.split(), check) for command, check in runs], hunks)


MUTANTS = {path.stem: path for path in sorted((HERE / "mutants").glob("*.patch"))}
