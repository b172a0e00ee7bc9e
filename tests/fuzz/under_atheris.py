"""`python -m tests.fuzz.under_atheris TARGET [OPTION...]`: run one target in the fuzzer, in this process.

What is imported here is rewritten to count edges of Python too; those of C are counted by the compiler where
the core was built for it. tests/fuzz/running.py starts this with the environment that it needs.
"""

import importlib
import sys

import atheris


def main() -> None:
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["tocsin"]):
        target = importlib.import_module(f"tests.fuzz.targets.{name}")
    atheris.Setup(sys.argv, target.one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
