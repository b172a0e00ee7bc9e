"""What every test run shares: the right backend or none, and pipelines whose books must balance."""

import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any
from zlib import crc32

import pytest

try:
    import tocsin
    import tocsin.backend
    import works
    from helpers import PATIENCE, STARTS, Hold
except ImportError as error:
    pytest.exit(f"tocsin can't be imported ({error}); first: pip install '.[test]'", returncode=3)


# ------------------------------------------------------------------------------ the right backend


def wanted() -> dict[str, object]:
    """Return what the environment asks for, in the words of tocsin.backend."""
    return {
        "backend": os.environ.get("TOCSIN_BACKEND", "cython"),
        "writers": os.environ.get("TOCSIN_WRITERS", "gil"),
        "portable": os.environ.get("TOCSIN_PORTABLE", "0") == "1",
    }


def in_force() -> dict[str, object]:
    """Return what the imported package says it does."""
    return {"backend": tocsin.backend.name, **tocsin.backend.switches()}


def free_threaded() -> bool:
    return not getattr(sys, "_is_gil_enabled", lambda: True)()


def pytest_report_header() -> list[str]:
    words = ", ".join(f"{name}={value}" for name, value in in_force().items())
    build = "free-threaded" if free_threaded() else "GIL"
    return [
        f"tocsin {version('tocsin')}: {words}",
        f"machine: {os.cpu_count()} cores, {platform.machine()}, {build} build",
        f"tocsin from {os.path.dirname(tocsin.__file__)}",
    ]


def pytest_sessionstart() -> None:
    """Stop at once if the tests would run something else than was asked for."""
    # Ignored where the tests run in the background of a shell, and programs would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    expected, found = wanted(), in_force()
    if tocsin.backend.gil_is_off and "TOCSIN_WRITERS" not in os.environ:
        expected["writers"] = "cas"  # without a GIL there is no other way
    differences = [
        f"{name} is {found.get(name)!r}, not {value!r}"
        for name, value in expected.items()
        if found.get(name) != value
    ]
    if differences:
        pytest.exit(f"this is not the tocsin asked for: {'; '.join(differences)}", returncode=3)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is about native code where there is none."""
    if tocsin.backend.name == "python":
        for item in items:
            for marker in item.iter_markers("native_only"):
                item.add_marker(pytest.mark.skip(reason=f"native only: {marker.args[0]}"))


@pytest.fixture(scope="session", autouse=True)
def gil_stays_as_it_is() -> Iterator[None]:
    """Fail the run if something in it brought the GIL back on a build that can do without."""
    before = free_threaded()
    yield
    assert free_threaded() == before, "something that was imported has turned the GIL on"


# ------------------------------------------------------------------------------------ the books


def unbalanced(pipeline: Any) -> list[str]:
    """Return a line for each protocol in which an accepted event is in no counter, or in two."""
    lines = []
    for number, counts in pipeline.stats().protocols.items():
        known = counts.delivered + counts.unclaimed + counts.abandoned + counts.pending
        if counts.accepted != known:
            lines.append(
                f"protocol {number}: accepted {counts.accepted} != delivered {counts.delivered} "
                f"+ unclaimed {counts.unclaimed} + abandoned {counts.abandoned} "
                f"+ pending {counts.pending}"
            )
    return lines


@pytest.fixture
def books() -> Callable[[Any], None]:
    """Assert that a flushed or closed pipeline accounts for every event that it accepted."""

    def check(pipeline: Any) -> None:
        __tracebackhide__ = True
        lines = unbalanced(pipeline)
        assert not lines, "\n".join(lines)

    return check


@pytest.fixture
def make_pipeline(books: Callable[[Any], None]) -> Iterator[Callable[..., Any]]:
    """Make pipelines; when the test is over, close each and check its books."""
    made: list[Any] = []

    def make(**options: Any) -> Any:
        pipeline = tocsin.Pipeline(**options)
        made.append(pipeline)
        return pipeline

    yield make
    for pipeline in made:
        pipeline.close(timeout=10)
    for pipeline in made:
        books(pipeline)


@pytest.fixture
def make_hold(make_pipeline: Callable[..., Any]) -> Iterator[Callable[[], Hold]]:
    """Make callbacks that stay inside; all are let go before the pipelines are closed."""
    made: list[Hold] = []

    def make() -> Hold:
        made.append(Hold())
        return made[-1]

    yield make
    for hold in made:
        hold.go.set()


@pytest.fixture(autouse=True)
def queue_start(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Place the counters of this test's queues: at 0 or just before a wrap.

    The test's name decides, so it is the same in each run; or parametrise it indirectly.
    """
    named = STARTS[crc32(request.node.nodeid.encode()) % len(STARTS)]
    start: int = getattr(request, "param", named)
    monkeypatch.setattr(tocsin.Pipeline, "_queue_start", start)
    return start


@pytest.fixture
def make_queue() -> Iterator[Callable[..., tocsin.WorkQueue]]:
    made: list[tocsin.WorkQueue] = []

    def make(name: str = "test", **options: Any) -> tocsin.WorkQueue:
        made.append(tocsin.WorkQueue(name, **options))
        return made[-1]

    yield make
    for queue in made:
        queue.thaw()
        queue.close(timeout=PATIENCE)


@pytest.fixture
def queue(make_queue: Callable[..., tocsin.WorkQueue]) -> tocsin.WorkQueue:
    return make_queue()


@pytest.fixture
def held() -> Iterator[works.Held]:
    held = works.Held()
    yield held
    held.go.release(1000)
