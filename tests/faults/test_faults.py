"""Without memory for the core, or without threads: a clean error, nothing half done, nothing kept."""

import re
from pathlib import Path

import pytest
from tests.faults.injector import run_driver

from tocsin import backend

pytestmark = [
    pytest.mark.native_only("the pure backend allocates nothing of its own"),
    pytest.mark.skipif(
        backend.gil_is_off, reason="a free-threaded Python may not have its allocators wrapped"
    ),
]


@pytest.mark.parametrize(("kind", "least"), [("core", 300), ("threads", 10)])
def test_each_failure_is_told_and_leaves_nothing_behind(tmp_path: Path, kind: str, least: int) -> None:
    result = run_driver(tmp_path, "tests.faults.driver", kind)
    assert result.returncode == 0, result.stdout + result.stderr[-2000:]
    figures = re.search(r"(\d+) failures injected, (\d+) violations", result.stdout)
    assert figures is not None, result.stdout
    assert int(figures[1]) >= least
    assert int(figures[2]) == 0


def test_a_pipeline_or_workqueue_that_python_has_no_memory_for_is_no_crash(tmp_path: Path) -> None:
    """What the interpreter says of its own failures varies, so only its end is judged."""
    result = run_driver(tmp_path, "tests.faults.driver", "python", "opening.pipeline", "opening.workqueue")
    assert result.returncode in (0, 1), result.stderr[-2000:]
    assert " failures injected" in result.stdout
