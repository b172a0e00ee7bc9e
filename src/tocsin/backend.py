"""Choose the backend: the compiled core (tocsin._core), or the same in plain Python (tocsin.pure).

Everything above imports what it needs of the core from here, so that this file is the list of names that a
backend owes. What a name stands for never changes; any thread.

A name is imported when it is first asked for (lazy.py), but for one: a core that can't be imported says so
with `import tocsin`. There is no silent fallback. TOCSIN_BACKEND=cython or =python forces one. Otherwise it
is the compiled core if it was built, and one that was built and can't be imported raises; and the pure one
only where tocsin was installed without a compiled core, which takes TOCSIN_PURE=1 (setup.py). Neither
backend imports anything of the other.
"""

from __future__ import annotations

import _thread
import os
import sys

from tocsin.lazy import asked_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Literal, TypedDict

    class Switches(TypedDict):
        """The switches for tests in force."""

        writers: Literal["gil", "cas"]
        portable: bool


__all__ = [
    "BAD",
    "CYTHON",
    "DONE",
    "NATIVE_ONLY",
    "OK",
    "STOP",
    "Batch",
    "ChannelCore",
    "Doorbell",
    "Event",
    "EventCode",
    "EventHeader",
    "EventsCore",
    "Kfifo",
    "NotifierChain",
    "NotifyResult",
    "PipelineCore",
    "ProducerCore",
    "RecordFifo",
    "SubscriptionCore",
    "TypedFifo",
    "WorkCore",
    "WorkQueueCore",
    "begin_exit",
    "close_gil",
    "function_address",
    "gil_is_off",
    "guard",
    "make_event",
    "name",
    "switches",
]

# What the pure backend can't do, since nobody in it is native. Each raises NotImplementedError and says why.
NATIVE_ONLY: Final = (
    "Pipeline.subscribe(main_thread=True)",
    'Pipeline(kick="membarrier")',
    "Pipeline.subscribe_native",
    "Producer.address",
    "Producer.capsule",
    "Producer.function",
)


def refuse_subinterpreters() -> None:
    """Raise ImportError in any interpreter but the main one, before anything of either backend is loaded.

    The registries of pipelines, for forks and for the exit, are one for a process, and workers take one GIL.
    CPython refuses the compiled modules by itself, but only in interpreters that are isolated.
    """
    is_main = getattr(_thread, "_is_main_interpreter", None)  # CPython 3.13 and later
    if is_main is None:
        try:
            import _xxsubinterpreters as interpreters  # type: ignore[import-not-found]  # private
        except ImportError:  # a build without: nor has it subinterpreters but those of C code
            return
        here = interpreters.get_current() == interpreters.get_main()
    else:
        here = is_main()
    if not here:
        raise ImportError("tocsin can't be used in a subinterpreter: import it in the main interpreter")


def chosen() -> Literal["cython", "python"]:
    """Return which backend this process uses; ValueError for a TOCSIN_BACKEND that is none."""
    wanted = os.environ.get("TOCSIN_BACKEND")
    if wanted is None:
        return "cython" if was_built() else "python"
    if wanted == "cython":
        return "cython"
    if wanted == "python":
        return "python"
    raise ValueError(f"TOCSIN_BACKEND must be cython or python, not {wanted!r}")


def was_built() -> bool:
    """Return whether any compiled module lies in _core, for this interpreter or for another one."""
    core = os.path.join(os.path.dirname(__file__), "_core")
    return os.path.isdir(core) and any(name.endswith((".so", ".pyd")) for name in os.listdir(core))


refuse_subinterpreters()
name: Final = chosen()

if TYPE_CHECKING:
    from tocsin._core.batch import Batch
    from tocsin._core.bridge import begin_exit, close_gil
    from tocsin._core.capi import ProducerCore, function_address
    from tocsin._core.chain import BAD, DONE, OK, STOP, NotifierChain, NotifyResult
    from tocsin._core.doorbells import Doorbell, EventsCore
    from tocsin._core.engine import PipelineCore
    from tocsin._core.event import Event, EventCode, make_event
    from tocsin._core.guard import guard
    from tocsin._core.header import EventHeader
    from tocsin._core.kfifo import Kfifo, RecordFifo, TypedFifo
    from tocsin._core.made import CYTHON
    from tocsin._core.reader import ChannelCore
    from tocsin._core.ties import SubscriptionCore
    from tocsin._core.works import WorkCore, WorkQueueCore

# What a backend owes: each name, and its module in tocsin._core and in tocsin.pure.
OWED: Final = {
    "BAD": ("chain", "notifier"),
    "CYTHON": ("made", "made"),
    "Batch": ("batch", "batch"),
    "ChannelCore": ("reader", "channel"),
    "DONE": ("chain", "notifier"),
    "Doorbell": ("doorbells", "doorbell"),
    "Event": ("event", "event"),
    "EventCode": ("event", "event"),
    "EventHeader": ("header", "header"),
    "EventsCore": ("doorbells", "doorbell"),
    "Kfifo": ("kfifo", "kfifo"),
    "NotifierChain": ("chain", "notifier"),
    "NotifyResult": ("chain", "notifier"),
    "OK": ("chain", "notifier"),
    "PipelineCore": ("engine", "engine"),
    "ProducerCore": ("capi", "producer"),
    "RecordFifo": ("kfifo", "recordfifo"),
    "STOP": ("chain", "notifier"),
    "SubscriptionCore": ("ties", "subscription"),
    "TypedFifo": ("kfifo", "typedfifo"),
    "WorkCore": ("works", "workcore"),
    "WorkQueueCore": ("works", "works"),
    "begin_exit": ("bridge", "exit"),
    "close_gil": ("bridge", "exit"),
    "function_address": ("capi", "producer"),
    "guard": ("guard", "guard"),
    "make_event": ("event", "event"),
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = asked_for(
        __name__,
        {
            owed: f"tocsin._core.{compiled}" if name == "cython" else f"tocsin.pure.{pure}"
            for owed, (compiled, pure) in OWED.items()
        },
        globals(),
    )
    # At once: a core that can't be imported says so.
    guard = __getattr__("guard")

gil_is_off = "t" in getattr(sys, "abiflags", "")  # a free-threaded build


def switches() -> Switches:
    """Return the switches for tests in force: writers "gil" or "cas", portable True or False.

    TOCSIN_WRITERS=cas: the GIL is not taken for the lock of the writers, as on free-threaded builds.
    TOCSIN_PORTABLE=1: no futex. Read when a pipeline is made. ValueError for any other value.
    """
    writers = os.environ.get("TOCSIN_WRITERS", "gil")
    portable = os.environ.get("TOCSIN_PORTABLE", "0")
    if writers not in ("gil", "cas"):
        raise ValueError(f"TOCSIN_WRITERS must be gil or cas, not {writers!r}")
    if portable not in ("0", "1"):
        raise ValueError(f"TOCSIN_PORTABLE must be 0 or 1, not {portable!r}")
    return {
        "writers": "cas" if gil_is_off or writers == "cas" else "gil",
        "portable": portable == "1",
    }
