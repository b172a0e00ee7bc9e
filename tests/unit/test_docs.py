"""The pages do what they say: each runs from top to bottom, and prints what stands behind its blocks.

A page is one program: its Python blocks share their names, in order. A block prints exactly the plain block
that follows it (`...` stands for anything), or nothing. C and Cython blocks are compiled first, each to a
library named by its first line, C without a warning. A console block is run line by line, by a shell.
"""

import inspect
import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import tocsin
from compiling import compile_library, compile_module, environment
from tocsin.backend import gil_is_off

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {path.stem: path for path in [DOCS.parent / "README.md", *sorted(DOCS.glob("*.md"))]}
BLOCK = re.compile(r"^```([^`\n]*)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
SHOWN = {
    "sh",
    "c",
    "cython",
    "console",
    "python",
    "",
}  # what a page may show, beside what is for Sphinx, in braces

RUNNER = """
import contextlib, io, json, sys
printed = []
for line, code in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile("\\n" * line + code, sys.argv[1], "exec"), globals())
    printed.append(out.getvalue())
print(json.dumps(printed))
"""


class Block(NamedTuple):
    line: int
    code: str
    printed: str


def blocks(text: str) -> list[Block]:
    """Return the Python blocks of a page, each with the plain block right behind it."""
    fences = list(BLOCK.finditer(text))
    found = []
    for fence, after in zip(fences, [*fences[1:], None], strict=True):
        if fence[1] == "python":
            follows = after is not None and after[1] == "" and after.start() == fence.end()
            found.append(Block(text.count("\n", 0, fence.start(2)), fence[2], after[2] if follows else ""))
    return found


def run(page: Path, folder: Path) -> list[str]:
    """Run the blocks of a page in one interpreter; what each printed."""
    work = [(block.line, block.code) for block in blocks(page.read_text())]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUNNER, page.name],
        input=json.dumps(work),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    printed: list[str] = json.loads(done.stdout)
    return printed


def furnish(page: Path, folder: Path) -> None:
    """Put into the folder what a page takes for granted: the examples, and its own C blocks, compiled."""
    (folder / "examples").symlink_to(DOCS.parent / "examples")
    for language, code in BLOCK.findall(page.read_text()):
        if language == "c":
            name = re.match(r"/\* (\w+\.c) \*/\n", code)
            assert name, f"{page.name}: a C block's first line is its name, as /* meter.c */"
            source = folder / name[1]
            source.write_text(code)
            compile_library(source, folder)
        if language == "cython":
            name = re.match(r"# (\w+\.pyx)\n", code)
            assert name, f"{page.name}: a Cython block's first line is its name, as # meter.pyx"
            (folder / name[1]).write_text(code)
            compile_module(folder / name[1])


def in_shell(command: str, folder: Path) -> str:
    """Run a command as its reader would, and return what a terminal would show."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    variables = {**environment(), "PATH": path, "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        ["sh", "-c", f"exec 2>&1; {command}"],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout


def matches(expected: str, printed: str) -> bool:
    return re.fullmatch(re.escape(expected).replace(r"\.\.\.", ".*"), printed) is not None


def page_of_code(name: str) -> Any:
    native = pytest.mark.native_only("the producer's address, subscribe_native")
    absent = [package for package in ("cffi", "numba") if find_spec(package) is None]
    skip = pytest.mark.skipif(gil_is_off and bool(absent), reason=f"no wheels for this Python: {absent}")
    main = pytest.mark.native_only("subscribe(main_thread=True)")
    marks = {"real-time": [native], "native": [native, skip], "main-thread": [main]}
    return pytest.param(name, marks=marks.get(name, ()))


@pytest.mark.parametrize(
    "name", [page_of_code(name) for name, path in PAGES.items() if "```python" in path.read_text()]
)
def test_a_page_runs_and_prints_what_it_shows(name: str, tmp_path: Path) -> None:
    page = PAGES[name]
    furnish(page, tmp_path)
    for block, printed in zip(blocks(page.read_text()), run(page, tmp_path), strict=True):
        if not matches(block.printed, printed):
            assert printed == block.printed, f"{page.name}, line {block.line}"


CONSOLES = [
    pytest.param(command, shown, id=f"{name}: {command}")
    for name, path in PAGES.items()
    for language, text in BLOCK.findall(path.read_text())
    if language == "console"
    for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)
]


@pytest.mark.parametrize(("command", "shown"), CONSOLES)
def test_a_command_prints_what_the_page_shows(command: str, shown: str, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(DOCS.parent / "examples")
    assert in_shell(command, tmp_path) == shown


@pytest.mark.parametrize("name", PAGES)
def test_no_block_of_a_page_escapes_the_tests(name: str) -> None:
    text = PAGES[name].read_text()
    languages = [language for language, _ in BLOCK.findall(text)]
    assert {language for language in languages if not language.startswith("{")} <= SHOWN
    assert len(re.findall(r"^\s*(?:```|~~~)", text, re.MULTILINE)) == 2 * len(languages)
    assert languages.count("python") == text.count("```python")


def test_every_public_name_is_in_the_reference() -> None:
    """Every name, and every public method of a class that the reference lists one by one."""
    text = (DOCS / "api.md").read_text()
    documented = dict(
        re.findall(r"^\.\. (?:auto|py:)\w+:: tocsin\.(\w+)((?:.*\n(?:(?:   .*)?\n)*))", text, re.MULTILINE)
    )
    assert set(tocsin.__all__) <= set(documented)
    for name, body in documented.items():
        listed = set(re.findall(r"^   \.\. auto\w+:: (\w+)", body, re.MULTILINE))
        if listed and ":members:" not in body:
            members = inspect.getmembers(getattr(tocsin, name), callable)
            public = {member for member, _ in members if not member.startswith("_")}
            assert public - listed <= INTERNAL.get(name, set()), name


INTERNAL = {"EventType": {"bind"}}  # called by Protocol


def test_every_test_that_a_page_names_exists() -> None:
    for page in PAGES.values():
        for path in re.findall(r"`(tests/[\w/.]+|examples/[\w/.]+)`", page.read_text()):
            assert (DOCS.parent / path).exists(), f"{page.name}: {path}"


def test_every_page_is_in_the_table_of_contents() -> None:
    listed = re.search(r"```\{toctree\}\n(.*?)```", PAGES["index"].read_text(), re.DOTALL)
    assert listed
    assert set(re.findall(r"^([\w-]+)$", listed[1], re.MULTILINE)) == set(PAGES) - {"index", "README"}
