"""A signal handler that notifies on top of the notify that it interrupted: both events arrive, once."""

from helpers import assert_ends_well


def test_a_handler_may_notify_wherever_it_comes_in() -> None:
    code = """
import itertools, signal
from helpers import MOTOR, PATIENCE
import tocsin
pipeline = tocsin.Pipeline()
pipeline.register(MOTOR)
got = []
pipeline.subscribe(MOTOR.limit, lambda event: got.append(tuple(event.report)))
numbers = itertools.count()
handled = []
def handler(number, frame):                  # may be interrupted by itself
    n = next(numbers)
    assert pipeline.notify(MOTOR.limit, (2, n))
    handled.append(n)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
sent = 0
while len(handled) < 500:
    assert pipeline.notify(MOTOR.limit, (1, sent), timeout=PATIENCE)
    sent += 1
signal.setitimer(signal.ITIMER_REAL, 0)
assert pipeline.close(PATIENCE)
assert [n for who, n in got if who == 1] == list(range(sent))
assert sorted(n for who, n in got if who == 2) == list(range(len(handled)))
books = pipeline.stats().protocols[0x80]
assert books.accepted == books.delivered == sent + len(handled)
print("done", end="")
"""
    assert assert_ends_well(code) == "done"


def test_a_queue_takes_what_it_has_room_for_whoever_comes_in() -> None:
    code = """
import signal
from helpers import MOTOR, TICK_BYTES
import tocsin
SIZE = 1 << 16
for _ in range(10):
    with tocsin.Pipeline(workers=0) as pipeline:
        pipeline.register(MOTOR, queue_size=SIZE)
        signal.signal(signal.SIGALRM, lambda number, frame: pipeline.notify(MOTOR.tick, (2,)))
        signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
        while pipeline.notify(MOTOR.tick, (1,)):
            pass
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        books = pipeline.stats().protocols[0x80]
        assert books.accepted == books.pending == SIZE // TICK_BYTES, books
print("done", end="")
"""
    assert assert_ends_well(code) == "done"
