"""Traces: any bytes as a file with lines of a trace; what one reading finds, every other finds too.

An even first byte: the rest is the file. An odd one: the rest chooses the pieces of lines that come close.
"""

import io

from tests.fuzz.choices import Choices

from tocsin.sources import trace
from tocsin.sources.message import Message

# What may stand at each place of a line; the first is right.
PROCESSOR = [b"[000]", b"[12345]", b"[0]", b"[123456]", b"[]", b"000", b"[-1]"]
TIME = [
    b"535.334421:",
    b"0.0:",
    b"9999999999.999999999:",
    b"12345678901.5:",
    b"1.1234567890:",
    b"5.3",
    b".5:",
]
NAME = [b"scmi_msg_dump:", b"scmi:scmi_msg_dump:", b"scmi_xfer_begin:", b"scmi_msg_dump", b"x:"]
PROTOCOL = [b"pt=15", b"id=0 ch=10 pt=15", b"pt=FF", b"[0x15]:NOTI:[0x01]:[0000]:[0]: 00", b"pt=1", b"pt=155"]
TAG = [b"t=NOTI", b"t=!NOTI", b"t=noti", b"t=CMND", b"t=", b"t=!!"]
NUMBER = [b"msg_id=01", b"msg_id=fF", b"msg_id=1", b"msg_id=0x1"]
SEQ = [b"seq=0000", b"seq=FFFF", b"seq=03ff", b"seq=0", b"seq=10000"]
STATUS = [b"s=0", b"s=-95 x=1 y=2", b"s=", b"s=+1"]
PAYLOAD = [
    b"pyld=00",
    b"pyld=",
    b"pyld=0123456789abcdefABCDEF",
    b"pyld=0",
    b"pyld=0g",
    b"pyld=00 00",
    b"pyld",
]
END = [b"\n", b"\r\n", b" \t\n", b"", b"\r", b"\0\n"]
PLACES = [
    PROCESSOR,
    [b"d.h2.", b"", b"seventeen_letters"],
    TIME,
    NAME,
    PROTOCOL,
    TAG,
    NUMBER,
    SEQ,
    STATUS,
    PAYLOAD,
]


def one(data: bytes) -> None:
    file = lines(Choices(data[1:])) if data[:1] and data[0] & 1 else data[1:]
    reader = trace.read(io.BytesIO(file))
    messages = list(reader)
    assert reader.lines == file.count(b"\n") + (file[-1:] not in (b"", b"\n"))
    assert reader.notifications == len(messages)
    assert 0 <= reader.lost <= reader.skipped
    assert [message for line in file.split(b"\n") for message in found_in(line + b"\n")][
        : len(messages)
    ] == messages
    text = io.TextIOWrapper(io.BytesIO(file), newline="\n")
    assert list(trace.read(text)) == messages
    for message in messages:
        assert found_in(as_line(message)) == [message]


def lines(choose: Choices) -> bytes:
    """Return lines that are right or nearly so."""
    pieces = []
    while choose.more:
        pieces.append(b" <idle>-0 ")
        for place in PLACES:
            kind = choose.randint(0, 7)
            pieces.append(
                choose.choice(place) if kind == 6 else choose.some_bytes(9) if kind == 7 else place[0]
            )
            pieces.append(b" ")
        pieces[-1] = choose.choice(END)
    return b"".join(pieces)


def found_in(file: bytes) -> list[Message]:
    return list(trace.read(io.BytesIO(file)))


def as_line(message: Message) -> bytes:
    """Return a line as the kernel prints it, with this message and time."""
    word, seconds, rest = int.from_bytes(message.data[:4], "little"), *divmod(message.timestamp, 10**9)
    assert word >> 8 & 3 == 3
    return (
        f" <idle>-0 [000] d.h2. {seconds}.{rest:09d}: scmi_msg_dump: pt={word >> 10 & 0xFF:02x} t=NOTI "
        f"msg_id={word & 0xFF:02x} seq={word >> 18 & 0x3FF:04x} s=0 pyld={message.data[4:].hex()}\n"
    ).encode()
