"""What an import brings: `import tocsin` next to nothing, a name its own part, and no leaf another."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import tocsin

LEAVES = ["aio", "scmi", "sources"]


def leaves_after(statement: str) -> list[str]:
    """Return which leaves a fresh interpreter has imported after a statement."""
    script = (
        f"import json, sys; {statement}; "
        f"print(json.dumps([name for name in {LEAVES} if 'tocsin.' + name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


def test_import_of_the_package_brings_no_leaf() -> None:
    assert leaves_after("from tocsin import *") == []


@pytest.mark.native_only("the pure backend's classes are generic ones of typing")
@pytest.mark.parametrize(
    "use", ["pass", "t.Protocol(1, 'p', {'e': t.EventType(0, {'a': 'u4'})}); t.Pipeline().close()"]
)
def test_import_and_a_first_pipeline_load_nothing_slow(use: str) -> None:
    # -S: whatever else is installed may import things as the interpreter starts.
    place = Path(tocsin.__file__).parents[1]
    slow = {"contextlib", "logging", "numbers", "numpy", "re", "typing"}
    script = f"import sys; sys.path.append({str(place)!r}); import tocsin as t; {use}; "
    script += f"print(sorted({slow} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_threads_that_use_channels_pay_nothing_for_event_loops() -> None:
    statement = "import tocsin; p = tocsin.Pipeline(); p.channel((1, 1)).close(); p.close()"
    assert leaves_after(f"{statement}; assert 'asyncio' not in sys.modules") == []


@pytest.mark.parametrize("leaf", LEAVES)
def test_a_leaf_needs_no_other(leaf: str) -> None:
    assert leaves_after(f"import tocsin.{leaf}") == [leaf]


# ------------------------------------------------------------------------- names as they are asked for

INIT = Path(tocsin.__file__)


def printed(script: str) -> str:
    """Return what a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout


def parts_after(statement: str) -> set[str]:
    """Return the modules of tocsin that a fresh interpreter has imported after a statement."""
    names: list[str] = json.loads(
        printed(f"import json, sys; {statement}; print(json.dumps([*sys.modules]))")
    )
    return {name.removeprefix("tocsin.") for name in names if name.startswith("tocsin.")}


def test_import_alone_brings_one_module_of_the_backend() -> None:
    parts = parts_after("import tocsin")
    assert {part for part in parts if "." not in part} <= {"backend", "exit", "lazy", "_core", "pure"}
    assert {part.partition(".")[2] for part in parts if "." in part} == {"guard"}


def test_a_fifo_comes_without_the_pipeline() -> None:
    parts = parts_after("from tocsin import Kfifo")
    assert "fifo" in parts
    assert not {"pipeline", "protocol", "_core.engine", "pure.engine"} & parts


def test_a_pipeline_comes_without_the_primitives() -> None:
    parts = parts_after("from tocsin import Pipeline")
    assert "pipeline" in parts
    assert not {"fifo", "notifier", "workqueue"} & parts


def test_checkers_are_told_of_each_name_where_it_is() -> None:
    checkers = next(node for node in ast.parse(INIT.read_text()).body if isinstance(node, ast.If))
    told = {
        alias.name: node.module
        for node in checkers.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert told == tocsin._PLACES
    assert sorted({*told, "get_include"}) == sorted(tocsin.__all__)


def test_names_are_listed_before_they_are_imported() -> None:
    script = "import tocsin as t; print({*t.__all__} <= {*dir(t)}, 'Pipeline' in vars(t))"
    assert printed(script) == "True False\n"


def test_a_name_is_looked_up_once() -> None:
    assert tocsin.Pipeline is vars(tocsin)["Pipeline"]


def test_the_modules_of_the_names_are_known_too() -> None:
    script = "import tocsin as t; print(t.errors.ClosedError is t.ClosedError, hasattr(t, 'errorz'))"
    assert printed(script) == "True False\n"


def test_an_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'tocsin' has no attribute 'Pipelines'"):
        exec("tocsin.Pipelines")
    with pytest.raises(ImportError, match="cannot import name 'Pipelines'"):
        exec("from tocsin import Pipelines")
    assert not hasattr(tocsin.backend, "Pipelines")
