"""The fuzzer's row: every target from its kept inputs, and planted overflows from none.

The long form compiles all of the core for the fuzzer and shares its time among the targets. The short form
compiles one module, runs its target for a second, and plants one overflow.
"""

import tempfile
from pathlib import Path

from tests.fuzz import corpus, running
from tests.fuzz.running import TARGETS, Outcome
from tests.sanitize import tools
from tests.verify.row import Row

HERE = Path(__file__).resolve().parent
FULL = 100.0  # seconds: with less, the short form
SHORT_MODULES = ["header"]
SHORT_TARGETS = ["headers"]
SHORT_PLANTED = ["header_from_fewer_bytes"]
A_WHILE = 60.0  # seconds in which a planted overflow must be found


def rows(budget: float, folder: Path) -> list[Row]:
    is_whole = budget >= FULL
    names = TARGETS if is_whole else SHORT_TARGETS
    tree = running.whole_tree(folder) if is_whole else running.few_modules(folder, SHORT_MODULES)
    seconds = max(1.0, budget / 2 / len(names)) if is_whole else 1.0
    outcomes = [from_the_kept(name, tree, seconds, folder) for name in names]
    plants = [plant for plant in planted() if is_whole or plant.name in SHORT_PLANTED]
    caught = [plant for plant in plants if is_found(plant, running.planted_tree(folder, tree, plant))]
    crashes = [outcome for outcome in outcomes if outcome.crash is not None]
    words = [", ".join(f"{outcome.name} {outcome.edges} edges" for outcome in outcomes)]
    words += [f"{outcome.name}: {outcome.title}: {(outcome.crash or b'').hex()}" for outcome in crashes]
    words += [tools.missed(plants, caught)]
    return [
        Row(
            check="fuzzing",
            ran=f"atheris, clang, ASan: {len(names)} targets on {'the core' if is_whole else SHORT_MODULES}",
            work=sum(outcome.executions for outcome in outcomes),
            unit="inputs",
            minimum=20_000 if is_whole else 500,
            violations=len(crashes),
            planted=len(plants),
            caught=len(caught),
            note="; ".join(filter(None, words)),
        )
    ]


def planted() -> list[tools.Planted]:
    """Return what is planted: `Run:` of a patch says "fuzz", the modules to build, and the target."""
    return tools.planted("fuzz", HERE / "planted")


def from_the_kept(name: str, tree: Path, seconds: float, folder: Path) -> Outcome:
    """Run a target from its kept inputs."""
    return running.run(name, tree, seconds, corpus.unfold(name, folder / f"inputs-{name}"))


def is_found(plant: tools.Planted, tree: Path) -> bool:
    """Return whether the target that a patch names finds its overflow, beginning with nothing."""
    with tempfile.TemporaryDirectory() as empty:
        outcome = running.run(plant.tests[0], tree, A_WHILE, Path(empty))
    return outcome.crash is not None and plant.is_in([outcome.report])
