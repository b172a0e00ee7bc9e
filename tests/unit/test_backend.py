"""Two backends, and the choice between them: nothing silent, nothing shared, nothing left out."""

import ast
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tocsin
import tocsin.backend
from helpers import MOTOR
from twins import load, protocol_of

STUBS = sorted((Path(tocsin.__file__).parent / "_core").glob("*.pyi"))


def run(code: str, backend: str | None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(tocsin.__file__).parents[1])}
    environment.pop("TOCSIN_BACKEND", None)
    if backend is not None:
        environment["TOCSIN_BACKEND"] = backend
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


# ------------------------------------------------------------------------------------------ the choice


def test_without_a_wish_it_is_the_compiled_core_where_there_is_one() -> None:
    result = run("import tocsin.backend; print(tocsin.backend.name)", None)
    assert result.stdout == ("cython\n" if tocsin.backend.was_built() else "python\n")


def test_a_wish_for_an_unknown_backend_is_refused() -> None:
    result = run("import tocsin", "fortran")
    assert result.returncode == 1
    assert result.stderr.endswith("ValueError: TOCSIN_BACKEND must be cython or python, not 'fortran'\n")


@pytest.mark.skipif(not tocsin.backend.was_built(), reason="there is no compiled core")
@pytest.mark.parametrize(("backend", "other"), [("cython", "pure"), ("python", "_core")])
def test_a_backend_imports_nothing_of_the_other(backend: str, other: str) -> None:
    code = (
        "import json, sys, tocsin\n"
        "with tocsin.Pipeline() as pipeline:\n"
        "    pipeline.register(tocsin.Protocol(1, 'p', {'e': tocsin.EventType(0)}))\n"
        "    pipeline.subscribe((1, 0), len, batch=True)\n"
        "    pipeline.notify((1, 0), b'')\n"
        "print(json.dumps([name for name in sys.modules if name.startswith('tocsin.')]))\n"
    )
    result = run(code, backend)
    assert result.returncode == 0, result.stderr
    parts = {name.split(".")[1] for name in json.loads(result.stdout)}
    assert other not in parts
    assert {"pure": "_core", "_core": "pure"}[other] in parts


# --------------------------------------------------------------------- what the pure one can't do


@pytest.fixture(scope="module")
def pure() -> Any:
    return load("python")


def test_what_needs_native_code_raises_and_says_why(pure: Any) -> None:
    with pure.Pipeline(workers=0) as pipeline:
        protocol = protocol_of(pure, 0x80)
        pipeline.register(protocol)
        producer = pipeline.producer(protocol)
        calls: dict[str, Callable[[], object]] = {
            'Pipeline(kick="membarrier")': lambda: pure.Pipeline(kick="membarrier"),
            "Pipeline.subscribe(main_thread=True)": lambda: pipeline.subscribe(
                protocol.raw, print, main_thread=True
            ),
            "Pipeline.subscribe_native": lambda: pipeline.subscribe_native(protocol.raw, 4096),
            "Producer.address": lambda: producer.address,
            "Producer.capsule": lambda: producer.capsule,
            "Producer.function": lambda: producer.function,
        }
        assert set(calls) == set(tocsin.backend.NATIVE_ONLY)
        for name, call in calls.items():
            with pytest.raises(
                NotImplementedError, match=rf"{re.escape(name)} needs the compiled core.*pure backend: it"
            ):
                call()
        assert repr(producer) == "<Producer p128 shared open>"
        assert producer.notify(2, b"in spite of it") is True


# ------------------------------------------------------------------------------- names and signatures


def promises() -> Iterator[tuple[str, ast.stmt]]:
    """Yield what the stubs of the compiled core promise under the names that a backend owes."""
    for stub in STUBS:
        for node in ast.parse(stub.read_text()).body:
            name = getattr(node, "name", None)
            if name in tocsin.backend.__all__:
                yield str(name), node


def parameters_of(node: ast.FunctionDef) -> list[tuple[str, bool]]:
    """Return the parameters of a stub's function: the name, and whether it has a default."""
    positional = [*node.args.posonlyargs, *node.args.args]
    defaults = [False] * (len(positional) - len(node.args.defaults)) + [True] * len(node.args.defaults)
    found = list(zip((argument.arg for argument in positional), defaults, strict=True))
    found += [
        (a.arg, d is not None) for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    ]
    return [(name, has_default) for name, has_default in found if name not in ("self", "cls")]


def parameters_found(function: Any) -> list[tuple[str, bool]]:
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        (parameter.name, parameter.default is not parameter.empty)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name not in ("self", "cls") and parameter.kind not in variadic
    ]


def differences(owner: Any, node: ast.stmt, path: str) -> Iterator[str]:
    """Yield a line for each member of a class, or function, that is not there as promised."""
    if isinstance(node, ast.ClassDef):
        for member in node.body:
            if isinstance(member, ast.FunctionDef) and member.name not in ("__init__", "__class_getitem__"):
                yield from differences(owner, member, f"{path}.{member.name}")
    elif isinstance(node, ast.FunctionDef):
        found = inspect.getattr_static(owner, node.name, None) if inspect.isclass(owner) else owner
        if found is None:
            found = getattr(owner, node.name, None)
        if found is None:
            yield f"{path} is missing"
        elif not node.decorator_list and parameters_of(node) != parameters_found(unwrapped(found)):
            yield f"{path} takes {parameters_found(unwrapped(found))}, not {parameters_of(node)}"


def unwrapped(found: Any) -> Any:
    return found.__func__ if isinstance(found, staticmethod | classmethod) else found


def test_the_pure_backend_has_what_the_stubs_promise(pure: Any) -> None:
    promised = list(promises())
    assert len(promised) >= 17
    lines = [line for name, node in promised for line in differences(getattr(pure.backend, name), node, name)]
    assert not lines, "\n".join(lines)


def test_every_name_that_a_backend_owes_is_there(pure: Any) -> None:
    assert [name for name in tocsin.backend.__all__ if not hasattr(pure.backend, name)] == []
    assert MOTOR.limit.code == 0x80 << 24
