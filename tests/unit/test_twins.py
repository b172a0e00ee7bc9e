"""The twins: the compiled core and the pure one show the same for every program.

Hypothesis makes the programs; each runs on both backends in this process (tests/twins.py). Whatever they show
must be equal: returned values, the words of errors, who was called with what, the books after each step.
"""

import random
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

import tocsin.backend
from helpers import STARTS
from twins import Motor, PipelineWorld, Step, load

pytestmark = pytest.mark.skipif(not tocsin.backend.was_built(), reason="there is no compiled core to compare")

BACKENDS = ("cython", "python")

# What an event can have, and what it can't.
GOOD = {
    Motor.LIMIT: [(3, -9000), bytes([0] * 8), bytes([3, 0, 0, 0, 1, 0, 0, 0]), (65535, 1), (65534, 2)],
    Motor.RAW: [b"", b"x", bytes(16), bytes(17), bytes(100), bytes(496)],
    Motor.NOTE: [(1,), (1, 2), bytes(4), bytes(8)],
    Motor.READINGS: [(2, [7, 8]), b"\0\0", b"\2\0" + bytes(8), b"\1\0" + bytes(20)],
}
BAD = [b"123", bytes(497), b"\3\0" + bytes(8), (1, 2, 3), "x", None, {"motor": 1}, {"a": 5}, 2.5]
STAMPS = [0, 1, 2**63, 2**64 - 2, -1, 2**64 - 1, 1.5, [1]]

DEEDS = ["nothing", "stop", "raise", "cancel itself", "cancel the last", "wait for itself", "subscribe"]
DEEDS_OF_ONE = [*DEEDS, "freeze", "notify"]  # what would show in which order two queues are served


def steps(protocols: list[int], deeds: list[str]) -> st.SearchStrategy[Step]:
    """Return a strategy for one step of a program about these protocols."""
    protocol, which, stamp = st.sampled_from(protocols), st.integers(0, 9), st.integers(0, 99)
    event = st.sampled_from([(number, event) for number in protocols for event in GOOD])
    good = event.flatmap(lambda event: st.tuples(st.just(event), st.sampled_from(GOOD[event[1]])))
    named = st.one_of(event, st.sampled_from([(0x80, 77), (0x90, 0), (0x80, 256)]))
    many = st.one_of(st.integers(0, 60).map(lambda n: bytes(8 * n)), st.binary(max_size=20))
    source = st.sampled_from([None, None, 0, 3, 65534])
    keys = st.lists(st.tuples(st.sampled_from([0, 0, 2, 5, 9]), source), min_size=1, max_size=3)
    wrong = st.sampled_from([[], [(77, None)], [(0, 65535)]])
    # A batch subscription hears of one type: of several, which batch comes first is nobody's promise.
    one_type = st.builds(lambda keys: [(keys[0][0], source) for _, source in keys], keys)
    priority, deed = st.integers(-1, 1), st.sampled_from(deeds)
    kinds = [
        st.builds(lambda good, *rest: ("notify", *good, *rest), good, stamp, st.integers(1, 40)),
        st.one_of(
            st.tuples(st.just("subscribe"), protocol, keys, priority, st.just(False), deed),
            st.tuples(st.just("subscribe"), protocol, one_type, priority, st.just(True), deed),
        ),
        st.just(("flush",)),
    ] * 4
    kinds += [
        st.tuples(st.just("notify"), named, st.sampled_from(BAD), st.sampled_from(STAMPS[:-1]), st.just(1)),
        st.tuples(st.just("notify_many"), named, many, st.one_of(stamp, st.sampled_from(STAMPS))),
        st.tuples(st.just("subscribe"), protocol, wrong, priority, st.booleans(), deed),
        st.tuples(st.just("cancel"), which),
        st.sampled_from([("freeze",), ("thaw",), ("thaw",)]),
        st.tuples(st.just("producer"), protocol, st.booleans()),
        st.builds(lambda n, good, stamp: ("produce", n, good[0][1], good[1], stamp), which, good, stamp),
        st.tuples(st.just("end_producer"), which),
        st.tuples(st.just("register"), protocol, st.sampled_from([1000, 4096])),
        st.tuples(st.just("register"), protocol, st.sampled_from([1024, 4096])),
        st.tuples(st.just("unregister"), protocol),
    ]
    return st.sampled_from(kinds).flatmap(lambda kind: kind)


def programs(queues: dict[int, int], deeds: list[str]) -> st.SearchStrategy[list[Step]]:
    """Return a strategy for programs about queues of these sizes; some go on after close()."""
    begin: list[Step] = [("register", number, size) for number, size in queues.items()]
    middle = st.lists(steps(list(queues), deeds), min_size=15, max_size=40)
    late: list[Step] = [("close",), ("notify", (0x80, 2), b"", 1, 1), ("flush",)]
    end = st.lists(st.sampled_from(late), max_size=3)
    return st.builds(lambda middle, end: [*begin, *middle, *end], middle, end)


one_small_queue = programs({0x80: 1024}, DEEDS_OF_ONE)
one_large_queue = programs({0x80: 1 << 20}, DEEDS_OF_ONE)
two_queues = programs({0x80: 1024, 0x81: 1 << 20}, DEEDS)


def channel_program(choose: random.Random) -> list[Step]:
    """Return a program about a few channels that overflow often, of events of few sources."""
    protocols = [0x80, 0x81]
    payloads: list[tuple[int, Any]] = [(Motor.LIMIT, (source, 1)) for source in range(5)] * 3
    payloads += [(event, payload) for event in (Motor.RAW, Motor.NOTE) for payload in GOOD[event]]

    def key() -> tuple[int, int, int | None]:
        event = choose.choice([Motor.LIMIT] * 4 + [Motor.NOTE, Motor.RAW])
        return choose.choice(protocols), event, choose.choice([None, None, 1, 3])

    def channel() -> Step:
        overflow = choose.choice(["drop_newest", "drop_oldest", "latest", "latest", "block"])
        keys = [key() for _ in range(choose.randint(1, 3))]
        return "channel", keys, choose.choice([1, 2, 3, 4, 7, 30]), overflow

    def notify() -> Step:
        event, payload = choose.choice(payloads)
        return (
            "notify",
            (choose.choice(protocols), event),
            payload,
            choose.randint(0, 99),
            choose.randint(1, 4),
        )

    def now_and_then() -> Step:
        which = choose.randint(0, 3)
        rare: list[Step] = [("unregister", choose.choice(protocols)), ("end_channel", which), channel()]
        rare += [("freeze",), ("thaw",), ("subscribe", 0x80, [(Motor.LIMIT, None)], 9, False, "stop")]
        return choose.choice(rare)

    def step() -> Step:
        which = choose.randint(0, 3)
        common: list[Step] = [notify(), notify(), ("flush",), ("take", which, choose.randint(1, 4))]
        common.append(("take_batch", which, choose.choice([1, 5, 4096])))
        return now_and_then() if choose.random() < 0.06 else choose.choice(common)

    registered: list[Step] = [("register", number, choose.choice([1024, 4096])) for number in protocols]
    begin = [*registered[choose.randint(0, 2) :], *(channel() for _ in range(choose.randint(1, 4)))]
    rounds = [[*registered, *(step() for _ in range(40))] for _ in range(3)]
    return [*begin, *(step for steps in rounds for step in steps)]


def test_a_planted_difference_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Would they notice? Here the pure one has chains without priorities."""
    program: list[Step] = [
        ("register", 0x80, 1024),
        ("subscribe", 0x80, [(Motor.RAW, None)], 0, False, "nothing"),
        ("subscribe", 0x80, [(Motor.RAW, None)], 1, False, "nothing"),
        ("notify", (0x80, Motor.RAW), b"", 1, 1),
        ("flush",),
    ]
    cython, python = (PipelineWorld(load(backend), 0).run(program) for backend in BACKENDS)
    assert cython == python
    stage = load("python").backend.PipelineCore._add_queue.__globals__["Stage"]
    monkeypatch.setitem(stage.add.__globals__, "inserted", lambda chain, member: (*chain, member))
    planted = PipelineWorld(load("python"), 0).run(program)
    same = [of_one == of_other for of_one, of_other in zip(cython, planted, strict=True)]
    assert same == [True, True, True, True, False, True]  # it shows at the flush


SPACE_BEFORE_A_BATCH: list[Step] = [
    ("register", 0x80, 4096),
    ("subscribe", 0x80, [(Motor.LIMIT, None)], 0, False, "freeze"),
    ("subscribe", 0x80, [(Motor.NOTE, None)], 0, True, "nothing"),
    ("notify", (0x80, Motor.READINGS), (2, [7, 8]), 0, 39),  # nobody's: their space is free at once,
    ("notify", (0x80, Motor.NOTE), (1,), 0, 33),  # and that of these when their batch was called
    ("notify", (0x80, Motor.LIMIT), (3, 1), 0, 38),
    ("flush",),
    ("notify_many", (0x80, Motor.LIMIT), bytes(8 * 60), 0),
]


@example(program=SPACE_BEFORE_A_BATCH, start=0)
@given(program=st.one_of(one_small_queue, one_large_queue, two_queues), start=st.sampled_from(STARTS))
@settings(max_examples=300, deadline=None)
def test_pipelines_show_the_same(program: list[Step], start: int) -> None:
    shown = [PipelineWorld(load(backend), start).run(program) for backend in BACKENDS]
    for of_one, of_other in zip(*shown, strict=True):
        assert of_one == of_other


@pytest.mark.parametrize("seed", range(150))
def test_channels_show_the_same(seed: int) -> None:
    program = channel_program(random.Random(seed))
    shown = [PipelineWorld(load(backend), STARTS[seed % len(STARTS)]).run(program) for backend in BACKENDS]
    for of_one, of_other in zip(*shown, strict=True):
        assert of_one == of_other
