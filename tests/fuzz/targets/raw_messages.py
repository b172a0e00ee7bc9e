"""The raw reader: any sequence of reads, messages in pieces with an empty read behind each.

A socket that keeps the borders of what is sent, empty pieces too, stands for the file of the kernel.
"""

import errno
import socket
import time

from tests.fuzz.choices import Choices

from tocsin.sources import raw


def one(data: bytes) -> None:
    pieces = cut(data)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        for piece in pieces:
            ours.send(piece)
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    longest, raw.LONGEST = raw.LONGEST, 256
    found, is_too_long = [], False
    try:
        with raw.read(theirs.detach()) as reader:
            for message in reader:
                assert message.timestamp >= before
                found.append(message.data)
    except OSError as error:
        assert error.errno == errno.EMSGSIZE
        is_too_long = True
    finally:
        raw.LONGEST = longest
    assert (found, is_too_long) == expected(pieces)
    assert reader.notifications == len(found)
    assert reader.fileno() == -1


def cut(data: bytes) -> list[bytes]:
    """Return the pieces of an input: a byte of length, then the piece; few enough for the socket."""
    choose, pieces = Choices(data), []
    while choose.more and len(pieces) < 64:
        pieces.append(choose.take(choose.getrandbits(8)))
    return pieces


def expected(pieces: list[bytes]) -> tuple[list[bytes], bool]:
    """Return what the reader must find: the messages, and whether it gives up at one that is too long."""
    found, message = [], b""
    for piece in [*pieces, b"", b""]:
        message += piece
        if piece and len(message) > 256:
            return found, True
        if not piece:
            if not message:
                return found, False
            found.append(message)
            message = b""
    return found, False
