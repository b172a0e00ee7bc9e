"""Without memory for the core or for Python, or without threads: a clean error, nothing half done or kept."""

import re
from pathlib import Path

import pytest
from tests.faults.injector import run_driver, survives

from tocsin import backend

pytestmark = [
    pytest.mark.native_only("the pure backend allocates nothing of its own"),
    pytest.mark.skipif(
        backend.gil_is_off, reason="a free-threaded Python may not have its allocators wrapped"
    ),
]


@pytest.mark.parametrize(("kind", "least"), [("core", 300), ("threads", 10), ("python", 3000)])
def test_each_failure_is_told_and_leaves_nothing_behind(tmp_path: Path, kind: str, least: int) -> None:
    if kind == "python" and not survives(tmp_path):
        pytest.skip("this CPython crashes by itself when a function is made without memory")
    result = run_driver(tmp_path, "tests.faults.driver", kind)
    assert result.returncode == 0, result.stdout + result.stderr[-2000:]
    figures = re.search(r"(\d+) failures injected, (\d+) violations", result.stdout)
    assert figures is not None, result.stdout
    assert int(figures[1]) >= least
    assert int(figures[2]) == 0


@pytest.mark.parametrize(("planted", "status"), [([], 0), (["--leak"], 1)])
def test_what_begins_and_ends_leaves_memory_as_it_was(
    tmp_path: Path, planted: list[str], status: int
) -> None:
    result = run_driver(tmp_path, "tests.faults.cycles", "1000", *planted)
    assert result.returncode == status, result.stdout + result.stderr[-2000:]
    assert result.stdout.count("blocks of the core") == 4 * status, result.stdout
