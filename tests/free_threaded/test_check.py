"""The check of this folder: its mutants fit the text, and without an interpreter it says what to install."""

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


@pytest.mark.parametrize("named", ["/nowhere/python3.13t", "true", ""])
def test_what_is_missing_is_named(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_FREE_THREADED", named)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(check, "PLACES", ())
    with pytest.raises(NotRun, match=named or "disable-gil"):
        check.find_interpreter()
