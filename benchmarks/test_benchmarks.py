"""Whether every case runs, delivers what it sent, and prints. No test looks at a time.

    pytest benchmarks                    every path and every installed peer, quickly
    pytest benchmarks --benchmark-only   the same cases under pytest-benchmark

pytest's `testpaths` doesn't name this folder, so a plain `pytest` leaves it alone.
"""

import gc
import json

import pytest

from benchmarks import __main__ as command
from benchmarks import plot, report
from benchmarks.compare import all_comparisons
from benchmarks.harness import Path, settled
from benchmarks.instructions import __main__ as instructions
from benchmarks.paths import all_paths

pytest.importorskip("pytest_benchmark")

PATHS = [*all_paths(), *all_comparisons()]
CASES = [pytest.param(case, id=f"{path.name}: {case.name}") for path in PATHS for case in path.cases]
SOME = ("notify", "growth", "channel", "hop")  # rows of each kind: with books, units, missing ones, peers


@pytest.mark.parametrize("case", CASES)
def test_case_delivers_what_it_sent(case, benchmark):
    if why := case.missing():
        pytest.skip(why)
    n = case.quick_n()
    benchmark.extra_info["operations"] = n
    results = []
    with settled(case.world()) as measured:
        measured(n)
        gc.collect()
        benchmark.pedantic(lambda: results.append(measured(n)), rounds=1)
        measured.check()
    assert results
    for result in results:
        times = result if case.each else [result]
        assert len(times) == (n if case.each else 1)
        assert all(time >= 0 for time in times)


@pytest.mark.parametrize("path", [path for path in PATHS if path.name in SOME], ids=lambda path: path.name)
def test_path_prints_every_case(path, capsys):
    again = Path(path.name, path.title)
    again.cases, again.targets = path.cases, path.targets
    again.measure(rounds=1, quick=True)
    result = again.results()
    for show in (report.print_path, report.print_comparison):
        show(result)
        printed = capsys.readouterr().out
        for case in path.cases:
            assert case.name in printed
            assert (case.missing() or "") in printed.replace("\n", " ")
    report.print_targets({path.name: result})
    printed = capsys.readouterr().out
    assert all(target.text in printed for target in path.targets)


def test_pictures_are_drawn_of_what_was_written(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    results, comparison = tmp_path / "results.json", tmp_path / "comparison.json"
    options = ["--quick", "--rounds", "1", "--json"]
    assert command.main(["spinning", "python_to_python", *options, str(results)]) == 0
    assert command.main(["compare", "emit_one", *options, str(comparison)]) == 0
    assert json.loads(results.read_text())["paths"]["spinning"]["rows"]
    assert plot.main([str(results), str(comparison), "--out", str(tmp_path)]) == 0
    pictures = {file.name: file.read_text() for file in tmp_path.glob("*.svg")}
    assert len(pictures) == 3
    assert "SimpleQueue" in pictures["benchmarks-throughput.svg"]
    assert "not in this run" in pictures["benchmarks-latency.svg"]
    capsys.readouterr()
    assert plot.main(["/none", "/none", "--out", str(tmp_path)]) == 0
    assert "/none is not there" in capsys.readouterr().err
    assert "not measured yet" in (tmp_path / "benchmarks-latency.svg").read_text()


def test_instructions_are_counted():
    if why := instructions.missing():
        pytest.skip(why)
    counted = instructions.count()
    assert set(counted) == set(instructions.SCENES)
    assert all(20 < count < 20_000 for count in counted.values()), counted
