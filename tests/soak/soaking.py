"""Lives of pipelines, one after the other, and what they came to together."""

import random
import threading
import time
from collections.abc import Callable

from tests.soak.life import Life

from probe import Probe

EVERY = 10.0  # seconds between two reports


class Soak:
    """Live, again and again; `wrong` has a line for each thing that does not balance."""

    def __init__(self, probe: Probe, seed: int, planted: bool = False) -> None:
        self.probe, self.dice, self.planted = probe, random.Random(seed), planted
        self.lives = self.accepted = self.refused = self.failures = 0
        self.seconds = 0.0
        self.wrong: list[str] = []
        self.interrupted = threading.Event()  # ends the life that is under way, and all

    def run(self, seconds: float, report: Callable[[], object] = lambda: None) -> None:
        """Live for a time, or until something is wrong or somebody interrupts."""
        began = time.monotonic()
        reported = 0.0
        while self.seconds < seconds and not self.wrong and not self.interrupted.is_set():
            seed = self.dice.getrandbits(32)
            life = Life(seed, self.probe, self.planted)
            life.live(min(self.dice.uniform(0.2, 3), seconds - self.seconds), self.interrupted)
            self.seconds = time.monotonic() - began
            self.lives += 1
            self.accepted += life.accepted
            self.refused += life.refused
            self.failures += life.failures
            self.wrong += [f"life {seed}: {line}" for line in life.wrong]
            if self.seconds - reported >= EVERY:
                reported = self.seconds
                report()

    def line(self) -> str:
        return (
            f"{self.seconds:.0f} s, {self.lives} lives, {self.accepted:,} events accepted, "
            f"{self.refused:,} refused, {self.failures:,} calls that raised, {len(self.wrong)} wrong"
        )
