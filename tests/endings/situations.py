"""Situations in which an interpreter ends, each a program of its own, and what must come of it.

A program leaves with exit status 3, of its own accord. A hook that runs after tocsin's prints the books: so
what is read is what a program leaves behind. A planted bug is code that is run after the import and
takes something away from the product.
"""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
STATUS = 3
EXIT_TIMEOUT = 0.3  # seconds that the programs give their pipelines
ENOUGH = 3.0  # those who want everything delivered, which takes a moment; a slow machine may take ten
SLACK = 3.0  # seconds for the rest of the exit, on a machine that has other things to do
PATIENCE = 30.0  # seconds after which a program is killed

PRELUDE = """
import atexit, json, sys, threading, time
box, called, more = [], [], {}

def tell():                # before the import: it runs after tocsin's own hook
    books = box[0].stats().protocols[0x80]
    names = "accepted delivered unclaimed abandoned pending".split()
    print(json.dumps({name: getattr(books, name) for name in names} | {"called": len(called), **more}))

atexit.register(tell)
import tocsin

class Motor(tocsin.Protocol):
    tick = tocsin.EventType(1, {"n": "u8"})

MOTOR = Motor(0x80)

def opened(callback=None, **options):
    box.append(tocsin.Pipeline(exit_timeout=exit_timeout, **options))
    box[0].register(MOTOR)
    if callback is not None:
        box[0].subscribe(MOTOR.tick, callback)
    return box[0]

entered = threading.Event()
"""
LEAVE = f"""
more["left"] = time.monotonic()
sys.exit({STATUS})
"""


@dataclass(frozen=True)
class Situation:
    """What a program does before it leaves, and which books it must leave behind, as an expression."""

    code: str
    books: str
    is_native: bool = False

    @property
    def exit_timeout(self) -> float:
        return ENOUGH if self.books == ALL_DELIVERED else EXIT_TIMEOUT


ALL_DELIVERED = "delivered == accepted == called > 0 and pending == abandoned == 0"
ONE_HUNG = "accepted == 20 and pending == 1 and abandoned == 19 and called == 1"
HUNG = """
def hang(event):
    called.append(event)
    entered.set()
    {}
pipeline = opened(hang)
for n in range(20):
    pipeline.notify(MOTOR.tick, (n,))
entered.wait(20)
"""
SITUATIONS = {
    "events queued": Situation(
        """
pipeline = opened(called.append)
pipeline.freeze()
for n in range(500):
    pipeline.notify(MOTOR.tick, (n,))
""",
        ALL_DELIVERED,
    ),
    "in a callback": Situation(
        """
def slow(event):
    called.append(event)
    entered.set()
    time.sleep(0.01)
pipeline = opened(slow)
for n in range(5):
    pipeline.notify(MOTOR.tick, (n,))
entered.wait(20)
""",
        ALL_DELIVERED,
    ),
    "a daemon that notifies": Situation(
        """
pipeline = opened(lambda event: None)
def flood():
    try:
        while True:
            pipeline.notify(MOTOR.tick, (1,))
            entered.set()
    except tocsin.ClosedError:
        pass
threading.Thread(target=flood, daemon=True).start()
entered.wait(20)
""",
        "accepted == delivered + abandoned + pending and accepted > 0",
    ),
    "a native thread that notifies": Situation(
        """
import ctypes
pipeline = opened(lambda event: entered.set())
flood = ctypes.CDLL(sys.argv[1])
producer = pipeline.producer(MOTOR)
flood.flood_start(ctypes.c_void_p(producer.address))
time.sleep(0.02)
""",
        "accepted == delivered + unclaimed + abandoned + pending",
        is_native=True,
    ),
    "a callback that waits for ever": Situation(HUNG.format("threading.Event().wait()"), ONE_HUNG),
    "a callback that computes for ever": Situation(HUNG.format("[0 for _ in iter(int, 1)]"), ONE_HUNG),
    "a reader that waits": Situation(
        """
pipeline = opened()
channel = pipeline.channel(MOTOR.tick)
def read():
    try:
        while True:
            called.append(channel.get())
            entered.set()
    except tocsin.ClosedError:
        pass
threading.Thread(target=read, daemon=True).start()
pipeline.notify(MOTOR.tick, (1,))
entered.wait(20)
""",
        "accepted == delivered == called == 1",
    ),
    "calls for the main thread": Situation(
        """
pipeline = opened()
pipeline.subscribe(MOTOR.tick, called.append, main_thread=True)
pipeline.freeze()
for n in range(50):
    pipeline.notify(MOTOR.tick, (n,))
""",
        ALL_DELIVERED,
        is_native=True,
    ),
    "no workers": Situation(
        """
pipeline = opened(called.append, workers=0)
for n in range(50):
    pipeline.notify(MOTOR.tick, (n,))
""",
        ALL_DELIVERED,
    ),
}

# What is wrong, where it must be noticed, as what. Without the hook workers go on while the interpreter is
# taken down: what comes of that is CPython's business, and without a GIL the process may die of it.
PLANTED = {
    "no hook at exit": ("events queued", "books status", "atexit.unregister(tocsin.exit._close_all)"),
    "the hook waits for whatever hangs": (
        "a callback that waits for ever",
        "time",
        "_close = tocsin.exit._close\ntocsin.exit._close = lambda pipeline, timeout: _close(pipeline, 4.0)",
    ),
    "the hook stops nothing": (
        "a callback that waits for ever",
        "books",
        "tocsin.Pipeline._stop = lambda self: None",
    ),
    "the hook ends the process": (
        "no workers",
        "status",
        "import os\natexit.register(lambda: os._exit(0))",
    ),
}


@dataclass(frozen=True)
class End:
    """How a program ended: what was wrong ("status", "time", "books", or nothing), and the evidence."""

    wrong: str
    evidence: str


def run(python: str, name: str, library: Path | None, planted: str = "") -> End:
    """Run a situation in an interpreter and judge its end."""
    situation = SITUATIONS[name]
    code = f"exit_timeout = {situation.exit_timeout}\n{PRELUDE}{planted}{situation.code}{LEAVE}"
    command = [python, "-X", "faulthandler", "-c", code, *([str(library)] if library else [])]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False, env=kept
        )
    except subprocess.TimeoutExpired:
        return End("time", f"killed after {PATIENCE} s")
    ended = time.monotonic()  # one clock for the whole system
    if done.returncode != STATUS or done.stderr:
        return End("status", f"{done.returncode}: {done.stderr[-2000:]}")
    try:
        told = json.loads(done.stdout)
    except ValueError:
        return End("books", f"none: {done.stdout!r}")
    took = ended - told.pop("left")
    if not eval(situation.books, {}, told):  # our own text
        return End("books", f"{told}, not {situation.books}")
    if took > situation.exit_timeout + SLACK:
        return End("time", f"{took:.1f} s")
    return End("", f"{took:.3f} s")
