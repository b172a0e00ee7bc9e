"""Every case under pytest-benchmark: pytest benchmarks --benchmark-only

pytest's `testpaths` doesn't name this folder, so a plain `pytest` leaves it alone.
"""

import gc

import pytest

from benchmarks.__main__ import all_topics
from benchmarks.harness import settled
from benchmarks.native import compiler

pytest.importorskip("pytest_benchmark")

CASES = [
    pytest.param(case, id=f"{topic.name}: {case.name}") for topic in all_topics() for case in topic.cases
]


@pytest.mark.parametrize("case", CASES)
def test_case(case, benchmark):
    if "native" in case.name and compiler() is None:
        pytest.skip("no C compiler")
    n = case.quick_n()
    benchmark.extra_info["operations"] = n
    with settled(case.world(n), collect=True) as measured:
        measured()
        gc.collect()
        benchmark.pedantic(measured, rounds=5)
        measured.check()
