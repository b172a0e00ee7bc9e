"""What of the sanitizers' check can be seen without running it: lists, patches, how it reads reports."""

from pathlib import Path

import pytest
from tests.sanitize import reports, suite

from native import programs

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PLANTED = {path.stem: programs.read_mutant(path) for path in sorted((HERE / "planted").glob("*.patch"))}
TARGETS = {"thread-driver", "thread-suite", "address-driver", "address-suite", "stacks", "memcheck"}

LEAK = "Direct leak of 128 byte(s) in 1 object(s) allocated from:\n    #0 0x1 in malloc asan/malloc.cpp:69\n"
MINE = "    #1 0x1 in memory_alloc pyx/tocsin/_core/memory.h:26\n"
PYTHON = "    #1 0x1 in gc_alloc Modules/gcmodule.c:2283\n"
CALLED = "    #2 0x1 in __pyx_pf_6tocsin_5_core_6engine_start build/cython/pyx/tocsin/_core/engine.c:25794\n"
OTHER = "    #1 0x1 in dlopen dlfcn/dlopen.c:81\n"


# ------------------------------------------------------------------------------- suppressions


def test_suppressions_name_the_interpreter_only() -> None:
    assert not reports.complaints((HERE / "suppressions.txt").read_text())
    assert reports.suppressions()


@pytest.mark.parametrize(
    "line",
    [
        "leak:memory_alloc",
        "leak:__pyx_",
        "leak:_core/",
        "leak:python3",
        "leak:.",
        "leak:",
        "leak:equeue_new|libpython3",
        "leak:numpy",
        "race:libpython3",
        "libpython3",
    ],
)
def test_another_suppression_is_noticed(line: str) -> None:
    assert reports.complaints(f"# a reason\nleak:/libpython3\n{line}\n")


# ------------------------------------------------------------------------------------ reports


@pytest.mark.parametrize(
    ("report", "ours"),
    [
        (LEAK + MINE, True),
        (LEAK + MINE + PYTHON, True),
        (LEAK + PYTHON, False),
        (LEAK + PYTHON + CALLED, True),
        (LEAK + OTHER, True),
        (LEAK, True),
        ("WARNING: ThreadSanitizer: data race (pid=1)\n" + PYTHON, True),
        ("==1==ERROR: AddressSanitizer: heap-use-after-free\n" + PYTHON, True),
        ("Objects/object.c:1:2: runtime error: shift", True),
    ],
)
def test_whose_report_it_is(report: str, ours: bool) -> None:
    assert reports.is_ours(report, reports.suppressions()) is ours


def test_reports_are_told_apart() -> None:
    text = f"==1==ERROR: LeakSanitizer: detected memory leaks\n\n{LEAK}{MINE}\n{LEAK}{PYTHON}\nSUMMARY: a\n"
    text += "a.c:1:2: runtime error: b\nc.c:1:2: runtime error: d\n"
    first, second, third, fourth = reports.split(text)
    assert first == (LEAK + MINE).strip()
    assert second == (LEAK + PYTHON).strip()
    assert (third, fourth) == ("a.c:1:2: runtime error: b", "c.c:1:2: runtime error: d")


# ------------------------------------------------------------------------------ lists, patches


@pytest.mark.parametrize("name", PLANTED)
def test_planted_bug_applies_and_names_its_check(name: str, tmp_path: Path) -> None:
    mutant = PLANTED[name]
    assert mutant.runs
    assert mutant.hunks
    pyx = mutant.plant(tmp_path)
    for (target, *words), complaint in mutant.runs:
        assert target in TARGETS
        assert complaint
        modules, tests = (words[0].split(",") if words else []), words[1:]
        assert all(list(pyx.rglob(f"{module}.pyx")) for module in modules)
        assert all((ROOT / test).exists() for test in tests)


def test_each_check_has_a_planted_bug() -> None:
    assert {run[0][0] for mutant in PLANTED.values() for run in mutant.runs} == TARGETS


LISTED = {*suite.ADDRESS, *suite.THREAD, *suite.ENDS_WITH_THREADS, *suite.SHORT_THREAD, *suite.SHORT_ADDRESS}


@pytest.mark.parametrize("name", sorted(LISTED))
def test_what_is_listed_exists(name: str) -> None:
    path, _, test = name.partition("::")
    assert (ROOT / path).exists()
    assert not test or f"def {test}" in (ROOT / path).read_text()


# ------------------------------------------------------------------------------------- memcheck

ERROR = "<error><what>{}</what><stack><frame><fn>f</fn><dir>d</dir><file>x.c</file></frame></stack></error>"


@pytest.mark.parametrize("end", ["</valgrindoutput>", "", "</valgrindoutput><more/>", "<error><what>cut o"])
def test_errors_told_before_a_program_died_are_read(tmp_path: Path, end: str) -> None:
    path = tmp_path / "memcheck.xml"
    path.write_text(f"<valgrindoutput>{ERROR.format('one')}{ERROR.format('two')}{end}")
    assert [reports.title(error) for error in reports.read_memcheck(path)] == ["one", "two"]
