"""The README's Python examples do what it says: each block runs, and prints the block behind it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```\n```\n(.*?)```", README.read_text(), re.DOTALL)


def test_every_python_block_of_the_readme_has_its_output_behind_it():
    assert len(BLOCKS) == README.read_text().count("```python") >= 3


@pytest.mark.parametrize(("code", "printed"), BLOCKS, ids=[f"block {i}" for i in range(len(BLOCKS))])
def test_example_prints_what_the_readme_shows(code, printed):
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.stdout, run.stderr, run.returncode) == (printed, "", 0)


def test_the_two_commands_name_files_that_exist():
    text = README.read_text()
    assert "pip install '.[test]' && pytest" in text
    for name in re.findall(r"python (examples/\S+)", text):
        assert (README.parent / name).is_file()
