"""The interpreter ends, whatever is going on: with its own status, in time, and with books that balance."""

import os
import sys
from pathlib import Path

import pytest
from tests.endings.quick import quick
from tests.endings.situations import PLANTED, SITUATIONS, TESTS, run

import tocsin
import tocsin.backend
from compiling import compile_library


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_library(TESTS / "capi" / "flood.c", tmp_path_factory.mktemp("flood"))


@pytest.fixture(autouse=True)
def same_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(os.path.dirname(tocsin.__file__)))


@pytest.mark.parametrize("name", quick(SITUATIONS, "events queued", "a callback that waits for ever"))
def test_the_interpreter_ends_well(name: str, library: Path) -> None:
    if SITUATIONS[name].is_native and tocsin.backend.name == "python":
        pytest.skip("native only: of the compiled core alone")
    end = run(sys.executable, name, library)
    assert not end.wrong, end


@pytest.mark.slow
@pytest.mark.native_only("the bugs are planted in what it does")
@pytest.mark.parametrize(
    "title", [title for title in PLANTED if PLANTED[title][1] != "time"]
)  # check.py: all
def test_an_end_that_is_wrong_is_seen_as_such(title: str) -> None:
    name, wrong, code = PLANTED[title]
    end = run(sys.executable, name, None, code)
    assert end.wrong in wrong.split(), end
