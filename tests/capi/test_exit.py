"""The interpreter ends while a native thread goes on notifying: nothing that it touches is gone."""

from pathlib import Path

import pytest

from compiling import compile_library, run_python

FLOODED_EXIT = """
import ctypes, sys, time
import tocsin

class Motor(tocsin.Protocol):
    limit = tocsin.EventType(0, {"motor": "u4", "rpm": "i4"}, source="motor")

class Slow:                     # draws out the taking down of the interpreter
    def __del__(self, sleep=time.sleep):
        sleep(0.2)

flood = ctypes.CDLL(sys.argv[1])
pipeline = tocsin.Pipeline(exit_timeout=0.1)
pipeline.register(Motor(0x80))
pipeline.subscribe((0x80, 0), lambda event: None)
producer = pipeline.producer(pipeline.protocols[0], exclusive=sys.argv[2:] == ["exclusive"])
sys.slow = Slow()
flood.flood_start(ctypes.c_void_p(producer.address))
time.sleep(0.05)
"""

GIVEN_UP = """
import ctypes, threading
import tocsin

class Motor(tocsin.Protocol):
    limit = tocsin.EventType(0, {"motor": "u4", "rpm": "i4"}, source="motor")

FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
called, entered, leave = [], threading.Event(), threading.Event()

def first(context, event):
    called.append("first")
    entered.set()
    leave.wait(30)
    return 0

def second(context, event):
    called.append("second")
    return 0

pipeline = tocsin.Pipeline()
pipeline.register(Motor(0x80))
pipeline.subscribe_native((0x80, 0), FUNCTION(first), priority=1)
pipeline.subscribe_native((0x80, 0), FUNCTION(second))
pipeline.subscribe_native((0x80, 0), FUNCTION(second), 1, source=0)
pipeline.notify((0x80, 0), bytes(8))
assert entered.wait(30)
closed = pipeline.close(0.05)
leave.set()
assert pipeline._await_workers(30)
print(closed, called)
"""


@pytest.mark.parametrize("kind", ["shared", "exclusive"])
def test_the_interpreter_ends_under_a_native_producer_that_goes_on(tmp_path: Path, kind: str) -> None:
    library = compile_library(Path(__file__).with_name("flood.c"), tmp_path)
    program = tmp_path / "flooded.py"
    program.write_text(FLOODED_EXIT)
    for _ in range(3):
        result = run_python(program, library, kind, cwd=tmp_path)
        assert (result.returncode, result.stderr) == (0, "")


def test_no_native_call_begins_after_close_has_given_up(tmp_path: Path) -> None:
    program = tmp_path / "given_up.py"
    program.write_text(GIVEN_UP)
    result = run_python(program, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "False ['first']\n"), result.stderr
