"""tocsin listen: each event is printed when it comes, until Ctrl-C; what found no room is counted."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import BinaryIO

import pytest

from commands import CAPTURE, level, notification, started, tocsin, trip
from helpers import PATIENCE

TRIP = bytes.fromhex("00570000 01000000 03000000 05000100")


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "trace_pipe"
    os.mkfifo(path)
    return path


@pytest.fixture
def notification_file(tmp_path: Path) -> Path:
    """A file that reads like raw/notification with one message in it: the message, then nothing."""
    path = tmp_path / "notification"
    path.write_bytes(TRIP)
    return path


def send(file: BinaryIO, data: bytes) -> None:
    file.write(data)
    file.flush()


def test_an_event_is_printed_before_the_next_one_comes(pipe: Path) -> None:
    with started("listen", pipe, bufsize=0) as process, open(pipe, "wb") as kernel:
        for number in range(5):
            send(kernel, level(number) + b"half a line")
            assert f"performance_level={number} " in process.stdout.readline().decode()
            send(kernel, b"\n")
        kernel.close()
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read().endswith(b"10 lines, 5 notifications, 5 others skipped\n")


def test_ctrl_c_is_how_it_ends(pipe: Path) -> None:
    with started("listen", pipe, bufsize=0) as process, open(pipe, "wb") as kernel:
        send(kernel, trip(3))
        assert process.stdout.readline().startswith(b"7.000001  sensor.trip_point  source 3  ")
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == b"\n"
        process.send_signal(signal.SIGINT)  # once more, in the middle of the books
        assert process.wait(PATIENCE) == 0
        assert process.stdout.read() == b""
        assert process.stderr.read() == (
            b"protocol  accepted  refused  invalid  delivered  unclaimed  pending\n"
            b"sensor           1        0        0          1          0        0\n"
            b"1 line, 1 notification, 0 others skipped\n"
        )


def test_what_was_not_delivered_shows_in_the_status_after_ctrl_c(pipe: Path) -> None:
    with started("listen", pipe, bufsize=0) as process, open(pipe, "wb") as kernel:
        send(kernel, notification(0x15, 0, "0000") + trip(3))
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 1
        assert process.stderr.read().endswith(b", 1 not delivered\n")


def test_a_raw_message_has_the_time_of_its_coming(notification_file: Path) -> None:
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    done = tocsin("listen", notification_file, "--json", "--books")
    after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert done.returncode == 0
    event = json.loads(done.stdout)
    assert before < event["timestamp"] < after
    assert (event["event"], event["source"]) == ("trip_point", 3)
    assert json.loads(done.stderr)["notifications"] == 1


def test_raw_and_trace_can_be_told(tmp_path: Path, notification_file: Path) -> None:
    other = tmp_path / "saved"
    other.write_bytes(TRIP)
    assert " sensor.trip_point  source 3 " in tocsin("listen", other, "--raw").stdout
    assert " sensor.trip_point  source 3 " in tocsin("listen", "-", "--raw", input=TRIP).stdout
    notification_file.write_bytes(trip(9))
    assert " sensor.trip_point  source 9 " in tocsin("listen", notification_file, "--trace").stdout


def test_what_is_no_notification_is_complained_of(notification_file: Path) -> None:
    notification_file.write_bytes(bytes.fromhex("06440000 02000000"))
    done = tocsin("listen", notification_file)
    assert (done.returncode, done.stdout) == (1, "")
    first, last = done.stderr.splitlines()
    assert first.startswith(f"tocsin listen: {notification_file}: message 1: ")
    assert first.endswith("a notification has type 3")
    assert last == "1 notification, 1 not delivered"


def test_stdin_and_filters() -> None:
    done = tocsin("listen", "-", "--event", "update", "--source", "8", input=CAPTURE.read_bytes())
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)
    done = tocsin("listen", "-", "--source", "9", input=CAPTURE.read_bytes())
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(("name", "reason"), [("none", "No such file or directory"), (".", "Is a directory")])
@pytest.mark.parametrize("kind", ["--raw", "--trace"])
def test_what_cannot_be_read_is_one_line(tmp_path: Path, name: str, reason: str, kind: str) -> None:
    path = tmp_path / name
    done = tocsin("listen", path, kind, "--no-books")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"tocsin listen: {path}: {reason}\n")


@pytest.mark.slow
def test_a_slow_reader_delays_no_message_and_sees_what_was_lost() -> None:
    count = 8_000  # of nearly 1 KiB each: twice what the queue and the pipes hold
    update = notification(0x15, 1, "00000000 08000000" + "00" * 16 * 60)
    with started("listen", "-", "--json", "--books", stdin=subprocess.PIPE) as process:
        process.stdin.write(update * count)  # all of it is taken though nobody reads stdout
        process.stdin.close()
        events = [json.loads(line) for line in process.stdout]
        assert process.wait(PATIENCE) == 1
        counts = json.loads(process.stderr.read())
    sensor = counts["protocols"]["sensor"]
    assert sensor["refused"] == counts["undelivered"] > 0
    assert sensor["accepted"] == sensor["delivered"] == len(events)
    assert len(events) + counts["undelivered"] == count
    assert sum(event["lost"] for event in events) <= counts["undelivered"]
