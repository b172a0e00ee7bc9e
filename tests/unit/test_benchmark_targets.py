"""The benchmarks' own rules: rounds in turn, nothing lost unnoticed, targets held. No time is looked at."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path as Folder
from types import SimpleNamespace
from typing import Any

import pytest
from benchmarks import __main__ as command
from benchmarks import plot
from benchmarks.compare import all_comparisons
from benchmarks.harness import COUNTERS, Case, Path, Round, histogram, percentile
from benchmarks.instructions.__main__ import compared, read_dump
from benchmarks.paths import all_paths
from benchmarks.targets import (
    AT_BEST,
    ELSEWHERE,
    MET,
    MISSED,
    NOT_RUN,
    UNREACHABLE,
    difference,
    is_missed,
    share,
    times_faster,
    value_of,
)

from tocsin import backend

PATHS = [*all_paths(), *all_comparisons()]


def giving(*values: float) -> Callable[[], Iterator[Round]]:
    """Return a world whose measured rounds give these values, one after the other."""
    left = list(values)

    def world() -> Iterator[Round]:
        value = left.pop(0)
        yield Round(lambda n: value * n)

    return world


def measured(cases: dict[str, tuple[float, ...]], *targets: tuple[Any, dict[str, Any]]) -> dict[str, Any]:
    """Measure a path of such cases; its results."""
    path = Path("made", "made up")
    for name, values in cases.items():
        path.case(name, 10)(giving(*values))
    for figure, options in targets:
        path.target("promised", figure, **options)
    path.measure(rounds=len(next(iter(cases.values()))))
    return path.results()


# ------------------------------------------------------------------------------------- the harness


def test_cases_run_in_turn_and_no_world_outlives_its_measurement() -> None:
    happened = []

    def noting(name: str) -> Callable[[], Iterator[Round]]:
        def world() -> Iterator[Round]:
            happened.append(f"{name} opens")
            yield Round(lambda n: n)
            happened.append(f"{name} closes")

        return world

    path = Path("made", "made up")
    for name in "ab":
        path.case(name, 1)(noting(name))
    path.measure(rounds=2)
    assert happened == ["a opens", "a closes", "b opens", "b closes"] * 2


@pytest.mark.parametrize(("accepted", "delivered"), [(-1, 0), (0, -1), (0, 1)])
def test_an_event_too_few_or_too_many_fails_the_case(accepted: int, delivered: int) -> None:
    books = SimpleNamespace(accepted=0, delivered=0, **dict.fromkeys(COUNTERS, 0))

    def run(n: int) -> int:
        books.accepted += n
        books.delivered += n
        return n

    @contextmanager
    def world() -> Iterator[Round]:
        yield Round(run, lambda: books, patience=0.01)

    Case("whole", 5, world).measure()
    books.accepted, books.delivered = accepted, delivered
    with pytest.raises(AssertionError, match="not 10"):
        Case("not whole", 5, world).measure()


def test_a_stage_may_enter_the_last_event_after_its_handler_was_called() -> None:
    looks = iter([0, 9, 9, 10])  # before the round, after it, and two looks of the check

    @contextmanager
    def world() -> Iterator[Round]:
        def books() -> SimpleNamespace:
            delivered = next(looks)
            return SimpleNamespace(accepted=10, delivered=delivered, **dict.fromkeys(COUNTERS, 0))

        yield Round(lambda n: n, books)

    Case("late books", 5, world).measure()
    assert next(looks, None) is None


def test_a_latency_case_times_every_event() -> None:
    @contextmanager
    def world() -> Iterator[Round]:
        yield Round(lambda n: [1.0] * (n - 1))

    with pytest.raises(AssertionError, match="99 of 100 were timed"):
        Case("one untimed", 100, world, each=True).measure()


def test_a_case_that_cannot_run_keeps_its_place_with_the_reason() -> None:
    path = Path("made", "made up")
    path.case("possible", 1)(giving(1))
    path.case("impossible", 1, needs=(lambda: "no such thing here",))(giving())
    path.case("not there", 1, package="tocsin-no-such-package")(giving())
    path.target("promised", value_of("impossible"), at_most=1)
    path.measure(rounds=1)
    results = path.results()
    assert [row["case"] for row in results["rows"]] == ["possible"]
    assert results["missing"] == {
        "impossible": "no such thing here",
        "not there": "tocsin-no-such-package is not installed",
    }
    (verdict,) = results["targets"]
    assert verdict["verdict"] == NOT_RUN
    assert verdict["why"] == "impossible: no such thing here"
    assert is_missed(verdict)


def test_percentiles_and_histograms_keep_every_value() -> None:
    values = [float(10**power) for power in range(10)]
    assert percentile(values, 50) == 1e5
    assert percentile(values, 99) == 1e9
    counts = histogram(values)
    assert sum(counts) == len(values)
    assert counts[0] == 2  # 1 ns lies below the lowest bin, and is counted in it
    assert counts[-1] == 1


# ------------------------------------------------------------------------------------- the targets


@pytest.mark.parametrize(
    ("rounds", "word"),
    [((9, 9, 11), MET), ((9, 11, 11), AT_BEST), ((11, 12, 11), MISSED), ((10, 10, 10), MET)],
)
def test_a_target_is_met_by_the_median_or_said_to_be_met_at_best(
    rounds: tuple[float, ...], word: str
) -> None:
    results = measured({"ours": rounds}, (value_of("ours"), {"at_most": 10}))
    (verdict,) = results["targets"]
    assert verdict["verdict"] == word
    assert is_missed(verdict) == (word == MISSED)


@pytest.mark.parametrize(
    ("figure", "median", "best"),
    [
        (times_faster("ours", "peer"), 3.0, 2.0),  # round by round 2, 3, 4; best to best 4 / 2
        (share("ours", "peer"), 1 / 3, 1 / 2),
        (difference("peer", "ours", 2), 2.0, 1.0),
        (value_of("ours", beside="peer"), 2.0, 2.0),
    ],
)
def test_figures_are_found_round_by_round_and_best_to_best(figure: Any, median: float, best: float) -> None:
    results = measured({"ours": (2, 2, 2), "peer": (4, 6, 8)}, (figure, {"at_most": 0}))
    (verdict,) = results["targets"]
    assert verdict["median"] == pytest.approx(median)
    assert verdict["best"] == pytest.approx(best)


def test_of_several_peers_the_best_one_counts() -> None:
    cases = {"ours": (6, 6, 6), "slow": (9, 9, 9), "fast": (6, 6, 6)}
    results = measured(cases, (times_faster("ours", ["slow", "fast"]), {"at_least": 1.2}))
    (verdict,) = results["targets"]
    assert (verdict["peer"]["case"], verdict["median"], verdict["verdict"]) == ("fast", 1.0, MISSED)


def test_a_floor_is_found_as_the_figure_is_and_none_changes_no_verdict() -> None:
    cases = {"ours": (8.0, 9.0, 10.0), "peer": (20.0, 18.0, 30.0), "least": (4.0, 6.0, 5.0)}
    figure, floor = times_faster("ours", "peer"), times_faster("least", "peer")
    without, with_one, lacking = measured(
        cases,
        (figure, {"at_least": 4}),
        (figure, {"at_least": 4, "floor": floor}),
        (figure, {"at_least": 4, "floor": value_of("elsewhere")}),
    )["targets"]
    assert with_one["floor"] == 5.0
    assert without["floor"] is lacking["floor"] is None
    assert {verdict["verdict"] for verdict in (without, with_one, lacking)} == {MISSED}


@pytest.mark.parametrize(
    ("ours", "least", "word"),
    [(12.0, 11.0, UNREACHABLE), (12.0, 10.0, MISSED), (10.0, 11.0, MET)],
)
def test_what_its_floor_misses_too_is_out_of_reach_and_still_a_miss(
    ours: float, least: float, word: str
) -> None:
    cases = {"ours": (ours,) * 3, "least": (least,) * 3}
    results = measured(cases, (value_of("ours"), {"at_most": 10, "floor": value_of("least")}))
    (verdict,) = results["targets"]
    assert verdict["verdict"] == word
    assert is_missed(verdict) == (word != MET)


def test_an_aim_is_never_a_miss_and_another_build_is_none_of_ours() -> None:
    other = "gil" if backend.gil_is_off else "free-threaded"
    results = measured(
        {"ours": (5,)},
        (value_of("ours"), {"at_most": 1, "aim": True}),
        (value_of("ours"), {"at_most": 1, "on": other}),
    )
    aim, elsewhere = results["targets"]
    assert aim["verdict"] == MISSED
    assert elsewhere["verdict"] == ELSEWHERE
    assert not is_missed(aim)
    assert not is_missed(elsewhere)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_targets_name_cases_that_exist(path: Path) -> None:
    names = [case.name for case in path.cases]
    assert len(set(names)) == len(names)
    rows = {name for case in path.cases for name in row_names(case)}
    for target in path.targets:
        for figure in filter(None, (target.figure, target.floor)):
            assert {figure.ours, *figure.others} <= rows, target.text
        assert (target.at_most is None) != (target.at_least is None), target.text


def row_names(case: Case) -> list[str]:
    return [f"{case.name}, p50", f"{case.name}, p99"] if case.each else [case.name]


def test_pictures_name_cases_that_exist() -> None:
    known = {(path.name, case.name) for path in PATHS for case in path.cases}
    assert {(path, case) for path, case, _ in plot.LATENCIES} <= known
    assert set(plot.THROUGHPUTS) <= known


# -------------------------------------------------------------------------------- the command line


def made_path(value: float, **options: Any) -> Path:
    path = Path("made", "made up")
    path.case("ours", 10)(giving(value))
    path.target("promised", value_of("ours"), **options)
    return path


@pytest.mark.parametrize(("value", "check", "status"), [(9, True, 0), (11, True, 1), (11, False, 0)])
def test_check_exits_1_on_a_miss(
    value: float, check: bool, status: int, capsys: pytest.CaptureFixture[str], tmp_path: Folder
) -> None:
    file = tmp_path / "results.json"
    options = ["--rounds", "1", "--json", str(file), *(["--check"] if check else [])]
    assert command.measure(options, [made_path(value, at_most=10)]) == status
    printed = capsys.readouterr().out
    assert ("MISSED" if value > 10 else "MET") in printed
    written = json.loads(file.read_text())
    assert written["paths"]["made"]["rows"][0]["median"] == value
    assert written["machine"]["python"] in printed


def test_check_of_nothing_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("made", "made up")
    path.case("ours", 10)(giving(1))
    assert command.measure(["--rounds", "1", "--check"], [path]) == 1
    assert "none of these paths has a target" in capsys.readouterr().err


def test_an_unknown_path_is_named_with_those_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["notfiy"])
    assert "no notfiy; there are " in capsys.readouterr().err


# ------------------------------------------------------------------------------------ instructions


def test_instructions_beyond_the_tolerance_are_noticed_both_ways() -> None:
    baseline = {"same": 100.0, "more": 100.0, "less": 100.0, "zero": 0.0}
    rows = compared({"same": 104.9, "more": 105.1, "less": 94.9, "zero": 1.0, "novel": 5.0}, baseline)
    assert [row["verdict"] for row in rows] == ["same", "MORE", "LESS", "MORE", "new"]


def test_a_dump_is_read_and_what_is_none_is_refused() -> None:
    dump = "version: 1\ndesc: Trigger: Client Request: few notify from Python\nsummary: 12\n\ntotals: 12\n"
    assert read_dump(dump) == ("few notify from Python", 12)
    with pytest.raises(ValueError, match="no dump of callgrind"):
        read_dump("version: 1\n")
