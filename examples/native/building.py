"""Compile a source beside this file into a shared library, as its first lines say by hand.

    library = build("meter.c")

The library goes to the folder that the program was started with as an argument, else to a temporary one.
CC, CXX and CFLAGS of the environment are heeded.
"""

import atexit
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import ModuleType

import tocsin

HERE = Path(__file__).resolve().parent
WARNINGS = ["-Wall", "-Wextra"]
INCLUDE = f"-I{tocsin.get_include()}"


def build(name: str) -> Path:
    """Compile a .c or .cpp file; return the library."""
    source = HERE / name
    library = folder() / f"{source.stem}.so"
    if source.suffix == ".c":
        compiler, standard = compiler_named("CC", "cc"), "-std=c11"
    else:
        compiler, standard = compiler_named("CXX", "c++"), "-std=c++17"
    extra = shlex.split(os.environ.get("CFLAGS", ""))
    options = [standard, *WARNINGS, "-O2", "-shared", "-fPIC", "-pthread", INCLUDE, *extra]
    subprocess.run([*compiler, *options, str(source), "-o", str(library)], check=True)
    return library


def build_module(name: str) -> ModuleType:
    """Compile a .pyx file and import the module."""
    source = HERE / name
    target = folder() / f"{source.stem}.c"
    library = target.with_suffix(str(sysconfig.get_config_var("EXT_SUFFIX")))
    # Where tocsin/__init__.pxd is: beside tocsin.h, also when tocsin is not installed but on the path.
    pxd = str(Path(tocsin.get_include()).parents[1])
    cython = [sys.executable, "-m", "cython", "-3", "-I", pxd, str(source), "-o", str(target)]
    subprocess.run(cython, check=True)
    extra = shlex.split(os.environ.get("CFLAGS", ""))
    options = ["-O2", "-shared", "-fPIC", INCLUDE, f"-I{sysconfig.get_path('include')}", *extra]
    command = [*compiler_named("CC", "cc"), *options, str(target), "-o", str(library)]
    subprocess.run(command, check=True)
    return import_library(source.stem, library)


def import_library(name: str, library: Path | str) -> ModuleType:
    """Import a compiled module from wherever it is."""
    spec = importlib.util.spec_from_file_location(name, library)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compiler_named(variable: str, default: str) -> list[str]:
    command = shlex.split(os.environ.get(variable, default))
    if shutil.which(command[0]) is None:
        sys.exit(f"no compiler {command[0]!r}: install one (Debian: apt install gcc g++ libc6-dev)")
    return command


def folder() -> Path:
    if len(sys.argv) > 1:
        return Path(sys.argv[1])
    temporary = tempfile.mkdtemp(prefix="tocsin-")
    atexit.register(shutil.rmtree, temporary)
    return Path(temporary)
