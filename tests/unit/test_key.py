"""Keys and ALL: values with limits, one ALL for ever."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.key import ALL, Key

BYTES = st.integers(0, 0xFF)
SOURCES = st.one_of(st.integers(0, 0xFFFE), st.just(ALL))


@given(protocol=BYTES, event=BYTES, source=SOURCES)
def test_a_key_is_its_32_bits(protocol: int, event: int, source: int) -> None:
    key = Key(protocol, event, source)
    assert int(key) == protocol << 24 | event << 16 | source
    assert Key.from_int(int(key)) == key
    assert (Key.from_int(int(key)).source is ALL) == (source is ALL)
    assert tuple(key) == (key.protocol, key.event, key.source) == (protocol, event, source)


@given(st.integers(0, 0xFFFF_FFFF))
def test_every_32_bits_are_a_key(n: int) -> None:
    assert int(Key.from_int(n)) == n


def test_all_is_the_default_source_and_prints_as_all() -> None:
    assert Key(0x15, 1).source is ALL
    assert repr(Key(0x15, 1)) == "Key(protocol=0x15, event=1, source=ALL)"
    assert (ALL, repr(ALL), str(ALL), f"{ALL}", f"{ALL:#x}") == (
        65535,
        "ALL",
        "ALL",
        "ALL",
        "0xffff",
    )


@pytest.mark.parametrize(
    "again",
    [
        copy.copy,
        copy.deepcopy,
        *[lambda thing, p=p: pickle.loads(pickle.dumps(thing, p)) for p in range(6)],
    ],
)
def test_all_and_keys_survive_copy_and_pickle(again: Callable[[Any], Any]) -> None:
    assert again(ALL) is ALL
    key = Key(1, 2, 3)
    assert again(key) == key
    assert again(Key(1, 2)).source is ALL


def test_keys_compare_hash_and_sort_by_value() -> None:
    assert len({Key(1, 2, 3), Key(1, 2, 3), Key(1, 2)}) == 2
    assert sorted([Key(1, 2), Key(1, 2, 3), Key(0, 9)]) == [Key(0, 9), Key(1, 2, 3), Key(1, 2)]


@pytest.mark.parametrize("name", ["protocol", "event", "source"])
def test_keys_are_frozen(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(Key(1, 2, 3), name, 4)


@pytest.mark.parametrize(
    ("arguments", "value", "limit"),
    [
        ((256, 0), "protocol 0x100 (256)", "0..255"),
        ((-1, 0), "protocol -0x1 (-1)", "0..255"),
        ((0, 256), "event 0x100 (256)", "0..255"),
        ((0, 0, 65536), "source 0x10000 (65536)", "0..65534"),
        ((0, 0, 65535), "source 0xffff (65535)", "ALL"),
        ((0, 0, -1), "source -0x1 (-1)", "0..65534"),
        ((0, 0, 10**5000), "source of more than 64 bits", "0..65534"),
    ],
)
def test_out_of_range_names_value_and_limit(arguments: Any, value: str, limit: str) -> None:
    with pytest.raises(ValueError, match="is not in") as caught:
        Key(*arguments)
    assert value in str(caught.value)
    assert limit in str(caught.value)


@pytest.mark.parametrize("value", [True, False, 1.0, "1", None, b"1", [1]])
@pytest.mark.parametrize("place", range(3))
def test_what_is_no_int_is_refused(value: Any, place: int) -> None:
    arguments: list[Any] = [0, 0, 0]
    arguments[place] = value
    with pytest.raises(TypeError, match=r"must be an int in 0\.\."):
        Key(*arguments)


@pytest.mark.parametrize("n", [-1, 1 << 32])
def test_from_int_refuses_more_than_32_bits(n: int) -> None:
    with pytest.raises(ValueError, match="4294967295"):
        Key.from_int(n)


def test_integers_of_numpy_are_integers() -> None:
    numpy = pytest.importorskip("numpy")
    key = Key(numpy.uint8(1), numpy.int64(2), numpy.uint16(3))
    assert key == Key(1, 2, 3)
    assert type(key.source) is int
