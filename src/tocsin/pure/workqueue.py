"""Workqueues: how work items wait for a worker, and who calls one.

Kickers append items to `runnable`, workers pop them: so items run in the order in which they were pushed,
and freezing or a limit of active items is decided in one place, by the popper. All state is under one lock,
held for a few instructions and never while an item runs. Three conditions over that lock: `bell` for idle
workers, `keeper_bell` for the keeper, `settled` for whoever waits for items or for a thaw.

A kick wakes one idle worker. If there is none, everybody is inside an item and will look before going idle;
the keeper watches that this doesn't take too long (worker.py). The same happens when a worker that takes an
item leaves another one behind.

Delayed items are pending and timed and have an entry in a heap by due time; one that was taken back or
moved stays in the heap and is skipped, since it is not the item's entry any more.
"""

import threading
import time
from collections import deque
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from tocsin.pure.times import left_until
from tocsin.pure.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["WorkQueue", "Worker"]


class Worker:
    """Stand for a thread that takes items: one of ours, or one that runs an item in passing."""

    def __init__(self, thread: threading.Thread | None = None) -> None:
        self.thread = thread
        self.ident = threading.get_ident() if thread is None else None
        self.current: Work | None = None

    @property
    def is_here(self) -> bool:
        """Whether the caller is on this thread; one that has ended may have left its number to another."""
        if self.thread is None:
            return self.ident == threading.get_ident()
        return self.thread.ident == threading.get_ident() and self.thread.is_alive()


class Timer(NamedTuple):
    """When a delayed item is due; the number keeps the order of those due at once."""

    due: float
    number: int
    work: Work


class WorkQueue:
    """Hold items until a worker takes them. Any thread."""

    def __init__(self, name: str, max_active: int = 0) -> None:
        self.name = name
        self.max_active = max_active  # 0: no limit
        self.lock = threading.RLock()
        self.bell = threading.Condition(self.lock)
        self.keeper_bell = threading.Condition(self.lock)
        self.settled = threading.Condition(self.lock)
        self.runnable: deque[Work] = deque()
        self.timers: list[Timer] = []
        self.timer_numbers = count()
        self.crew: list[Worker] = []
        self.keeper: threading.Thread | None = None
        self.frozen = self.stopped = False
        self.sleepers = self.threads = self.base_threads = self.max_threads = 0
        self.active = self.taken = 0
        self.start_late: Callable[[WorkQueue], None] | None = None  # by the first kick, in a forked child

    def begin_anew(self) -> None:
        """Be safe to touch in a forked child: whoever had the lock, and all workers, are missing there."""
        self.lock = threading.RLock()
        self.bell = threading.Condition(self.lock)
        self.keeper_bell = threading.Condition(self.lock)
        self.settled = threading.Condition(self.lock)
        self.crew, self.keeper = [], None
        self.sleepers = self.threads = 0

    # -- kicking

    def queue(self, work: Work) -> tuple[bool, bool]:
        """Have the work run after now: whether one more run is owed, and whether a sleeper was called."""
        with self.lock:
            return (True, self.link(work)) if work.kick() else (False, False)

    def link(self, work: Work) -> bool:
        """Put an item on the list if it is owed a run that nobody will see to. True: a sleeper was called."""
        with self.lock:
            if not work.needs_link:
                return False
            work.linked = True
            self.runnable.append(work)
            return self.call_help()

    def call_help(self) -> bool:
        """See to it that somebody will look at the items. True: a sleeper was called. Under the lock."""
        if self.sleepers:
            self.bell.notify()
            return True
        if self.start_late is not None and not self.stopped:
            start, self.start_late = self.start_late, None
            start(self)
        self.keeper_bell.notify()
        return False

    # -- timers

    def queue_delayed(self, work: Work, delay: float) -> bool:
        """Owe the item a run in `delay` seconds, if none is owed. True if none was."""
        with self.lock:
            if not work.kick():
                return False
            self.set_timer(work, delay)
            return True

    def modify_delayed(self, work: Work, delay: float) -> bool:
        """Owe the item a run in `delay` seconds, instead of any that is owed. True if one was."""
        with self.lock:
            if work.disabled:
                return False
            was_pending, work.pending = work.pending, True
            self.set_timer(work, delay)  # if it is linked, its popper will find it timed and let it go
            return was_pending

    def set_timer(self, work: Work, delay: float) -> None:
        """Give an item its place among the timers. Under the lock."""
        work.timed = True
        timer = Timer(time.monotonic() + delay, next(self.timer_numbers), work)
        work.due = timer
        heappush(self.timers, timer)
        self.keeper_bell.notify()

    def fire_timers(self) -> float | None:
        """Queue the items whose time has come; seconds until the next one, or None. Under the lock."""
        while self.timers:
            timer = self.timers[0]
            left = timer.due - time.monotonic()
            if left > 0 and timer.work.due is timer and timer.work.timed:
                return left
            heappop(self.timers)
            if timer.work.due is timer:
                self.expedite(timer.work)
        return None

    def expedite(self, work: Work) -> None:
        """Make a delayed item due now."""
        with self.lock:
            if work.timed:
                work.timed, work.due = False, None
                self.link(work)

    def cancel(self, work: Work) -> bool:
        """Owe the item no run any more, delayed or not. True if one was owed. Never waits for a run."""
        with self.lock:
            work.due = None
            was_pending = work.cancel()
            self.settled.notify_all()
            return was_pending

    def disable(self, work: Work) -> None:
        """Let no run of an item begin any more; one in progress goes on. For good, harmless to repeat."""
        with self.lock:
            work.disabled += 1
            self.cancel(work)

    # -- taking and finishing

    @property
    def may_take(self) -> bool:
        """Whether there is an item that may be taken now. Under the lock."""
        if not self.runnable or self.frozen or self.stopped:
            return False
        return not self.max_active or self.active < self.max_active

    def try_take(self, worker: Worker) -> Work | None:
        """Take the first item that may run and begin its run. Its worker, under the lock."""
        while self.may_take:
            work = self.runnable.popleft()
            if work.begin():
                self.active += 1
                self.taken += 1
                worker.current = work
                if self.may_take:
                    self.call_help()  # another one is left behind: not without a witness
                return work
            self.settled.notify_all()
        return None

    def finish(self, worker: Worker, work: Work) -> None:
        """End a run; put the item on the list again if it owes another. Its worker."""
        with self.lock:
            worker.current = None
            self.active -= 1
            work.end()
            self.link(work)
            self.settled.notify_all()

    def run_here(self) -> bool:
        """Run the next item, if there is one, in the calling thread; for queues without workers."""
        worker = Worker()
        with self.lock:
            work = self.try_take(worker)
            if work is None:
                return False
            self.crew.append(worker)
        try:
            work.run()
        finally:
            with self.lock:
                self.crew.remove(worker)
                self.finish(worker, work)
        return True

    # -- asking, waiting, halting

    def worker_here(self) -> Worker | None:
        """Return the worker whose thread the caller is on: whatever it does, it is inside."""
        with self.lock:
            return next((worker for worker in self.crew if worker.is_here), None)

    def await_flush(self, work: Work, target: int, deadline: float | None) -> bool:
        """Wait until so many runs of an item have ended, or none is owed; False: not in time."""
        with self.settled:
            return self.settled.wait_for(lambda: work.is_flushed(target), left_until(deadline))

    def await_end_of_run(self, work: Work, deadline: float | None) -> bool:
        """Wait until nobody is inside an item; False: not in time."""
        with self.settled:
            return self.settled.wait_for(lambda: not work.running, left_until(deadline))

    def await_idle(self, work: Work, deadline: float | None) -> bool:
        """Wait until nobody has a disabled item. False: not in time, or the workers were stopped before."""
        with self.settled:
            self.settled.wait_for(lambda: not work.is_taken or self.stopped, left_until(deadline))
            return not work.is_taken

    def freeze(self) -> None:
        """Begin no run until thaw(); runs in progress ask before each call."""
        with self.lock:
            self.frozen = True

    def thaw(self) -> None:
        """Take freeze() back."""
        with self.lock:
            self.frozen = False
            self.bell.notify_all()
            self.keeper_bell.notify()
            self.settled.notify_all()

    @property
    def is_halted(self) -> bool:
        """Whether a run may make no call now."""
        # Without workers: the thread that flushes must not wait for itself.
        return self.stopped or (self.frozen and self.base_threads > 0)

    def may_go_on(self) -> bool:
        """Return whether a run may make its next call: False if stopped. Waits while frozen. Its worker."""
        with self.settled:
            while self.is_halted and not self.stopped:
                self.settled.wait()
            return not self.stopped

    def stop(self) -> None:
        """Have every thread end after the run that it is in; what is queued stays. Never waits."""
        with self.lock:
            self.stopped = True
            for condition in (self.bell, self.keeper_bell, self.settled):
                condition.notify_all()

    def await_end(self, deadline: float | None) -> bool:
        """Wait until all threads have ended, after stop(); False: not in time. Not on one of them."""
        with self.lock:
            threads = [worker.thread for worker in self.crew] + [self.keeper]
        for thread in threads:
            if thread is not None:
                thread.join(left_until(deadline))
        return not any(thread is not None and thread.is_alive() for thread in threads)
