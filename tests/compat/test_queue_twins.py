"""Random programs on four queues at once: compiled, with hooks, moved in the middle, and the standard
library's.
"""

import queue
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tocsin.compat import queue as ours
from tocsin.compat import standard

KINDS = ["Queue", "LifoQueue", "PriorityQueue"]
items = st.tuples(st.integers(0, 3), st.integers(0, 100))  # many of equal rank


class Ranked:
    """Compares by its rank alone, so that the order of equal ones shows."""

    def __init__(self, rank: int, name: int) -> None:
        self.rank, self.name = rank, name

    def __lt__(self, other: "Ranked") -> bool:
        return self.rank < other.rank


def outcome(call: Any, *arguments: Any, **named: Any) -> Any:
    try:
        result = call(*arguments, **named)
    except (queue.Empty, queue.Full, ours.ShutDown, ValueError) as error:
        return type(error)
    return result.name if isinstance(result, Ranked) else result


class Twins(RuleBasedStateMachine):
    @initialize(kind=st.sampled_from(KINDS), maxsize=st.sampled_from([0, 0, 0, -1, 1, 2, 6, 30]))
    def begin(self, kind: str, maxsize: int) -> None:
        compiled = getattr(ours, kind)
        hooked = type("Hooked", (compiled,), {"_put": lambda q, item: compiled._put(q, item)})
        classes = [compiled, compiled, hooked, getattr(standard, kind)]
        self.compiled, self.moving, self.hooked, self.original = (cls(maxsize) for cls in classes)
        self.queues = [self.compiled, self.moving, self.hooked, self.original]

    def same(self, name: str, *arguments: Any, **named: Any) -> None:
        *found, wanted = [outcome(getattr(q, name), *arguments, **named) for q in self.queues]
        assert found == [wanted] * 3

    @rule(item=items, block=st.booleans())
    def put(self, item: tuple[int, int], block: bool) -> None:
        self.same("put", Ranked(*item), block, 0)

    @rule(several=st.lists(items, min_size=4, max_size=12))
    def put_several(self, several: list[tuple[int, int]]) -> None:
        for item in several:
            self.same("put", Ranked(*item), False)

    @rule(count=st.integers(2, 8))
    def get_several(self, count: int) -> None:
        for _ in range(count):
            self.same("get", False)

    @rule(item=items)
    def put_nowait(self, item: tuple[int, int]) -> None:
        self.same("put_nowait", Ranked(*item))

    @rule(timeout=st.sampled_from([0, 0.0, -1, -0.5, 1e-9]), block=st.booleans())
    def get(self, timeout: float, block: bool) -> None:
        self.same("get", block, timeout)

    @rule()
    def get_nowait(self) -> None:
        self.same("get_nowait")

    @rule(timeout=st.sampled_from([-1, -0.5]))
    def put_with_a_timeout_that_is_none(self, timeout: float) -> None:
        if self.original.maxsize > 0:  # an unbounded one does not look at it: put(), below
            self.same("put", Ranked(0, 0), timeout=timeout)

    @rule()
    def task_done(self) -> None:
        self.same("task_done")

    @rule(maxsize=st.sampled_from([0, 0, -1, 1, 6, 30]))
    def resize(self, maxsize: int) -> None:
        for q in self.queues:
            q.maxsize = maxsize

    @rule(count=st.integers(0, 5))
    def correct_the_tasks(self, count: int) -> None:
        for q in self.queues:
            q.unfinished_tasks = count

    @rule(immediate=st.booleans(), again=st.booleans())
    def shut_down(self, immediate: bool, again: bool) -> None:
        self.same("shutdown", immediate)
        self.same("put", Ranked(0, 0))
        self.same("get", False)
        for q in self.queues:
            q.is_shutdown = again

    @rule()
    def open_again(self) -> None:
        for q in self.queues:
            q.is_shutdown = False

    @rule()
    def move(self) -> None:
        with self.moving.mutex:
            pass

    @invariant()
    def look_alike(self) -> None:
        looks = [
            (q.qsize(), q.empty(), q.full(), q.maxsize, q.unfinished_tasks, q.is_shutdown)
            for q in self.queues
        ]
        assert looks == [looks[0]] * 4

    def teardown(self) -> None:
        if hasattr(self, "compiled"):
            assert getattr(self.compiled, "is_compiled", True)
            contents = [[item.name for item in q.queue] for q in self.queues]  # moves the last one too
            assert contents == [contents[0]] * 4


TestTwins = pytest.mark.filterwarnings("ignore")(Twins.TestCase)
TestTwins.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
