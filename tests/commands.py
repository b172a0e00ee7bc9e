"""What the tests of the command line share: real processes, and traces to feed them."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from helpers import PATIENCE
from tocsin.cli import main

TOCSIN = [sys.executable, "-m", "tocsin"]
CAPTURES = Path(__file__).resolve().parents[1] / "examples" / "captures"
CAPTURE = CAPTURES / "sensor_update.trace"


def environment(**changes: str) -> dict[str, str]:
    """Return an environment that asks for nothing: no colours, nor none of them, nor unbuffered output."""
    asked = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "PYTHONUNBUFFERED")
    return {name: value for name, value in os.environ.items() if name not in asked} | changes


def tocsin(
    *arguments: object, input: bytes | None = None, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process of its own."""
    done = subprocess.run(
        [*TOCSIN, *map(str, arguments)],
        input=input,
        stdin=subprocess.DEVNULL if input is None else None,
        capture_output=True,
        env=environment(**changes),
        timeout=PATIENCE,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@contextlib.contextmanager
def started(*arguments: object, **options: Any) -> Iterator[Any]:
    """Start the command line; it is killed if it is still there at the end."""
    usual: dict[str, Any] = {"stdin": subprocess.DEVNULL, "env": environment()}
    usual |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([*TOCSIN, *map(str, arguments)], **(usual | options))
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def called(*arguments: str) -> tuple[int, str, str]:
    """Run one command line in this process: its exit status, stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(arguments)
    return status, out.getvalue(), err.getvalue()


def line(text: str, *, time: str = "7.000001") -> bytes:
    return f"  <idle>-0  [000] d.h2.  {time}: scmi_msg_dump: {text}\n".encode()


def notification(protocol: int, event: int, payload: str, *, time: str = "7.000001") -> bytes:
    """Return a line of a trace."""
    head = f"id=0 ch=10 pt={protocol:02X} t=NOTI msg_id={event:02X} seq=0000 s=0"
    return line(f"{head} pyld={payload.replace(' ', '')}", time=time)


def level(number: int, *, time: str = "7.000001") -> bytes:
    """Return the line of a trace that tells of a new level of performance domain 1."""
    return notification(0x13, 1, "00000000 01000000 " + number.to_bytes(4, "little").hex(), time=time)


def trip(sensor: int, *, time: str = "7.000001") -> bytes:
    """Return the line of a trace that tells of a crossed trip point of a sensor."""
    return notification(0x15, 0, "00000000 " + sensor.to_bytes(4, "little").hex() + "01000100", time=time)
