"""The explorer's rows: every scene under each memory, the litmus cases, the pace, and the mutants."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

from tests.verify.row import NotRun, Row

from interleave import explorer
from native import programs

MEMORIES = ["sc", "tso", "pso"]
MINIMUM_STEPS = 5_000_000
WHOLE = 300  # seconds of budget from which on every mutant is planted: each takes 12 to build
TURNS = 16
SLICES = 90  # most scenes need a fraction of their slice; those that don't are about a quarter of all
SLICE = 0.1  # seconds, at least
MINIMUM_PACE = 3_000_000  # of the long form; the short one runs wherever it must, and asks for a third
MOST_TRIES = 15
PACE = [["--mode", "sleep"], ["--mode", "random"], ["--mode", "pct"]]

# Which memory shows what is wrong with a weakened litmus case: under it the forbidden outcome must come up.
LITMUS = {
    "kick/clear-by-store": "tso",
    "kick/look-first": "tso",
    "kick/publish-relaxed": "pso",
    "kick/fast-without-barrier": "tso",
    "kick/look-first-fenced": "tso",
    "sleep/announce-by-store": "tso",
    "sleep/push-by-store": "tso",
    "keeper/disarm-by-store": "tso",
    "spin/leave-by-store": "tso",
    "bell/look-then-read": "sc",
    "bell/wake-only": "sc",
    "bell/count-only": "sc",
    "progress/turn-by-store": "tso",
    "progress/waiter-only-looks": "tso",
    "retire/run-by-store": "tso",
    "retire/swapper-loads": "tso",
    "exclusive/enter-by-store": "tso",
    "exclusive/close-by-store": "tso",
    "last-out/publish-relaxed": "pso",
    "last-out/publish-in-company": "sc",
    "handover/passed-relaxed": "pso",
    "handover/out-read-first": "sc",
    "ledger/entries-relaxed": "pso",
    "ledger/no-sequence": "sc",
}
RIGHT = {"litmus-kick/fast-form"}  # beside every variant called shipped


@dataclass(frozen=True)
class Explored:
    """What is known of one scene under one memory."""

    scene: str
    memory: str
    found: list[explorer.Found]

    @property
    def exhausted(self) -> bool:
        return self.found[0].outcome == "exhausted"

    @property
    def violations(self) -> list[explorer.Found]:
        return [found for found in self.found if found.failed]

    def __str__(self) -> str:
        words = [f"{found.outcome} {found.steps:,} steps {found.seconds:.1f} s" for found in self.found]
        modes = ["", *(f"{' '.join(found.command.split()[4:6])}: " for found in self.found[1:])]
        told = "; ".join(mode + word for mode, word in zip(modes, words, strict=True))
        return f"{self.scene} {self.memory}: {told}"


def explore_scene(program: Path, seconds: float, scene: str, memory: str) -> Explored:
    """Visit every state; if there are too many for the time, all of up to two preemptions, and samples."""
    run = partial(explorer.explore, program, scene, "--memory", memory)
    found = [run("--seconds", str(seconds), "--table", "25")]
    if found[0].outcome in ("time", "table"):
        found.append(run("--bound", "2", "--seconds", str(4 * seconds)))
        found.append(run("--mode", "pct", "--seconds", str(seconds / 2)))
        found.append(run("--mode", "random", "--seconds", str(seconds / 4)))
    return Explored(scene, memory, found)


def explore_scenes(program: Path, seconds: float) -> list[Explored]:
    cases = [
        (scene, memory)
        for memory in MEMORIES
        for scene in explorer.scenes(program)
        if not scene.startswith("litmus")
    ]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda case: explore_scene(program, seconds, *case), cases))


def untouched(mutant: programs.Mutant, shipped: Path) -> dict[str, Path]:
    """Return the shipped program's parts that a mutant leaves as they are: the queues, or the core below."""
    in_queues = all(path.startswith("tocsin/compat/") for path, _, _ in mutant.hunks)
    same = [name for name in explorer.CORE if (name in explorer.KNOWS_PYTHON) != in_queues]
    return {name: shipped / f"{name}.o" for name in same}


def is_caught(engine: list[Path], shipped: Path, mutant: programs.Mutant, folder: Path) -> bool:
    """Build a mutant and see each of its commands end with the complaint that its patch names."""
    ready = untouched(mutant, shipped)
    program = explorer.build(engine, folder, mutant.plant(folder), "-O1", ready)
    return all(
        (found := explorer.explore(program, *command[1:])).failed and found.outcome == check
        for command, check in mutant.runs
    )


def mutants() -> dict[str, programs.Mutant]:
    read = {name: programs.read_mutant(path) for name, path in programs.MUTANTS.items()}
    return {name: mutant for name, mutant in read.items() if mutant.runs[0][0][0] == "explore"}


def planted(budget: float) -> dict[str, programs.Mutant]:
    """Return all mutants, or in the short form those whose turn it is today: each has one in sixteen days."""
    every = mutants()
    if budget >= WHOLE:
        return every
    names = sorted(every)[date.today().toordinal() % TURNS :: TURNS]
    return {name: every[name] for name in names}


def survivors(
    mutants: dict[str, programs.Mutant], engine: list[Path], shipped: Path, folder: Path
) -> list[str]:
    def notices(item: tuple[str, programs.Mutant]) -> bool:
        return is_caught(engine, shipped, item[1], folder / item[0])

    with ThreadPoolExecutor(2) as pool:
        caught = list(pool.map(notices, mutants.items()))
    return [name for name, is_noticed in zip(mutants, caught, strict=True) if not is_noticed]


def interleavings(budget: float, engine: list[Path], program: Path, folder: Path) -> Row:
    explored = explore_scenes(program, max(SLICE, budget / SLICES))
    plants = planted(budget)
    alive = survivors(plants, engine, program.parent, folder)
    failed = [found for case in explored for found in case.violations]
    rest = [case for case in explored if not case.exhausted]
    for case in rest:
        print(f"  not exhausted: {case}", flush=True)
    note = [found.command + ": " + found.outcome for found in failed] + [f"{name} survived" for name in alive]
    if len(plants) < len(mutants()):
        note.append(f"the mutants whose turn it is: {', '.join(plants)}")
    if rest:
        note.append(f"the other {len(rest)}, told above, to 2 preemptions, and sampled")
    return Row(
        check="interleavings",
        ran=f"{len(explored)} scenes, {len(explored) - len(rest)} exhausted",
        work=sum(found.steps for case in explored for found in case.found),
        unit="steps",
        minimum=MINIMUM_STEPS,
        violations=len(failed),
        planted=len(plants),
        caught=len(plants) - len(alive),
        note="; ".join(note),
    )


def litmus(program: Path) -> Row:
    right = [scene for scene in explorer.scenes(program) if scene.endswith("/shipped")] + sorted(RIGHT)
    clean = [[scene, "--memory", memory] for scene in right for memory in MEMORIES]
    wrong = [[f"litmus-{case}", "--memory", memory] for case, memory in LITMUS.items()]
    held = explorer.explore_all(program, clean)
    broke = explorer.explore_all(program, wrong)
    bad = [found.command for found in held if found.outcome != "exhausted"]
    missed = [found.command for found in broke if not found.failed]
    return Row(
        check="litmus",
        ran=f"{len(right)} pairs under {', '.join(MEMORIES)}",
        work=len(held),
        unit="cases",
        minimum=3 * len(right),
        violations=len(bad),
        planted=len(broke),
        caught=len(broke) - len(missed),
        note="; ".join(bad + missed),
    )


def pace(program: Path, minimum: int) -> Row:
    """Steps a second of each way to explore: the slowest counts, each at its best of some tries.

    What this machine can do is asked, and others may be busy on it: so a slow try is followed by more.
    """
    rates = []
    for mode in PACE:
        tries: list[float] = []
        while len(tries) < 3 or (max(tries) < minimum and len(tries) < MOST_TRIES):
            found = explorer.explore(program, "notify/two-events", *mode, "--seconds", "1")
            tries.append(found.steps / found.seconds)
        rates.append(max(tries))
    told = ", ".join(f"{mode[1]} {rate / 1e6:.1f} M" for mode, rate in zip(PACE, rates, strict=True))
    return Row(
        check="explorer's pace",
        ran=f"notify/two-events: {told}",
        work=int(min(rates)),
        unit="steps/s",
        minimum=minimum,
        violations=0,
        planted=0,
        caught=0,
        is_measure=True,
    )


def rows(budget: float, folder: Path) -> list[Row]:
    if not explorer.runs_here():
        raise NotRun("the explorer needs Linux on x86-64 and gcc: apt-get install gcc libc6-dev")
    engine = explorer.build_engine(folder / "engine")
    program = explorer.build(engine, folder / "shipped")
    minimum = MINIMUM_PACE if budget >= WHOLE else MINIMUM_PACE // 3
    return [
        pace(program, minimum),
        litmus(program),
        interleavings(budget, engine, program, folder / "mutants"),
    ]
