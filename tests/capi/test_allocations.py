"""No allocation on the event path, and no mutex: the test puts functions that count before the real ones."""

from pathlib import Path

import pytest

from compiling import compile_library, run_python
from tocsin import backend

HERE = Path(__file__).resolve().parent

pytestmark = pytest.mark.skipif(
    backend.gil_is_off, reason="a free-threaded Python has its own allocator: PYTHONMALLOC=malloc is refused"
)


@pytest.mark.parametrize("kind", ["shared", "exclusive"])
def test_notify_and_native_delivery_allocate_nothing(tmp_path: Path, kind: str) -> None:
    library = compile_library(HERE / "counting.c", tmp_path)
    result = run_python(
        HERE / "counting_run.py",
        kind,
        cwd=tmp_path,
        LD_PRELOAD=str(library),
        PYTHONMALLOC="malloc",  # every object of Python comes from malloc(), none from its arenas
    )
    assert result.returncode == 0, result.stderr
    lines = [line.rpartition(": ") for line in result.stdout.splitlines()]
    counts = {name: int(count) for name, _, count in lines}
    # The counters count.
    assert counts.pop("1000 bytes objects") >= 1000
    assert counts.pop("planted in a subscriber") == 10_000
    assert counts.pop("planted mutexes") >= 10_000
    mutexes = counts.pop("native notify, mutexes")
    assert mutexes == 0 or backend.switches()["portable"]  # without futex a wake-up takes one
    assert len(counts) == (7 if kind == "shared" else 2)
    assert set(counts.values()) == {0}, counts
