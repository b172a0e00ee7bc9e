"""Explore scenes on the text of this checkout.

    python -m tests.interleave                                     their names
    python -m tests.interleave notify/two-events --memory tso      every state of one
    python -m tests.interleave notify --mode pct --seconds 10      samples of all its variants

Options go to the program as they are: --memory sc|tso|pso, --mode states|sleep|random|pct, --bound N,
--seconds S, --runs N, --seed N, --changes N, --table BITS.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from interleave import explorer  # noqa: E402


def main(words: list[str]) -> int | str:
    if words[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    if not explorer.runs_here():
        return "the explorer needs Linux on x86-64 and a C compiler"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        program = explorer.build(explorer.build_engine(folder / "engine"), folder / "shipped")
        return subprocess.run([str(program), *(words or ["--list"])]).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("interrupted")
