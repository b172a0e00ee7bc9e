"""Do everything at once for a long time, and see whether the books balance to the event.

    python -m tests.soak                     ten minutes
    python -m tests.soak --seconds 3600      an hour

One life of a pipeline after the other (life.py); a line every ten seconds. Ctrl-C ends the life that is under
way as any other ends, and reckons it up. Exit status 1 if anything is wrong, 130 after Ctrl-C if nothing is.
"""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from tests.soak.soaking import Soak  # noqa: E402

from compiling import compile_library  # noqa: E402
from probe import SOURCE, Probe  # noqa: E402

INTERRUPTED = 130


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600, help="how long (600)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="for the dice (the time)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Probe(compile_library(SOURCE, Path(folder))), options.seed)
        signal.signal(signal.SIGINT, lambda *_: soak.interrupted.set())
        print(f"seed {options.seed}", flush=True)
        soak.run(options.seconds, lambda: print(soak.line(), flush=True))
    print("\n".join([f"end: {soak.line()}", *soak.wrong]))
    if soak.wrong:
        return 1
    return INTERRUPTED if soak.interrupted.is_set() else 0


if __name__ == "__main__":
    sys.exit(main())
