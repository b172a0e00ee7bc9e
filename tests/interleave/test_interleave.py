"""The explorer on the shipped text: small scenes to the last state, and what it found once stays found.

`python -m tests.verify` runs all scenes under all memories, with every mutant; here is what takes seconds.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from interleave import explorer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not explorer.runs_here(), reason="the explorer switches threads by hand, on x86-64 Linux"
    ),
]

SMALL = [
    "kick/asleep",
    "kick/starting",
    "kick/two-workers",
    "cancel",
    "freeze/one-worker",
    "stop",
    "notify/native-locked",
    "notify/native-shared",
    "notify/native-exclusive",
    "notify/python-locked",
    "notify/python-shared",
    "notify/both-locked",
    "notify/both-shared",
    "notify/nobody",
    "notify/spinning",
    "ring",
]
SMALL += [
    "writers/native",
    "writers/python",
    "writers/one-stops",
    "subscribers/replace-native",
    "gone/native",
]
SMALL += ["wait/flush-both", "close/native-shared", "close/native-exclusive", "books", "side/one-more"]
SMALL += ["unregister/caller-python"]
SMALL += [
    "channel/one-reader",
    "channel/locked",
    "overflow/oldest",
    "overflow/latest",
    "overflow/newest",
    "block/room",
    "block/leave",
    "block/both-chains",
]
SMALL += ["item/time-out", "item/interrupted", "item/herd", "space/two-putters", "over/putters", "task"]
SMALL += ["end", "tally/newest", "tally/oldest", "block/streak", "doorbell/one-loop", "doorbell/closed"]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explore")
    return explorer.build(explorer.build_engine(folder / "engine"), folder / "shipped")


def test_every_state_of_small_scenes(program: Path) -> None:
    """Under the weakest memory: it allows what the others do. The row of `tests.verify` has all three."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda scene: see_all(program, scene, "pso"), SMALL))


def see_all(program: Path, scene: str, memory: str) -> None:
    found = explorer.explore(program, scene, "--memory", memory)
    outcomes = [word for word in found.text.split() if word.startswith("outcome=")]
    assert set(outcomes) == {"outcome=exhausted"}, found.text


def test_litmus_cases_hold(program: Path) -> None:
    shipped = [scene for scene in explorer.scenes(program) if scene.endswith("/shipped")]
    assert len(shipped) >= 10
    for scene in shipped:
        see_all(program, scene, "pso")


def test_what_a_late_subscriber_sees_is_a_suffix(program: Path) -> None:
    """Once the chain was swapped before the stage was there: a new subscriber saw a middle piece."""
    found = explorer.explore(program, "subscribers/python-returns", "--bound", "2")
    assert found.outcome == "exhausted", found.text


def test_a_failing_schedule_is_told_and_comes_again_from_its_seed(program: Path) -> None:
    found = explorer.explore(program, "litmus-bell/count-only", "--mode", "random", "--seed", "7")
    assert found.failed
    words = found.text.split("again: ")[1].split("\n")[0].split()
    again = explorer.explore(program, "litmus-bell/count-only", *words)
    assert again.text.splitlines()[0] == found.text.splitlines()[0]
    assert again.text.splitlines()[-1] == found.text.splitlines()[-1]


def test_sampling_and_sleep_sets_agree_that_a_kick_is_not_lost(program: Path) -> None:
    for mode in ("sleep", "random", "pct"):
        found = explorer.explore(program, "kick/asleep", "--mode", mode, "--memory", "tso", "--seconds", "1")
        assert not found.failed, found.text
        assert found.ends > 100
