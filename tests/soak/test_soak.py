"""A soak of seconds; a planted loss shows; Ctrl-C ends it as anything else does."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.soak.soaking import Soak

from compiling import compile_library
from helpers import PATIENCE
from probe import SOURCE, Probe

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = [pytest.mark.stress, pytest.mark.native_only("native writers and subscribers take part")]


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Probe:
    return Probe(compile_library(SOURCE, tmp_path_factory.mktemp("probe")))


def test_the_books_balance_to_the_event(probe: Probe) -> None:
    soak = Soak(probe, 1)
    soak.run(1)
    assert soak.wrong == []
    assert soak.accepted > 1000


def test_a_planted_loss_shows(probe: Probe) -> None:
    for seed in range(2, 32):  # one that is forgotten with nothing behind it is missing, and not out of order
        soak = Soak(probe, seed, planted=True)
        soak.run(0.7)
        assert soak.lives == 1
        assert any("accepted" in line for line in soak.wrong)
        if any("out of order" in line for line in soak.wrong):
            break
    assert any("out of order" in line for line in soak.wrong)


@pytest.mark.skipif(os.name != "posix", reason="no SIGINT to send")
def test_ctrl_c_ends_the_life_and_reckons_it_up() -> None:
    command = [sys.executable, "-u", "-m", "tests.soak", "--seconds", "600", "--seed", "3"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests"), *paths()])}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=ROOT) as soak:
        assert soak.stdout is not None
        assert soak.stdout.readline() == "seed 3\n"
        soak.send_signal(signal.SIGINT)
        told, _ = soak.communicate(timeout=PATIENCE)
    assert soak.returncode == 130, told
    assert told.startswith("end: ")
    assert " 0 wrong" in told


def paths() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
