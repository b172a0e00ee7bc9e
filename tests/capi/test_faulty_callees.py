"""Callables that call an extension which breaks the rules: the error is theirs, and nobody else's."""

import ctypes
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import tocsin
from compiling import compile_library
from helpers import MOTOR

HERE = Path(__file__).parent
INCLUDE = sysconfig.get_path("include")
TIMES = 200  # the interpreter has long taken its shorter ways, which look at less


@pytest.mark.parametrize("what", ["both", "neither"])
def test_an_exception_left_behind_is_told_as_the_callables(what: str, tmp_path: Path) -> None:
    library = ctypes.PyDLL(str(compile_library(HERE / "faulty.c", tmp_path, f"-I{INCLUDE}")))
    make = getattr(library, f"make_{what}")
    make.restype = ctypes.py_object
    faulty = make()
    failed: list[Any] = []
    heard: list[int] = []
    with tocsin.Pipeline(workers=0, on_error=lambda failure: failed.append(failure.subscription)) as pipeline:
        pipeline.register(MOTOR)
        first = pipeline.subscribe(MOTOR.limit, lambda event: faulty(event))
        other = pipeline.subscribe(MOTOR.raw, lambda event: heard.append(event.source))
        for _ in range(TIMES):
            pipeline.notify(MOTOR.limit, (1, 2))
            pipeline.notify(MOTOR.raw, b"")
        assert pipeline.flush(10)
        assert (first.stats().errors, other.stats().errors) == (TIMES, 0)
        assert failed == [first] * TIMES
        assert len(heard) == TIMES
        assert pipeline.stats().protocols[MOTOR.id].delivered == 2 * TIMES
