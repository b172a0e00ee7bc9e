"""A subinterpreter that imports tocsin is told that it can't, and the main interpreter goes on."""

import sys

import pytest

from helpers import assert_ends_well

IMPORTS = """
try:
    import tocsin
except ImportError as error:
    assert "subinterpreter" in str(error) and "main interpreter" in str(error), error
else:
    raise AssertionError("imported")
"""
# Both kinds: those with a GIL of their own, in which CPython refuses modules that are not made for it, and
# those that share everything. The module that makes them has had two names, and each function two forms.
PROGRAM = """
import importlib
for name in ("_interpreters", "_xxsubinterpreters"):
    try:
        interpreters = importlib.import_module(name)
        break
    except ImportError:
        continue
if {first}:
    import tocsin
for kind in ("isolated", "legacy"):
    try:
        one = interpreters.create(kind)
    except TypeError:
        one = interpreters.create(isolated=kind == "isolated")
    run = getattr(interpreters, "exec", None) or interpreters.run_string
    answer = run(one, {imports!r})       # raises, or returns what was raised
    assert answer is None, answer
    interpreters.destroy(one)
from helpers import MOTOR
import tocsin
got = []
with tocsin.Pipeline() as pipeline:
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.tick, got.append)
    pipeline.notify(MOTOR.tick, (1,))
assert len(got) == 1
print("done", end="")
"""


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="only CPython makes them so")
@pytest.mark.parametrize("first", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_it_is_refused_whoever_comes_first(first: bool) -> None:
    assert assert_ends_well(PROGRAM.format(first=first, imports=IMPORTS)) == "done"
