"""A fork of a process with open pipelines: the child's begin anew, the parent's notice nothing."""

import threading

import pytest
from tests.endings.quick import quick

from helpers import PATIENCE, Crew, assert_ends_well
from tocsin import forks

PRELUDE = """
import ctypes, errno, os, signal, sys, threading, time
sys.path.insert(0, os.environ["PYTHONPATH"].split(os.pathsep)[0] + "/endings")
import warnings; warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
from programs import *
from programs import on_a_thread, threads
import tocsin
got = []
hear = lambda event: got.append((os.getpid(), event.report.n))
parent = os.getpid()
"""


def run(code: str) -> None:
    assert assert_ends_well(PRELUDE + code + '\nprint("done", end="")\n') == "done"


@pytest.mark.parametrize("workers", quick([0, None], None))
def test_the_child_has_its_subscriptions_and_nothing_queued(workers: int | None) -> None:
    run(f"""
pipeline = opened(hear, workers={workers})
batches = []
pipeline.subscribe(MOTOR.tick, lambda batch: batches.extend(event.report.n for event in batch), batch=True)
late = pipeline.subscribe((0x90, 1), hear)
assert pipeline.notify(MOTOR.tick, (1,)) and pipeline.flush()
pipeline.freeze()
for n in range(2, 7):
    assert pipeline.notify(MOTOR.tick, (n,))

def child():
    before = threads()
    books = pipeline.stats().protocols[MOTOR.id]
    assert (books.accepted, books.pending, books.delivered) == (0, 0, 0), books
    assert [s.state for s in pipeline.subscriptions] == ["active", "active", "pending"]
    assert pipeline.flush(5)
    assert threads() == before == 1, threads()          # none before the first event
    pipeline.thaw()
    assert pipeline.notify(MOTOR.tick, (7,))
    assert pipeline.flush(), pipeline.stats()
    assert got == [(parent, 1), (os.getpid(), 7)], got
    assert batches == [1, 7], batches
    assert pipeline.subscriptions[0].stats().calls == 2
    assert pipeline.close() and balanced(pipeline)
    assert pipeline.stats().protocols[MOTOR.id].delivered == 1

child_is_well(child)
pipeline.thaw()
assert pipeline.close() and balanced(pipeline)
assert got == [(parent, n) for n in range(1, 7)], got
assert batches == [1, 2, 3, 4, 5, 6]
""")


@pytest.mark.slow
def test_a_child_that_uses_nothing_gets_no_threads_and_ends_at_once() -> None:
    run("""
pipeline = opened(hear)
switched = []
pump = tocsin.Protocol(0x91, "side", {"tick": tocsin.EventType(0, {"n": "u8"})})
pipeline.register(pump, set_enabled=lambda event, source, on: switched.append(on))
pipeline.subscribe(pump.tick, hear)
pid = os.fork()
if pid == 0:
    assert threads() == 1
    sys.exit(3)                  # with the exit hooks: the parent's sources stay on
assert wait_for(pid) == 3
assert switched == [True]
def child():
    pipeline.close()
    assert switched == [True], switched
child_is_well(child)
pipeline.close()
assert switched == [True, False], switched
""")


@pytest.mark.native_only("it has native producers")
@pytest.mark.parametrize("exclusive", quick([False, True], False))
def test_native_handles_answer_eshutdown_in_the_child_until_opened_anew(exclusive: bool) -> None:
    run(f"""
pipeline = opened(hear)
producer = pipeline.producer(MOTOR, exclusive={exclusive})
NOTIFY = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint8, ctypes.c_char_p, ctypes.c_uint32,
                          ctypes.c_uint64)
def send(producer, n):
    notify = NOTIFY(producer.function)
    return notify(producer.address, 1, n.to_bytes(8, "little"), 8, 2**64 - 1)
assert send(producer, 1) == 0
def child():
    assert send(producer, 2) == -errno.ESHUTDOWN
    assert producer.closed
    try:
        producer.notify(1, (3,))
    except tocsin.ClosedError:
        pass
    else:
        raise AssertionError("no ClosedError")
    assert producer.close(5)
    anew = pipeline.producer(MOTOR, exclusive={exclusive})
    assert send(anew, 4) == 0
    assert pipeline.flush()
    assert send(producer, 5) == -errno.ESHUTDOWN
    assert [n for pid, n in got if pid == os.getpid()] == [4], got
    assert pipeline.close()
child_is_well(child)
assert send(producer, 6) == 0
assert pipeline.close() and balanced(pipeline)
assert [n for pid, n in got] == [1, 6], got
""")


@pytest.mark.slow
def test_forks_under_load_from_several_threads_lose_nothing() -> None:
    run("""
pipeline = opened(hear, workers=2)
channel = pipeline.channel(PUMP.tick, capacity=100_000)
over = threading.Event()
sent = []
def flood(event):
    n = 0
    while not over.is_set():
        assert pipeline.notify(event, (n,), timeout=PATIENCE)
        n += 1
        if n % 50 == 0:
            time.sleep(0.0005)
    sent.append(n)
def change():
    while not over.is_set():
        with pipeline.subscribe([MOTOR.tick, PUMP.tick], lambda event: None):
            pass
        time.sleep(0.0002)
def child():
    mine = os.getpid()
    assert channel.stats().pending == 0
    for n in range(20):
        assert pipeline.notify(MOTOR.tick, (n,)) and pipeline.notify(PUMP.tick, (n,))
    assert pipeline.flush(PATIENCE), pipeline.stats()
    assert [n for pid, n in got if pid == mine] == list(range(20))
    assert [event.report.n for event in channel.get_batch()] == list(range(20))
    assert pipeline.close() and balanced(pipeline)
    os._exit(0)
def forker():
    for _ in range(8):
        child_is_well(child)
floods = [on_a_thread(lambda event=event: flood(event)) for event in (MOTOR.tick, PUMP.tick)]
floods.append(on_a_thread(change))
failures = []
def guarded():
    try:
        forker()
    except BaseException as failure:
        failures.append(failure)
forkers = [on_a_thread(guarded) for _ in range(2)]
for thread in forkers:
    thread.join()
over.set()
for thread in floods:
    thread.join()
assert not failures, failures
read = []
assert pipeline.close() and balanced(pipeline)
try:
    while True:
        read.extend(event.report.n for event in channel.get_batch())
except tocsin.ClosedError:
    pass
books = pipeline.stats().protocols
assert books[MOTOR.id].accepted + books[PUMP.id].accepted == sum(sent)
assert [n for _, n in got] == list(range(books[MOTOR.id].accepted))
assert len(read) + channel.stats().dropped == books[PUMP.id].accepted
""")


def test_threads_that_fork_one_after_the_other_release_each_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Turnstile:
        """A lock whose release ends when the next one has it."""

        def __init__(self) -> None:
            self.lock, self.is_taken_again = threading.RLock(), threading.Event()

        def acquire(self, timeout: float) -> bool:
            return self.lock.acquire(timeout=PATIENCE)

        def release(self) -> None:
            self.lock.release()
            assert self.is_taken_again.wait(PATIENCE)

    turnstile = Turnstile()
    monkeypatch.setattr(forks, "_one_at_a_time", [turnstile])

    def second() -> None:
        forks._before()
        turnstile.is_taken_again.set()
        assert first_is_done.wait(PATIENCE)
        forks._in_parent()

    first_is_done = threading.Event()
    forks._before()
    crew = Crew(second)
    forks._in_parent()
    first_is_done.set()
    crew.join()
    assert turnstile.lock.acquire(timeout=PATIENCE)


@pytest.mark.parametrize("batch", quick([False, True], False))
def test_a_fork_in_a_callback_leaves_both_sides_working(batch: bool) -> None:
    run(f"""
status = []
def child():
    assert pipeline.notify(PUMP.tick, (9,))
    assert pipeline.flush(PATIENCE), pipeline.stats()          # no callback of this process is running
    assert got == [(os.getpid(), 9)], got
    assert pipeline.close()
def fork(event):
    if not status:
        status.append(wait_for(in_child(child)))
pipeline = opened()
pipeline.subscribe(MOTOR.tick, fork, batch={batch})
pipeline.subscribe(PUMP.tick, hear)
for n in range(5):
    assert pipeline.notify(MOTOR.tick, (n,))
assert pipeline.flush()
assert status == [0], status
assert pipeline.notify(PUMP.tick, (10,)) and pipeline.close() and balanced(pipeline)
assert got == [(parent, 10)], got
""")


def test_a_worker_that_comes_back_from_a_callback_in_a_child_ends() -> None:
    run("""
pids = []
def fork(event):
    if not pids:
        pids.append(os.fork())
        if pids[0] == 0:
            signal.alarm(int(PATIENCE))
    else:
        hear(event)                       # the child must never get here
pipeline = opened(fork)
read, write = os.pipe()
pipeline.subscribe(MOTOR.tick, lambda event: os.write(write, f"{os.getpid()} ".encode()), priority=-1)
for n in range(3):
    assert pipeline.notify(MOTOR.tick, (n,))
assert pipeline.flush()
assert wait_for(pids[0]) == 0
assert pipeline.close() and balanced(pipeline)
os.close(write)
assert os.read(read, 1000).decode().split() == [str(parent)] * 3
""")


@pytest.mark.native_only("it calls functions by address")
def test_a_fork_by_c_leaves_handles_that_answer_and_waits_that_end() -> None:
    run("""
libc = ctypes.PyDLL(None)                 # with the GIL in hand: whose, would be anybody's guess otherwise
pipeline = opened(hear)
producer = pipeline.producer(PUMP)
# A thread that waited for the GIL at the fork would leave CPython waiting in the child: so the worker has
# begun, and events wait that it may not handle yet.
assert pipeline.notify(MOTOR.tick, (0,)) and pipeline.flush()
pipeline.freeze()
for n in range(1, 100):
    pipeline.notify(MOTOR.tick, (n,))
def child():
    assert producer._notify(1, bytes(8), None) == -errno.ESHUTDOWN
    try:
        pipeline.notify(MOTOR.tick, (1,))
    except tocsin.ClosedError:
        pass
    else:
        raise AssertionError("no ClosedError")
    pipeline.flush(1)
    pipeline.stats(), repr(pipeline)
    pipeline.close(1)
child_is_well(child, fork=libc.fork)
pipeline.thaw()
assert pipeline.close() and balanced(pipeline)
assert got == [(parent, n) for n in range(100)]
""")


@pytest.mark.slow
@pytest.mark.native_only("it calls functions by address")
def test_a_fork_by_c_that_tells_the_interpreter_is_a_fork_like_any_other() -> None:
    run("""
libc, api = ctypes.PyDLL(None), ctypes.pythonapi
def fork():
    api.PyOS_BeforeFork()
    pid = libc.fork()
    if pid == 0:
        api.PyOS_AfterFork_Child()
    else:
        api.PyOS_AfterFork_Parent()
    return pid
pipeline = opened(hear)
pipeline.notify(MOTOR.tick, (1,))
pipeline.flush()
def child():
    assert pipeline.notify(MOTOR.tick, (2,)) and pipeline.close()
    assert got == [(parent, 1), (os.getpid(), 2)], got
child_is_well(child, fork=fork)
assert pipeline.close() and got == [(parent, 1)]
""")


@pytest.mark.slow
def test_fork_and_exec_leave_the_parent_alone() -> None:
    run("""
import subprocess
pipeline = opened(hear)
for n in range(200):
    pipeline.notify(MOTOR.tick, (n,))
    if n % 50 == 0:
        assert subprocess.run(["true"], preexec_fn=lambda: None).returncode == 0
        pid = os.fork()
        if pid == 0:
            os.execvp("true", ["true"])
        assert wait_for(pid) == 0
assert pipeline.close() and balanced(pipeline)
assert got == [(parent, n) for n in range(200)]
""")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(method: str) -> None:
    code = f"""{PRELUDE}
import multiprocessing
def child(numbers):
    pipeline = PIPELINE or opened(hear)
    for n in numbers:
        pipeline.notify(MOTOR.tick, (n,))
    assert pipeline.flush(PATIENCE)
    answers.extend(n for pid, n in got if pid == os.getpid())
    return answers[-len(numbers):]
answers, PIPELINE = [], None
if __name__ == "__main__":
    PIPELINE = opened(hear)
    PIPELINE.notify(MOTOR.tick, (1000,))
    with multiprocessing.get_context("{method}").Pool(2) as pool:
        assert pool.map(child, [[1, 2], [3, 4], [5, 6]]) == [[1, 2], [3, 4], [5, 6]]
    assert PIPELINE.close() and balanced(PIPELINE)
    assert got == [(parent, 1000)], got
    print("done", end="")
"""
    # "spawn" wants a file to import.
    assert (
        assert_ends_well(f"""
import os, runpy, subprocess, sys, tempfile
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "program.py")
    open(path, "w").write({code!r})
    subprocess.run([sys.executable, path], check=True)
""")
        == "done"
    )


def test_prefork_workers_serve_each_with_their_own_queues() -> None:
    run("""
pipeline = opened(hear)
channel = pipeline.channel(PUMP.tick)
latest = pipeline.channel(PUMP.tick, overflow="latest", capacity=2)
pipeline.notify(PUMP.tick, (99,))
pipeline.flush()
def serve(number):
    def child():
        for n in range(1000):
            assert pipeline.notify(MOTOR.tick, (n,)) and pipeline.notify(PUMP.tick, (n,))
        assert [channel.get(PATIENCE).report.n for _ in range(1000)] == list(range(1000))
        assert pipeline.flush(PATIENCE)
        assert latest.get(0).report.n == 999 and channel.stats().pending == 0
        extra = pipeline.subscribe(MOTOR.limit, lambda event: got.append("limit"))
        assert pipeline.notify(MOTOR.limit, (1, 2)) and pipeline.flush() and got[-1] == "limit"
        assert extra.cancel()
        assert pipeline.unregister(PUMP) and pipeline.subscriptions[1].state == "pending"
        pipeline.register(PUMP)
        assert pipeline.notify(PUMP.tick, (7,)) and channel.get(PATIENCE).report.n == 7
        assert got[:1000] == [(os.getpid(), n) for n in range(1000)]
        assert pipeline.close() and balanced(pipeline)
    return child
pids = [in_child(serve(n)) for n in range(3)]
assert [wait_for(pid) for pid in pids] == [0, 0, 0]
assert channel.get(0).report.n == 99 and latest.get(0).report.n == 99
assert got == [] and pipeline.close() and balanced(pipeline)
""")


@pytest.mark.native_only("it interrupts the main thread")
def test_what_waits_for_the_main_thread_is_the_parents() -> None:
    run("""
pipeline = tocsin.Pipeline()
pipeline.register(MOTOR)
pipeline.subscribe(MOTOR.tick, hear, main_thread=True)
pipeline.freeze()
for n in range(3):
    pipeline.notify(MOTOR.tick, (n,))
def child():
    pipeline.thaw()
    pipeline.flush()
    assert got == [], got
    pipeline.notify(MOTOR.tick, (7,))
    until(lambda: got)
    assert got == [(os.getpid(), 7)], got
    assert pipeline.close()
child_is_well(child)
pipeline.thaw()
assert pipeline.close()
assert got == [(parent, n) for n in range(3)], got
""")


def test_a_child_leaves_the_sources_on_that_its_parent_is_about_to_switch_off() -> None:
    run("""
commands = []
def set_enabled(event, source, on):
    commands.append((source, on))
    if on and source == 3:
        closer = threading.Thread(target=pipeline.close, args=(0,))
        closer.start()
        closer.join(PATIENCE)
        children.append(os.fork())
pipeline, children = tocsin.Pipeline(), []
pipeline.register(MOTOR, set_enabled=set_enabled)
first = pipeline.subscribe(MOTOR.tick, hear, source=1)
pipeline.subscribe(MOTOR.tick, hear, source=3)
if children == [0]:
    first.cancel()
    pipeline.close()
    os._exit((1, False) in commands)    # with 3 it was itself inside
assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0
assert sorted(commands) == [(1, False), (1, True), (3, False), (3, True)], commands
""")


def test_a_fork_while_others_close_wait_and_switch_sources_ends_in_no_wait() -> None:
    run("""
entered, go = threading.Event(), threading.Event()
def hold(event):
    entered.set()
    go.wait(PATIENCE)
closing, waiting = opened(hold), opened(hold)
commanding = tocsin.Pipeline()
commanding.register(MOTOR, set_enabled=lambda event, source, on: go.wait(PATIENCE))
for pipeline in (closing, waiting):
    pipeline.notify(MOTOR.tick, (1,))
assert entered.wait(PATIENCE)
on_a_thread(closing.close)
on_a_thread(waiting.flush)
on_a_thread(lambda: commanding.subscribe(MOTOR.tick, hear))
until(lambda: commanding.subscriptions and "closed" in repr(closing))
def child():
    assert closing.close() is False
    assert waiting.flush(PATIENCE) and waiting.close()
    go.set()
    commanding.subscribe(MOTOR.limit, hear)
    assert commanding.close()
    with waiting.subscriptions[0] if waiting.subscriptions else threading.Lock():
        pass
child_is_well(child)
go.set()
for pipeline in (closing, waiting, commanding):
    assert pipeline.close(PATIENCE) and balanced(pipeline)
""")


@pytest.mark.slow
def test_grandchildren_begin_anew_too() -> None:
    run("""
pipeline = opened(hear)
def grandchild():
    assert pipeline.notify(MOTOR.tick, (3,)) and pipeline.close()
    assert [n for pid, n in got if pid == os.getpid()] == [3]
def child():
    assert pipeline.notify(MOTOR.tick, (2,)) and pipeline.flush()
    child_is_well(grandchild)
    assert pipeline.close() and [n for _, n in got] == [2]
child_is_well(child)
assert pipeline.close() and got == []
""")


@pytest.mark.slow
def test_os_exit_with_work_under_way_ends_at_once() -> None:
    run("""
def child():
    pipeline = opened(hear)
    pipeline.freeze()
    for n in range(1000):
        pipeline.notify(MOTOR.tick, (n,))
    pipeline.thaw()
    os._exit(7)
assert wait_for(in_child(child)) == 7
""")
