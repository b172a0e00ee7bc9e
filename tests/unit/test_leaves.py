"""The leaves of the package: `import tocsin` brings none of them, and none needs another."""

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
    assert leaves_after("import tocsin") == []


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
