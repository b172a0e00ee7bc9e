"""The Python face of failing.c: call a function while its n-th allocation fails, and ask what the core holds.

Needs an interpreter in which failing.c is preloaded (start() makes one); the driver is run in such a one.
"""

import ctypes
import enum
import importlib
import os
import pkgutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


class Kind(enum.IntEnum):
    """Whose calls fail."""

    core = 1  # posix_memalign, malloc, realloc, mmap from tocsin's modules
    threads = 2  # pthread_create from tocsin's modules
    python = 4  # the allocators of Python, on this thread


class Injector:
    """Fail calls in this process."""

    def __init__(self) -> None:
        self._library = library = ctypes.PyDLL(os.environ["LD_PRELOAD"])
        library.faults_call.restype = ctypes.py_object
        library.faults_call.argtypes = [ctypes.py_object, ctypes.c_int, ctypes.c_long, ctypes.c_int]
        library.faults_watch.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
        for name in ("seen", "failed", "blocks", "bytes"):
            getattr(library, f"faults_{name}").restype = ctypes.c_long
        watched = import_core()
        for line in Path("/proc/self/maps").read_text().splitlines():
            place, rights, *_, path = line.split()
            if path in watched and "x" in rights:
                library.faults_watch(*(int(word, 16) for word in place.split("-")))
        library.faults_wrap_python()

    def call(self, function: Callable[[], Any], kind: Kind, n: int, and_all_later: bool) -> Any:
        """Call a function while its n-th call of a kind fails; 0: none does."""
        return self._library.faults_call(function, kind, n, and_all_later)

    @property
    def seen(self) -> int:
        """How many calls of the kind the last call() made."""
        return int(self._library.faults_seen())

    @property
    def failed(self) -> int:
        """How many of them failed."""
        return int(self._library.faults_failed())

    @property
    def blocks(self) -> int:
        """How many blocks the core holds."""
        return int(self._library.faults_blocks())

    @property
    def bytes(self) -> int:
        """How much that is."""
        return int(self._library.faults_bytes())


def import_core() -> set[str]:
    """Import every module of the core; their files."""
    import tocsin._core

    names = [module.name for module in pkgutil.iter_modules(tocsin._core.__path__)]
    modules = [importlib.import_module(f"tocsin._core.{name}") for name in names]
    return {str(module.__file__) for module in modules if module.__file__}


def compile_interposer(folder: Path) -> Path:
    """Compile failing.c for this interpreter."""
    library = folder / "failing.so"
    command = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", "-pthread"]
    command += [f"-I{sysconfig.get_path('include')}", str(HERE / "failing.c"), "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return library


def survives(folder: Path) -> bool:
    """Return whether this interpreter survives failures of its own: then Kind.python tells of us."""
    return run_driver(folder, "tests.faults.interpreter").returncode == 0


def run_driver(
    folder: Path, *arguments: str, package: Path | None = None, timeout: float = 600
) -> subprocess.CompletedProcess[str]:
    """Run a module of this folder under the interposer, on the installed package or one in a folder."""
    library = folder / "failing.so"
    if not library.exists():
        compile_interposer(folder)
    import tocsin

    package = package or Path(tocsin.__file__).resolve().parents[1]
    path = os.pathsep.join([str(package), str(ROOT), str(ROOT / "tests")])
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", *arguments],
        cwd=folder,
        env=os.environ | {"LD_PRELOAD": str(library), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
