"""Clocks, and times as users give them: timestamps, timeouts and delays, checked.

Waits last until a deadline, a time of the monotonic clock in seconds, None for never. Python's own waits
answer signals, so nothing here is cut in slices. Any thread.
"""

import time
from collections.abc import Callable
from typing import Any

__all__ = ["clock_of", "deadline_of", "delay_of", "left_until", "stamp_of"]

STAMP_MAX = (1 << 64) - 2
FOR_EVER = 1e9  # seconds; a longer wait has no end


def clock_of(kind: int) -> Callable[[], int]:
    """Return the function that reads a clock in ns: 0 monotonic, 1 boottime, 2 realtime."""
    if kind == 0:
        return time.monotonic_ns
    if kind == 2:
        return time.time_ns
    number = getattr(time, "CLOCK_BOOTTIME", None)
    if number is None:
        raise OSError("this system has no boottime clock: use monotonic or realtime")
    return lambda: time.clock_gettime_ns(number)


def stamp_of(timestamp: Any) -> int:
    """Return a timestamp in ns, an integer from 0 to 2**64 - 2; TypeError, ValueError."""
    if isinstance(timestamp, bool) or not hasattr(timestamp, "__index__"):
        raise TypeError(f"a timestamp must be an integer in ns, not {timestamp!r}")
    stamp: int = timestamp.__index__()
    if not 0 <= stamp <= STAMP_MAX:
        raise ValueError(f"timestamp {stamp} is not in 0..2**64 - 2")
    return stamp


def number_of(what: str, seconds: Any) -> float:
    """Return a real number; float() alone would read strings."""
    if not hasattr(type(seconds), "__float__") and not hasattr(type(seconds), "__index__"):
        raise TypeError(f"{what} must be a number of seconds, not {seconds!r}")
    return float(seconds)


def deadline_of(timeout: Any) -> float | None:
    """Return when `timeout` seconds will be over; None: never."""
    if timeout is None:
        return None
    seconds = number_of("timeout", timeout)
    if not seconds >= 0:
        raise ValueError(f"timeout must be at least 0 seconds or None, not {timeout!r}")
    return None if seconds > FOR_EVER else time.monotonic() + seconds


def left_until(deadline: float | None) -> float | None:
    """Return how many seconds are left; None: no end."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def delay_of(seconds: Any) -> float:
    """Return a delay in seconds, checked."""
    delay = number_of("a delay", seconds)
    if not 0 <= delay <= FOR_EVER:
        raise ValueError(f"a delay must be 0 to 1e9 seconds, not {seconds!r}")
    return delay
