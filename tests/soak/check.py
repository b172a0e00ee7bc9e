"""The soak's row: lives of pipelines whose books balance to the event, and a planted loss that shows."""

from pathlib import Path

from tests.sanitize import tools
from tests.soak.soaking import Soak
from tests.verify.row import Row

from compiling import compile_library
from probe import SOURCE, Probe

FULL = 60.0  # seconds: with less, the short form
LONG, SHORT, PLANTED = 600.0, 5.0, 1.0  # seconds


def rows(budget: float, folder: Path) -> list[Row]:
    tools.need("gcc", "gcc libc6-dev")
    probe = Probe(compile_library(SOURCE, folder))
    soak = Soak(probe, seed := folder.stat().st_ino)
    soak.run(LONG if budget >= FULL else SHORT)
    planted = Soak(probe, seed, planted=True)
    planted.run(PLANTED)
    return [
        Row(
            check="soak",
            ran=f"everything at once for {soak.seconds:.0f} s, {soak.lives} lives, {soak.refused:,} refused",
            work=soak.accepted,
            unit="events",
            minimum=100_000,
            violations=len(soak.wrong),
            planted=1,
            caught=int(bool(planted.wrong)),
            note="; ".join([*soak.wrong[:3], *([f"seed {seed}"] if soak.wrong else [])]),
        )
    ]
