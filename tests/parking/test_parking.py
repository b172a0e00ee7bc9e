"""The scenes of this folder hold on what is installed, the bugs fit the text, and one of them is noticed."""

import random
import sys
from pathlib import Path

import pytest
from tests.parking import check
from tests.parking.loops import LOOPS
from tests.parking.scenes import SCENES

ALL = SCENES | LOOPS
pytestmark = [
    pytest.mark.native_only("what parks is the compiled core"),
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]


@pytest.mark.stress
@pytest.mark.parametrize("name", ALL)
def test_nothing_is_lost_and_nobody_sleeps_on_work(name: str) -> None:
    for seed in range(2):
        ALL[name](random.Random(seed))


@pytest.mark.parametrize("bug", check.BUGS, ids=lambda bug: bug.title)
def test_bug_fits_the_text(bug: check.Bug) -> None:
    assert (check.ROOT / bug.path).read_text().count(bug.old) == 1
    assert bug.scene in ALL


def test_a_planted_bug_is_noticed(tmp_path: Path) -> None:
    bug = next(bug for bug in check.BUGS if bug.scene == "cancelled")
    assert check.is_noticed(bug, tmp_path)
