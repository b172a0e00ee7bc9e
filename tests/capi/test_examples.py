"""The native examples: each is compiled as its reader would, without a warning, and prints what it should.

The C++ and the C++17 build of tocsin.h alone are checked too: it needs neither Python.h nor a library.
"""

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

import tocsin
from compiling import STRICT, compiler, run_python
from tocsin.backend import gil_is_off

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "native"

PRINTED = {
    "meter": r"<Event audio\.level source=1 t=\d+\.\d{9} lost=0 Level\(channel=1, peak=0\.5\)>\n",
    "alarm": "sensor 2: 95.5 degrees\nsensor 6: 95.5 degrees\n10000 readings, 2 alarms, 0 lost\n",
    "ticker": "50000 accepted, 50000 seen by Python\nbest: 19.96 20.97 21.98 22.99\n",
    "tally": ("16000 accepted\nall: 16000 events, total 8000.0\nsensor 3: 1000 events, total 500.0\n"),
    "ctypes_only": (
        "context 42, source 3: Limit\\(motor=3, rpm=9000\\)\n"
        "8 bytes: accepted\n"
        "7 bytes: -EINVAL\n"
        "closed: -ESHUTDOWN\n"
    ),
    "soundcard": (
        "375 of 375 blocks, 0 refused; peak 0.50 0.25\n"
        r"\d+ late; the longest callback took \d+ ns(, with real-time priority)?\n"
    ),
    "with_cffi": "10000 accepted\nsensor 2: 95.5 degrees\nsensor 5: 95.5 degrees\nsensor 1: 95.5 degrees\n",
    "with_numba": "16000 accepted\n16000 events, total 8000.0\n",
}


def test_every_example_is_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*PRINTED, "building"}


def case(name: str) -> object:
    """Skip what can't be installed for a Python; where it can, its absence is a failure."""
    package = name.removeprefix("with_")
    absent = name.startswith("with_") and find_spec(package) is None
    skip = pytest.mark.skipif(absent and gil_is_off, reason=f"{package} has no wheel for this Python")
    return pytest.param(name, marks=skip)


@pytest.mark.parametrize("name", [case(name) for name in PRINTED])
def test_native_example(name: str, tmp_path: Path) -> None:
    compilers = {"CC": compiler("gcc"), "CXX": compiler("g++"), "CFLAGS": " ".join(STRICT)}
    result = run_python(EXAMPLES / f"{name}.py", tmp_path, cwd=tmp_path, **compilers)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert re.fullmatch(PRINTED[name], result.stdout), result.stdout


def test_missing_compiler_is_named(tmp_path: Path) -> None:
    result = run_python(EXAMPLES / "meter.py", tmp_path, cwd=tmp_path, CC="no-such-compiler")
    assert result.returncode == 1
    assert "no-such-compiler" in result.stderr
    assert "install" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("name", "standard"), [("gcc", "c11"), ("gcc", "c17"), ("g++", "c++17"), ("g++", "c++20")]
)
def test_header_is_enough(name: str, standard: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text(
        "#include <tocsin.h>\n"
        "#include <tocsin.h>\n"
        "int main(void) { return sizeof(tocsin_event) == 40 ? 0 : 1; }\n"
    )
    program = tmp_path / "program"
    command = [compiler(name), f"-std={standard}", *STRICT, "-Wpedantic", "-Wconversion"]
    command += ["-x", "c++" if name == "g++" else "c", f"-I{tocsin.get_include()}"]
    result = subprocess.run([*command, str(source), "-o", str(program)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert subprocess.run([str(program)]).returncode == 0
