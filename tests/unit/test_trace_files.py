"""Traces from files of every kind, live ones too: no line is withheld, nothing left open, little kept."""

import io
import os
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers import Crew
from reading import GOOD, MESSAGE, PREFIX, interrupt_when_ready, is_open, messages_of
from tocsin import sources
from tocsin.sources import Message, trace


class Endless(io.RawIOBase):
    """So many bytes without a line end, then what is given."""

    def __init__(self, filling: int, then: bytes) -> None:
        self.filling, self.rest = filling, then

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.filling > 0:
            self.filling -= len(buffer)
            buffer[:] = b"\xaa" * len(buffer)
            return len(buffer)
        taken, self.rest = self.rest[: len(buffer)], self.rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


@pytest.mark.parametrize("text", [False, True])
def test_an_endless_line_fills_no_memory(text: bool) -> None:
    file: Any = io.BufferedReader(Endless(64 << 20, b"\n" + GOOD))
    reader = trace.read(io.TextIOWrapper(file, "latin-1") if text else file)
    tracemalloc.start()
    try:
        assert list(reader) == [MESSAGE]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 << 20
    assert (reader.lines, reader.skipped) == (2, 1)


def test_lines_as_long_as_a_message_can_be_are_taken_longer_ones_skipped() -> None:
    def line(payload: int) -> bytes:
        head = f"{PREFIX}scmi_msg_dump: pt=10 t=NOTI msg_id=00 seq=0000 s=0 pyld="
        return head.encode() + b"ab" * payload + b"\n"

    reader = trace.read(io.BytesIO(line(8200) + line(40000) + GOOD))
    first, second = reader
    assert len(first.data) == 8204
    assert second == MESSAGE
    assert reader.skipped == 1


FIELDS = "pt=11 t=NOTI msg_id=00 seq=0000 s=0 "
HOSTILE = {"[0] ": 20, "[0]     ": 20, "a=b ": 20, " ": 20, "1.1: ": 20, "ab": 20, "pt=11 ": 20, FIELDS: 1000}


@pytest.mark.parametrize(("part", "lines"), HOSTILE.items())
def test_hostile_lines_do_not_hold_the_reader_up(part: str, lines: int) -> None:
    # A pattern that goes on from each of the fields to the end takes half a second for each of the thousand,
    # and the suite's limit for a test ends it.
    many = part * (60_000 // len(part)) + "\n"
    for head in ("", "[0] ", PREFIX, f"{PREFIX}scmi_msg_dump: "):
        assert messages_of((head + many) * lines + GOOD.decode())[-1] == MESSAGE


# -- files


def pipe_with(data: bytes) -> int:
    read_end, write_end = os.pipe()
    os.write(write_end, data)
    os.close(write_end)
    return read_end


def test_path_and_descriptor_and_file(tmp_path: Path) -> None:
    path = tmp_path / "x.trace"
    path.write_bytes(b"\xff\xfe\0\n" + GOOD)
    given: list[Any] = [
        path,
        str(path),
        os.open(path, os.O_RDONLY),
        pipe_with(path.read_bytes()),
        path.open("rb"),
        path.open("rb", buffering=0),
        path.open(),  # strict UTF-8, which this is not
        path.open(encoding="latin-1"),
        io.StringIO(path.read_text(errors="replace")),
    ]
    for file in given:
        reader = trace.read(file)
        assert list(reader) == [MESSAGE]
        assert (reader.lines, reader.skipped) == (2, 1)
        assert list(reader) == []
        if hasattr(file, "close"):
            assert not file.closed
            file.close()


def test_a_text_file_that_has_been_read_from_goes_on_there(tmp_path: Path) -> None:
    path = tmp_path / "x.trace"
    path.write_bytes(b"# a head\n" + GOOD * 3)
    with path.open() as file:
        assert file.readline() == "# a head\n"
        reader = trace.read(file)
        assert list(reader) == [MESSAGE] * 3
        assert reader.skipped == 0


def test_stdin_of_a_process(tmp_path: Path) -> None:
    script = (
        "import sys; from tocsin.sources import trace; reader = trace.read(sys.stdin)\n"
        "print([message.data.hex() for message in reader], reader.lines)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=b"\xff\n" + GOOD, capture_output=True, check=True
    )
    assert done.stdout.decode() == f"{[MESSAGE.data.hex()]} 2\n"


OPENERS: dict[str, Callable[[int], Any]] = {
    "descriptor": int,
    "binary": io.FileIO,
    "buffered": lambda fd: io.BufferedReader(io.FileIO(fd)),
    "text": lambda fd: io.TextIOWrapper(io.BufferedReader(io.FileIO(fd))),
}


@pytest.mark.parametrize("opener", OPENERS)
def test_a_live_pipe_gives_each_line_as_it_comes(opener: str) -> None:
    read_end, write_end = os.pipe()
    file = OPENERS[opener](read_end)

    def work() -> None:
        with trace.read(file) as reader:
            for n in range(5):
                os.write(write_end, b"garbage\n" + GOOD + GOOD[:n])
                assert next(reader) == MESSAGE
                assert (reader.lines, reader.skipped) == (3 * n + 2, 2 * n + 1)
                os.write(write_end, b"\n")
            os.close(write_end)
            assert list(reader) == []
            assert reader.lines == 15

    Crew(work).join()
    if hasattr(file, "close"):
        file.close()


def test_a_fifo_by_its_path_gives_each_line_as_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "trace_pipe"
    os.mkfifo(path)
    write_end = os.open(path, os.O_RDWR)
    try:
        with trace.read(path) as reader:
            for _ in range(3):
                os.write(write_end, GOOD + GOOD)
                assert [next(reader), next(reader)] == [MESSAGE] * 2
    finally:
        os.close(write_end)


def test_closing_closes_what_was_opened_here() -> None:
    fd = pipe_with(GOOD * 2)
    reader = trace.read(fd)
    assert next(reader) == MESSAGE
    reader.close()
    assert not is_open(fd)
    reader.close()
    assert list(reader) == []
    assert repr(reader) == f"<TraceReader {fd} lines=1 notifications=1 skipped=0>"


@pytest.mark.parametrize("leave", ["end", "with", "drop"])
def test_however_it_ends_nothing_stays_open(leave: str) -> None:
    fd = pipe_with(GOOD)
    reader = trace.read(fd)
    assert is_open(fd)
    if leave == "end":
        assert len(list(reader)) == 1
    elif leave == "with":
        with reader:
            pass
    else:
        del reader
    assert not is_open(fd)


class Interrupted(io.BytesIO):
    def readline(self, size: int | None = -1) -> bytes:
        raise KeyboardInterrupt


def test_an_exception_while_reading_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    fd = pipe_with(GOOD)
    reader = trace.read(fd)
    monkeypatch.setattr(reader, "_file", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        next(reader)
    assert not is_open(fd)


def test_ctrl_c_ends_it_cleanly() -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, GOOD)
    try:
        assert interrupt_when_ready("trace", read_end) == "closed\n"
    finally:
        os.close(read_end)
        os.close(write_end)


# -- what can't be read


@pytest.mark.parametrize("name", ["nowhere", ".."])
def test_what_can_not_be_opened_is_named(tmp_path: Path, name: str) -> None:
    path = f"{tmp_path}/{name}"
    with pytest.raises(OSError, match=re.escape(path)):
        trace.read(path)


def test_an_error_while_reading_names_the_file() -> None:
    with pytest.raises(OSError, match="/proc/self/mem") as caught:
        list(trace.read("/proc/self/mem"))
    assert caught.value.filename == "/proc/self/mem"


@pytest.mark.parametrize("thing", [None, True, b"x.trace", [GOOD], 1.5])
def test_what_is_no_file_is_named(thing: Any) -> None:
    with pytest.raises(TypeError, match="from a path or an open file, not"):
        trace.read(thing)


def test_a_file_that_gives_neither_bytes_nor_text_is_named() -> None:
    class Strange:
        def readline(self, size: int) -> Any:
            return 5

    with pytest.raises(TypeError, match="gives bytes or str, not int"):
        list(trace.read(Strange()))  # type: ignore[arg-type]


def test_a_non_blocking_file_is_refused_and_closed() -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    with pytest.raises(ValueError, match="non-blocking"):
        trace.read(read_end)
    assert not is_open(read_end)
    os.close(write_end)


def test_sources_are_one_import() -> None:
    assert (sources.trace, sources.Message) == (trace, Message)
