"""A WorkQueue in a forked child: closed, and says so; its works are idle, and another queue may have them."""

import pytest
from tests.endings.test_forks import run

HELD = """
go, entered, runs = threading.Event(), threading.Event(), []
def hold():
    entered.set()
    go.wait(PATIENCE)
    runs.append(os.getpid())
queue = tocsin.WorkQueue("held")
works = [tocsin.Work(hold) for _ in range(3)]
delayed = tocsin.Work(hold)
for work in works:
    assert queue.queue(work)
queue.queue_delayed(delayed, 1000)
assert entered.wait(PATIENCE)
def refused(call):
    try:
        call()
    except tocsin.ClosedError as error:
        assert "another one here" in str(error), error
    else:
        raise AssertionError("no ClosedError")
"""


def test_it_refuses_and_waits_for_nothing() -> None:
    run(f"""{HELD}
def child():
    refused(lambda: queue.queue(works[0]))
    refused(lambda: queue.queue_delayed(works[0], 1))
    refused(queue.flush)
    refused(lambda: queue.drain(1))
    queue.freeze(), queue.thaw(), repr(queue)
    queue.close()
    with queue:
        pass
    for work in [*works, delayed]:
        assert not (work.pending or work.running or work.flush() or work.cancel() or work.cancel_sync()), work
    assert threads() == 1
child_is_well(child)
go.set()
queue.close(PATIENCE)
assert runs == [parent] * 3, runs
""")


def test_its_works_may_go_to_another_queue() -> None:
    run(f"""{HELD}
def child():
    go.set()
    with tocsin.WorkQueue("anew") as anew:
        for work in [*works, delayed]:
            assert anew.queue(work)
    assert runs == [os.getpid()] * 4, runs
child_is_well(child)
go.set()
queue.close(PATIENCE)
assert runs == [parent] * 3, runs
""")


def test_a_fork_in_its_own_function_leaves_both_sides_working() -> None:
    run("""
status, runs = [], []
def child():
    try:
        queue.flush()
    except tocsin.ClosedError:
        pass
    else:
        raise AssertionError("no ClosedError")
    with tocsin.WorkQueue("anew") as anew:
        anew.queue(other)
    assert runs == [os.getpid()]
queue = tocsin.WorkQueue("forks")
other = tocsin.Work(lambda: runs.append(os.getpid()))
queue.queue(tocsin.Work(lambda: status.append(wait_for(in_child(child)))))
queue.queue(other)
queue.close(PATIENCE)
assert status == [0] and runs == [parent], (status, runs)
""")


@pytest.mark.slow
def test_a_worker_that_comes_back_from_a_function_in_a_child_ends() -> None:
    run("""
pids = []
read, write = os.pipe()
def fork():
    pids.append(os.fork())
    if pids[0] == 0:
        signal.alarm(int(PATIENCE))
queue = tocsin.WorkQueue("forks")
queue.queue(tocsin.Work(fork))
queue.queue(tocsin.Work(lambda: os.write(write, f"{os.getpid()} ".encode())))
queue.flush(PATIENCE)
assert wait_for(pids[0]) == 0
queue.close(PATIENCE)
os.close(write)
assert os.read(read, 1000).decode().split() == [str(parent)]
""")


@pytest.mark.slow
def test_it_is_let_go_of_whoever_had_its_lock_at_the_fork() -> None:
    run("""
over = threading.Event()
queues = [tocsin.WorkQueue(str(n)) for n in range(4)]
works = [tocsin.Work(lambda: None) for n in range(4)]
def flood(queue, work):
    while not over.is_set():
        queue.queue(work)
        queue.queue_delayed(work, 0.0001)
        work.cancel()
def child():
    works.clear()
    queues.clear()
floods = [on_a_thread(lambda n=n: flood(queues[n], works[n])) for n in range(4)]
for _ in range(10):
    child_is_well(child)
over.set()
for thread in floods:
    thread.join()
for queue in queues:
    queue.close(PATIENCE)
""")
