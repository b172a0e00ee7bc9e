"""Key and Key.from_int(): any numbers, and things that are none."""

import pickle
from typing import Any

from tests.fuzz.choices import Choices

import tocsin

THINGS: list[Any] = [
    tocsin.ALL,
    None,
    True,
    1.5,
    "x",
    b"\0",
    (1, 2, 3),
    0xFF,
    0x100,
    0xFFFE,
    0xFFFF,
    1 << 32,
    -1,
]


def number(choose: Choices) -> Any:
    """Return an int of up to 9 bytes, or something else."""
    return choose.choice(
        [
            lambda: choose.getrandbits(8),
            lambda: choose.getrandbits(16),
            lambda: choose.getrandbits(32),
            lambda: int.from_bytes(choose.some_bytes(9), "little", signed=True),
            lambda: choose.choice(THINGS),
        ]
    )()


def fits(value: Any, limit: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= limit


def one(data: bytes) -> None:
    choose = Choices(data)
    protocol, event, source = number(choose), number(choose), number(choose)
    good = fits(protocol, 255) and fits(event, 255) and (source is tocsin.ALL or fits(source, 0xFFFE))
    try:
        key = tocsin.Key(protocol, event, source)
    except (TypeError, ValueError):
        assert not good
    else:
        assert good
        assert tuple(key) == (protocol, event, source)
        assert_is_itself(key)
    whole = number(choose)
    try:
        key = tocsin.Key.from_int(whole)
    except (TypeError, ValueError):
        assert not fits(whole, 0xFFFF_FFFF)
    else:
        assert int(key) == whole
        assert_is_itself(key)


def assert_is_itself(key: tocsin.Key) -> None:
    again = tocsin.Key.from_int(int(key))
    assert key == again
    assert tuple(key) == tuple(again)
    assert hash(key) == hash(again)
    assert not key < again
    assert pickle.loads(pickle.dumps(key)) == key
    assert (key.source is tocsin.ALL) == (int(key) & 0xFFFF == 0xFFFF)
    assert eval(repr(key), {"Key": tocsin.Key, "ALL": tocsin.ALL}) == key
