"""tocsin replay: what a capture gives, which of it is chosen, and files that are none."""

import json
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands import CAPTURE, CAPTURES, TOCSIN, called, environment, level, notification, tocsin, trip
from tocsin.cli.choice import choose, number
from tocsin.cli.replay import Pace
from tocsin.key import Key
from tocsin.scmi import PROTOCOLS

FIRST = "535.334421  sensor.update  source 8  agent_id=0 readings=(-9720, -9712, -9704)\n"
SECOND = "535.434649  sensor.update  source 8  agent_id=0 readings=(-9719, -9711, -9703)\n"
BOOKS = (
    "\n"
    "protocol  accepted  refused  invalid  delivered  unclaimed  pending\n"
    "sensor           2        0        0          2          0        0\n"
    "14 lines, 2 notifications, 12 others skipped\n"
)
ALL_OF_THEM = CAPTURES / "synthetic.trace"


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "a.trace"


def test_a_capture_is_printed_and_its_books_are_shown() -> None:
    done = tocsin("replay", CAPTURE)
    assert (done.returncode, done.stdout, done.stderr) == (0, FIRST + SECOND, BOOKS)


def test_as_json_stdout_is_events_and_nothing_else() -> None:
    done = tocsin("replay", CAPTURE, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["report"]["readings"][0] == {"value": -9720, "timestamp": 1656609709000000000}
    del second["report"]["readings"]
    assert second == {
        "timestamp": 535434649000,
        "protocol": "sensor",
        "event": "update",
        "source": 8,
        "lost": 0,
        "report": {"agent_id": 0, "sensor_id": 8, "readings_count": 3},
    }
    assert done.stdout.startswith('{"timestamp": 535334421000, "protocol": "sensor", "event": "update", ')


def test_books_can_be_asked_for_as_json_and_turned_off() -> None:
    counts = json.loads(tocsin("replay", CAPTURE, "--json", "--books").stderr)
    assert counts["protocols"]["sensor"]["delivered"] == 2
    assert (counts["lines"], counts["notifications"], counts["skipped"], counts["undelivered"]) == (
        14,
        2,
        12,
        0,
    )
    assert tocsin("replay", CAPTURE, "--no-books").stderr == ""


def test_stdin_is_a_file() -> None:
    done = tocsin("replay", "-", input=CAPTURE.read_bytes())
    assert (done.returncode, done.stdout, done.stderr) == (0, FIRST + SECOND, BOOKS)


def test_events_of_all_protocols_have_the_order_of_the_capture(trace: Path) -> None:
    trace.write_bytes(b"".join(level(n) + trip(n) for n in range(200)))
    done = tocsin("replay", trace, "--json")
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["protocol"] for event in seen] == ["perf", "sensor"] * 200
    assert [event["report"]["performance_level"] for event in seen[::2]] == list(range(200))
    assert [event["source"] for event in seen[1::2]] == list(range(200))


def test_files_follow_one_another_and_bad_ones_are_passed_over(tmp_path: Path) -> None:
    done = tocsin("replay", tmp_path / "none", CAPTURE, tmp_path, CAPTURE)
    assert (done.returncode, done.stdout) == (2, 2 * (FIRST + SECOND))
    first, second, *_ = done.stderr.splitlines()
    assert first == f"tocsin replay: {tmp_path}/none: No such file or directory"
    assert second == f"tocsin replay: {tmp_path}: Is a directory"
    assert done.stderr.endswith("28 lines, 4 notifications, 24 others skipped\n")


# -- what is no capture ----------------------------------------------------------------------------


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    done = tocsin("replay", tmp_path / "none")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"tocsin replay: {tmp_path}/none: No such file or directory\n"


def test_an_empty_file_is_an_empty_capture(trace: Path) -> None:
    trace.write_bytes(b"")
    done = tocsin("replay", trace)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "0 lines, 0 notifications, 0 others skipped\n"


def test_binary_rubbish_is_no_capture(trace: Path) -> None:
    trace.write_bytes(bytes(range(256)) * 1000)
    done = tocsin("replay", trace)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tocsin replay: {trace}: no SCMI event in 1001 lines; is it a capture?\n")


def test_a_capture_that_was_cut_gives_no_half_event(trace: Path) -> None:
    data = CAPTURE.read_bytes()
    end = data.index(b"\n", data.index(b"535.434649"))
    trace.write_bytes(data[: end - 32])  # a whole reading less: what is left would be a valid event
    done = tocsin("replay", trace)
    assert (done.returncode, done.stdout) == (0, FIRST)
    assert done.stderr.endswith("11 lines, 1 notification, 10 others skipped\n")


def test_what_no_event_can_have_is_complained_of_and_the_rest_is_printed(trace: Path) -> None:
    trace.write_bytes(
        trip(1)
        + notification(0x15, 0, "0000")
        + notification(0x15, 9, "")
        + notification(0x80, 0, "")
        + trip(2)
    )
    done = tocsin("replay", trace)
    assert done.returncode == 1
    assert [line.split()[3] for line in done.stdout.splitlines()] == ["1", "2"]
    complaints = done.stderr.splitlines()
    assert complaints[0] == f"tocsin replay: {trace}: line 2: sensor.trip_point: 2 bytes; it must have 12"
    assert complaints[1].startswith(f"tocsin replay: {trace}: line 3: ")
    assert complaints[2].startswith(f"tocsin replay: {trace}: line 4: ")
    assert done.stderr.endswith("5 lines, 5 notifications, 0 others skipped, 3 not delivered\n")


def test_a_thousand_complaints_are_ten_and_a_number(trace: Path) -> None:
    trace.write_bytes(notification(0x15, 0, "0000") * 1000)
    done = tocsin("replay", trace)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("line ") == 10
    assert "sensor           0        0     1000" in done.stderr
    assert done.stderr.endswith(", 1000 not delivered\n")


PARTS = [b"\n", b"scmi_msg_dump: ", trip(3), level(5), trip(4)[:-30], notification(0x10, 0, "00" * 7)]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=80), st.sampled_from(PARTS)), max_size=8))
def test_any_bytes_are_read_and_each_line_is_accounted_for(parts: list[bytes]) -> None:
    data = b"".join(parts)
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        status, out, err = called("replay", file.name, "--json", "--books")
    counts = json.loads(err.splitlines()[-1])
    assert counts["lines"] == data.count(b"\n") + (not data.endswith(b"\n") and data != b"")
    assert counts["notifications"] == len(out.splitlines()) + counts["undelivered"]
    assert status == (1 if counts["undelivered"] else 2 if counts["lines"] and b"scmi_" not in data else 0)


# -- choosing --------------------------------------------------------------------------------------

NAMES = [f"{protocol.name}.{event.name}" for protocol in PROTOCOLS for event in protocol.events]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--protocol", "perf"], ["perf.limits_changed"]),
        (["--protocol", "0x13"], ["perf.limits_changed"]),
        (["--protocol", "19", "--protocol", "PERF"], ["perf.limits_changed"]),
        (["--protocol", "perf", "--protocol", "reset"], ["perf.limits_changed", "reset.issued"]),
        (["--event", "sensor.trip_point"], ["sensor.trip_point"]),
        (["--event", "0x15.0"], ["sensor.trip_point"]),
        (["--event", "issued", "--event", "cap_changed"], ["reset.issued", "powercap.cap_changed"]),
        (["--protocol", "clock", "--event", "0"], ["clock.rate_changed"]),
        (["--source", "4"], ["reset.issued"]),
        (["--source", "4", "--source", "0x5"], ["clock.rate_changed", "reset.issued"]),
        (["--source", "4", "--protocol", "perf"], []),
    ],
)
def test_filters(arguments: list[str], names: list[str]) -> None:
    done = tocsin("replay", ALL_OF_THEM, *arguments)
    assert done.returncode == 0
    assert [line.split()[1] for line in done.stdout.splitlines()] == names


def test_what_nobody_chose_is_unclaimed() -> None:
    done = tocsin("replay", CAPTURE, "--protocol", "perf")
    assert (done.returncode, done.stdout) == (0, "")
    assert "\nsensor           2        0        0          0          2        0\n" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--protocol", "audio"], "there is no protocol 'audio'; there are base (0x10), power (0x11), "),
        (["--protocol", "0x80"], "there is no protocol '0x80'; there are base (0x10), "),
        (["--event", "boom"], "there is no event 'boom'; there are base.error, "),
        (
            ["--protocol", "perf", "--event", "trip_point"],
            "there is no event 'trip_point'; there are perf.limits_changed, perf.level_changed",
        ),
        (["--event", "perf.update"], "there is no event 'perf.update'; there are base.error, "),
        (["--source", "65535"], "a source is a number in 0..65534, not '65535'"),
        (["--source", "all"], "a source is a number in 0..65534, not 'all'"),
    ],
)
def test_a_filter_that_names_nothing_says_what_there_is(arguments: list[str], complaint: str) -> None:
    done = tocsin("replay", CAPTURE, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tocsin replay: {complaint}")
    assert done.stderr.count("\n") == 1


def test_each_event_can_be_chosen_by_its_names_and_its_numbers() -> None:
    for protocol in PROTOCOLS:
        for event in protocol.events:
            wanted = [Key(protocol.id, event.id, 7)]
            assert choose(PROTOCOLS, [], [f"{protocol.name}.{event.name}"], ["7", "0x7"]) == wanted
            assert choose(PROTOCOLS, [str(protocol.id)], [str(event.id), str(event.name)], ["7"]) == wanted


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", " 1", "1_0", "1.0", "0b1", "f", "0x", "0xg", "٣", "9" * 5000]
)
def test_what_is_no_number(text: str) -> None:
    assert number(text) is None


@given(st.integers(0, 0xFFFF_FFFF))
def test_numbers_are_decimal_or_hex(value: int) -> None:
    assert number(str(value)) == number(hex(value)) == number(f"0X{value:08X}") == value


# -- as recorded -----------------------------------------------------------------------------------


class Watch:
    """A clock, and an event whose wait() moves it on."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []
        self.is_over = False

    def wait(self, seconds: float) -> bool:
        self.waits.append(round(seconds, 6))
        self.now += seconds
        return self.is_over

    def is_set(self) -> bool:
        return self.is_over


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch()
    monkeypatch.setattr("tocsin.cli.replay.time", SimpleNamespace(monotonic=lambda: watch.now))
    return watch


def test_pace_waits_as_long_as_recorded(watch: Watch) -> None:
    pace = Pace(2.0, watch)
    for seconds in (5, 6, 6, 9):
        pace.wait(seconds * 10**9)
    assert watch.waits == [0.5, 1.5]


def test_pace_makes_up_for_lost_time(watch: Watch) -> None:
    pace = Pace(1.0, watch)
    pace.wait(0)
    watch.now += 3
    pace.wait(2 * 10**9)
    pace.wait(4 * 10**9)
    assert watch.waits == [1.0]


def test_pace_begins_anew_when_time_goes_backwards(watch: Watch) -> None:
    pace = Pace(1.0, watch)
    for seconds in (100, 50, 51):
        pace.wait(seconds * 10**9)
    assert watch.waits == [1.0]


def test_pace_never_asks_for_more_than_a_lock_can_wait(watch: Watch) -> None:
    pace = Pace(1e-3, watch)
    pace.wait(0)
    pace.wait(7_200 * 10**6)
    assert watch.waits == [3600.0, 3600.0]
    watch.is_over = True
    Pace(1e-300, watch).wait(0)
    pace.wait(1 << 63)
    assert len(watch.waits) == 2


def test_speed_changes_nothing_but_the_time() -> None:
    done = tocsin("replay", CAPTURE, "--speed", "1e6")
    assert (done.returncode, done.stdout, done.stderr) == (0, FIRST + SECOND, BOOKS)


# -- memory ----------------------------------------------------------------------------------------


def peak_of(count: int) -> int:
    """Return the most memory in KiB that a replay of so many large events took."""
    line = notification(0x15, 1, "00000000 08000000" + "00" * 16 * 60)
    reading, writing = os.pipe()
    pid = os.posix_spawn(
        TOCSIN[0],
        [*TOCSIN, "replay", "-", "--json"],
        environment(),
        file_actions=[
            (os.POSIX_SPAWN_DUP2, reading, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_CLOSE, writing),
        ],
    )
    os.close(reading)
    with open(writing, "wb") as file:
        for _ in range(count):
            file.write(line)
    _, status, usage = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return usage.ru_maxrss


@pytest.mark.slow
def test_a_long_capture_takes_no_more_memory_than_a_short_one() -> None:
    assert peak_of(10_000) - peak_of(10) < 8 << 10  # the input alone is 20 MiB
