"""tocsin.compat.logging: what a handler drops, what a listener delivers, and that the books balance."""

import copy
import inspect
import logging
import logging.config
import logging.handlers
import multiprocessing
import pickle
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from helpers import PATIENCE, Crew, Hold, eventually
from tocsin.compat import queue as ours
from tocsin.compat.logging import QueueHandler, QueueListener
from tocsin.compat.loghandler import TELL_INTERVAL


class Keep(logging.Handler):
    """Keep the messages; `then` is called with each record, in the middle of handling it."""

    def __init__(self, then: Callable[[logging.LogRecord], object] = lambda record: None) -> None:
        super().__init__()
        self.then = then
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())
        self.then(record)

    @property
    def own(self) -> list[str]:
        """What was logged, without the summaries."""
        return [message for message in self.seen if "log records were dropped" not in message]


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    logger = logging.Logger("test")  # of nobody's tree: what a test does to it, no other one sees
    yield logger
    for handler in logger.handlers:
        handler.close()


def attach(log: logging.Logger, *given: Any, **named: Any) -> QueueHandler:
    handler = QueueHandler(*given, **named)
    log.addHandler(handler)
    return handler


def fill(log: logging.Logger, n: int, start: int = 0) -> None:
    for number in range(start, start + n):
        log.info("%d", number)


def numbers(*ranges: range) -> list[str]:
    return [str(number) for part in ranges for number in part]


def assert_balanced(listener: QueueListener, *handlers: QueueHandler) -> None:
    books = listener.stats()
    offered = sum(handler.stats().offered for handler in handlers)
    assert offered == sum(handler.stats().dropped for handler in handlers) + books.delivered + books.pending


# ------------------------------------------------------------------------------ what it is


def test_they_are_those_of_the_standard_library(log: logging.Logger) -> None:
    handler = attach(log)
    assert isinstance(handler, logging.handlers.QueueHandler)
    assert isinstance(QueueListener(handler.queue), logging.handlers.QueueListener)
    assert type(handler.queue) is ours.Queue
    assert handler.listener is None


@pytest.mark.parametrize("formatter", [None, logging.Formatter("%(levelname)s %(message)s")])
@pytest.mark.parametrize("kind", ["plain", "exception", "stack", "subclass"])
def test_a_prepared_record_is_that_of_the_standard_library(formatter: Any, kind: str) -> None:
    class Special(logging.LogRecord):
        pass

    def prepared(module: Any) -> dict[str, Any]:
        handler = module.QueueHandler(queue.Queue())
        handler.setFormatter(formatter)
        copied = copy.copy(record)
        ready = handler.prepare(copied)
        assert type(ready) is type(record)
        assert ready is not copied
        return {**vars(ready), "original": vars(copied)}

    make = Special if kind == "subclass" else logging.LogRecord
    record = make("a.b", logging.ERROR, __file__, 7, "%s is %d", ("seven", 7), None)
    record.extra = object()
    if kind == "exception":
        record.exc_info = (ValueError, ValueError("why"), None)
    if kind == "stack":
        record.stack_info = "Stack (most recent call last):"
    from tocsin.compat import logging as stand_in

    assert prepared(stand_in) == prepared(logging.handlers)


@pytest.mark.parametrize(
    ("named", "error", "says"),
    [
        ({"overflow": "latest"}, ValueError, "drop_newest, drop_oldest, block"),
        ({"overflow": "block"}, ValueError, "needs a timeout"),
        ({"timeout": 1}, ValueError, "belongs to overflow='block'"),
        ({"overflow": "block", "timeout": -1}, ValueError, "timeout must be"),
        ({"overflow": "block", "timeout": "1"}, TypeError, "a number of seconds"),
        ({"capacity": 0}, ValueError, "None: no bound"),
        ({"capacity": 1.5}, TypeError, "capacity must be an int"),
        ({"queue": queue.SimpleQueue(), "overflow": "block", "timeout": 1}, ValueError, "SimpleQueue"),
    ],
)
def test_what_makes_no_sense_is_refused(named: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        QueueHandler(**named)


def test_dict_config_makes_them() -> None:
    name = "tocsin.compat.logging"
    handler: dict[str, Any] = {"class": f"{name}.QueueHandler", "capacity": 7, "overflow": "drop_oldest"}
    if sys.version_info >= (3, 12):
        handler |= {"listener": f"{name}.QueueListener", "handlers": ["kept"], "respect_handler_level": True}
    kept = {"class": "logging.NullHandler"}
    config = {"version": 1, "disable_existing_loggers": False, "handlers": {"kept": kept, "queued": handler}}
    logging.config.dictConfig({**config, "loggers": {"tocsin.test": {"handlers": ["queued"]}}})
    logger = logging.getLogger("tocsin.test")
    try:
        (made,) = logger.handlers
        assert isinstance(made, QueueHandler)
        if sys.version_info[:2] != (3, 12) or "klass(q, **" in inspect.getsource(logging.config):
            # the first releases of 3.12 keep to themselves what they don't know
            assert (made.queue.maxsize, made.stats().capacity, made.overflow) == (7, 7, "drop_oldest")
        if "listener" in handler:
            assert isinstance(made.listener, QueueListener)
            assert made.listener.queue is made.queue
            assert made.listener.respect_handler_level
    finally:
        logger.handlers.clear()


# ------------------------------------------------------------------------------ on the way


@pytest.mark.parametrize(
    "make", [lambda: None, ours.Queue, queue.Queue, queue.SimpleQueue, lambda: queue.Queue(50)]
)
def test_what_is_logged_is_delivered_in_order(log: logging.Logger, make: Callable[[], Any]) -> None:
    handler = attach(log, make(), overflow="drop_newest")
    kept = Keep()
    with QueueListener(handler.queue, kept) as listener:
        for start in range(0, 200, 40):
            fill(log, 40, start)
            assert handler.flush(PATIENCE)
            assert kept.seen == numbers(range(start + 40))
    assert not listener.is_running
    assert handler.stats()[:2] == (200, 0)
    assert listener.stats()[:3] == (200, 0, 0)
    assert getattr(handler.queue, "unfinished_tasks", 0) == 0


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_queue_of_multiprocessing_will_do(log: logging.Logger) -> None:
    shared = multiprocessing.get_context("spawn").Queue(100)
    handler, kept = attach(log, shared), Keep()
    with QueueListener(shared, kept) as listener:
        fill(log, 30)
        assert listener.flush(PATIENCE)
        assert kept.seen == numbers(range(30))
    shared.close()
    shared.join_thread()
    assert handler.stats().dropped == 0


def test_each_thread_keeps_its_order_and_the_books_balance(log: logging.Logger) -> None:
    handlers = [attach(log, capacity=100)]
    handlers.append(attach(log, handlers[0].queue))
    kept = Keep()

    def write(name: str) -> None:
        for number in range(500):
            log.info("%s %d", name, number)

    with QueueListener(handlers[0].queue, kept) as listener:
        Crew(*[lambda name=name: write(name) for name in "abc"]).join()
    assert_balanced(listener, *handlers)
    assert len(kept.own) + sum(handler.stats().dropped for handler in handlers) == 3000
    for name in "abc":
        mine = [int(message.split()[1]) for message in kept.own if message.startswith(name)]
        assert mine == sorted(mine)


def test_one_wake_up_brings_many_records(log: logging.Logger) -> None:
    handler, hold = attach(log), Hold()
    with QueueListener(handler.queue, Keep(hold)) as listener:
        log.info("first")
        hold.await_entry()
        fill(log, 300)
        hold.go.set()
        listener.flush(PATIENCE)
        assert listener.stats()[3:] == (1, 301)


def test_levels_are_respected_if_asked_for(log: logging.Logger) -> None:
    handler, kept = attach(log), Keep()
    kept.setLevel(logging.ERROR)
    with QueueListener(handler.queue, kept, respect_handler_level=True):
        log.info("not this")
        log.error("this")
    with QueueListener(handler.queue, kept):
        log.info("and this")
    assert kept.seen == ["this", "and this"]


# ------------------------------------------------------------------------------ a full queue


@pytest.mark.parametrize("make", [ours.Queue, queue.Queue, queue.SimpleQueue])
@pytest.mark.parametrize(
    ("overflow", "stays"),
    [("drop_newest", numbers(range(10))), ("drop_oldest", numbers(range(90, 100)))],
)
def test_a_full_queue_drops_and_counts(
    log: logging.Logger, capsys: Any, make: Callable[[], Any], overflow: str, stays: list[str]
) -> None:
    handler, kept = attach(log, make(), capacity=10, overflow=overflow), Keep()
    listener = QueueListener(handler.queue, kept)
    fill(log, 100)
    assert handler.stats() == (100, 90, 0, 10)
    assert_balanced(listener, handler)
    with listener:
        assert listener.flush(PATIENCE)
    assert kept.own == stays
    (summary,) = set(kept.seen) - set(stays)
    assert summary.startswith("90 log records were dropped, 90 in all: the queue was full")
    assert_balanced(listener, handler)
    assert capsys.readouterr().err == ""


def test_blocking_waits_for_room_and_drops_when_its_time_is_over(log: logging.Logger) -> None:
    handler, hold = attach(log, capacity=2, overflow="block", timeout=0.01), Hold()
    with QueueListener(handler.queue, Keep(hold)) as listener:
        log.info("held")
        hold.await_entry()
        fill(log, 12)
        assert handler.stats() == (13, 10, 1, 2)  # one wait in vain; and no other until there was room
        hold.go.set()
        assert listener.flush(PATIENCE)
        handler.timeout = PATIENCE
        fill(log, 200)
        assert listener.flush(PATIENCE)
        assert handler.stats().dropped == 10
        assert_balanced(listener, handler)


def test_a_summary_comes_at_most_once_a_second(log: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("tocsin.compat.loghandler.monotonic", lambda: now[0])
    handler = attach(log, capacity=2)

    def summaries() -> list[str]:
        found = [handler.queue.get_nowait().getMessage() for _ in range(handler.queue.qsize())]
        return [message.split(":")[0] for message in found if "dropped" in message]

    fill(log, 5)
    assert summaries() == []
    fill(log, 1)  # the first that finds room, and room behind it
    assert summaries() == ["3 log records were dropped, 3 in all"]
    fill(log, 5)
    summaries()
    now[0] += TELL_INTERVAL - 0.01
    fill(log, 1)
    assert summaries() == []
    now[0] += 0.02
    fill(log, 1)
    assert summaries() == ["3 log records were dropped, 6 in all"]
    fill(log, 1)
    assert summaries() == []


def test_a_summary_has_what_the_programs_formats_want(log: logging.Logger) -> None:
    def add_user(record: logging.LogRecord) -> bool:
        record.user = "me"
        return True

    handler = attach(log, capacity=1)
    handler.addFilter(add_user)
    fill(log, 3)
    assert handler.summary().user == "me"


def test_drops_are_told_though_nobody_logs_any_more(
    log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.compat.loghandler.TELL_INTERVAL", 0.05)
    handler, kept = attach(log, capacity=3), Keep()
    with QueueListener(handler.queue, kept):
        for _ in range(2):  # the second one is told when the interval is over
            eventually(lambda: handler.queue.empty())
            while not handler._untold:
                fill(log, 50)
        eventually(lambda: handler._untold == 0)
    assert len(kept.seen) - len(kept.own) >= 2


def test_a_queue_that_is_shut_down_counts_as_full(log: logging.Logger, capsys: Any) -> None:
    handler, kept = attach(log), Keep()
    with QueueListener(handler.queue, kept) as listener:
        fill(log, 3)
        handler.queue.shutdown()
        fill(log, 3)
        eventually(lambda: not listener.is_running)
    assert kept.own == numbers(range(3))
    assert handler.stats()[:2] == (6, 3)
    assert capsys.readouterr().err == ""


def test_an_enqueue_of_ones_own_may_raise_full(log: logging.Logger, capsys: Any) -> None:
    class Mine(QueueHandler):
        def enqueue(self, record: Any) -> None:
            raise queue.Full

    handler = Mine()
    log.addHandler(handler)
    fill(log, 2)
    assert handler.stats()[:2] == (2, 2)
    assert capsys.readouterr().err == ""


def test_a_record_that_cannot_be_formatted_is_reported_and_counted(log: logging.Logger, capsys: Any) -> None:
    handler = attach(log)
    log.info("%d", "seven")
    assert handler.stats()[:2] == (1, 1)
    assert "Logging error" in capsys.readouterr().err


def test_displacing_keeps_what_calls_the_listener(log: logging.Logger) -> None:
    handler, hold = attach(log, capacity=1, overflow="drop_oldest"), Hold()
    kept = Keep(hold)
    listener = QueueListener(handler.queue, kept)
    listener.start()
    log.info("held")
    hold.await_entry()
    stopping = threading.Thread(target=listener.stop)
    stopping.start()
    eventually(lambda: handler.queue.qsize() == 1)  # the sentinel
    fill(log, 5)
    hold.go.set()
    stopping.join(PATIENCE)
    assert not stopping.is_alive()
    assert_balanced(listener, handler)


# ------------------------------------------------------------------------------ a listener that stays alive


def test_a_handler_that_raises_harms_nobody(log: logging.Logger, capsys: Any) -> None:
    def refuse(record: logging.LogRecord) -> None:
        raise SystemExit("no") if record.getMessage() == "1" else ValueError("no")

    handler, kept = attach(log), Keep()
    with QueueListener(handler.queue, kept, Keep(refuse), kept) as listener:
        fill(log, 3)
    assert kept.seen == ["0", "0", "1", "2", "2"]  # a SystemExit ends the chain of its record, and no more
    assert listener.stats()[:3] == (3, 3, 0)
    assert capsys.readouterr().err.count("Traceback") == 3


def test_a_handler_that_logs_itself_does_not_hang(log: logging.Logger) -> None:
    handler = attach(log, capacity=2, overflow="block", timeout=PATIENCE)
    began = time.monotonic()

    def log_more(record: logging.LogRecord) -> None:
        if record.getMessage() == "first":
            fill(log, 5)  # two find room; for the others only this very thread could make some

    kept = Keep(log_more)
    with QueueListener(handler.queue, kept) as listener:
        log.info("first")
        eventually(lambda: listener.stats().delivered == 3)
        assert listener.flush(PATIENCE)
    assert kept.own == ["first", "0", "1"]
    assert handler.stats().dropped == 3
    assert time.monotonic() - began < PATIENCE / 2


def test_what_would_wait_for_itself_says_so(log: logging.Logger) -> None:
    handler, said = attach(log), []

    def wait(record: logging.LogRecord) -> None:
        said.append(handler.flush())
        for call in (listener.stop, listener.flush):
            try:
                call()
            except RuntimeError as error:
                said.append(str(error))

    with QueueListener(handler.queue, Keep(wait)) as listener:
        log.info("once")
    assert len(said) == 3
    assert all("would wait for itself" in line for line in said[1:])


@pytest.mark.parametrize("error", [ValueError("it can't be unpickled"), OSError("the other end is gone")])
def test_a_queue_in_trouble_is_given_up_after_a_while(capsys: Any, error: Exception) -> None:
    class Broken(queue.Queue[Any]):
        def get(self, *given: Any, **named: Any) -> Any:
            raise error

    listener = QueueListener(Broken())
    listener.start()
    eventually(lambda: not listener.is_running)
    assert listener.stats().errors == 10
    assert "Traceback" in capsys.readouterr().err
    assert listener.stop()


# ------------------------------------------------------------------------------ stop, flush, start again


def test_a_listener_starts_once_and_may_start_again(log: logging.Logger) -> None:
    handler, kept = attach(log), Keep()
    listener = QueueListener(handler.queue, kept)
    assert listener.stop()
    for start in range(0, 9, 3):
        with listener:
            with pytest.raises(RuntimeError, match="runs already"):
                listener.start()
            fill(log, 3, start)
        assert listener.stop()
    assert kept.seen == numbers(range(9))


def test_flush_and_stop_keep_to_their_time(log: logging.Logger) -> None:
    handler, hold = attach(log, capacity=5), Hold()
    kept = Keep(hold)
    listener = QueueListener(handler.queue, kept)
    assert listener.flush(0)
    fill(log, 1)
    assert not listener.flush(0)
    listener.start()
    hold.await_entry()
    fill(log, 4, 1)
    assert not listener.flush(0.01)
    assert not handler.flush(0.01)
    assert not listener.stop(0.01)
    assert listener.stats().pending == 4
    assert_balanced(listener, handler)
    hold.go.set()
    eventually(lambda: not any(thread.name.startswith("QueueListener") for thread in threading.enumerate()))
    assert kept.seen == ["0"]
    with listener:
        assert listener.flush(PATIENCE)  # a sentinel that was left behind ends nothing
        assert listener.is_running
    assert kept.own == numbers(range(5))
    assert_balanced(listener, handler)


def test_who_logs_while_it_is_stopped_loses_nothing_uncounted(log: logging.Logger) -> None:
    handler, kept = attach(log, capacity=50), Keep()
    listener, over = QueueListener(handler.queue, kept), threading.Event()

    def write() -> None:
        while not over.is_set():
            fill(log, 10)

    writers = Crew(write, write)
    for _ in range(8):
        with listener:
            pass
    over.set()
    writers.join()
    assert_balanced(listener, handler)
    with listener:
        pass
    assert listener.stats().pending == 0
    assert_balanced(listener, handler)


@pytest.mark.parametrize("is_taken_out", [False, True])
def test_a_sentinel_that_was_left_behind_ends_nothing(log: logging.Logger, is_taken_out: bool) -> None:
    handler, hold = attach(log), Hold()
    kept = Keep(hold)
    listener = QueueListener(handler.queue, kept)
    listener.start()
    log.info("held")
    hold.await_entry()
    assert not listener.stop(0)
    if is_taken_out:
        assert handler.queue.get_nowait() is None
    listener.start()  # beside the thread that hangs; and its other handlers don't
    fill(log, 3)
    hold.go.set()
    assert listener.stop(PATIENCE)
    assert kept.seen == ["held", *numbers(range(3))]
    assert listener.stats().pending == 0


def test_another_process_may_end_it_with_the_sentinel(log: logging.Logger) -> None:
    handler, kept = attach(log), Keep()
    with QueueListener(handler.queue, kept) as listener:
        fill(log, 2)
        listener.enqueue_sentinel()
        eventually(lambda: not listener.is_running)
    assert kept.seen == numbers(range(2))
    with listener:
        fill(log, 1)
    assert kept.seen == ["0", "1", "0"]


def test_a_dequeue_of_ones_own_with_a_timeout_does_not_end_it(log: logging.Logger) -> None:
    class Mine(QueueListener):
        looks = 0

        def dequeue(self, block: bool) -> Any:
            self.looks += 1
            return self.queue.get(block, 0.001)

    handler, kept = attach(log), Keep()
    with Mine(handler.queue, kept) as listener:
        eventually(lambda: listener.looks > 10)
        fill(log, 2)
    assert kept.seen == numbers(range(2))


@pytest.mark.native_only("the standard library's own queues have a lock, which the interrupted code may hold")
def test_a_signal_handler_may_log(log: logging.Logger) -> None:
    handler, kept = attach(log), Keep()
    previous = signal.signal(signal.SIGALRM, lambda *_: log.info("alarm"))
    try:
        with QueueListener(handler.queue, kept) as listener:
            signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
            until = time.monotonic() + 0.2
            while time.monotonic() < until:
                fill(log, 10)
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert "alarm" in kept.seen
    assert_balanced(listener, handler)


def test_marks_may_be_pickled() -> None:
    from tocsin.compat.logends import Mark

    assert pickle.loads(pickle.dumps(Mark(7))).number == 7
