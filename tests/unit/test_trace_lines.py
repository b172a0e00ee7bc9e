"""Notifications from lines of a trace: every format that ever was, any garbage; nothing is made up."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reading import GOOD, MESSAGE, PREFIX, TEXT, messages_of
from scmi_vectors import BY_ID, VECTORS
from tocsin.sources import trace

CAPTURES = Path(__file__).resolve().parents[2] / "examples" / "captures"
LINES = [capture for capture in VECTORS["captures"] if "line" in capture]
REAL = CAPTURES / "full_message_tracing_v2.trace"

# -- the formats


@pytest.mark.parametrize("capture", LINES, ids=lambda capture: capture["line"].strip()[:40])
def test_captured_line(capture: dict[str, Any]) -> None:
    reader = trace.read(io.StringIO(capture["line"] + "\n"))
    found = [message.data.hex() for message in reader]
    decoded = capture["decoded"]
    assert found == ([decoded["rebuilt_message_hex"]] if decoded["notification"] else [])
    assert (reader.lines, reader.notifications, reader.skipped) == (1, len(found), 1 - len(found))


@pytest.mark.parametrize("line", VECTORS["synthetic_trace_lines"], ids=lambda line: str(line["vector"]))
def test_synthetic_line(line: dict[str, Any]) -> None:
    reader = trace.read(io.BytesIO(line["line"].encode() + b"\n"))
    if line["vector"] is None:
        assert list(reader) == []
        assert (reader.lost, reader.skipped) == (1, 1)
        return
    (message,) = reader
    assert message.data.hex() == BY_ID[line["vector"]]["message_hex"]
    seconds, micros = re.findall(r" (\d+)\.(\d{6}): ", line["line"])[0]
    assert message.timestamp == int(seconds) * 10**9 + int(micros) * 1000
    assert (reader.lost, reader.skipped) == (0, 0)


PREFIXES = [
    "          <idle>-0       [000] d.h2.   535.334421: ",
    "<idle>-0       [000] d.h2   535.334421: ",
    "          <idle>-0       (-------) [000] d.h2.   535.334421: ",
    "          <idle>-0     [000]   535.334421: ",
    "          <idle>-0     [000] d.h2.   535.334421000: ",
    "swapper     0 [000]   535.334421: scmi:",
    "swapper     0/0     [127]   535.334421000: scmi:",
    "  kworker/u8:3-42    [001] ....1   535.334421: ",
    "  odd [12] name-7    [001] .....   535.334421: ",
]
TEXTS = [
    "scmi_msg_dump: id=0 ch=10 pt={pt} t=NOTI msg_id={id} seq={seq} s=0 pyld={pyld}",
    "scmi_msg_dump: id=12 ch=1A new=x pt={pt} t=NOTI msg_id={id} seq={seq} s=-5 more=1 pyld={pyld}",
    "scmi_msg_dump: pt={pt} t=NOTI msg_id={id} seq={seq} s=0 pyld={pyld}",
    "scmi_msg_dump:        pt={pt} t=NOTI msg_id={id} seq={seq} s=0 pyld={pyld}",
    "scmi_msg_dump: [0x{pt}]:NOTI:[0x{id}]:[{seq}]:[0]: {pyld}",
]


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n"])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_format_gives_the_same_message(prefix: str, text: str, end: str) -> None:
    payload = BY_ID["clock-requested-48mhz"]["payload_hex"]
    line = prefix + text.format(pt="14", id="01", seq="0000", pyld=payload) + end
    message = bytes.fromhex(BY_ID["clock-requested-48mhz"]["message_hex"])
    assert messages_of(line) == [(535334421000, message)]


@pytest.mark.parametrize("text", TEXTS)
def test_header_is_put_together(text: str) -> None:
    line = PREFIX + text.format(pt="FE", id="AB", seq="F2A5", pyld="") + "\n"
    ((_, data),) = messages_of(line)
    word = int.from_bytes(data, "little")
    assert (word & 0xFF, word >> 8 & 3, word >> 10 & 0xFF, word >> 18) == (0xAB, 3, 0xFE, 0x2A5)


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.trace")), ids=lambda path: path.name)
def test_capture_files_are_what_their_readme_says(path: Path) -> None:
    reader = trace.read(path)
    found = list(reader)
    readme = (CAPTURES / "README.md").read_text()
    assert f"`{path.name}`" in readme
    row = re.search(rf"`{path.name}` \|.*\| (\d+) \| (\d+) \|", readme)
    counts = (int(row[1]), int(row[2])) if row else {"sensor_update.trace": (14, 2)}.get(path.name, (10, 8))
    assert (reader.lines, reader.notifications) == counts
    assert reader.skipped == reader.lines - len(found)
    given = {capture["line"] for capture in LINES}
    given |= {line["line"] for line in VECTORS["synthetic_trace_lines"]}
    assert {line for line in path.read_text().splitlines() if line[0] != "#"} <= given


# -- what is no notification

SKIPPED = [
    "",
    "\0",
    "# tracer: nop",
    "CPU:0 [LOST 35 EVENTS]",
    TEXT,
    f"[000] d.h2. {TEXT}",
    f"d.h2.   535.334421: {TEXT}",
    f"<idle>-0 [000] d.h2. 535334421: {TEXT}",
    PREFIX,
    f"{PREFIX}scmi_msg_dump: ",
    f"{PREFIX}scmi_rx_done: pt=11 msg_id=00 seq=0000 transfer_id=0 msg_type=3",
    f"{PREFIX}other:{TEXT}",
    f"{PREFIX}{TEXT}0",
    f"{PREFIX}{TEXT}zz",
    f"{PREFIX}{TEXT} and more",
    f"{PREFIX}{TEXT}\0",
    PREFIX + TEXT.replace("NOTI", "RESP"),
    PREFIX + TEXT.replace("NOTI", "NOTIFY"),
    PREFIX + TEXT.replace("pt=11", "pt=111"),
    PREFIX + TEXT.replace("pt=11", "pt=-1"),
    PREFIX + TEXT.replace("seq=0000 ", ""),
    PREFIX + TEXT.replace("msg_id=00", "msg_id=0x"),
    f"{PREFIX}scmi_msg_dump: [0x11]:NOTI:[0x00]:[0000]:[0]: 0",
    f"{PREFIX}scmi_msg_dump: [0x11]:NOTI:[0x00]:[0000]:",
    f"  bash-1  [000] .....  12.000001: tracing_mark_write: {PREFIX}{TEXT}",
    f"  bash-1  [000] .....  12.000001: tracing_mark_write: {TEXT}",
    f"  bash-1  [000]  12.000001: 535.334421: {TEXT}",
    f"{PREFIX}scmi_msg_dump: pt=11 t=NOTI msg_id=00 seq=0000 s=0 pyld=0100{PREFIX}{TEXT}",
]


@pytest.mark.parametrize("line", SKIPPED)
def test_line_that_is_skipped(line: str) -> None:
    reader = trace.read(io.BytesIO(f"{line}\n".encode() + GOOD))
    assert list(reader) == [MESSAGE]
    assert (reader.lines, reader.notifications, reader.skipped, reader.lost) == (2, 1, 1, 0)


garbage = st.lists(
    st.one_of(
        st.binary(max_size=60),
        st.sampled_from([GOOD[:-1], *(line.encode() for line in SKIPPED)]),
        st.builds(
            lambda at, byte: GOOD[:at] + byte + GOOD[at:-1], st.integers(0, 120), st.binary(max_size=2)
        ),
    ),
    max_size=12,
).map(b"\n".join)


@given(data=garbage)
@settings(max_examples=400, deadline=None)
def test_any_bytes_are_counted_and_the_next_good_line_arrives(data: bytes) -> None:
    reader = trace.read(io.BytesIO(data + b"\n" + GOOD))
    *_, last = reader
    assert last == MESSAGE
    assert reader.lines == data.count(b"\n") + 2
    assert reader.lines == reader.notifications + reader.skipped


@given(text=st.text(), at=st.integers(0, 3))
def test_any_text_is_counted(text: str, at: int) -> None:
    lines = [PREFIX, "scmi_msg_dump: ", TEXT, "\n"]
    lines.insert(at, text)
    reader = trace.read(io.StringIO("".join(lines)))
    list(reader)
    assert reader.lines == reader.notifications + reader.skipped


def test_a_capture_that_was_cut_anywhere_gives_whole_messages_only() -> None:
    data = REAL.read_bytes()
    whole = messages_of(data)
    assert len(whole) == 2
    for end in range(len(data)):
        reader = trace.read(io.BytesIO(data[:end]))
        found = list(reader)
        assert found == whole[: len(found)]
        complete = data.count(b"\n", 0, end)
        assert reader.lines == complete + (data[:end][-1:] not in (b"\n", b""))
        assert len(found) == sum(b"NOTI" in line for line in data[:end].split(b"\n")[:complete])


def test_the_line_after_a_cut_one_arrives() -> None:
    reader = trace.read(io.BytesIO(GOOD[:-20] + b"\n" + GOOD[:40] + b"\n" + GOOD))
    assert list(reader) == [MESSAGE]
    assert (reader.lines, reader.skipped) == (3, 2)
