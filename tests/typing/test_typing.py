"""What users' type checkers infer, by mypy --strict and by pyright: the files beside this one say what."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
FILES = sorted(str(path) for path in HERE.glob("*.py") if not path.name.startswith("test_"))
CHECKERS = {
    "mypy": ["mypy", "--strict", "--config-file=", "--cache-dir=/dev/null"],
    "pyright": ["pyright", "--pythonpath", sys.executable],
}
MISTAKE = """
import tocsin
class Motor(tocsin.Protocol):
    raw = tocsin.EventType(0)
with tocsin.Pipeline(workers=0) as pipeline:
    @pipeline.subscribe(Motor(1).raw)
    def on_raw(event: tocsin.Event[bytes]) -> None:
        event.report.rpm
"""


def check(checker: str, *files: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *CHECKERS[checker], *files],
        capture_output=True, text=True, timeout=240, check=False, cwd=HERE,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKERS)
def test_checker_infers_what_the_examples_assert(checker: str) -> None:
    run = check(checker, *FILES)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKERS)
def test_checker_reports_a_field_that_a_report_lacks(checker: str, tmp_path: Path) -> None:
    path = tmp_path / "mistake.py"
    path.write_text(MISTAKE)
    run = check(checker, str(path))
    assert run.returncode == 1
    assert re.search(r'"?rpm"?', run.stdout), run.stdout + run.stderr
