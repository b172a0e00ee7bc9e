"""Begin and end the same thing very often: memory must stay as it is.

    python -m tests.faults.cycles ROUNDS [WORD...] [--leak]      (under failing.c, see injector.py)

After a warm-up three figures are taken, and again after the rounds: the blocks that the core holds, those
that Python's allocators have given out, the resident memory of the process. Of the core there may be none
more, of Python a few, for its caches. --leak plants a subscription that nobody cancels in a hundred rounds.
Prints a line for each cycle and, last, the figures: cycles, rounds, violations.
"""

import argparse
import gc
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.injector import Injector
from tests.faults.scene import LIMIT, MOTOR, Stage

SPARE_BLOCKS = 50
SPARE_BYTES = 2 << 20


def subscribe(stage: Stage) -> Callable[[], object]:
    def cycle() -> None:
        stage.pipeline.subscribe(MOTOR.limit, cycle).cancel()

    return cycle


def notify(stage: Stage) -> Callable[[], object]:
    pipeline = stage.pipeline
    pipeline.subscribe(MOTOR.limit, lambda event: event.report)

    def cycle() -> None:
        pipeline.notify(MOTOR.limit, LIMIT)
        pipeline.flush()

    return cycle


def batch(stage: Stage) -> Callable[[], object]:
    pipeline = stage.pipeline
    pipeline.subscribe(MOTOR.limit, lambda batch: len(batch), batch=True)

    def cycle() -> None:
        pipeline.notify_many(MOTOR.limit, LIMIT * 4)
        pipeline.flush()

    return cycle


def channel(stage: Stage) -> Callable[[], object]:
    pipeline = stage.pipeline

    def cycle() -> None:
        with pipeline.channel(MOTOR.limit, capacity=8) as made:
            pipeline.notify(MOTOR.limit, LIMIT)
            pipeline.flush()
            made.get(timeout=0)

    return cycle


CYCLES = {one.__name__: one for one in (subscribe, notify, batch, channel)}


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def figures(injector: Injector) -> tuple[int, int, int]:
    gc.collect()
    return injector.blocks, sys.getallocatedblocks(), resident()


def grown(before: tuple[int, ...], after: tuple[int, ...], rounds: int) -> str:
    """Return what has grown more than it may, or nothing."""
    of_python = SPARE_BLOCKS + rounds // 1000
    limits = {"blocks of the core": 0, "blocks of Python": of_python, "bytes of memory": SPARE_BYTES}
    growth = [now - then for then, now in zip(before, after, strict=True)]
    pairs = zip(growth, limits.items(), strict=True)
    return "; ".join(f"{more} more {what}" for more, (what, limit) in pairs if more > limit)


def run(injector: Injector, make: Callable[[Stage], Callable[[], Any]], rounds: int, leaks: bool) -> str:
    stage = Stage(MOTOR)
    cycle = make(stage)
    for _ in range(min(1000, rounds)):
        cycle()
    before = figures(injector)
    for number in range(rounds):
        cycle()
        if leaks and number % 100 == 0:
            stage.pipeline.subscribe(MOTOR.raw, lambda event: None)  # and nobody cancels it
    wrong = grown(before, figures(injector), rounds)
    stage.end()
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--leak", action="store_true")
    options = parser.parse_args()
    injector = Injector()
    chosen = [name for name in CYCLES if not options.words or any(word in name for word in options.words)]
    violations = 0
    for name in chosen:
        wrong = run(injector, CYCLES[name], options.rounds, options.leak)
        violations += bool(wrong)
        print(f"{name}: {wrong or 'flat'}", flush=True)
    print(f"{len(chosen)} cycles, {options.rounds} rounds each, {violations} violations")
    return violations != 0


if __name__ == "__main__":
    sys.exit(main())
