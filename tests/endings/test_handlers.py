"""Signal handlers in C as producers: on top of a notify, a flush, a fork, a close."""

from pathlib import Path

import pytest

from compiling import compile_library
from helpers import assert_ends_well

pytestmark = pytest.mark.native_only("it has native producers")


def test_a_handler_in_c_may_notify_wherever_it_comes_in(tmp_path: Path) -> None:
    library = compile_library(Path(__file__).with_name("alarm.c"), tmp_path)
    code = f"""
import ctypes
from helpers import MOTOR, PATIENCE
import tocsin
alarm = ctypes.CDLL({str(library)!r})
got = []
pipeline = tocsin.Pipeline()
pipeline.register(MOTOR)
pipeline.subscribe(MOTOR.tick, lambda event: got.append(event.report.n))
producer = pipeline.producer(MOTOR)
alarm.alarm_start(ctypes.c_void_p(producer.address), 100)
sent, most = 0, 3000
for n in range(most):
    assert pipeline.notify(MOTOR.tick, (1 << 40,), timeout=PATIENCE)
    if n % 100 == 0:
        assert pipeline.flush(PATIENCE)
        with pipeline.subscribe(MOTOR.tick, lambda event: None):
            pipeline.stats()
counts = (ctypes.c_ulonglong * 3)()
alarm.alarm_stop(counts)
assert pipeline.close(PATIENCE)
books = pipeline.stats().protocols[MOTOR.id]
accepted, refused, wrong = counts
assert wrong == 0 and accepted > 10, list(counts)
assert books.accepted == books.delivered == accepted + most, (books, list(counts))
assert [n for n in got if n < 1 << 40] == list(range(accepted))
print("done", end="")
"""
    assert assert_ends_well(code) == "done"
