"""The runner reads a search's output right, and the table of cases leaves out nothing that a model offers.

The searches themselves take longer and need spin: `python -m tests.model`.
"""

import re

import pytest
from tests.model import models, review
from tests.model.cases import CASES, Case

COUNTS = "State-vector 84 byte, depth reached 697, errors: {}\n    49617 states, stored\n"
ENDED = "(Spin Version 6.5.2 -- 6 December 2019)\n"


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        ("verified", ENDED + COUNTS.format(0)),
        ("violated", "pan:1: assertion violated 0 (at depth 13)\n" + ENDED + COUNTS.format(1)),
        ("violated", "pan:1: acceptance cycle (at depth 13)\n" + ENDED + COUNTS.format(1)),
        ("bad model", "pan:1: block in d_step seq (at depth 13)\n" + ENDED + COUNTS.format(1)),
        ("too deep", "error: max search depth too small\n" + ENDED + COUNTS.format(0)),
        ("too big", "pan: reached -DMEMLIM bound\n" + ENDED + COUNTS.format(0)),
        ("no answer", "Warning: Search not completed\n" + COUNTS.format(0)),
        ("no answer", "pan: cannot allocate\n"),
        ("no answer", ""),
    ],
)
def test_verdict(verdict: str, text: str) -> None:
    assert models.judge(text)[0] == verdict


def test_states_are_read() -> None:
    assert models.judge(ENDED + COUNTS.format(0)) == ("verified", 49617)
    assert models.judge("errors: 0\n 1.0488e+07 states, stored") == ("verified", 10_488_000)


def made(*, row: str = "models", holds: bool = True, verdict: str = "verified") -> models.Found:
    return models.Found(Case(row, "kick", "N=1", holds), verdict, 10_000_000, 1.0)


def test_row_counts_what_came_out() -> None:
    good = [made(), made(holds=False, verdict="violated")]
    row = models.row("models", "spin", good)
    assert (row.work, row.violations, row.planted, row.caught, row.verdict) == (10_000_000, 0, 1, 1, "ok")
    for verdict in ("violated", "too big", "no answer"):
        assert models.row("models", "spin", [*good, made(verdict=verdict)]).verdict == "VIOLATION"
    for verdict in ("verified", "bad model"):
        row = models.row("models", "spin", [*good, made(holds=False, verdict=verdict)])
        assert row.verdict == "SURVIVED"
        assert verdict in row.note


@pytest.mark.parametrize("row", models.MINIMUM)
def test_each_planted_bug_has_its_turn_and_each_day_has_one(
    row: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = [case for case in models.chosen(0) if case.row == row and not case.holds]
    seen: list[Case] = []
    for day in range(models.TURNS):
        monkeypatch.setattr(models, "date", Day(700_000 + day))
        today = [case for case in models.in_turn(models.chosen(0), 0) if case.row == row and not case.holds]
        assert today
        seen += today
    assert sorted(map(str, seen)) == sorted(map(str, every))


class Day:
    """A calendar that stands still."""

    def __init__(self, ordinal: int) -> None:
        self.ordinal = ordinal

    def today(self) -> "Day":
        return self

    def toordinal(self) -> int:
        return self.ordinal


def test_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(models.NotRun, match="apt-get install spin"):
        models.require_tools()


def switches(model: str) -> tuple[set[str], set[str]]:
    """Return the switches that a model and what it includes ask for: names, and values of REACH."""
    text = review.models()[f"{model}.pml"]
    names = set(re.findall(r"#\s*if(?:n?def| defined\(| !defined\()\s*(\w+)", text))
    names |= set(re.findall(r"defined\((\w+)\)", text))
    reached = set(re.findall(r"REACH == (\d)", text))
    for included in re.findall(r'#include "(\w+)\.pml"', text):
        more = switches(included)
        names |= more[0]
        reached |= more[1]
    return names - {"REACH"}, reached


@pytest.mark.parametrize("model", sorted({case.model for case in CASES}))
def test_every_switch_is_in_some_case(model: str) -> None:
    names, reached = switches(model)
    used = {
        tuple(word.partition("=")[::2])
        for case in CASES
        if case.model == model
        for word in case.switches.split()
    }
    used_names = {name for name, _ in used}
    assert used_names - {"REACH"} <= names
    assert {value for name, value in used if name == "REACH"} == reached
    elsewhere = {"CLAIM_RUNNING"} if model == "kick" else OF_KICK if model == "stages" else set()
    sizes = {
        "N",
        "CAP",
        "EACH",
        "SIZE",
        "WRITERS",
        "PRODUCERS",
        "ITEMS",
        "WORKERS",
        "CHANGES",
        "TRIES",
        "MODEL",
    }
    assert names - used_names - elsewhere - sizes == set()


# Mutants of the word that stages.pml includes and kick.pml tries.
OF_KICK = {
    "PENDING_AFTER",
    "NO_EXCLUSION",
    "END_NOT_RELINKED",
    "LINKED_IGNORED",
    "CANCEL_UNLINKS",
    "REFUSED_PENDING",
}


def test_every_model_is_in_the_table() -> None:
    included = {
        name for text in review.models().values() for name in re.findall(r'#include "(\w+)\.pml"', text)
    }
    assert {case.model for case in CASES} | included == {
        name.removesuffix(".pml") for name in review.models()
    }
