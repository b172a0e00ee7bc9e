"""What the fuzzer found to reach something, or to crash: every kept input once, without the fuzzer."""

import importlib
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.fuzz import corpus
from tests.fuzz.choices import Choices
from tests.sanitize import tools

import tocsin.backend
from native import programs

HERE = Path(__file__).resolve().parent
TARGETS = sorted(path.stem for path in (HERE / "targets").glob("[a-z]*.py"))
TWINS = {"headers", "programs"}  # they compare the two backends


def target(name: str) -> Callable[[bytes], None]:
    if name in TWINS and not tocsin.backend.was_built():
        pytest.skip("there is no compiled core to compare")
    one: Callable[[bytes], None] = importlib.import_module(f"tests.fuzz.targets.{name}").one
    return one


@pytest.mark.parametrize("name", TARGETS)
def test_kept_inputs_do_no_harm(name: str) -> None:
    one = target(name)
    for data in [b"", *corpus.inputs(name)]:
        one(data)


def test_each_target_keeps_a_few_inputs_and_not_many() -> None:
    assert {path.stem for path in corpus.CORPORA.iterdir()} == set(TARGETS)
    for name in TARGETS:
        sizes = [len(data) for data, why in corpus.lines(name) if not why]
        assert 0 < sum(sizes) <= corpus.MOST, name
        assert len(set(corpus.inputs(name))) == len(corpus.inputs(name))


def test_a_wrong_answer_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Would they notice? Here a key forgets its event."""
    one = target("keys")
    monkeypatch.setattr(tocsin.Key, "__int__", lambda key: key.protocol << 24 | key.source)
    inputs = corpus.inputs("keys")
    with pytest.raises(AssertionError):
        deque(map(one, inputs), 0)


@pytest.mark.parametrize("path", sorted((HERE / "planted").glob("*.patch")), ids=lambda path: path.stem)
def test_what_is_planted_still_fits_the_text(path: Path, tmp_path: Path) -> None:
    programs.read_mutant(path).plant(tmp_path)
    [plant] = [plant for plant in tools.planted("fuzz", HERE / "planted") if plant.name == path.stem]
    assert plant.tests[0] in TARGETS


def test_choices_are_made_by_the_bytes_and_end_with_them() -> None:
    choose = Choices(b"\2\5ab")
    assert choose.getrandbits(8) == 2
    assert choose.choice("abcdefgh") == "f"
    assert choose.more
    assert choose.take(5) == b"ab"
    assert not choose.more
    assert choose.randint(3, 9) == 3
    assert choose.choice("xyz") == "x"
