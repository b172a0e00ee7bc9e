"""The twins again, part by part: fifos, headers, notifier chains and works on both backends."""

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

import tocsin.backend
from helpers import PATIENCE
from twins import Step, load, outcome

pytestmark = pytest.mark.skipif(not tocsin.backend.was_built(), reason="there is no compiled core to compare")


def assert_same(show: Callable[[Any], list[Any]]) -> None:
    """Compare what the two show, observation by observation, so that a failure names the first difference."""
    for of_one, of_other in zip(show(load("cython")), show(load("python")), strict=True):
        assert of_one == of_other


# ------------------------------------------------------------------------------------------------- fifos

counts = st.one_of(st.integers(0, 12), st.sampled_from([-1, 300, 2**64, 1.5, "2"]))
data = st.one_of(st.binary(max_size=12), st.binary(min_size=250, max_size=260))
numbers = st.one_of(
    st.integers(-2, 300), st.floats(width=32), st.sampled_from([2**63, -(2**31), 1e300, "7", None])
)
values = st.one_of(
    data, st.lists(numbers, max_size=6), st.sampled_from([5, None, memoryview(b"abcdef")[::2]])
)

fifo_steps = st.lists(
    st.one_of(
        st.tuples(st.just("in_"), values),
        st.tuples(st.just("put"), st.one_of(numbers, data)),
        st.tuples(st.sampled_from(["out", "peek", "skip"]), counts),
        st.tuples(st.sampled_from(["get", "peek_len", "reset_out", "skip"])),
        st.just(("reset",)),
    ),
    min_size=5,
    max_size=30,
)
fifos = st.one_of(
    st.tuples(st.just("Kfifo"), st.sampled_from([2, 8, 13, 1, 2**30 + 1])),
    st.tuples(
        st.just("TypedFifo"),
        st.sampled_from([2, 7]),
        st.sampled_from(["u1", "<i4", "f2", "f8", "u8", "x", ">u2"]),
    ),
    st.tuples(st.just("RecordFifo"), st.sampled_from([8, 64, 600]), st.sampled_from([1, 2, 3])),
)
starts = st.sampled_from([0, 5, 2**32 - 3, 2**64 - 3, 2**64])


@given(kind=fifos, start=starts, program=fifo_steps)
@settings(max_examples=300, deadline=None)
def test_fifos(kind: Step, start: int, program: list[Step]) -> None:
    def show(twin: Any) -> list[Any]:
        name, *sizes = kind
        fifo = outcome(lambda: getattr(twin, name)(*sizes, start=start))
        if isinstance(fifo, tuple):
            return [fifo]
        shown = []
        for method, *arguments in program:
            result = outcome(lambda: getattr(fifo, method)(*arguments))  # noqa: B023
            state = (len(fifo), fifo.size, fifo.avail, fifo.is_empty, fifo.is_full, fifo.counters)
            shown.append((method, repr(result), state, repr(fifo.peek(3)), repr(fifo)))
        return shown

    assert_same(show)


# ----------------------------------------------------------------------------------------------- headers

fields = st.one_of(st.integers(-1, 300), st.sampled_from([65535, 65536, 2**24, 2**64 - 1, 2**64, 1.0, None]))


@given(arguments=st.lists(fields, min_size=3, max_size=6), raw=st.binary(max_size=20))
@settings(max_examples=200, deadline=None)
def test_headers(arguments: list[Any], raw: bytes) -> None:
    def show(twin: Any) -> list[Any]:
        made = [outcome(lambda: twin.EventHeader(*arguments)), outcome(lambda: twin.EventHeader.unpack(raw))]
        packed = [header.pack() for header in made if not isinstance(header, tuple)]
        return [repr(made), packed, made[0] == made[1]]

    assert_same(show)


# ---------------------------------------------------------------------------------------- notifier chains

chain_steps = st.lists(
    st.one_of(
        st.tuples(st.just("register"), st.integers(0, 5), st.integers(-1, 1)),
        st.tuples(st.just("unregister"), st.integers(0, 5)),
        st.tuples(st.just("call"), st.sampled_from([0, "value", None])),
    ),
    min_size=5,
    max_size=30,
)
# What each callback does: returns this, or unregisters another one, or raises.
answers = st.lists(
    st.sampled_from([None, 0, 1, 0x8001, 0x8002, 0x8000, "unregister", "raise"]), min_size=6, max_size=6
)


@given(program=chain_steps, answers=answers)
@settings(max_examples=200, deadline=None)
def test_notifier_chains(program: list[Step], answers: list[Any]) -> None:
    def show(twin: Any) -> list[Any]:
        chain, shown = twin.NotifierChain(), []

        def callback_of(number: int) -> Any:
            def callback(value: Any, data: Any) -> Any:
                shown.append((number, value, data))
                if answers[number] == "unregister":
                    shown.append(outcome(lambda: chain.unregister(callbacks[number - 1]))[:1])
                    return None
                if answers[number] == "raise":
                    raise ZeroDivisionError
                return answers[number]

            return callback

        callbacks = [callback_of(number) for number in range(6)]
        for method, *arguments in program:
            if method != "call":
                arguments[0] = callbacks[arguments[0]]
            result = outcome(lambda: getattr(chain, method)(*arguments))  # noqa: B023
            shown.append((method, len(chain), result if method == "call" else type(result)))
        return shown

    assert_same(show)


# -------------------------------------------------------------------------------------------------- works

WORKS = 4
which = st.integers(0, WORKS - 1)
work_steps = st.lists(
    st.one_of(
        st.tuples(st.just("queue"), which),
        st.tuples(st.just("queue"), which),
        st.tuples(st.just("queue_delayed"), which, st.just(1000)),
        st.tuples(st.just("modify_delayed"), which, st.sampled_from([1000, -1])),
        st.tuples(st.just("cancel"), which),
        st.tuples(st.just("cancel_sync"), which),
        st.tuples(st.just("let go")),
    ),
    min_size=5,
    max_size=25,
)


@example(program=[("queue", 2), ("cancel", 2), ("let go",), ("queue", 1), ("queue", 2)], kicks=[None] * WORKS)
@given(program=work_steps, kicks=st.lists(st.one_of(st.none(), which), min_size=WORKS, max_size=WORKS))
@settings(max_examples=60, deadline=None)
def test_works(program: list[Step], kicks: list[int | None]) -> None:
    """One worker, frozen while the program changes what is owed: so it runs in one order only.

    What was cancelled keeps its place in the line until the worker has passed it, and drain() doesn't wait
    for that: so something is behind it that drain() waits for.
    """

    def show(twin: Any) -> list[Any]:
        ran: list[int] = []
        shown: list[Any] = []

        def function_of(number: int) -> Callable[[], None]:
            def function() -> None:
                ran.append(number)
                kicked = kicks[number]
                if kicked is not None and len(ran) < 10:
                    queue.queue(works[kicked])

            return function

        works = [twin.Work(function_of(number)) for number in range(WORKS)]
        last = twin.Work(lambda: None)
        with twin.WorkQueue("twins") as queue:
            queue.freeze()
            for method, *arguments in [*program, ("let go",)]:
                if method == "let go":
                    queue.queue(last)
                    queue.thaw()
                    queue.drain(PATIENCE)
                    queue.freeze()
                    shown.append(list(ran))
                    ran.clear()
                    continue
                if method.startswith("cancel"):
                    result = getattr(works[arguments[0]], method)()
                else:
                    result = outcome(lambda: getattr(queue, method)(works[arguments[0]], *arguments[1:]))  # noqa: B023
                shown.append((method, result, [(work.pending, work.running) for work in works]))
            for work in works:
                work.cancel()
        shown.append(outcome(lambda: queue.queue(works[0]))[0])
        return shown

    assert_same(show)
