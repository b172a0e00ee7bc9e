"""What the checked build is made of: the switch, and planted bugs that still fit the text."""

from pathlib import Path

import pytest
from tests.checked import check

import tocsin._core

PLANTED = check.planted()


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_still_fits_the_text(name: str, tmp_path: Path) -> None:
    PLANTED[name].plant(tmp_path)
    assert len(PLANTED[name].runs) == 1


def test_what_the_short_form_plants_is_there() -> None:
    assert set(check.SHORT_PLANTED) <= set(PLANTED)


@pytest.mark.native_only("of a compiled core")
def test_an_ordinary_core_checks_nothing() -> None:
    """Not one module has a word of the checks in it, unless it was asked to."""
    modules = list(Path(tocsin._core.__path__[0]).glob("*.so"))
    assert modules
    told = {path.name for path in modules if b"tocsin, checked build" in path.read_bytes()}
    assert told in (set(), {path.name for path in modules if b"memory_look_back" in path.read_bytes()})
