"""Each wrong core of mutants/ is noticed, by the check that its patch names; the shipped one passes.

A patch begins with what is wrong, then `Run:` a command and `Check:` the word after FAILED that it must end
with. The same commands pass on the text as it is. Mutants that only the explorer sees are run by
`python -m tests.verify`; here it is seen that they still belong to this text.
"""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from native import programs

ALL = {name: programs.read_mutant(path) for name, path in programs.MUTANTS.items()}
MUTANTS = {name: mutant for name, mutant in ALL.items() if mutant.runs[0][0][0] == "situations"}
REQUIRED = {"pending_after", "two_workers", "index_first"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Future[Path]]:
    """Build all mutants and the shipped core (the empty name), as many at once as there are cores."""
    pool = ThreadPoolExecutor(os.cpu_count() or 1)

    def build(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name or "shipped")
        pyx = MUTANTS[name].plant(folder) if name else programs.PYX
        flags = ["-O0" if name else "-O1", *programs.EXPLORE]
        return programs.build("situations", flags, folder, pyx)

    return {name: pool.submit(build, name) for name in ["", *MUTANTS]}


@pytest.fixture(scope="module")
def passes(built: dict[str, Future[Path]]) -> Callable[..., None]:
    """Assert that the shipped core passes a command; once for each."""

    @cache
    def check(*command: str) -> None:
        result = programs.execute(built[""].result(), *command)
        assert result.returncode == 0, f"the shipped core: {result.stdout}{result.stderr}"

    return check


def test_required_mutants_are_there() -> None:
    assert set(MUTANTS) >= REQUIRED
    assert len(ALL) >= 20


@pytest.mark.parametrize("name", ALL)
def test_mutant_belongs_to_this_text(name: str, tmp_path: Path) -> None:
    ALL[name].plant(tmp_path)
    assert {command[0] for command, _ in ALL[name].runs} <= {"situations", "explore"}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_noticed(name: str, built: dict[str, Future[Path]], passes: Callable[..., None]) -> None:
    mutant = MUTANTS[name]
    assert mutant.runs
    assert mutant.hunks
    for command, check in mutant.runs:
        passes(*command[1:])
        result = programs.execute(built[name].result(), *command[1:], timeout=60)
        told = result.stdout + result.stderr
        assert result.returncode == 1, f"{mutant.title} {' '.join(command)}: {told}"
        assert told.startswith(f"FAILED {check}:"), f"{mutant.title} {' '.join(command)}: {told}"
