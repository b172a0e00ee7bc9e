"""tocsin doctor: what this installation is made of, what works less well than it could, what is broken.

Each fact is asked of whoever decides it: the switches of tocsin.backend, the clocks and the GIL of the
interpreter. Whether the core sleeps on a futex follows from system and switch as in thread.h. At last a
pipeline of its own delivers some events, and its books must balance.
"""

import json
import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import tocsin
from tocsin import backend

__all__ = ["examine"]

EVENTS = 1000  # of the check
PATIENCE = 10.0  # seconds that the check may take
COARSE = 1000  # ns; a clock that ticks less often gives events of one batch the same time

Facts = dict[str, Any]


def examine(*, as_json: bool) -> int:
    """Print the findings; return 0, or 1 if something is broken."""
    facts: Facts = {"tocsin": core_facts(), "python": python_facts(), "system": system_facts()}
    facts["clocks"] = {name: resolution(name) for name in ("monotonic", "boottime", "realtime")}
    broken = []
    try:
        facts["switches"] = dict(backend.switches())
        facts["check"] = check()
    except Exception as error:  # whatever it is, it is the finding
        broken.append(f"{type(error).__name__}: {error}")
    facts["degraded"], facts["broken"] = degraded(facts), broken
    if as_json:
        print(json.dumps(facts))
    else:
        print_facts(facts)
    return 1 if broken else 0


def core_facts() -> Facts:
    return {
        "version": tocsin.__version__,
        "backend": backend.name,
        "cython": backend.CYTHON,
        "path": os.path.dirname(tocsin.__file__),
        "kick": kick_in_force(),
    }


def kick_in_force() -> str | None:
    """Return the form of kicks that a pipeline has here; None where none can be made."""
    try:
        with tocsin.Pipeline(name="doctor") as pipeline:
            return pipeline.kick
    except ValueError:  # a wrong switch, which is told apart
        return None


def python_facts() -> Facts:
    return {
        "implementation": platform.python_implementation(),
        "version": platform.python_version(),
        "free_threaded": backend.gil_is_off,
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "numpy": version_of("numpy"),
        "typer": version_of("typer"),
        "rich": version_of("rich"),
    }


def version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def system_facts() -> Facts:
    cores = os.cpu_count() or 1
    return {
        "name": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()).strip() or None,
        "cores": cores,
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores,
    }


def resolution(clock: str) -> int | None:
    """Return the resolution of a clock in ns; None if the system lacks it."""
    number = getattr(time, "CLOCK_" + clock.upper(), None)
    return None if number is None else max(1, round(time.clock_getres(number) * 1e9))


def check() -> Facts:
    """Have a pipeline deliver some events; raises if one is missing or in the wrong place."""
    protocol = tocsin.Protocol(0, "doctor", {"tick": tocsin.EventType(0, {"n": "u4"})})
    seen: list[int] = []
    with tocsin.Pipeline(name="doctor") as pipeline:
        pipeline.register(protocol)
        pipeline.subscribe(protocol.tick, lambda event: seen.append(event.report.n))
        began = time.perf_counter_ns()
        accepted = sum(pipeline.notify(protocol.tick, (number,)) for number in range(EVENTS))
        if not pipeline.flush(timeout=PATIENCE):
            raise RuntimeError(f"{len(seen)} of {accepted} events were delivered in {PATIENCE} s")
        took = time.perf_counter_ns() - began
        books = pipeline.stats().protocols[protocol.id]
    if seen != list(range(EVENTS)) or books.delivered != EVENTS:
        raise RuntimeError(f"{EVENTS} events were sent and {len(seen)} delivered; the books say {books}")
    return {"sent": EVENTS, "delivered": len(seen), "nanoseconds": took}


KICKS = {
    "membarrier": "a look; the workers pay for the barrier (membarrier)",
    "atomic": "an atomic operation",
    None: "?",
}


def degraded(facts: Facts) -> list[str]:
    """Return a line for each thing that could be better, with its reason."""
    python, system, clocks = facts["python"], facts["system"], facts["clocks"]
    switches = facts.get("switches", {"writers": None, "portable": False})
    lines = []
    if not sleeps_on_futex(facts):
        reason = "TOCSIN_PORTABLE=1" if switches["portable"] else f"{system['name']} has none"
        lines.append(f"no futex: workers sleep on a mutex and a condition ({reason})")
    if facts["tocsin"]["kick"] == "atomic" and backend.name == "cython":
        reason = "TOCSIN_PORTABLE=1" if switches["portable"] else "no membarrier here"
        lines.append(f"each notify pays for an atomic operation ({reason})")
    if switches["writers"] == "cas" and not python["free_threaded"]:
        lines.append("writers reserve by compare-and-swap although there is a GIL (TOCSIN_WRITERS=cas)")
    if python["free_threaded"] and python["gil"]:
        lines.append("the GIL is on in a free-threaded build (PYTHON_GIL=1, or a module that needs it)")
    if system["usable_cores"] == 1:
        lines.append("one usable core: a notify that wakes a worker shares it with the callback")
    if python["numpy"] is None:
        lines.append("no NumPy: Batch.array and EventType.dtype raise (pip install 'tocsin[numpy]')")
    if clocks["boottime"] is None:
        lines.append('clock="boottime" is the monotonic clock: the system lacks CLOCK_BOOTTIME')
    for name, ticks in clocks.items():
        if ticks is not None and ticks > COARSE:
            lines.append(f"the {name} clock ticks every {ticks} ns only: events get the same timestamp")
    return lines


def sleeps_on_futex(facts: Facts) -> bool:
    return facts["system"]["name"] == "Linux" and not facts.get("switches", {}).get("portable", False)


def print_facts(facts: Facts) -> None:
    core, python, system = facts["tocsin"], facts["python"], facts["system"]
    switches = facts.get("switches")
    done = facts.get("check")
    made = f", made with Cython {core['cython']}" if core["cython"] else ""
    build = "free-threaded" if python["free_threaded"] else "GIL"
    clocks = (f"{name} {ticks} ns" for name, ticks in facts["clocks"].items() if ticks is not None)
    pairs = {
        "tocsin": f"{core['version']}, backend {core['backend']}{made}",
        "from": core["path"],
        "Python": f"{python['implementation']} {python['version']}, {build} build",
        "GIL": "on" if python["gil"] else "off",
        "packages": ", ".join(f"{name} {python[name] or 'absent'}" for name in ("numpy", "typer", "rich")),
        "system": f"{system['name']} {system['release']} {system['machine']}, {system['libc'] or 'libc ?'}",
        "cores": f"{system['cores']}, {system['usable_cores']} of them usable",
        "sleep": "futex" if sleeps_on_futex(facts) else "mutex and condition",
        "kick": KICKS[core["kick"]],
        "clocks": ", ".join(clocks),
        "writers": {"gil": "one at a time, by the GIL", "cas": "compare-and-swap", None: "?"}[
            switches and switches["writers"]
        ],
        "switches": " ".join(f"{name}={text}" for name, text in os.environ.items() if is_switch(name)),
        "check": f"{done['delivered']} of {done['sent']} events delivered" if done else "failed",
    }
    for name, value in pairs.items():
        print(f"{name:<12}{value or 'none'}")
    for kind in ("degraded", "broken"):
        for line in facts[kind]:
            print(f"{kind:<12}{line}")
    if not facts["degraded"] and not facts["broken"]:
        print("all well")


def is_switch(name: str) -> bool:
    return name in ("TOCSIN_BACKEND", "TOCSIN_WRITERS", "TOCSIN_PORTABLE")
