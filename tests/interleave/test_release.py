"""Nothing of the explorer is in a release: no symbol of it, and no call where an access should be."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tocsin
from interleave import explorer
from native import programs

EXPLORER = re.compile(r"\bxp_\w+|\bexplorer_\w+|\bseam_\w+")
ACCESSOR = re.compile(r"R_\w+\s+(?:\.text\.)?(?:a32|a64|aptr|bytes)_\w+")  # what a call is linked to


def extensions() -> list[Path]:
    return sorted((Path(tocsin.__file__).parent / "_core").glob("*.so"))


def words_in(library: Path) -> set[str]:
    return set(EXPLORER.findall(library.read_bytes().decode("latin-1")))


def test_no_word_of_the_explorer_in_the_extensions() -> None:
    assert len(extensions()) > 10
    assert {library.name: words_in(library) for library in extensions() if words_in(library)} == {}


def accessor_calls(folder: Path, optimize: str) -> list[str]:
    """Compile the core as a release does, and find what calls an accessor instead of being one."""
    folder.mkdir()
    generated = folder / "driver.c"
    translate = ["cython", "-3", "-I", str(programs.PYX), "-o", str(generated), str(explorer.CORE["driver"])]
    programs.run([sys.executable, "-m", *translate])
    words = [
        word for word in explorer.flags(programs.PYX) if "EXPLORE" not in word and "interleave" not in word
    ]
    target = explorer.compile_c(generated, folder / "driver.o", [optimize, "-fPIC", *words])
    listing = subprocess.run(
        ["objdump", "-dr", "--no-show-raw-insn", str(target)], capture_output=True, text=True, check=True
    ).stdout
    assert "native_stage" in listing
    return [line for line in listing.splitlines() if ACCESSOR.search(line)]


@pytest.mark.skipif(
    shutil.which("objdump") is None or programs.COMPILER is None, reason="needs gcc and objdump"
)
def test_accesses_on_the_event_path_are_bare_instructions(tmp_path: Path) -> None:
    assert accessor_calls(tmp_path / "release", "-O3") == []
    assert accessor_calls(tmp_path / "debug", "-O0") != [], "this test would not see a call"
