"""A suite that runs less than it should is noticed; and the short one of the standard library passes."""

import json
import re
from importlib.util import find_spec

import pytest
from tests.compat import suites
from tests.compat.suites import Outcome, complaints

WANTED = {"run": 54, "skipped": 1}


@pytest.mark.parametrize(
    ("run", "skipped", "failed", "found"),
    [
        (54, 1, False, []),
        (60, 0, False, []),
        (53, 1, False, ["53 tests ran"]),
        (54, 2, False, ["2 were skipped"]),
        (54, 1, True, ["it failed"]),
        (0, 0, True, ["it failed", "0 tests ran"]),
    ],
)
def test_a_suite_that_shrinks_is_noticed(run: int, skipped: int, failed: bool, found: list[str]) -> None:
    said = complaints(Outcome(run, skipped, failed, [], ""), WANTED)
    assert len(said) == len(found)
    assert all(re.match(start, line) for start, line in zip(found, said, strict=True))


def test_a_version_without_counts_is_noticed() -> None:
    assert complaints(Outcome(54, 0, False, [], ""), None)


def test_every_suite_has_counts() -> None:
    counts = json.loads(suites.EXPECTED.read_text())
    assert set(counts) == set(suites.SUITES)
    for name in ("queue", "logging"):
        assert {"3.11", "3.12", "3.13"} <= set(counts[name])


@pytest.mark.skipif(find_spec("test.test_logging") is None, reason="this Python has not its own tests")
def test_the_standard_librarys_suite_of_logging_passes() -> None:
    outcome, found = suites.carry_out("logging")
    assert not found, outcome.output
