"""Stands before the standard library's queue.py on PYTHONPATH, and gives tocsin.compat.queue in its place.

The real module is loaded from its file and lies in sys.modules only while tocsin.compat.queue is imported,
which builds on it. The suite's imports with and without the _queue module run this file again, and get the
same classes.

At the end the calls are written to the file that TOCSIN_COMPAT_CALLS names: those that found the queue on the
compiled path, and the others.
"""

import atexit
import functools
import importlib.util
import itertools
import os
import sys
import sysconfig


def real_queue():
    """Load the standard library's module under its own name."""
    path = os.path.join(sysconfig.get_path("stdlib"), "queue.py")
    spec = importlib.util.spec_from_file_location("queue", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def count_calls(cls):
    """Have each public method of the core note on which path it was called."""
    compiled, moved = itertools.count(), itertools.count()

    def counted(method):
        @functools.wraps(method)
        def call(self, *args, **named):
            next(compiled if getattr(self, "is_compiled", False) else moved)
            return method(self, *args, **named)

        return call

    methods = (
        "put",
        "get",
        "put_nowait",
        "get_nowait",
        "task_done",
        "join",
        "shutdown",
        "qsize",
        "empty",
        "full",
    )
    for name in methods:
        setattr(cls, name, counted(getattr(cls, name)))

    def report():
        with open(os.environ["TOCSIN_COMPAT_CALLS"], "w") as file:
            file.write(f"{next(compiled)} {next(moved)}")

    atexit.register(report)


if "tocsin.compat.queue" not in sys.modules:
    this = sys.modules["queue"]
    sys.modules["queue"] = real = real_queue()
    import tocsin.compat.queue

    sys.modules["queue"] = this
    tocsin.compat.queue._PySimpleQueue = real._PySimpleQueue
    count_calls(tocsin.compat.queue.Queue)

# Below, since only now the real module is out of the way; for the suite, which takes them from here.
from tocsin.compat.queue import (  # noqa: E402, F401
    Empty,
    Full,
    LifoQueue,
    PriorityQueue,
    Queue,
    ShutDown,
    SimpleQueue,
    _PySimpleQueue,
)
