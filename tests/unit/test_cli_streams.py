"""The command line between its neighbours: closed pipes, full disks, Ctrl-C, terminals, colours."""

import fcntl
import io
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import CAPTURE, TOCSIN, environment, level, started, trip
from helpers import PATIENCE, assert_ends_well, eventually
from tocsin.cli.progress import Progress, total_size

PIPE_SIZE = 4096


@pytest.fixture
def long_trace(tmp_path: Path) -> Path:
    path = tmp_path / "long.trace"
    path.write_bytes(b"".join(level(n) + trip(n % 1000) for n in range(20_000)))
    return path


@pytest.fixture
def broken_pipe() -> Iterator[int]:
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


# -- whoever reads goes away -----------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--json"], ["--speed", "1000"]])
def test_replay_ends_quietly_when_its_reader_has_seen_enough(long_trace: Path, options: list[str]) -> None:
    with started("replay", long_trace, *options) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(PATIENCE) == -signal.SIGPIPE
        assert process.stderr.read() == b""


def test_listen_ends_at_once_when_its_reader_is_gone_and_no_more_input_comes(tmp_path: Path) -> None:
    path = tmp_path / "trace_pipe"
    os.mkfifo(path)
    with started("listen", path, bufsize=0) as process, open(path, "wb", buffering=0) as kernel:
        kernel.write(trip(1))
        assert process.stdout.readline()
        process.stdout.close()
        kernel.write(trip(2))
        assert process.wait(PATIENCE) == -signal.SIGPIPE
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    "arguments", [["protocols"], ["protocols", "--json"], ["decode", "00440000"], ["doctor"], ["--help"]]
)
def test_what_prints_at_once_ends_quietly_without_a_reader(arguments: list[str], broken_pipe: int) -> None:
    with started(*arguments, stdout=broken_pipe) as process:
        assert process.wait(PATIENCE) == -signal.SIGPIPE
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    "arguments", [["protocols"], ["replay", CAPTURE], ["listen", CAPTURE], ["--version"]]
)
def test_a_full_disk_is_one_line(arguments: list[object]) -> None:
    with open("/dev/full", "wb") as full, started(*arguments, stdout=full) as process:
        assert process.wait(PATIENCE) == 2
        assert process.stderr.read() == b"tocsin: output: No space left on device\n"


def test_closed_streams_are_no_reason_to_fail() -> None:
    command = '"$@" >&- 2>&- <&-'
    for arguments, status in [(["protocols"], 0), (["decode", "00"], 2), (["replay", "-"], 0)]:
        argv = ["sh", "-c", command, "sh", *TOCSIN, *arguments]
        assert (
            os.waitstatus_to_exitcode(os.waitpid(os.posix_spawnp("sh", argv, environment()), 0)[1]) == status
        )


# -- Ctrl-C ----------------------------------------------------------------------------------------


def test_ctrl_c_ends_a_wait_at_once_and_shows_the_books() -> None:
    with started("replay", CAPTURE, "--speed", "1e-9") as process:
        assert process.stdout.readline().startswith(b"535.334421  ")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == -signal.SIGINT
        assert process.stdout.read() == b""
        last = process.stderr.read().splitlines()[-1]  # the second one may have been read, or not
        assert re.fullmatch(rb"1[01] lines, [12] notifications?, 9 others skipped", last)


def test_ctrl_c_ends_decode_that_waits_for_input() -> None:
    with started("decode", "-", stdin=subprocess.PIPE) as process:
        eventually(lambda: is_reading(process.pid))
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == -signal.SIGINT
        assert process.stderr.read() == b""


def is_reading(pid: int) -> bool:
    """Return whether a process sleeps in a read of stdin."""
    return Path(f"/proc/{pid}/syscall").read_text().startswith("0 0x0 ")


@pytest.mark.parametrize("command", ["replay", "listen"])
def test_ctrl_c_ends_even_when_stdout_is_stuck(long_trace: Path, command: str) -> None:
    reading, writing = os.pipe()
    size = fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    with started(command, long_trace, stdout=writing) as process:
        eventually(lambda: waiting_in(reading) > size - 200)  # no room for one line more
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == -signal.SIGINT
        assert process.stderr.read().count(b"Traceback") == 0
    os.close(reading)
    os.close(writing)


def waiting_in(pipe: int) -> int:
    """Return how many bytes nobody has read yet."""
    count: int = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]
    return count


def test_ctrl_c_that_ends_no_call_is_sent_again() -> None:
    # A signal that another thread takes is like one that comes just before a read: the read goes on.
    assert_ends_well(
        "import os, signal, threading, time\n"
        "from tocsin.cli.interrupts import raise_interrupts\n"
        "raise_interrupts()\n"
        "def take():\n"
        "    while not open('/proc/self/syscall').read().startswith('0 '):\n"
        "        time.sleep(0.001)\n"
        "    signal.pthread_kill(threading.get_ident(), signal.SIGINT)\n"
        "nothing, _ = os.pipe()\n"
        "threading.Thread(target=take).start()\n"
        "try:\n"
        "    os.read(nothing, 1)\n"
        "except KeyboardInterrupt:\n"
        "    signal.raise_signal(signal.SIGINT)  # the second changes nothing\n"
    )


def test_an_ignored_ctrl_c_stays_ignored() -> None:
    command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *TOCSIN, "listen", "-"]
    reading, writing = os.pipe()
    taking, giving = os.pipe()
    actions = [
        (os.POSIX_SPAWN_DUP2, reading, 0),
        (os.POSIX_SPAWN_DUP2, giving, 1),
        (os.POSIX_SPAWN_CLOSE, writing),
    ]
    pid = os.posix_spawnp(command[0], command, environment(), file_actions=actions)
    os.close(reading)
    os.close(giving)
    with open(writing, "wb", buffering=0) as kernel, open(taking, "rb") as out:
        kernel.write(trip(1))
        assert out.readline()
        os.kill(pid, signal.SIGINT)
        kernel.write(trip(2))
        assert b"source 2 " in out.readline()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


# -- terminals -------------------------------------------------------------------------------------


def on_terminal(*arguments: object, **changes: str) -> str:
    """Return what a command writes to a terminal."""
    ours, theirs = pty.openpty()
    with started(
        *arguments, stdout=theirs, stderr=theirs, env=environment(**{"TERM": "xterm"} | changes)
    ) as process:
        os.close(theirs)
        text = b""
        with open(ours, "rb", buffering=0) as screen:
            try:
                while piece := screen.read(4096):
                    text += piece
            except OSError:  # EIO: the last one has left the terminal
                pass
        assert process.wait(PATIENCE) == 0
    return text.decode()


@pytest.mark.parametrize("arguments", [["replay", CAPTURE], ["protocols"]])
def test_terminals_get_colours_unless_no_color_is_set(arguments: list[object]) -> None:
    coloured = on_terminal(*arguments)
    plain = on_terminal(*arguments, NO_COLOR="1")
    assert "\x1b[" in coloured
    assert "\x1b" not in plain
    assert "sensor.update" in plain
    assert "\x1b" not in on_terminal(*arguments, TERM="dumb")


def test_pipes_get_no_colours() -> None:
    with started("replay", CAPTURE, env=environment(TERM="xterm")) as process:
        assert process.communicate(timeout=PATIENCE)[0].count(b"\x1b") == 0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal_and_is_gone_at_the_end(
    long_trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.cli.progress.DELAY", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    size = long_trace.stat().st_size
    with Progress([str(long_trace)], screen) as progress:
        progress.advance(size // 2)
        eventually(lambda: "50%" in screen.getvalue(), screen.getvalue)
    assert screen.getvalue().endswith("\x1b[2K")


def test_progress_is_silent_elsewhere(long_trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.cli.progress.DELAY", 0.0)
    for files, screen in [
        ([str(long_trace)], io.StringIO()),
        (["-"], Terminal()),
        (["/dev/null/x"], Terminal()),
    ]:
        with Progress(files, screen) as progress:
            progress.advance(1 << 20)
        assert screen.getvalue() == ""


def test_total_size(long_trace: Path) -> None:
    assert total_size([str(long_trace), str(CAPTURE)]) == long_trace.stat().st_size + CAPTURE.stat().st_size
    assert total_size([str(long_trace), "-"]) == total_size(["/dev/zero"]) == 0
