"""The check of this folder: its mutants fit the text, and without an interpreter it says what to install."""

import re
from pathlib import Path

import pytest
from tests.free_threaded import check
from tests.native.programs import read_mutant
from tests.verify.row import NotRun


@pytest.mark.parametrize("path", check.MUTANTS, ids=lambda path: path.stem)
def test_mutant_fits_the_text(path: Path, tmp_path: Path) -> None:
    mutant = read_mutant(path)
    assert mutant.hunks
    assert all(Path(test.partition("::")[0]).is_file() for (test, *_), _ in mutant.runs)
    assert mutant.runs
    mutant.plant(tmp_path)


def test_an_extra_brings_those_that_it_names() -> None:
    extras = {"a": ["one>=1", "tocsin[b,c]"], "b": ["two"], "c": ["tocsin[d]"], "d": ["three[x]"]}
    assert list(check.expanded(extras, "a")) == ["one>=1", "two", "three[x]"]
    ours = list(check.expanded(check.extras(), "test"))
    assert {"pytest", "setuptools", "Cython", "numpy", "typer"} <= {re.split(r"\W", each)[0] for each in ours}
    assert not [each for each in ours if each.startswith("tocsin")]


@pytest.mark.parametrize("named", ["/nowhere/python3.13t", "true", ""])
def test_what_is_missing_is_named(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_FREE_THREADED", named)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(check, "PLACES", ())
    with pytest.raises(NotRun, match=named or "disable-gil"):
        check.find_interpreter()
