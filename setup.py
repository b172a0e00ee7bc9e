"""Build the compiled core: every pyx/**/*.pyx becomes an extension module of the same dotted name.

Switches, read from the environment (`1` is on):

TOCSIN_PURE=1           compile nothing: the backend in plain Python (tocsin.pure) is all there is
TOCSIN_DEBUG=1          debug information, almost no optimisation, and memory that is looked after
                        (TOCSIN_DEBUG=symbols: without the latter, for valgrind)
TOCSIN_SANITIZE=thread  compile and link with -fsanitize=thread (or address, undefined), which looks by itself
"""

import os
import shutil
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import CompileError

PURE = os.environ.get("TOCSIN_PURE") == "1"
DEBUG = os.environ.get("TOCSIN_DEBUG") in ("1", "symbols")
SANITIZE = os.environ.get("TOCSIN_SANITIZE")
CHECKS = os.environ.get("TOCSIN_DEBUG") == "1" and not SANITIZE

PYX = Path("pyx")
SOURCES = sorted(PYX.rglob("*.pyx"))
DECLARATIONS = sorted([*PYX.rglob("*.pxd"), *PYX.rglob("*.h")])
# What users' compilers see is in the wheel; the core's own declarations, a tenth of it, are not.
PUBLIC = [PYX / "tocsin/__init__.pxd", *(PYX / "tocsin/include").glob("*.h")]

# Modules that no event goes through: small, which keeps the wheel below a megabyte.
COLD = {"chain", "doorbells", "ending", "finaliser", "forks", "guard", "header", "kfifo", "listen"}
COLD |= {"made", "mainthread", "opening", "payload", "pool", "queuecore", "subscription", "ties"}
COLD |= {"times", "waits", "works"}

WINDOWS = sys.platform == "win32"  # Microsoft's compiler, which has switches of its own

ERRORS = ["-Werror=implicit-function-declaration", "-Werror=incompatible-pointer-types"]
COMPILE = ["-std=c11", "-fvisibility=hidden", "-fno-strict-aliasing", *ERRORS]
COMPILE += ["-Og", "-g", "-UNDEBUG"] if DEBUG else ["-O3", "-g0"]
COMPILE += ["-DTOCSIN_CHECKS"] if CHECKS else []  # memory_checked.h
COMPILE += ["-fno-builtin-memset"]  # of 128 bytes for each Event: gcc makes it a rep stos, 5 ns of 77 a call
LINK = ["-Wl,-z,now"] if sys.platform == "linux" else []  # so that no first call looks a symbol up
LINK += [] if DEBUG or SANITIZE or sys.platform != "linux" else ["-Wl,-s"]
SMALL = [] if DEBUG or WINDOWS else ["-Os", "-fno-asynchronous-unwind-tables"]
if WINDOWS:
    COMPILE, LINK = ["/std:c11", "/Od" if DEBUG else "/O2"], []
if SANITIZE:
    COMPILE += [f"-fsanitize={SANITIZE}", "-g", "-fno-omit-frame-pointer"]
    LINK += [f"-fsanitize={SANITIZE}"]

INSTEAD = """
tocsin's compiled core could not be built. With TOCSIN_PURE=1 in the environment it is left out: what
remains is plain Python, slower, and without native producers and subscribers.
"""

ON = ["cdivision", "freethreading_compatible", "embedsignature"]
# Not binding: the interpreter has short ways to call a function that is C's own, and each notify() takes 100
# instructions less. The price: such a function has no annotations and no __func__.
OFF = ["boundscheck", "wraparound", "initializedcheck", "auto_pickle", "autotestdict", "binding"]
DIRECTIVES = {"language_level": 3, "embedsignature.format": "clinic"}
DIRECTIVES |= dict.fromkeys(ON, True) | dict.fromkeys(OFF, False)


class BuildPy(build_py):
    """Start from an empty build, and put what users' compilers see beside the modules."""

    def run(self):
        if self.editable_mode:
            return super().run()
        # Leftovers (a removed module, an extension made with other switches) would be packed too.
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        for path in PUBLIC:
            target = Path(self.build_lib) / path.relative_to(PYX)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)


class BuildExt(build_ext):
    """Write the C under build/cython, then compile; both on all cores."""

    def build_extensions(self):
        from Cython.Build import cythonize  # not needed where nothing is compiled

        self.parallel = self.parallel or os.cpu_count()
        options = {"include_path": [str(PYX)], "build_dir": "build/cython", "force": self.force}
        options |= {"compiler_directives": DIRECTIVES, "nthreads": self.parallel}
        made = cythonize(self.extensions, **options)
        for extension, cythonized in zip(self.extensions, made, strict=True):
            extension.sources = cythonized.sources
        try:
            super().build_extensions()
        except CompileError:
            print(INSTEAD, file=sys.stderr)
            raise


if __name__ == "__main__":
    if not SOURCES:
        sys.exit("setup.py: no .pyx file under pyx/: this is not a complete source tree")
    setup(
        cmdclass={"build_py": BuildPy, "build_ext": BuildExt},
        ext_modules=[
            Extension(
                ".".join(path.relative_to(PYX).with_suffix("").parts),
                [str(path)],
                # Not pyx/tocsin/_core: its memory.h would hide the system's.
                include_dirs=[str(PYX), str(PYX / "tocsin" / "include")],
                define_macros=[("_GNU_SOURCE", None)],
                extra_compile_args=[*COMPILE, *SMALL] if path.stem in COLD else COMPILE,
                extra_link_args=LINK,
                libraries=["synchronization"] if WINDOWS else [],
                depends=[str(path) for path in DECLARATIONS],
            )
            for path in ([] if PURE else SOURCES)
        ],
    )
