"""Workers: the threads of a workqueue, and the keeper that watches them.

A worker takes items until there are none and goes to sleep. It counts itself among the sleepers and looks
for items under one lock, so no kick can fall in between.

The keeper is one more thread per queue. It sleeps until a delayed item is due or somebody calls it: a
kicker who found no sleeper, a worker who left an item behind. Then it looks every 10 ms; if no item was
taken in that time although one may be, and every worker is inside an item, it starts one more worker, up to
a limit. A worker above the base number ends after 10 s without work.

Threads are daemons: one that hangs in a callable doesn't hold up the interpreter's exit. They block
signals, so that the program's own threads get them, but not those of a crash.
"""

import signal
import threading
import time
from contextlib import suppress

from tocsin.pure.work import Work
from tocsin.pure.workqueue import Worker, WorkQueue

__all__ = ["start"]

KEEPER_TICK = 0.010  # seconds
IDLE_WORKER = 10.0  # seconds
OF_A_CRASH = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS")


def start(wq: WorkQueue, workers: int, most: int) -> None:
    """Start the base workers and the keeper; OSError, and then the queue is stopped."""
    with wq.lock:
        wq.base_threads, wq.max_threads = workers, most
        try:
            while wq.threads < workers:
                start_worker(wq)
            if workers:
                wq.keeper = make_thread(f"{wq.name}-keeper", keeper_main, wq)
                wq.keeper.start()
        except RuntimeError as error:
            wq.stop()
            raise OSError(f"a worker could not be started: {error}") from None


def make_thread(name: str, function: object, *arguments: object) -> threading.Thread:
    return threading.Thread(target=function, args=arguments, name=name, daemon=True)  # type: ignore[arg-type]


def start_worker(wq: WorkQueue) -> None:
    """Start one more worker; RuntimeError. Under the lock."""
    worker = Worker()
    worker.thread = make_thread(wq.name, worker_main, wq, worker)
    wq.crew[:] = [other for other in wq.crew if other.thread is None or other.thread.is_alive()]
    wq.threads += 1
    try:
        worker.thread.start()
    except BaseException:
        wq.threads -= 1
        raise
    wq.crew.append(worker)


def block_signals() -> None:
    """Leave signals to the program's own threads."""
    if hasattr(signal, "pthread_sigmask"):
        crashes = {getattr(signal, name) for name in OF_A_CRASH if hasattr(signal, name)}
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - crashes)


def worker_main(wq: WorkQueue, worker: Worker) -> None:
    """Run items until the queue is stopped. The whole life of a worker's thread."""
    block_signals()
    work = next_work(wq, worker)
    while work is not None:
        work.run()
        wq.finish(worker, work)
        work = next_work(wq, worker)


def next_work(wq: WorkQueue, worker: Worker) -> Work | None:
    """Take the next item and begin its run, sleeping until there is one; None: end the thread."""
    is_idle = False
    with wq.lock:
        while True:
            work = wq.try_take(worker)
            if work is not None:
                return work
            is_extra = wq.threads > wq.base_threads
            if wq.stopped or (is_idle and is_extra):
                wq.threads -= 1  # under the lock, or all extra ones and more would leave
                return None
            wq.sleepers += 1
            is_idle = not wq.bell.wait(IDLE_WORKER if is_extra else None)
            wq.sleepers -= 1


def keeper_main(wq: WorkQueue) -> None:
    """Keep the time of delayed items and watch that runnable ones are taken. The keeper's whole life."""
    block_signals()
    taken, since = -1, 0.0  # how many were taken when we began to wait for the next, and when that was
    with wq.lock:
        while not wq.stopped:
            wait = wq.fire_timers()
            if wq.may_take:
                now = time.monotonic()
                if taken != wq.taken:
                    taken, since = wq.taken, now
                elif now - since >= KEEPER_TICK:
                    help_out(wq)
                    since = now
                tick = since + KEEPER_TICK - now
                wait = tick if wait is None else min(wait, tick)
            else:
                taken = -1
            wq.keeper_bell.wait(wait)


def help_out(wq: WorkQueue) -> None:
    """Start one more worker if every one of them is inside an item. Under the lock."""
    if wq.active >= wq.threads and wq.threads < wq.max_threads:
        with suppress(RuntimeError):  # no loss: the next tick tries again
            start_worker(wq)
