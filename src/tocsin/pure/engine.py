"""The rest of a pipeline: its queues, its subscriptions, waiting and the end.

All of it is cold. The face (tocsin/pipeline.py) serialises what changes the set of queues and of
subscriptions; the rest may be called from any thread.

The pipeline owns its stages, and through them the chains and the callables; its workers own none of it. So
it goes when its last reference goes, also inside one of its own callbacks, and its workers end after the
run that they are in. Nothing waits for them then.
"""

from functools import partial
from typing import Any

from tocsin.pure.channel import ChannelCore
from tocsin.pure.channelqueue import ChannelQueue
from tocsin.pure.ending import Finaliser, shut, stop
from tocsin.pure.equeue import EventsQueue
from tocsin.pure.failing import missing, tell
from tocsin.pure.notify import NOT_STARTED, NotifyCore
from tocsin.pure.stage import Stage
from tocsin.pure.subscription import Member, SubscriptionCore
from tocsin.pure.times import clock_of, deadline_of, left_until
from tocsin.pure.worker import start
from tocsin.pure.workqueue import WorkQueue

__all__ = ["PipelineCore"]

SLICE = 0.05  # seconds between two looks whether there is a run to make in the flushing thread


class PipelineCore(NotifyCore):
    """Own queues and workers: what Pipeline is built on; its underscored methods are for the face alone."""

    _on_error: Any

    @property
    def lingering(self) -> list[Any]:
        """Native subscriptions that were cancelled while they may have been running: none here."""
        return []

    def _start(
        self,
        native: int,
        python: int,
        most: int,
        clock: int,
        kick: str,
        portable: bool,
        shared: bool,
        on_error: object,
        late: bool = False,
    ) -> None:
        """Start the workers; without native ones none at all. `portable` and `shared` change nothing here.

        late: in a forked child, in place of what is the parent's; workers start with the first event.
        """
        if self._workqueue is not None and not late:
            raise RuntimeError("a pipeline is initialised once")
        if kick == "membarrier":
            raise missing('Pipeline(kick="membarrier")', "its kicks take a lock")
        self._on_error = on_error
        self._clock = clock_of(clock)
        if self._workqueue is not None:
            self._leave_core(self._workqueue)
        self._workqueue = WorkQueue("tocsin-python")
        self._finaliser = Finaliser(self._workqueue, self._stages, self._channels)
        if native and late:
            self._workqueue.base_threads = python
            self._workqueue.start_late = partial(start, workers=python, most=most)
        elif native:
            start(self._workqueue, python, most)

    def _leave_core(self, workqueue: WorkQueue) -> None:
        """Leave queues and workers to the parent: a forked child, in which nobody else is."""
        workqueue.begin_anew()
        for stage in self._stages.values():
            stage.queue.begin_anew()
            stage.queue.shut()
        stop(workqueue, self._stages, self._channels)
        self._stages = {}
        self._doors = {}
        self._channels = []

    def _kick(self) -> str:
        return "atomic"

    @property
    def _wq(self) -> WorkQueue:
        if self._workqueue is None:
            raise RuntimeError(NOT_STARTED)
        return self._workqueue

    # -- queues

    def _add_queue(self, protocol: int, size: int, start: int, types: list[Any]) -> Stage:
        """Make the queue of a protocol, and its stage, which stands for it; see _open_queue().

        types: 256 event types or None, by event id.
        """
        if self._clock is None:
            raise RuntimeError(NOT_STARTED)
        queue = EventsQueue(size, start, self._clock, types)
        self._stages[protocol] = Stage(protocol, queue, self._wq, self._on_error)
        return self._stages[protocol]

    def _open_queue(self, queue: Stage) -> None:
        """Let the events of a protocol in."""
        self._doors[queue.protocol] = queue.queue

    def _shut_queue(self, protocol: int) -> None:
        """Let no event of a protocol in any more: it names nothing registered, and producers are closed.

        What was accepted goes on being delivered; to repeat this is harmless.
        """
        self._doors.pop(protocol, None)
        self._stages[protocol].queue.shut()

    def _await_queue(self, queue: Stage, timeout: float | None) -> bool:
        """Wait until all that a shut queue accepted was delivered and nobody is at it; False: not in time."""
        deadline = deadline_of(timeout)
        events = queue.queue
        if not self._await_position(events, events.in_, deadline):
            return False
        self._wq.disable(events.work)  # a kick that comes late would be for nothing
        return self._await_taken_off(events, deadline)

    def _drop_queue(self, queue: Stage) -> None:
        """Let a queue go, after _await_queue() or before _open_queue(), when nothing is attached to it.

        Then its protocol may be registered again. Under the face's lock.
        """
        self._doors.pop(queue.protocol, None)
        del self._stages[queue.protocol]

    # -- subscriptions

    def _attach(
        self,
        subscription: SubscriptionCore,
        code: int,
        source: int,
        function: int,
        context: int,
        priority: int,
    ) -> None:
        """Put a subscription in the chain of a key."""
        stage = self._stages[code >> 24]
        member = next((known for known in subscription._members if known.stage is stage), None)
        if member is None:
            member = Member(subscription, stage, priority)
            subscription._members = [*subscription._members, member]
        stage.add((code >> 16 & 0xFF) << 16 | source, member)

    def _tell(self, error: BaseException, subscription: SubscriptionCore) -> None:
        """Tell on_error of what no callable raised; what it raises itself goes to sys.unraisablehook."""
        tell(self._on_error, error, subscription, None)

    # -- channels

    def _make_channel(
        self,
        channel: ChannelCore[Any],
        overflow: int,
        capacity: int,
        timeout: float,
        several: bool,
        start: int,
    ) -> None:
        """Make a channel. `several` (protocols) changes nothing here. Under the face's lock."""
        channel._make(ChannelQueue(overflow, capacity, timeout, start), self._wq)
        self._channels.append(channel)

    def _open_channel(self, channel: ChannelCore[Any], protocol: int, events: list[int], size: int) -> None:
        """Have a channel know events of a protocol before it is attached. `size`: bytes of its ring."""
        channel._made.extend(protocol, size)

    def _shut_channel(self, channel: ChannelCore[Any]) -> None:
        """Say that nothing more will come to a channel. Under the face's lock."""
        channel._shut()
        self._channels[:] = [other for other in self._channels if other is not channel]

    def _reset_channel(self, channel: ChannelCore[Any]) -> None:
        """Leave a channel to the parent, before another _make_channel(). A forked child."""
        channel._queue = None

    def _call_on_main(self, subscription: SubscriptionCore, is_main: bool) -> None:
        """Refuse to have the main thread call a callable."""
        raise missing(
            "Pipeline.subscribe(main_thread=True)", "it has no way to interrupt the code of the main thread"
        )

    def _drain_main(self, timeout: float | None) -> bool:
        """Call what is queued for the main thread: nothing."""
        return True

    def _end_mains(self, deliver: bool) -> None:
        """Leave nothing to the main thread."""

    # -- waiting

    def _flush(self, timeout: float | None) -> bool:
        """Wait until every event accepted so far has passed the stage; False: not in time."""
        deadline = deadline_of(timeout)
        targets = [(stage.queue, stage.queue.in_) for stage in tuple(self._stages.values())]
        return all(self._await_position(queue, position, deadline) for queue, position in targets)

    def _await_position(self, queue: EventsQueue, position: int, deadline: float | None) -> bool:
        def is_settled() -> bool:
            return queue.has_passed(position) or queue.was_abandoned

        if self._wq.base_threads:
            with queue.changed:
                queue.changed.wait_for(is_settled, left_until(deadline))
            return queue.has_passed(position)
        while not is_settled():
            ran = self._wq.run_here()
            left = left_until(deadline)
            if left == 0:
                break
            if not ran:  # another thread is at it, or it is frozen
                with queue.changed:
                    if not is_settled():
                        queue.changed.wait(SLICE if left is None else min(left, SLICE))
        return queue.has_passed(position)

    def _await_taken_off(self, queue: EventsQueue, deadline: float | None) -> bool:
        """Wait until nobody has the disabled work of a queue. False: not in time, or stopped before."""
        while queue.work.is_taken and not self._wq.base_threads and not self._wq.stopped:
            left = left_until(deadline)
            if left == 0:
                break
            if not self._wq.run_here():  # another thread is at it, or it is frozen
                self._wq.await_idle(queue.work, deadline_of(SLICE if left is None else min(left, SLICE)))
        return self._wq.await_idle(queue.work, deadline)

    def _await_idle(self, subscription: SubscriptionCore, timeout: float | None) -> bool:
        """Wait until no call of a cancelled subscription is running; False: not in time."""
        deadline = deadline_of(timeout)
        return all(await_member(member, deadline) for member in subscription._members)

    def _freeze(self) -> None:
        """Begin no call any more until _thaw(). Under the face's lock."""
        self._wq.freeze()
        for stage in tuple(self._stages.values()):
            stage.pass_calls()

    def _thaw(self) -> None:
        self._wq.thaw()

    # -- the end

    def _shut(self) -> None:
        """Accept no event any more."""
        shut(self._stages)

    def _await_writers(self, timeout: float | None) -> bool:
        """Wait until no writer is inside: after _shut() none is, since they hold the lock that it took."""
        deadline_of(timeout)
        return True

    def _stop(self) -> None:
        """Begin no call any more, and have the workers end; what is queued is counted as abandoned."""
        stop(self._wq, self._stages, self._channels)

    def _await_workers(self, timeout: float | None) -> bool:
        """Wait until all threads have ended, after _stop(); False: not in time."""
        return self._wq.await_end(deadline_of(timeout))

    # -- the books

    def _books(self, protocol: int) -> dict[str, int]:
        """Return the books of a queue, named as in ProtocolStats; empty if it was dropped."""
        stage = self._stages.get(protocol)
        return {} if stage is None else stage.queue.books()

    def _totals(self) -> tuple[int, int, int]:
        """Events that named nothing registered, events that came too late, and worker threads now."""
        return self._misses.unknown, self._misses.late, self._wq.threads


def await_member(member: Member, deadline: float | None) -> bool:
    """Wait until no call of a member is running; False: not in time."""
    with member.stage.queue.changed:
        return member.stage.queue.changed.wait_for(lambda: not member.is_running, left_until(deadline))
