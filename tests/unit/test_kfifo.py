"""The fifos give the kernel's known answers, and raise where the kernel's go wrong."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tocsin.backend import Kfifo, RecordFifo, TypedFifo

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "scmi.json"
ANSWERS = {case["id"]: case for case in json.loads(VECTORS.read_text())["kfifo_known_answers"]}


def as_bytes(fifo: Any, values: Any) -> Any:
    """Write a vector's text or list of numbers as this fifo takes and gives it."""
    if isinstance(values, str):
        return values.encode()
    return values if isinstance(fifo, TypedFifo) else bytes(values)


def segments(fifo: Any, counter: int, n: int) -> list[list[int]]:
    """Return [offset, length] of n elements from a counter, in at most two pieces."""
    offset = counter % fifo.size
    first = min(n, fifo.size - offset)
    return [[offset, first], *([[0, n - first]] if n > first else [])]


def run_step(fifo: Any, step: list[Any]) -> None:
    """Do one step of a known answer and check it; a step that isn't understood fails."""
    what, expected = step[0], step[-1]
    if what == "in":
        assert fifo.in_(step[1].encode()) == expected
    elif what == 'in "a","bb",...,"jjjjjjjjjj"':
        assert [fifo.in_(chr(97 + i).encode() * (i + 1)) for i in range(10)] == expected
    elif match := re.fullmatch(r'in "(.*)"', what):
        assert fifo.in_(match[1].replace("\\0", "\0").encode()) == expected
    elif match := re.fullmatch(r"in (\[.*\])", what):
        assert fifo.in_(as_bytes(fifo, json.loads(match[1]))) == expected
    elif match := re.fullmatch(r"in (\d+) bytes?", what):
        assert fifo.in_(bytes(int(match[1]))) == expected
    elif match := re.fullmatch(r"put (\d+)\.\.(\d+)", what):
        assert expected == "each returns 1"
        assert all(fifo.put(v) is True for v in range(int(match[1]), int(match[2]) + 1))
    elif what == "put 20,21,... until 0":
        accepted = 0
        while fifo.put(20 + accepted):
            accepted += 1
        assert accepted == expected
    elif match := re.fullmatch(r"out (\d+)", what):
        assert fifo.out(int(match[1])) == as_bytes(fifo, expected)
    elif match := re.fullmatch(r"out (\d+) of \d+", what):
        assert len(fifo.out(int(match[1]))) == expected
    elif match := re.fullmatch(r"out (\d+) until empty", what):
        assert [fifo.out(int(match[1])) for _ in expected] == [v.encode() for v in expected]
        assert fifo.is_empty
    elif match := re.fullmatch(r"out_peek (\d+)", what):
        assert fifo.peek(int(match[1])) == as_bytes(fifo, expected)
    elif what == "peek":
        assert list(fifo.peek(1)) == [expected]
    elif what == "get all":
        assert [fifo.get() for _ in expected] == expected
        assert fifo.is_empty
    elif what == "skip":
        fifo.skip()
    elif what == "len":
        assert len(fifo) == expected
    elif what in ("avail", "size"):
        assert getattr(fifo, what) == expected
    elif what == "peek_len":
        assert fifo.peek_len() == expected
    elif match := re.fullmatch(r"dma_in_prepare (\d+)", what):
        pieces = segments(fifo, fifo.counters[0], min(int(match[1]), fifo.avail))
        assert pieces == expected["segments"]
    elif match := re.fullmatch(r"dma_out_prepare (\d+)", what):
        pieces = segments(fifo, fifo.counters[1], min(int(match[1]), len(fifo)))
        assert pieces == expected["segments"]
    elif match := re.fullmatch(r"dma_out_finish (\d+)", what):
        fifo.skip(int(match[1]))
    else:
        assert what == "dma_in_finish 0", f"unknown step {step}"


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("start", [0, 2**32 - 32, 2**32, 2**64 - 32])
def test_the_kernels_known_answers(name: str, start: int) -> None:
    fifo: Any
    described = ANSWERS[name]["fifo"]
    if described["kind"] == "bytes":
        fifo = Kfifo(described["size"], start=start)
    elif described["kind"] == "int32":
        fifo = TypedFifo(described["size"], "i4", start=start)
    else:
        fifo = RecordFifo(described["size"], described["recsize"], start=start)
    for step in ANSWERS[name]["steps"]:
        run_step(fifo, step)


@pytest.mark.parametrize(("asked", "size"), [(2, 2), (3, 4), (4, 4), (5000, 8192), (8192, 8192)])
def test_size_is_rounded_up_to_a_power_of_two(asked: int, size: int) -> None:
    assert Kfifo(asked).size == TypedFifo(asked, "i4").size == RecordFifo(asked, 1).size == size


@pytest.mark.parametrize("size", [-1, 0, 1, 2**30 + 1, 2**64, 2**100])
def test_size_out_of_range_names_the_limits(size: int) -> None:
    for make in (Kfifo, lambda n: RecordFifo(n, 2)):
        with pytest.raises(ValueError, match=f"size must be 2 to 1073741824, not {size}$"):
            make(size)


def test_size_of_a_typed_fifo_is_limited_in_bytes() -> None:
    with pytest.raises(ValueError, match=f"size must be 2 to {2**27}, not {2**27 + 1}$"):
        TypedFifo(2**27 + 1, "f8")


@pytest.mark.parametrize("start", [-1, 2**64])
def test_start_out_of_range_names_the_limits(start: int) -> None:
    with pytest.raises(ValueError, match=f"start must be 0 to {2**64 - 1}, not {start}$"):
        Kfifo(8, start=start)


@pytest.mark.parametrize("recsize", [-1, 0, 3, 4])
def test_recsize_is_1_or_2(recsize: int) -> None:
    with pytest.raises(ValueError, match=f"recsize must be 1 to 2, not {recsize}$"):
        RecordFifo(16, recsize)


@pytest.mark.parametrize("format", ["", "i3", "f1", ">i4", "=i4", "i", "O", "S3", "i4,i4"])
def test_unknown_format_is_refused(format: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(format))):
        TypedFifo(16, format)


@pytest.mark.parametrize("wrong", ["8", 8.0, None, b"8", [8]])
def test_numbers_of_the_wrong_type_are_refused(wrong: Any) -> None:
    for make in (Kfifo, lambda n: TypedFifo(n, "i4"), lambda n: RecordFifo(n, 1)):
        with pytest.raises(TypeError):
            make(wrong)
    for fifo in (Kfifo(8), TypedFifo(8, "i4"), RecordFifo(8, 1)):
        for method in (fifo.out, fifo.peek, fifo.skip):
            with pytest.raises(TypeError):
                method(wrong)
    with pytest.raises(TypeError):
        Kfifo(8, start=wrong)
    with pytest.raises(TypeError):
        RecordFifo(8, wrong)
    with pytest.raises(TypeError):
        TypedFifo(8, wrong if wrong != "8" else wrong.encode())


@pytest.mark.parametrize("wrong", ["text", None, 3.5, [1, 2], 7])
def test_data_that_is_no_buffer_is_refused(wrong: Any) -> None:
    for fifo in (Kfifo(8), RecordFifo(8, 1)):
        with pytest.raises(TypeError):
            fifo.in_(wrong)
        with pytest.raises(BufferError):
            fifo.in_(memoryview(bytes(8))[::2])
        assert fifo.is_empty


@pytest.mark.parametrize("n", [-1, -(2**70)])
def test_negative_counts_are_refused(n: int) -> None:
    for fifo in (Kfifo(8), TypedFifo(8, "i4"), RecordFifo(8, 1)):
        fifo.put(1)
        for method in (fifo.out, fifo.peek, fifo.skip):
            with pytest.raises(ValueError, match=f"n must be 0 to .*, not {n}$"):
                method(n)
        assert not fifo.is_empty


def test_counts_far_above_the_content_give_the_content() -> None:
    for n in (2**31, 2**32, 2**63, 2**64 - 1):
        fifo = Kfifo(8, start=2**64 - 1)
        fifo.in_(b"abc")
        assert fifo.peek(n) == fifo.out(n) == b"abc"
        typed = TypedFifo(8, "i4", start=2**64 - 1)
        typed.in_([1, 2, 3])
        assert typed.peek(n) == typed.out(n) == [1, 2, 3]


@pytest.mark.parametrize("v", [-1, 256, 2**80])
def test_a_byte_out_of_range_is_refused(v: int) -> None:
    for fifo in (Kfifo(8), RecordFifo(8, 1)):
        with pytest.raises(ValueError, match=f"a byte must be 0 to 255, not {v}$"):
            fifo.put(v)
        assert fifo.is_empty


@pytest.mark.parametrize(
    ("format", "v"),
    [
        *[("i1", 128), ("i1", -129), ("u1", -1), ("u1", 256), ("i4", 2**31)],
        *[("u8", 2**64), ("i8", 2**63), ("f2", 1e6), ("f4", 1e39), ("f8", 10**400)],
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_nothing_stored(format: str, v: Any) -> None:
    fifo = TypedFifo(8, format)
    with pytest.raises(ValueError, match=f"{format}$"):
        fifo.put(v)
    with pytest.raises(ValueError, match=f"{format}$"):
        fifo.in_([1, v])
    assert fifo.is_empty


@pytest.mark.parametrize(("format", "v"), [("i4", 1.5), ("i4", "1"), ("f8", "1"), ("f8", None)])
def test_a_value_of_the_wrong_type_is_refused_and_nothing_stored(format: str, v: Any) -> None:
    fifo = TypedFifo(8, format)
    with pytest.raises(TypeError):
        fifo.put(v)
    with pytest.raises(TypeError):
        fifo.in_([1, v])
    assert fifo.is_empty


def test_numpy_values_are_values() -> None:
    np = pytest.importorskip("numpy")
    for format in ("i2", "u8", "f4", "f8"):
        fifo = TypedFifo(8, np.dtype(format).str)
        assert fifo.format == format
        assert fifo.in_(np.arange(5, dtype=format)) == 5
        assert fifo.out(5) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("recsize", "limit"), [(1, 255), (2, 65535)])
def test_a_record_too_long_for_its_length_bytes_is_refused(recsize: int, limit: int) -> None:
    fifo = RecordFifo(1 << 17, recsize)
    for method in (fifo.in_, fifo.put):
        with pytest.raises(ValueError, match=f"to {limit}, not {limit + 1}$"):
            method(bytes(limit + 1))
    assert fifo.is_empty
    assert fifo.avail == limit
    assert fifo.in_(bytes(limit)) == limit == fifo.peek_len()
    assert fifo.get() == bytes(limit)


def test_the_length_of_a_record_is_little_endian_and_may_be_split_at_the_wrap() -> None:
    for start in range(8):
        fifo = RecordFifo(1024, 2, start=1020 + start)
        fifo.put(b"x" * 0x102)
        fifo.put(b"y")
        assert fifo.peek_len() == 0x102
        assert [fifo.get(), fifo.get()] == [b"x" * 0x102, b"y"]


def test_an_empty_record_is_a_record() -> None:
    fifo = RecordFifo(2, 1)
    assert [fifo.put(b""), fifo.put(b""), fifo.put(b"")] == [True, True, False]
    assert fifo.in_(b"") == 0
    assert len(fifo) == 2
    assert fifo.peek_len() == 0
    assert [fifo.get(), fifo.out(5)] == [b"", b""]
    assert fifo.is_empty


def test_a_record_larger_than_the_fifo_is_no_error_but_never_fits() -> None:
    fifo = RecordFifo(16, 1)
    assert fifo.in_(bytes(16)) == 0
    assert fifo.put(bytes(16)) is False
    assert fifo.is_empty


def test_a_read_sees_what_came_after_the_last_look() -> None:
    fifo = Kfifo(8)
    fifo.in_(b"abcd")
    assert fifo.out(1) == b"a"  # the reader has seen four bytes
    fifo.in_(b"efgh")
    assert fifo.out(8) == b"bcdefgh"


def test_a_write_sees_space_freed_after_the_last_look() -> None:
    fifo = Kfifo(8)
    assert fifo.in_(b"abcdefgh") == 8
    assert fifo.out(3) == b"abc"
    assert fifo.in_(b"ijklm") == 3


def test_reset_forgets_the_caches_of_both_sides() -> None:
    fifo = Kfifo(8, start=100)
    fifo.in_(b"abcdefgh")
    fifo.out(5)
    fifo.reset()
    assert fifo.counters == (0, 0)
    assert fifo.out(8) == b""
    assert fifo.in_(b"12345678") == 8
    assert fifo.out(8) == b"12345678"


def test_classes_can_be_subclassed_and_say_what_they_are() -> None:
    class Named(Kfifo):
        def __init__(self, size: int, *, start: int = 0) -> None:
            self.name = "mine"

    fifo = Named(8, start=2**32 + 3)
    fifo.in_(b"ab")
    assert fifo.name == "mine"
    assert repr(fifo) == "<Named 2 of 8 used, in=5 out=3>"
