"""Compile C for tests; a missing compiler is a failure that says what to install, never a skip."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import tocsin

STRICT = ["-Wall", "-Wextra", "-Werror"]
PACKAGES = "gcc g++ libc6-dev"


def compiler(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is missing and these tests need it: apt-get install {PACKAGES}")
    return found


def compile_library(source: Path, folder: Path, *options: str) -> Path:
    """Compile one C11 file into a shared library, without a single warning."""
    library = folder / f"{source.stem}.so"
    command = [compiler("gcc"), "-std=c11", *STRICT, "-O2", "-shared", "-fPIC", "-pthread"]
    command += [f"-I{tocsin.get_include()}", *options, str(source), "-o", str(library)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return library


def compile_module(source: Path) -> Path:
    """Compile one .pyx file into a module beside it, as a user of tocsin's .pxd would."""
    pxd = Path(tocsin.get_include()).parents[1]
    cython = [sys.executable, "-m", "cython", "-3", "-I", str(pxd), str(source)]
    result = subprocess.run(cython, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    library = source.with_suffix(str(sysconfig.get_config_var("EXT_SUFFIX")))
    command = [compiler("gcc"), "-O2", "-shared", "-fPIC", f"-I{tocsin.get_include()}"]
    command += [f"-I{sysconfig.get_path('include')}", str(source.with_suffix(".c")), "-o", str(library)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return library


def environment(**extra: str) -> dict[str, str]:
    """Return the environment in which a subprocess, in any folder, imports this very tocsin."""
    root = str(Path(tocsin.__file__).resolve().parents[1])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"PYTHONPATH": path} | extra


def run_python(*arguments: object, cwd: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a program of this interpreter in a subprocess."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=environment(**extra),
        capture_output=True,
        text=True,
        timeout=60,
    )
