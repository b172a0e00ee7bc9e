"""The form of kicks: chosen, told, and the same events with either."""

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sandbox
import tocsin
from helpers import MOTOR

FORMS = ["atomic", pytest.param("membarrier", marks=pytest.mark.native_only("the pure core takes a lock"))]


def has_membarrier() -> bool:
    return tocsin.Pipeline().kick == "membarrier"


@pytest.mark.parametrize("form", FORMS)
def test_every_event_comes_with_either_form(make_pipeline: Callable[..., Any], form: str) -> None:
    if form == "membarrier" and not has_membarrier():
        with pytest.raises(RuntimeError, match="is not to be had here"):
            make_pipeline(kick=form)
        return
    pipeline = make_pipeline(kick=form)
    assert pipeline.kick == form
    pipeline.register(MOTOR)
    seen: list[bytes] = []
    pipeline.subscribe(MOTOR.raw, lambda event: seen.append(event.payload))
    payloads = [number.to_bytes(4, "little") for number in range(2000)]
    for payload in payloads:
        assert pipeline.notify(MOTOR.raw, payload)
    assert pipeline.flush(timeout=30)
    assert seen == payloads


def test_without_workers_there_is_nobody_to_pay_for_barriers() -> None:
    assert tocsin.Pipeline(workers=0).kick == "atomic"


@pytest.mark.native_only("the pure core has no barriers")
def test_a_sandbox_that_forbids_barriers_later_changes_the_form_and_loses_nothing() -> None:
    if not has_membarrier():
        pytest.skip("no membarrier on this system")
    program = """
        import tocsin

        P = tocsin.Protocol(0x80, "p", {"raw": tocsin.EventType(0)})
        seen = []
        with tocsin.Pipeline() as pipeline:
            pipeline.register(P)
            pipeline.subscribe(P.raw, lambda event: seen.append(event.payload))
            pipeline.notify(P.raw, b"before")
            assert pipeline.flush(timeout=10) and pipeline.kick == "membarrier"

            forbid_barriers()
            for number in range(500):
                assert pipeline.notify(P.raw, str(number).encode())
                if number % 100 == 0:
                    assert pipeline.flush(timeout=10)
            assert pipeline.flush(timeout=10)
            assert pipeline.kick == "atomic", pipeline.kick
        assert seen == [b"before", *(str(number).encode() for number in range(500))]
    """
    done = subprocess.run(
        [sys.executable, "-c", Path(sandbox.__file__).read_text() + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode == sandbox.NOT_HERE:
        pytest.skip("this system lets nobody set up a seccomp filter")
    assert (done.returncode, done.stderr) == (0, "")
