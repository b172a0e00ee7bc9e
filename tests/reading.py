"""What the tests of sources share: a good line, descriptors that must be closed, and Ctrl-C."""

import io
import os
import signal
import subprocess
import sys

from helpers import PATIENCE
from scmi_vectors import BY_ID
from tocsin.sources import Message, trace

PREFIX = "          <idle>-0       [000] d.h2.   535.334421: "
TEXT = "scmi_msg_dump: id=0 ch=10 pt=11 t=NOTI msg_id=00 seq=0000 s=0 pyld=010000000200000000000000"
GOOD = f"{PREFIX}{TEXT}\n".encode()
MESSAGE = Message(535334421000, bytes.fromhex(BY_ID["power-on"]["message_hex"]))


def messages_of(data: bytes | str) -> list[Message]:
    return list(trace.read(io.BytesIO(data.encode() if isinstance(data, str) else data)))


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


CTRL_C = """
import os, sys
from tocsin.sources import {module}
fd = os.dup(0)
try:
    with {module}.read(fd) as messages:
        for message in messages:
            print("ready", flush=True)
except KeyboardInterrupt:
    try:
        os.fstat(fd)
    except OSError:
        print("closed", flush=True)
"""


def interrupt_when_ready(module: str, stdin: int) -> str:
    """Send Ctrl-C to a reader that has delivered one message and waits for the next; return what it said."""
    with subprocess.Popen(
        [sys.executable, "-c", CTRL_C.format(module=module)],
        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        said, complaints = process.communicate(timeout=PATIENCE)
        assert (process.returncode, complaints) == (0, "")
    return said
