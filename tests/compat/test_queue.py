"""tocsin.compat.queue: the compiled path, the move to the other one, and what may happen in between."""

import contextlib
import copy
import gc
import itertools
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tocsin.backend
from helpers import PATIENCE, eventually, finish, running
from tocsin.compat import queue as ours
from tocsin.compat import standard

KINDS = ["Queue", "LifoQueue", "PriorityQueue"]
PARTS = ["mutex", "not_empty", "not_full", "all_tasks_done", "queue"]
compiled_only = pytest.mark.native_only("the standard library's own queues have one path")


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return getattr(ours, request.param)


# ------------------------------------------------------------------------------------ what it is


def test_it_is_a_queue_of_the_standard_library(make: Any) -> None:
    assert isinstance(make(), queue.Queue)
    assert isinstance(make(), getattr(queue, make.__name__))
    assert ours.Empty is queue.Empty
    assert ours.Full is queue.Full
    assert ours.SimpleQueue is queue.SimpleQueue
    assert ours.ShutDown is getattr(queue, "ShutDown", standard.ShutDown)


@compiled_only
@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy])
def test_it_cannot_be_copied(make: Any, clone: Any) -> None:
    with pytest.raises(TypeError):
        clone(make())


@compiled_only
def test_an_exact_queue_inherits_nothing_in_secret(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("the standard library's method was called")

    for cls in (queue.Queue, standard.Queue, getattr(queue, make.__name__), getattr(standard, make.__name__)):
        for name, method in list(vars(cls).items()):
            if callable(method) and name not in ("__init_subclass__", "__class_getitem__", "__new__"):
                monkeypatch.setattr(cls, name, refuse)
    q = make(2)
    q.put(1)
    q.put_nowait(1)
    assert q.full()
    assert (q.get(), q.get_nowait(), q.qsize(), q.empty()) == (1, 1, 0, True)
    q.task_done()
    q.task_done()
    q.join()
    q.shutdown(immediate=True)
    with pytest.raises(ours.ShutDown):
        q.get()
    assert q.is_compiled


def test_hooks_of_a_subclass_are_called() -> None:
    class Upper(ours.Queue[str]):
        def _init(self, maxsize: int) -> None:
            self.items: list[str] = []

        def _put(self, item: str) -> None:
            self.items.append(item.upper())

        def _get(self) -> str:
            return self.items.pop()

        def _qsize(self) -> int:
            return len(self.items)

    q = Upper(2)
    q.put("a")
    q.put("b")
    assert q.full()
    assert [q.get(), q.get()] == ["B", "A"]
    assert not getattr(q, "is_compiled", False)


@compiled_only
def test_a_subclass_is_compiled_unless_it_has_hooks(make: Any) -> None:
    class Named(make):  # type: ignore[misc]
        def put(self, item: Any, *arguments: Any) -> None:
            super().put((item, "put"), *arguments)

    class Hook:
        def _qsize(self) -> int:
            return 0

    class Mixed(Hook, Named):
        pass

    class Late(Mixed):
        pass

    q = Named()
    q.put(1)
    assert q.get() == (1, "put")
    assert q.is_compiled
    for hooked in (Mixed(), Late()):
        hooked.put(1)
        assert hooked.qsize() == 0
        assert not hooked.is_compiled


@compiled_only
@pytest.mark.parametrize("part", PARTS)
def test_touching_a_part_moves_the_queue_for_good(make: Any, part: str) -> None:
    q = make(4)
    q.put(2)
    q.put(1)
    q.get()
    q.put(3)
    assert q.is_compiled
    assert getattr(q, part) is getattr(q, part)
    assert not q.is_compiled
    assert (q.qsize(), q.unfinished_tasks, q.maxsize) == (2, 3, 4)
    with q.mutex:
        q.queue.clear()
        q.unfinished_tasks = 0
        q.all_tasks_done.notify_all()
    q.join()
    assert q.empty()


@compiled_only
@pytest.mark.parametrize("part", PARTS)
def test_a_part_can_be_replaced(make: Any, part: str) -> None:
    q = make()
    new = threading.Lock() if part == "mutex" else [] if part == "queue" else threading.Condition()
    setattr(q, part, new)
    assert getattr(q, part) is new
    assert not q.is_compiled


@pytest.mark.parametrize("maxsize", [2.5, True, float("inf")])
def test_a_maxsize_that_is_no_int_means_what_it_meant(maxsize: float) -> None:
    q: ours.Queue[int] = ours.Queue(maxsize)  # type: ignore[arg-type]
    for n in range(math.ceil(min(maxsize, 9))):
        q.put_nowait(n)
    assert q.full() is (maxsize < 9)
    assert q.maxsize == maxsize


@compiled_only
def test_a_subclass_that_was_not_initialised_says_so() -> None:
    class Forgetful(ours.Queue[object]):
        def __init__(self) -> None:
            pass

    with pytest.raises(AttributeError, match=r"Forgetful.__init__\(\) was not called"):
        Forgetful().put(1)


# ------------------------------------------------------------------------------------- references


def test_references_are_exact(make: Any) -> None:
    item = object() if make is not ours.PriorityQueue else 2**70
    before = sys.getrefcount(item)
    q = make()
    for _ in range(3):
        q.put(item)
    assert sys.getrefcount(item) == before + 3
    q.get()
    assert sys.getrefcount(item) == before + 2
    if getattr(q, "is_compiled", False):
        _ = q.queue
        assert sys.getrefcount(item) == before + 2
    q.shutdown(immediate=True)
    assert sys.getrefcount(item) == before
    other = make()
    other.put(item)
    del other
    assert sys.getrefcount(item) == before


class Node:
    queue: Any = None

    def __lt__(self, other: object) -> bool:
        return False


def test_a_cycle_through_an_item_is_collected(make: Any) -> None:
    q, item = make(), Node()
    q.put(item)
    item.queue = q
    seen = weakref.ref(item)
    del q, item
    gc.collect()
    assert seen() is None


def test_a_ring_that_has_wrapped_is_traversed() -> None:
    q: ours.Queue[Node] = ours.Queue()
    for _ in range(6):
        q.put(Node())
        q.get()
    nodes = [Node() for _ in range(7)]
    for node in nodes:
        node.queue = q
        q.put(node)
    assert {id(node) for node in nodes} <= {id(item) for item in gc.get_referents(q)} or not hasattr(
        q, "is_compiled"
    )
    seen = [weakref.ref(node) for node in nodes]
    del q, node, nodes
    gc.collect()
    assert [ref() for ref in seen] == [None] * 7


def test_queues_in_queues_are_freed_without_recursion() -> None:
    q: Any = None
    for _ in range(100_000):
        outer: Any = ours.Queue()
        outer.put(q)
        q = outer
    del q, outer


def test_order_is_kept_while_the_ring_grows_and_wraps() -> None:
    q: ours.Queue[int] = ours.Queue()
    put, got = iter(range(100_000)), iter(range(100_000))
    for burst in [5, 3, 40, 1, 3000, 0, 200, 7] * 5:
        for _ in range(burst):
            q.put(next(put))
        for _ in range(burst - burst // 3):
            assert q.get() == next(got)
    while not q.empty():
        assert q.get() == next(got)
    assert next(got) == next(put)


# -------------------------------------------------------------------------------------- reentrancy


class PutsWhenDropped:
    def __init__(self, q: Any) -> None:
        self.q = q

    def __lt__(self, other: object) -> bool:
        return False

    def __del__(self) -> None:
        with contextlib.suppress(ours.ShutDown):
            self.q.put(7)


@compiled_only
def test_a_destructor_may_put_into_the_queue_that_drops_it(make: Any) -> None:
    q, other = make(), make()
    for _ in range(100):
        q.put(PutsWhenDropped(other))
    q.put(PutsWhenDropped(q))
    q.shutdown(immediate=True)  # its own put finds it shut down, inside a destructor
    assert other.qsize() == 100


@compiled_only
def test_the_collector_may_run_a_put_inside_any_put(make: Any) -> None:
    q = make()
    was = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        for n in range(200):
            cycle: list[Any] = [PutsWhenDropped(q)]
            cycle.append(cycle)
            del cycle
            q.put(n)
    finally:
        gc.set_threshold(*was)
    gc.collect()
    assert sorted(q.get() for _ in range(400)) == sorted([7] * 200 + list(range(200)))


@compiled_only
@pytest.mark.parametrize("meddle", ["get", "put", "get and put", "move"])
@pytest.mark.parametrize("moment", range(0, 30, 3))
def test_a_comparison_may_use_its_own_queue(meddle: str, moment: int) -> None:
    q: ours.PriorityQueue[Any] = ours.PriorityQueue()
    comparisons = itertools.count()
    gone: list[int] = []

    class Meddler:
        def __init__(self, rank: int) -> None:
            self.rank = rank

        def __lt__(self, other: "Meddler") -> bool:
            if next(comparisons) == moment:
                if "get" in meddle:
                    gone.extend(q.get_nowait().rank for _ in range(min(2, q.qsize())))
                if "put" in meddle:
                    q.put(Meddler(-1))
                    q.put(Meddler(99))
                if meddle == "move":
                    _ = q.queue
            return self.rank < other.rank

    start = [5, 3, 4, 1, 2, 9, 0, 7, 6, 8]
    for rank in start:
        q.put(Meddler(rank))
    ranks = []
    while not q.empty():
        with contextlib.suppress(ours.Empty):  # if the meddler has taken the last ones
            ranks.append(q.get_nowait().rank)
    added = [-1, 99] if "put" in meddle else []
    assert sorted(ranks + gone) == sorted(start + added)
    if not gone and not added:
        assert ranks == sorted(start)


@compiled_only
def test_a_comparison_that_raises_leaves_the_queue_as_it_was() -> None:
    q: ours.PriorityQueue[Any] = ours.PriorityQueue()
    for item in (3, 1, 2):
        q.put(item)
    with pytest.raises(TypeError):
        q.put("a")
    assert (q.qsize(), q.unfinished_tasks) == (3, 3)
    assert [q.get() for _ in range(3)] == [1, 2, 3]


@pytest.fixture
def on_signal() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Have something called by the handler of a signal that another thread sends again and again."""
    before = signal.getsignal(signal.SIGUSR1)
    stop = threading.Event()
    senders: list[threading.Thread] = []

    def send() -> None:
        while not stop.wait(0.01):
            os.kill(os.getpid(), signal.SIGUSR1)

    def install(function: Callable[[], object]) -> None:
        signal.signal(signal.SIGUSR1, lambda number, frame: function())
        senders.append(running(send))

    yield install
    stop.set()
    finish(*senders)
    signal.signal(signal.SIGUSR1, before)


@compiled_only
def test_a_signal_handler_may_put_what_the_main_thread_waits_for(make: Any, on_signal: Any) -> None:
    q = make()
    on_signal(lambda: q.put(1))
    for _ in range(5):
        assert q.get(timeout=PATIENCE) == 1


@compiled_only
@pytest.mark.parametrize("wait", ["get", "put", "join"])
def test_ctrl_c_ends_each_wait(make: Any, on_signal: Any, wait: str) -> None:
    q = make(1)
    if wait != "get":
        q.put(1)
    waits = {"get": q.get, "put": lambda: q.put(2), "join": q.join}

    def interrupt() -> None:
        raise KeyboardInterrupt

    def wait_and_be_interrupted() -> None:
        on_signal(interrupt)  # which may come at once
        waits[wait]()

    with pytest.raises(KeyboardInterrupt):
        wait_and_be_interrupted()
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    assert q.qsize() == (wait != "get")


def is_asleep(thread: threading.Thread) -> bool:
    """Return whether it sleeps in the kernel: one counted as waiting may still be on its way there."""
    return Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(")")[2].split()[0] == "S"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.skipif(tocsin.backend.gil_is_off, reason="the signal may come between a get and its result")
@compiled_only
def test_a_waiter_that_is_interrupted_passes_its_call_on() -> None:
    q: ours.Queue[int] = ours.Queue()
    got: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    def call_and_interrupt_the_first() -> None:
        eventually(lambda: standard.waiting(q)[0] == 1)
        second = running(lambda: got.append(q.get()))
        eventually(lambda: standard.waiting(q)[0] == 2 and is_asleep(second))
        q.put(1)  # calls the main thread, which came first
        signal.pthread_kill(main, signal.SIGUSR1)  # and which has not gone on yet: we have the GIL
        finish(second)

    main = threading.get_ident()
    before = signal.signal(signal.SIGUSR1, interrupt)
    taken: list[int] = []
    caller = running(call_and_interrupt_the_first)
    with contextlib.suppress(KeyboardInterrupt):
        taken.append(q.get())  # or it has gone on, on another day
        threading.Event().wait(PATIENCE)
    for item in taken:
        q.put(item)
    finish(caller)
    signal.signal(signal.SIGUSR1, before)
    assert got == [1]


# ---------------------------------------------------------------------------------------- waiting


@pytest.mark.parametrize("timeout", [-1, -0.001, "1", None])
def test_a_timeout_that_is_none_is_refused(make: Any, timeout: Any) -> None:
    q = make(1)
    q.put(1)
    if timeout is None:
        assert q.get(timeout=None) == 1
        return
    error = TypeError if isinstance(timeout, str) else ValueError
    with pytest.raises(error):
        q.put(2, timeout=timeout)
    with pytest.raises(error):
        q.get(timeout=timeout)
    assert q.qsize() == 1


@compiled_only
def test_a_timeout_that_is_no_number_is_refused(make: Any) -> None:
    with pytest.raises(ValueError, match="timeout"):
        make().get(timeout=math.nan)


def test_as_many_waiters_come_back_as_items_came(make: Any) -> None:
    q, got = make(), []
    waiting = [running(lambda: got.append(q.get(timeout=PATIENCE))) for _ in range(8)]
    for n in range(8):
        q.put(n)
    finish(*waiting)
    assert sorted(got) == list(range(8))


def test_a_shutdown_brings_all_waiters_back(make: Any) -> None:
    q, full, ends = make(), make(1), []
    full.put(1)

    def until_over(call: Callable[..., object], *arguments: object) -> None:
        with pytest.raises(ours.ShutDown):
            call(*arguments)
        ends.append(call)

    waiting = [running(until_over, q.get) for _ in range(4)]
    waiting += [running(until_over, full.put, 2) for _ in range(4)]
    joining = running(full.join)
    q.shutdown()
    full.shutdown(immediate=True)
    finish(*waiting, joining)
    assert len(ends) == 8


@compiled_only
@pytest.mark.parametrize("timeout", [None, PATIENCE])
def test_waiters_follow_a_queue_that_moves(make: Any, timeout: float | None) -> None:
    def read(q: Any, got: list[int]) -> None:
        got.append(q.get(True, timeout))

    for _ in range(20):
        q, got = make(1), []
        waiting = [running(read, q, got) for _ in range(3)]
        _ = q.mutex
        for n in range(3):
            q.put(n, True, timeout)
        finish(*waiting)
        assert sorted(got) == [0, 1, 2]
        joining = running(q.join)
        for _ in range(3):
            q.task_done()
        finish(joining)


@pytest.mark.stress
@pytest.mark.parametrize("maxsize", [0, 1, 7])
def test_several_writers_and_readers_lose_nothing(make: Any, maxsize: int) -> None:
    n, q, got = 1500, make(maxsize), []

    def write(start: int) -> None:
        for item in range(start, start + n):
            q.put(item, timeout=PATIENCE)

    def read() -> None:
        mine = []
        for _ in range(n):
            mine.append(q.get(timeout=PATIENCE))
            q.task_done()
        got.extend(mine)

    threads = [running(read) for _ in range(3)] + [running(write, part * n) for part in range(3)]
    finish(*threads)
    q.join()
    assert sorted(got) == list(range(3 * n))


@compiled_only
@pytest.mark.parametrize("moment", ["queue", "shutdown"])
def test_a_move_or_an_end_in_the_middle_loses_nothing(make: Any, moment: str) -> None:
    q, got = make(3), []
    put = []

    def write() -> None:
        try:
            for item in range(400):
                q.put(item)
                put.append(item)
        except ours.ShutDown:
            pass

    def read() -> None:
        try:
            while len(got) < 400:
                got.append(q.get(timeout=PATIENCE))
                if len(got) == 200 and moment == "queue":
                    _ = q.queue
                elif len(got) == 200:
                    q.shutdown()
        except ours.ShutDown:
            pass

    finish(running(write), running(read))
    assert sorted(got) == put[: len(got)] == list(range(len(got)))
    assert len(got) == len(put)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@compiled_only
def test_a_forked_child_has_the_items_and_none_of_the_waiters(make: Any) -> None:
    q = make()
    waiting = running(q.get)
    other = make()
    other.put(5)
    child = os.fork()
    if child == 0:
        ok = other.get() == 5
        late = threading.Thread(target=lambda: q.put(q.get(timeout=PATIENCE) + 1))
        for _ in range(3):
            q.put(1)
            ok = ok and q.get(timeout=PATIENCE) == 1
        late.start()
        q.put(1)
        late.join(PATIENCE)
        ok = ok and not late.is_alive() and q.get(timeout=PATIENCE) == 2
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    q.put(1)
    finish(waiting)


AT_EXIT = """
import threading
from tocsin.compat import queue

def wait_long(q):
    while True:
        q.get()

def wait_briefly(q):
    while True:
        try:
            q.get(timeout=0.0005)
        except queue.Empty:
            pass

for kind in (queue.Queue, queue.LifoQueue, queue.PriorityQueue):
    q = kind()
    for work in (wait_long, wait_briefly):
        threading.Thread(target=work, args=(q,), daemon=True).start()
    for n in range(50):
        q.put(n)
"""


def test_daemon_threads_that_wait_do_not_hinder_the_exit() -> None:
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", AT_EXIT], capture_output=True, timeout=PATIENCE)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_backend_decides() -> None:
    assert hasattr(ours.Queue, "is_compiled") == (tocsin.backend.name == "cython")
