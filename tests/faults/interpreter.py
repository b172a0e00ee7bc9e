"""Does this interpreter survive that it has no memory? CPython 3.12.1 and 3.13.0 don't.

There a function that can't be made gives back references that it never had.

    python -m tests.faults.interpreter        (under failing.c, see injector.py)

Ends in a crash, or not. No tocsin takes part.
"""

import contextlib
import ctypes
import os

PYTHON = 4  # Kind.python: importing that would import tocsin


def make(x: int) -> int:
    """Make a function, a cell and a generator."""

    def function() -> int:
        return sum(x == y for y in (1, 2))

    return function()


def main() -> None:
    library = ctypes.PyDLL(os.environ["LD_PRELOAD"])
    library.faults_call.restype = ctypes.py_object
    library.faults_call.argtypes = [ctypes.py_object, ctypes.c_int, ctypes.c_long, ctypes.c_int]
    library.faults_wrap_python()
    for n in [*range(1, 12)] * 3:
        with contextlib.suppress(MemoryError):
            library.faults_call(lambda: make(3), PYTHON, n, 0)
        for number in range(5):
            make(number)


if __name__ == "__main__":
    main()
