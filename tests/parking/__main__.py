"""Threads that put and get at once, for as long as one likes.

    python -m tests.parking SECONDS [SCENE ...] [--seed N]

The last line says how many rounds and items it were; exit status 1, and a line that begins with FAILED, if an
item was lost, doubled or out of order, or if somebody slept while what he waited for was there.
"""

import argparse
import random
import sys
import time

from tests.parking.crew import Failed
from tests.parking.loops import LOOPS
from tests.parking.scenes import SCENES

ALL = SCENES | LOOPS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.parking", description=__doc__)
    parser.add_argument("seconds", type=float)
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=", ".join(ALL))
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(2**32)
    chance = random.Random(seed)
    sys.setswitchinterval(0.0002)
    rounds, items = 0, 0
    chosen = [ALL[name] for name in options.scenes or ALL]
    for scene in chosen:
        until = time.monotonic() + options.seconds / len(chosen)
        while True:
            try:
                items += scene(chance)
            except Failed as failed:
                print(f"{failed} [{scene.__name__}, round {rounds}, seed {seed}]", flush=True)
                return 1
            rounds += 1
            if time.monotonic() > until:
                break
    print(f"rounds={rounds} items={items}")
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.exit(status)
