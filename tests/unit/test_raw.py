"""Notifications from raw/notification: a message is what comes until a read that brings nothing.

The file stands in a folder of debugfs, on hardware that nobody here has. Its place takes a socket that keeps
the bounds of what is sent and lets nothing be sent: a read gives one piece, or nothing where nothing was
sent, waits or fails with EAGAIN when there is none, and poll() and signals work as on the file.
"""

import errno
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tocsin
from helpers import Crew
from reading import interrupt_when_ready, is_open
from scmi_vectors import BY_ID, VALID
from tocsin import scmi
from tocsin.sources import raw

MESSAGES = [bytes.fromhex(vector["message_hex"]) for vector in VALID]
GOOD = bytes.fromhex(BY_ID["power-on"]["message_hex"])


class Debugfs:
    """The other side of the file: the kernel, with messages to read."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.kernel, self.fd = ours, theirs.detach()

    def put(self, message: bytes, piece: int = 1 << 14) -> None:
        """Let a message be read, in pieces as a reader with a small buffer would get them."""
        for start in range(0, len(message), piece):
            self.kernel.send(message[start : start + piece])
        self.kernel.send(b"")


@pytest.fixture
def debugfs() -> Iterator[Debugfs]:
    debugfs = Debugfs()
    yield debugfs
    debugfs.kernel.close()
    assert not is_open(debugfs.fd), "the reader left its descriptor open"


@pytest.mark.parametrize("piece", [1, 3, 4, 5, 16, 1 << 14])
@pytest.mark.parametrize("blocking", [True, False])
def test_messages_are_put_together_from_reads(debugfs: Debugfs, piece: int, blocking: bool) -> None:
    os.set_blocking(debugfs.fd, blocking)
    with raw.read(debugfs.fd) as reader:
        for n, message in enumerate(MESSAGES[:8], 1):
            debugfs.put(message, piece)
            before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            timestamp, data = next(reader)
            assert data == message
            assert before <= timestamp <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            assert reader.notifications == n


@given(pieces=st.lists(st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=5), max_size=6))
@settings(deadline=None)
def test_any_pieces_come_out_as_the_messages_that_they_were(pieces: list[list[bytes]]) -> None:
    debugfs = Debugfs()
    for message in pieces:
        for piece in message:
            debugfs.kernel.send(piece)
        debugfs.kernel.send(b"")
    debugfs.kernel.close()
    reader = raw.read(debugfs.fd)
    assert [message.data for message in reader] == [b"".join(message) for message in pieces]
    assert not is_open(debugfs.fd)


@pytest.mark.parametrize("blocking", [True, False])
def test_a_reader_waits_for_each_message(debugfs: Debugfs, blocking: bool) -> None:
    os.set_blocking(debugfs.fd, blocking)
    asked, answer = os.pipe()

    def read() -> None:
        with raw.read(debugfs.fd) as reader, open(answer, "wb", buffering=0) as answers:
            for message in reader:
                answers.write(message.data)

    def kernel() -> None:
        with open(asked, "rb", buffering=0) as answers:
            for message in MESSAGES:
                debugfs.put(message)
                assert answers.read(1 << 14) == message
            debugfs.kernel.close()

    Crew(read, kernel).join()


def test_a_small_buffer_loses_nothing(debugfs: Debugfs, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = list(MESSAGES)
    message, position = b"", -1  # what is being read, and how far; -1: nothing

    def read(fd: int, count: int) -> bytes:
        """Do as the kernel's read does."""
        nonlocal message, position
        if position < 0:
            if not waiting:
                raise KeyboardInterrupt
            message, position = waiting.pop(0), 0
        elif position == len(message):
            position = -1
            return b""
        piece = message[position : position + count]
        position += len(piece)
        return piece

    monkeypatch.setattr(raw, "CHUNK", 5)
    monkeypatch.setattr(os, "read", read)
    reader = raw.read(debugfs.fd)
    assert [next(reader).data for _ in MESSAGES] == MESSAGES
    with pytest.raises(KeyboardInterrupt):
        next(reader)


def test_messages_go_on_into_a_pipeline(debugfs: Debugfs) -> None:
    for message in MESSAGES:
        debugfs.put(message)
    debugfs.kernel.close()
    got: list[tuple[int, bytes]] = []
    times = []
    with tocsin.Pipeline(clock="boottime") as pipeline:
        pipeline.register(*scmi.PROTOCOLS)
        pipeline.subscribe(scmi.SENSOR.update, lambda event: got.append((event.timestamp, event.payload)))
        for message in raw.read(debugfs.fd):
            assert scmi.notify_message(pipeline, message.data, message.timestamp, timeout=60)
            if message.data[:2] == b"\x01\x57":
                times.append((message.timestamp, message.data[4:]))
    assert got == times
    assert len(got) == 5


def test_a_saved_message_is_one(tmp_path: Path) -> None:
    path = tmp_path / "notification"
    path.write_bytes(GOOD)
    reader = raw.read(path)
    assert [message.data for message in reader] == [GOOD]
    assert list(reader) == []
    assert repr(reader) == f"<RawReader {path!r} notifications=1>"


def test_an_empty_file_has_none(tmp_path: Path) -> None:
    path = tmp_path / "notification"
    path.write_bytes(b"")
    assert list(raw.read(str(path))) == []


@pytest.mark.parametrize("leave", ["close", "with", "drop"])
def test_however_it_ends_nothing_stays_open(debugfs: Debugfs, leave: str) -> None:
    debugfs.put(GOOD)
    reader = raw.read(debugfs.fd)
    assert reader.fileno() == debugfs.fd
    assert next(reader).data == GOOD
    if leave == "close":
        reader.close()
        reader.close()
        assert reader.fileno() == -1
        assert list(reader) == []
    elif leave == "with":
        with reader:
            pass
    else:
        del reader
    assert not is_open(debugfs.fd)


@pytest.mark.parametrize("blocking", [True, False])
def test_ctrl_c_ends_it_cleanly(blocking: bool) -> None:
    debugfs = Debugfs()
    os.set_blocking(debugfs.fd, blocking)
    debugfs.put(GOOD)
    try:
        assert interrupt_when_ready("raw", debugfs.fd) == "closed\n"
    finally:
        os.close(debugfs.fd)
        debugfs.kernel.close()


def test_an_error_of_the_kernel_names_the_file_and_closes(
    debugfs: Debugfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = raw.read(debugfs.fd)

    def no_space(fd: int, count: int) -> bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "read", no_space)
    with pytest.raises(OSError, match="No space left") as caught:
        next(reader)
    assert caught.value.filename == debugfs.fd
    assert not is_open(debugfs.fd)


def test_a_file_that_never_ends_a_message_fills_no_memory() -> None:
    with pytest.raises(OSError, match="Message too long: '/dev/zero'") as caught:
        next(raw.read("/dev/zero"))
    assert caught.value.errno == errno.EMSGSIZE


@pytest.mark.parametrize("name", ["nowhere", "folder"])
def test_what_can_not_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    path = str(tmp_path / name)
    with pytest.raises(OSError, match=path):
        list(raw.read(path))


@pytest.mark.parametrize("thing", [None, True, 1.5, [GOOD]])
def test_what_is_no_path_is_named(thing: Any) -> None:
    with pytest.raises(TypeError):
        raw.read(thing)


def test_a_closed_descriptor_is_refused_at_once() -> None:
    fd = os.dup(0)
    os.close(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        raw.read(fd)
