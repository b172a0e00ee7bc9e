"""The event header: sixteen bytes whose layout is a promise."""

import copy
import pickle
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.backend import EventHeader

LIMITS = {
    "timestamp": 2**64 - 1,
    "size": 2**24 - 1,
    "event": 255,
    "protocol": 255,
    "flags": 255,
    "lost": 65535,
}
FIELDS = st.fixed_dictionaries({name: st.integers(0, limit) for name, limit in LIMITS.items()})


def test_layout_is_sixteen_little_endian_bytes() -> None:
    header = EventHeader(0x1122334455667788, 0xABCDEF, 0x01, 0x15, 0x0A, 0x0203)
    assert header.pack() == bytes.fromhex("8877665544332211 efcdab 0a 15 01 0302")


@given(FIELDS)
def test_fields_survive_packing(fields: dict[str, int]) -> None:
    header = EventHeader(**fields)
    assert {name: getattr(header, name) for name in LIMITS} == fields
    packed = header.pack()
    word = fields["size"] | fields["flags"] << 24
    assert struct.unpack("<QIBBH", packed) == (
        fields["timestamp"],
        word,
        fields["protocol"],
        fields["event"],
        fields["lost"],
    )
    again = EventHeader.unpack(packed)
    assert again == header
    assert hash(again) == hash(header)
    assert eval(repr(header), {"EventHeader": EventHeader}) == header


@given(st.binary(min_size=16, max_size=16))
def test_any_sixteen_bytes_are_a_header(packed: bytes) -> None:
    assert EventHeader.unpack(packed).pack() == packed


def test_unpack_reads_the_first_sixteen_bytes_of_any_buffer() -> None:
    header = EventHeader(1, 2, 3)
    for buffer in (bytearray(header.pack()), memoryview(header.pack() + b"payload")):
        assert EventHeader.unpack(buffer) == header


@pytest.mark.parametrize("n", [0, 1, 15])
def test_unpack_of_fewer_bytes_names_both_lengths(n: int) -> None:
    with pytest.raises(ValueError, match=f"16 bytes, not {n}$"):
        EventHeader.unpack(bytes(n))


@pytest.mark.parametrize("wrong", ["x" * 16, 16, None])
def test_unpack_of_no_buffer_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError):
        EventHeader.unpack(wrong)


@pytest.mark.parametrize("name", LIMITS)
def test_a_number_out_of_range_names_field_value_and_limit(name: str) -> None:
    good = dict.fromkeys(LIMITS, 0)
    assert getattr(EventHeader(**good | {name: LIMITS[name]}), name) == LIMITS[name]
    for bad in (-1, LIMITS[name] + 1, 2**70):
        with pytest.raises(ValueError, match=f"{name} must be 0 to {LIMITS[name]}, not {bad}$"):
            EventHeader(**good | {name: bad})


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("wrong", ["1", 1.0, None])
def test_a_number_of_the_wrong_type_is_refused(name: str, wrong: Any) -> None:
    with pytest.raises(TypeError):
        EventHeader(**dict.fromkeys(LIMITS, 0) | {name: wrong})


def test_max_size_is_what_the_size_field_holds() -> None:
    assert EventHeader(0, 2**24 - 1, 0).size == 2**24 - 1


def test_one_differing_field_makes_headers_unequal() -> None:
    zero = EventHeader(**dict.fromkeys(LIMITS, 0))
    others = [EventHeader(**dict.fromkeys(LIMITS, 0) | {name: 1}) for name in LIMITS]
    assert len({zero, *others}) == 1 + len(LIMITS)
    assert zero != zero.pack()


@pytest.mark.parametrize("name", LIMITS)
def test_a_header_is_constant(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(EventHeader(1, 2, 3), name, 0)


def test_headers_can_be_copied_pickled_and_subclassed() -> None:
    header = EventHeader(1, 2, 3, 4, 5, 6)
    assert copy.copy(header) == copy.deepcopy(header) == pickle.loads(pickle.dumps(header)) == header

    class Mine(EventHeader):
        pass

    assert type(Mine.unpack(header.pack())) is Mine
    assert Mine.unpack(header.pack()) == header
