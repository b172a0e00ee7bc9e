"""The paths, one module each, in the order in which they are measured and printed."""

from importlib import import_module

from benchmarks.harness import Path

MODULES = (
    "notify",
    "python_to_python",
    "notify_many",
    "native_to_native",
    "native_shared",
    "native_to_python",
    "lone",
    "lone_native",
    "main_thread",
    "spinning",
    "flood",
    "channel",
    "asyncio_loop",
    "memory",
    "growth",
    "footprint",
    "parts",
    "compat_queue",
    "compat_janus",
    "compat_logging",
)


def all_paths() -> list[Path]:
    found: list[Path] = [import_module(f"benchmarks.paths.{name}").path for name in MODULES]
    return found
