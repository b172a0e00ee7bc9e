"""The situations' row: an event at every shared access of the stages, and the mutants that this notices."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.verify.row import NotRun, Row

from native import programs
from native.test_situations import CROSSINGS, MAIL, STAGES, WRITERS


def situations(program: Path) -> tuple[int, int, list[str]]:
    """Run every situation with every choice of stages and writers: runs, points tried, complaints."""
    cases = [(name, stage, way) for name in MAIL + CROSSINGS for stage in STAGES for way in WRITERS]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda case: programs.execute(program, *case), cases))
    points = 0
    bad = []
    for case, result in zip(cases, results, strict=True):
        line = re.fullmatch(r"\w+: (\d+) points\n", result.stdout)
        if result.returncode == 0 and line:
            points += int(line[1])
        else:
            bad.append(f"{' '.join(case)}: {(result.stdout + result.stderr).strip()[:200]}")
    return len(cases), points, bad


def is_caught(mutant: programs.Mutant, folder: Path) -> bool:
    folder.mkdir(parents=True)
    flags = ["-O0", *programs.EXPLORE]
    program = programs.build("situations", flags, folder, mutant.plant(folder))
    for command, check in mutant.runs:
        result = programs.execute(program, *command[1:], timeout=60)
        if result.returncode != 1 or not result.stdout.startswith(f"FAILED {check}:"):
            return False
    return True


def rows(budget: float, folder: Path) -> list[Row]:
    """Take what it takes, about half a minute: this search has no shorter form."""
    del budget
    if programs.COMPILER is None:
        raise NotRun("gcc is missing: apt-get install gcc libc6-dev")
    read = {name: programs.read_mutant(path) for name, path in programs.MUTANTS.items()}
    chosen = {name: mutant for name, mutant in read.items() if mutant.runs[0][0][0] == "situations"}
    program = programs.build("situations", ["-O1", *programs.EXPLORE], folder / "shipped")
    runs, points, bad = situations(program)
    with ThreadPoolExecutor(2) as pool:
        caught = list(pool.map(lambda name: is_caught(chosen[name], folder / name), chosen))
    alive = [f"{name} survived" for name, noticed in zip(chosen, caught, strict=True) if not noticed]
    row = Row(
        check="situations of the mail",
        ran=f"{runs} situations, an event at every shared access",
        work=points,
        unit="points",
        minimum=1_000_000,
        violations=len(bad),
        planted=len(chosen),
        caught=sum(caught),
        note="; ".join(bad + alive),
    )
    return [row]
