"""The tree keeps the house rules, and the checker notices when it doesn't."""

import importlib.machinery
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import house_rules

ROOT = Path(__file__).resolve().parent.parent


def tree() -> house_rules.Files:
    """Return every hand-written source file below pyx/ and src/."""
    suffixes = {".pyx", ".pxd", ".pxi", ".h", ".py"}
    return {
        path.relative_to(ROOT).as_posix(): path.read_text()
        for top in ("pyx", "src")
        for path in sorted((ROOT / top).rglob("*"))
        if path.suffix in suffixes
    }


@pytest.mark.parametrize("check", house_rules.CHECKS, ids=lambda check: check.__name__)
def test_tree(check: Callable[[house_rules.Files], list[str]]) -> None:
    complaints = check(tree())
    assert not complaints, "\n".join(["", *complaints])


# ------------------------------------------------------------------------- the checker is checked

CORE = "pyx/tocsin/_core/"
KICK = "cdef inline void kick(a64* w) noexcept nogil:\n    a64_store_release(w, 1)  # [kicked]\n"
TAKE = "cdef inline void take(a64* w) noexcept nogil:\n    a64_load_acquire(w)  # [kicked]\n"
SWAP = "cdef inline void swap(a64* w) noexcept nogil:\n    a64_exchange_full(w, 0)  # [kicked]\n"

CLEAN = [
    {"kfifo.pxd": KICK + TAKE},
    {"kfifo.pxd": KICK, "work.pyx": SWAP},
    {"kfifo.pxd": SWAP, "work.pyx": SWAP},
    {"kfifo.pyx": "from tocsin._core.kfifo cimport Fifo\nfrom tocsin._core cimport atomic\n"},
    {"equeue.pxd": "from tocsin._core.chain cimport (\n    Chain,\n    call,\n)\n"},
    {"capi.pyx": "from tocsin._core.bridge cimport Bridge\nfrom libc.stdint cimport uint64_t\n"},
    {"atomic.h": "static inline int f(void) { return __atomic_load_n(&w, 0); }\n"},
    {"bridge.pyx": "with gil:\n    pass\n"},
    {"work.pyx": '"""Workers sleep on a futex, never `with gil`, and DEF."""\n# malloc(n)\n'},
    {"record.pyx": "data[:]\nx = data[:] if data else data[1:]\n"},
    {
        "ring.pxd": (
            "cdef inline uint64_t put(\n    Ring* r, void (*f)(int) noexcept nogil\n"
            ") noexcept nogil:\n    return 0\n"
        )
    },
]

PLANTED = [
    ("looks up at work", {"kfifo.pxd": "from tocsin._core.work cimport Work\n"}),
    ("looks up at work", {"kfifo.pyx": "cimport tocsin._core.work as w\n"}),
    ("looks up at work", {"kfifo.pyx": "from tocsin._core cimport (\n    atomic,\n    work,\n)\n"}),
    ("looks up at ring", {"kfifo.pxd": "from .ring cimport Ring\n"}),
    ("no place in LAYERS", {"bridge.pyx": "from tocsin._core.novel cimport f\n"}),
    ("has no acquire", {"kfifo.pxd": KICK}),
    ("has no release", {"kfifo.pxd": TAKE}),
    ("is alone", {"work.pxd": SWAP}),
    ("has no release", {"work.pxd": "# [kicked]\n" + TAKE}),
    ("has no release", {"work.pxd": TAKE + KICK.replace("store_release", "store_relaxed")}),
    ("has no release", {"work.pxd": TAKE + "    a64_fetch_add_relaxed(w, 1)  # [kicked]\n"}),
    ("without a [tag]", {"work.pxd": "    a64_store_release(w, 1)\n"}),
    ("include", {"kfifo.pyx": 'include "more.pyx"\n'}),
    (".pxi", {"more.pxi": ""}),
    ("DEF", {"kfifo.pyx": "DEF SIZE = 3\n"}),
    ("cimport *", {"kfifo.pyx": "from libc.stdint cimport *\n"}),
    ("memoryview", {"kfifo.pyx": "def put(const uint8_t[::1] data):\n"}),
    ("memoryview", {"kfifo.pyx": "cdef int[:, :] table\n"}),
    ("bridge only", {"work.pyx": "    with gil:\n"}),
    ("bridge only", {"engine.pyx": "    PyGILState_Ensure()\n"}),
    ("only layer 0", {"work.pyx": "    malloc(8)\n"}),
    ("only layer 0", {"ring.h": "    __atomic_thread_fence(5);\n"}),
    ("only layer 0", {"workqueue.pyx": "    pthread_mutex_lock(&lock)\n"}),
    ("no Python object", {"chain.pxd": "cdef struct Link:\n    PyObject* callback\n"}),
    ("more than 300", {"kfifo.pyx": "\n" * 301}),
    ("noexcept nogil", {"work.pxd": "cdef inline int f(int a) nogil:\n    return a\n"}),
    ("noexcept nogil", {"work.pxd": "cdef inline int f(\n    int a\n) noexcept:\n    return a\n"}),
]


def complain(files: house_rules.Files) -> list[str]:
    placed = {CORE + name: text for name, text in files.items()}
    return [line for check in house_rules.CHECKS for line in check(placed)]


@pytest.mark.parametrize("files", CLEAN)
def test_checker_accepts(files: house_rules.Files) -> None:
    assert complain(files) == []


@pytest.mark.parametrize(("reason", "files"), PLANTED)
def test_checker_rejects(reason: str, files: house_rules.Files) -> None:
    complaints = complain(files)
    assert len(complaints) == 1
    assert reason in complaints[0]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("pure/kfifo.py", "from tocsin.pure.stage import Stage"),
        ("pure/kfifo.py", "from tocsin._core.kfifo import Kfifo"),
        ("pure/kfifo.py", "from tocsin.backend import Kfifo"),
        ("pure/kfifo.py", "import tocsin"),
        ("pure/novel.py", "from tocsin.pure.kfifo import Kfifo"),
        ("pipeline.py", "from tocsin.pure.kfifo import Kfifo"),
        ("pipeline.py", "    import tocsin._core.kfifo"),
    ],
)
def test_checker_keeps_the_backends_apart(path: str, line: str) -> None:
    assert house_rules.backends_apart({f"src/tocsin/{path}": f"{line}\n"})
    assert (
        house_rules.backends_apart({"src/tocsin/pure/stage.py": "from tocsin.pure.batch import Batch\n"})
        == []
    )
    unseen = f"if TYPE_CHECKING:\n    {line.strip()}\n"
    assert house_rules.backends_apart({f"src/tocsin/{path}": unseen}) == []


# ------------------------------------------------------------------------------ the installed core


def test_no_generated_file_is_under_version_control() -> None:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    generated = [
        path
        for path in listing.stdout.splitlines()
        if path.endswith((".so", ".pyc", ".o", ".whl"))
        or (path.endswith((".c", ".cpp")) and path.startswith(("pyx/", "src/")))
        or ".egg-info/" in path
    ]
    assert generated == []


def compiled_modules() -> list[str]:
    import tocsin._core
    import tocsin.compat

    suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
    return sorted(
        f"{package.__name__}.{path.name.partition('.')[0]}"
        for package in (tocsin._core, tocsin.compat)
        for path in Path(package.__path__[0]).iterdir()
        if path.name.endswith(suffixes)
    )


# What Cython adds to a module and no stub should promise.
ALLOWED = [r".*\.__pyx_capi__", r".*\.__test__"]


@pytest.mark.slow
def test_stubs_tell_the_truth(tmp_path: Path) -> None:
    modules = compiled_modules()
    assert modules, "tocsin was installed without its compiled core"
    allowlist = tmp_path / "allowlist"
    allowlist.write_text("\n".join(ALLOWED))
    # From an empty folder: neither this tree's settings nor its src/ take part.
    # A class with C fields can't be combined with another such class; true, and no news to users.
    options = ["--ignore-unused-allowlist", "--ignore-disjoint-bases", "--allowlist", allowlist]
    result = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", *options, *modules],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_import_needs_the_standard_library_only() -> None:
    script = (
        "import json, sys; before = set(sys.modules); from tocsin import *; "
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
    )
    result = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    foreign = {
        name
        for name in json.loads(result.stdout)
        if name not in sys.stdlib_module_names
        and name not in ("tocsin", "_xxsubinterpreters")  # CPython's too, but for its own use until 3.13
        and not name.startswith(("_cython_", "cython_runtime"))
    }
    assert foreign == set()
