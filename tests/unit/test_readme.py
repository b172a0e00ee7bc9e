"""The README's first page: two commands, then an example short enough to type. Its blocks: test_docs.py."""

import re
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"
TEXT = README.read_text()


def test_the_two_commands_are_there_and_name_files_that_exist() -> None:
    first = re.search(r"```sh\n(.*)\n(.*)\n```", TEXT)
    assert first is not None
    assert first[1].startswith("pip install '.[cli]'")
    assert "tocsin replay" in first[1]
    assert first[2].startswith("pip install '.[test]' && pytest")
    for name in re.findall(r"examples/\S+\.\w+", TEXT):
        assert (README.parent / name).is_file(), name


def test_the_first_example_has_ten_lines() -> None:
    first = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert first is not None
    assert sum(bool(line.strip()) for line in first[1].splitlines()) <= 10
    assert TEXT.index(first[0]) < TEXT.index("## How it works")
