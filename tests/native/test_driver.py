"""The stress driver on real threads: as fast as it goes, and under the sanitizers.

stress.c holds the theory and the checks. TOCSIN_STRESS_SECONDS (default 5) says how long each run takes,
TOCSIN_STRESS_SEED where the rounds begin; a failing round can be played again by its seed, though not the
timing of its threads.
"""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from native import programs

SECONDS = os.environ.get("TOCSIN_STRESS_SECONDS", "5")
SEED = os.environ.get("TOCSIN_STRESS_SEED", "100")
REPORTED = 66  # exit code of a sanitizer's report

BUILDS = {
    "plain": ["-O3"],
    "thread": programs.THREAD,
    "address": programs.ADDRESS,
    "planted": programs.THREAD,
}
PLANTED = "publish_relaxed"

pytestmark = [pytest.mark.slow, pytest.mark.stress]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build the driver once per kind, as many at once as there are cores."""

    def build(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        pyx = programs.PYX
        if name == "planted":
            pyx = programs.read_mutant(programs.MUTANTS[PLANTED]).plant(folder)
        return programs.build("stress", BUILDS[name], folder, pyx)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        started: dict[str, Future[Path]] = {name: pool.submit(build, name) for name in BUILDS}
        return {name: future.result() for name, future in started.items()}


@pytest.mark.parametrize("kind", ["plain", "address"])
def test_every_event_once(built: dict[str, Path], kind: str) -> None:
    result = programs.execute(built[kind], SECONDS, SEED, timeout=float(SECONDS) + 240)
    assert result.returncode == 0, f"seed {SEED}: {result.stdout}{result.stderr}"
    rounds, _, events, *_ = result.stdout.split()
    assert int(rounds) > 0
    assert int(events) > 1000


def test_no_data_race_and_the_planted_one_is_seen(built: dict[str, Path]) -> None:
    result = programs.execute(built["thread"], SECONDS, SEED, timeout=float(SECONDS) + 240)
    told = result.stdout + result.stderr
    assert result.returncode == 0, f"seed {SEED}: {told}"
    planted = programs.execute(built["planted"], "5", SEED)
    told = planted.stdout + planted.stderr
    assert planted.returncode == REPORTED, told
    assert "data race" in told
