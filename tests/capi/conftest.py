"""The compiled probe, once for all tests of the native API."""

from collections.abc import Callable

import pytest

import tocsin
from compiling import compile_library
from probe import SOURCE, Desk, Probe


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Probe:
    return Probe(compile_library(SOURCE, tmp_path_factory.mktemp("probe")))


@pytest.fixture
def make_desk(probe: Probe) -> Callable[[tocsin.Pipeline], Desk]:
    """Return a notebook for native subscribers; it lives until the test's pipelines are closed."""
    desks = []

    def make(pipeline: tocsin.Pipeline) -> Desk:
        desks.append(Desk(probe, pipeline))
        return desks[-1]

    return make
