"""tocsin decode: any bytes, any text."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands import called, tocsin
from tocsin import scmi

TRIP = "00570000 01000000 03000000 05000100"
UPDATE = "01570000 00000000 08000000 08daffffffffffff 008268d4c075fd16"


def test_a_notification_is_decoded() -> None:
    done = tocsin("decode", TRIP)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "header           0x00005700\n"
        "protocol         0x15 (sensor)\n"
        "type             3 (notification)\n"
        "message          0x00\n"
        "token            0\n"
        "event            sensor.trip_point\n"
        "source           3\n"
        "agent_id         1\n"
        "sensor_id        3\n"
        "trip_point_desc  65541\n"
        "trip_point_id    5\n"
        "direction        positive\n"
    )


def test_as_json_nothing_is_left_out_and_integers_stay_integers() -> None:
    done = tocsin("decode", "--json", *UPDATE.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "header": {"word": 0x5701, "message_id": 1, "message_type": 3, "protocol_id": 0x15, "token": 0},
        "protocol": "sensor",
        "event": "update",
        "source": 8,
        "report": {
            "agent_id": 0,
            "sensor_id": 8,
            "readings_count": 1,
            "readings": [{"value": -9720, "timestamp": 1656609709000000000}],
        },
    }


def test_each_reading_has_a_line() -> None:
    assert "\nreadings[0]     value=-9720 timestamp=1656609709000000000\n" in called("decode", UPDATE)[1]


@pytest.mark.parametrize(
    "text",
    [
        TRIP.replace(" ", ""),
        TRIP.upper(),
        "00:57:00:00:01:00:00:00:03:00:00:00:05:00:01:00",
        "0x00 0x57 0x00 0x00, 0x01 0x00 0x00 0x00, 0X03 0x00 0x00 0x00, 0x05, 0x00, 0x01, 0x00",
        "00-57-00-00\n01 00 00 00\t03 00 00 00  0x05000100",
    ],
)
def test_separators_do_not_matter(text: str) -> None:
    assert called("decode", text) == called("decode", TRIP)


def test_stdin_is_read_whole() -> None:
    done = tocsin("decode", "-", input=TRIP.replace(" ", "\n").encode())
    assert (done.returncode, done.stdout, done.stderr) == called("decode", TRIP)


def test_other_messages_have_a_header_and_a_payload() -> None:
    status, out, err = called("decode", "06440000 02000000 0a")
    assert (status, err) == (0, "")
    assert out.endswith(
        "type      0 (command or response)\nmessage   0x06\ntoken     0\npayload   02000000 0a (5 bytes)\n"
    )
    assert json.loads(called("decode", "--json", "06440000 02")[1])["payload"] == "02"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("0057", "2 bytes; an SCMI message has at least 4 (its header)"),
        ("", "0 bytes; an SCMI message has at least 4 (its header)"),
        ("005", "'005' has 3 hex digits; a byte has two"),
        ("0x1", "'0x1' has 1 hex digit; a byte has two"),
        ("0x", "'0x' has 0 hex digits; a byte has two"),
        ("00 zz", "'zz' is not hex: 'z' is no hex digit"),
        ("\u0660\u0660", "'\u0660\u0660' is not hex: '\u0660' is no hex digit"),
        ("f" * 100 + "g", "'ffffffffffffffffffff...' is not hex: 'g' is no hex digit"),
    ],
)
def test_what_is_no_message_is_said_in_one_line(text: str, complaint: str) -> None:
    assert called("decode", text) == (2, "", f"tocsin decode: {complaint}\n")


def test_first_page() -> None:
    done = tocsin("decode", "0057")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tocsin decode: 2 bytes; an SCMI message has at least 4 (its header)\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("00ff0000", "no protocol 0x3f is known; there are base (0x10), power (0x11),"),
        ("ff570000", "sensor has no event 255; there are trip_point (0), update (1)"),
        ("01570000 00", "sensor.update: 1 bytes; "),
    ],
)
def test_of_a_strange_notification_the_header_is_shown(text: str, complaint: str) -> None:
    status, out, err = called("decode", text)
    assert status == 2
    assert out.startswith("header    0x0000")
    assert err.startswith(f"tocsin decode: {complaint}")
    assert err.count("\n") == 1
    assert called("decode", "--json", text)[1:] == ("", err)


def test_endless_input_is_refused() -> None:
    with open("/dev/zero", "rb") as zeros:
        done = tocsin("decode", "-", input=zeros.read((1 << 20) + 1))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tocsin decode: more than 1048576 characters; ")


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.text(alphabet="0123456789abcdefxX :,-")))
def test_any_text_gives_a_message_or_one_line(text: str) -> None:
    status, out, err = called("decode", "--", text)
    assert (status, bool(out), err) == (0, True, "") or (status == 2 and err.count("\n") == 1)
    assert err == "" or err.startswith("tocsin decode: ")


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(min_size=4, max_size=40),
        st.tuples(st.sampled_from(scmi.PROTOCOLS), st.integers(0, 2), st.binary(max_size=64)).map(
            lambda parts: (parts[1] | 3 << 8 | parts[0].id << 10).to_bytes(4, "little") + parts[2]
        ),
    )
)
def test_any_bytes_give_their_header(message: bytes) -> None:
    word = int.from_bytes(message[:4], "little")
    status, out, err = called("decode", message.hex())
    assert out.splitlines()[0].split() == ["header", f"{word:#010x}"]
    assert (status, err) == (0, "") or (status == 2 and err.count("\n") == 1)
    status_of_json, out_of_json, _ = called("decode", "--json", message.hex())
    assert status_of_json == status
    if status == 0:
        assert json.loads(out_of_json)["header"]["word"] == word
