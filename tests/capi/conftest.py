"""The compiled probe, once for all tests of the native API."""

from collections.abc import Callable, Iterator

import pytest

import tocsin
from compiling import compile_library
from probe import SOURCE, Desk, Probe


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Probe:
    return Probe(compile_library(SOURCE, tmp_path_factory.mktemp("probe")))


@pytest.fixture(scope="session")
def make_desk(probe: Probe) -> Iterator[Callable[[tocsin.Pipeline], Desk]]:
    """Make notebooks for native subscribers; of the session, so that they outlive every pipeline."""
    desks = []

    def make(pipeline: tocsin.Pipeline) -> Desk:
        desks.append(Desk(probe, pipeline))
        return desks[-1]

    yield make
    desks.clear()
