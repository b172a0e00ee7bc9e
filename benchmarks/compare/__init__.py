"""The peers on the same work, each at its best setting; one that isn't installed is named as missing.

    pip install 'tocsin[bench]'; python -m benchmarks compare

hop: events from the main thread to another one, and a function there called with each. What carries objects
carries the whole job: a stamped tuple whose key is looked up (python_to_python.py). What carries bytes
carries the 32 bytes of payload, without key and time: less than the job. No event may be lost.

emit_one, emit_ten: listeners called in the thread that emits. These libraries hop no thread, so they answer
another question; ours is NotifierChain, which hops none either.
"""

from importlib import import_module

from benchmarks.harness import Path

MODULES = ("queues", "loops", "transports", "signals")

hop = Path("hop", "through a thread hop to a Python function, ns per event")
emit_one = Path("emit_one", "one listener in the same thread, ns per emit")
emit_ten = Path("emit_ten", "ten listeners in the same thread, ns per emit")


def all_comparisons() -> list[Path]:
    """Return every kind of work, with all peers in it."""
    for name in MODULES:
        import_module(f"benchmarks.compare.{name}")
    return [hop, emit_one, emit_ten]
