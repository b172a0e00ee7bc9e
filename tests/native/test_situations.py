"""The five situations of the mail, and what else can cross the path of an event, at every point.

situations.c and crossings.c hold the theory and the checks. Here every situation is run with every choice
of stages and of writers; a run that tried no point at all would fail as well.
"""

from pathlib import Path

import pytest

from native import programs

MAIL = ["idle", "owed", "running", "leaving", "empty", "poweroff", "twice"]
CROSSINGS = ["writers", "changes", "frozen", "waiting"]
STAGES = ["native", "both", "python"]
WRITERS = ["locked", "shared", "exclusive"]


@pytest.fixture(scope="module")
def situations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    flags = ["-O1", *programs.EXPLORE]
    return programs.build("situations", flags, tmp_path_factory.mktemp("situations"))


@pytest.mark.parametrize("writers", WRITERS)
@pytest.mark.parametrize("stages", STAGES)
@pytest.mark.parametrize("situation", MAIL + CROSSINGS)
def test_situation(situations: Path, situation: str, stages: str, writers: str) -> None:
    result = programs.execute(situations, situation, stages, writers)
    assert result.returncode == 0, result.stdout + result.stderr
    name, points, unit = result.stdout.split()
    assert (name, unit) == (f"{situation}:", "points")
    assert int(points) > 0
