"""Compile the core for systems that are not at hand, and run it on Windows as far as Wine is Windows.

    pip install '.[elsewhere]' && python -m tests.elsewhere [SECONDS]

The C text of tests/native/driver.pyx (layers 0 to 4, everything but Python's own part) and the stress program
are compiled and linked by zig, which brings the headers of macOS and Windows along. Any warning counts. What
is linked for Windows then runs under Wine, with the compiler's atomics and with those that Microsoft's gets.
Nothing of Python is linked, so this machine's Python.h will do.

Shows that layer 0 is complete there and, on Windows, that its bells wake and its rings work. Can't show: how
macOS runs it, what Microsoft's compiler makes of it, and the bridge to Python.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parent / "native"
PYX = HERE.parents[1] / "pyx"
DIRECTIVES = ["cdivision=True", "boundscheck=False", "wraparound=False", "initializedcheck=False"]
STRICT = ["-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror"]
# What the translated Cython and this machine's Python.h make of a long of 32 bits is not the core's.
FOREIGN = ["-Wno-sign-compare", "-Wno-absolute-value"]
WINDOWS = ["-DCYTHON_NO_PYINIT_EXPORT", "-Dflockfile(f)=(void)(f)", "-Dfunlockfile(f)=(void)(f)"]
WINDOWS += ["-lapi-ms-win-core-synch-l1-2-0", *FOREIGN]
TARGETS = {
    "macOS arm64": ("aarch64-macos", []),
    "macOS x86-64": ("x86_64-macos", []),
    "Windows": ("x86_64-windows-gnu", WINDOWS),
    "Windows, interlocked": ("x86_64-windows-gnu", [*WINDOWS, "-DTOCSIN_INTERLOCKED"]),
}


def translated(folder: Path) -> Path:
    """Return the driver as C."""
    driver = folder / "driver.c"
    command = [sys.executable, "-m", "cython", "-3", "-I", str(PYX), "-o", str(driver)]
    command += [word for directive in DIRECTIVES for word in ("-X", directive)]
    subprocess.run([*command, str(NATIVE / "driver.pyx")], check=True)
    return driver


def build(driver: Path, target: str, flags: list[str]) -> tuple[Path, str]:
    """Return the program for a target and what the compiler had to say; an error is in there too."""
    folder = Path(tempfile.mkdtemp(dir=driver.parent))
    (folder / "sys").mkdir()
    (folder / "sys" / "select.h").touch()  # Python.h of a Linux asks for it
    folders = [PYX, PYX / "tocsin" / "include", NATIVE, Path(sysconfig.get_path("include"))]
    includes = [f"-I{path}" for path in folders]
    if "windows" in target:
        includes.append(f"-I{folder}")
    program = folder / "stress.exe"
    command = [
        sys.executable,
        "-m",
        "ziglang",
        "cc",
        "-target",
        target,
        "-std=gnu11",
        "-O2",
        *STRICT,
        *includes,
    ]
    command += ["-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-o", str(program)]
    command += [str(driver), str(NATIVE / "stress.c"), str(NATIVE / "watch.c"), *flags]
    told = subprocess.run(command, capture_output=True, text=True).stderr
    unused = sorted(set(re.findall(r"undefined symbol: (_?Py\w+)", told)))
    if unused:  # of Python, in functions that nobody calls: the other linkers leave those out
        stubs = folder / "unused.c"
        stubs.write_text(
            "void abort(void);\n" + "".join(f"void {name}(void) {{ abort(); }}\n" for name in unused)
        )
        told = subprocess.run([*command, str(stubs)], capture_output=True, text=True).stderr
    return program, told


def run(program: Path, seconds: str) -> tuple[bool, str]:
    """Run a program of Windows; True and its figures if it found nothing wrong."""
    wine = shutil.which("wine")
    if wine is None:
        return True, "compiled; NOT RUN, no wine on this machine"
    environment = {"WINEPREFIX": str(program.parent / "wine"), "WINEDEBUG": "-all", "PATH": "/usr/bin:/bin"}
    command = [wine, str(program), seconds, "100"]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    except subprocess.TimeoutExpired:
        return False, "hangs"
    figures = re.match(r"\d+ rounds, ([1-9]\d*) events", done.stdout)
    told = figures[0] if figures else (done.stdout + done.stderr).strip()
    return bool(figures) and done.returncode == 0, told


def main() -> int:
    seconds = sys.argv[1] if len(sys.argv) > 1 else "5"
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        driver = translated(Path(folder))
        for name, (target, flags) in TARGETS.items():
            program, told = build(driver, target, flags)
            well = program.is_file() and not told
            if well and "windows" in target:
                well, told = run(program, seconds)
            failures += not well
            print(f"{'ok' if well else 'FAILED':6}  {name:20}  {told or 'compiled; never run'}", flush=True)
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
