"""The stage of a queue: the work item that takes events off it and calls their subscribers.

A run looks (what may I read by now?), walks (one event after the other), and looks again, until nothing is
there or its budget is spent: then it requeues itself at the tail, so that a flood in one protocol leaves
the others their turn. Since it is a work item, one thread at a time is in it; what has no lock here is its
alone.

For each event the chain of ALL is called first, then that of its source, both as they were when the
event's turn came. STOP ends one chain. Batch members, last in a chain, keep the event until the end of
the look; then each batch is called. An event is settled once, before its space is freed: delivered if a
call was started or a channel was offered it, else unclaimed. Those of a look that holds batches are
settled together, when the batches were called.

Frozen, a run begins no event and requeues itself; in the middle of a chain it waits for the thaw. Stopped,
it leaves the rest where it is; batches that were not called are abandoned, and so is an event whose call was
about to begin. A call begins under the lock
of the queue, with a look whether it may; whoever freezes or stops passes through that lock afterwards, and
no call begins after that.

Nothing lets an exception out: a callable that raises is counted and reported to `on_error`, and if that
raises too, to sys.unraisablehook. In the main thread (workers=0) a signal handler may raise anywhere: then
the event in hand is settled as it is and the rest is owed another run.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tocsin.pure.batch import Batch, batch_of
from tocsin.pure.equeue import EventsQueue, Record
from tocsin.pure.event import event_of
from tocsin.pure.failing import tell, trimmed
from tocsin.pure.notifier import BAD, STOP
from tocsin.pure.subscription import Chain, Member, inserted
from tocsin.pure.work import Work
from tocsin.pure.workqueue import WorkQueue

if TYPE_CHECKING:
    from tocsin.pure.listener import Listener

__all__ = ["Stage"]

RUN_EVENTS = 4096
RUN_NS = 1_000_000
ALL_SOURCES = 0xFFFF


NOT_CALLED = object()


class Fate:
    """What becomes of an event in hand: whether a call was started for it, and which batches hold it."""

    __slots__ = ("batches", "called", "left")

    def __init__(self) -> None:
        self.called = False
        self.left = False  # a call was not started because the pipeline was stopped
        self.batches: list[Batch[Any]] = []


class Stage:
    """Read the queue of one protocol. The pipeline owns it; its workers don't."""

    def __init__(
        self,
        protocol: int,
        queue: EventsQueue,
        workqueue: WorkQueue,
        on_error: Callable[[Any, Any, Any], None],
    ) -> None:
        self.protocol = protocol
        self.queue = queue
        self.workqueue = workqueue
        self.on_error = on_error
        self.chains: dict[int, Chain] = {}  # by event << 16 | source; changed under the queue's lock
        self.lost_total = 0  # events that the records so far gave as lost
        self.fates: list[Fate] = []  # of the events in hand
        self.filled: dict[Member, dict[int, Batch[Any]]] = {}  # batches of this look, by event
        self.full: list[Listener] = []  # of channels without room, which the next event waits for
        self.spent = 0
        self.deadline: int | None = None
        queue.workqueue = workqueue
        queue.work = Work(self.run)

    # -- chains; cold

    def add(self, key: int, member: Member) -> None:
        """Put a member in the chain of a key."""
        with self.queue.lock:
            self.chains[key] = inserted(self.chains.get(key, ()), member)
            member.ids.append(key)

    def remove(self, key: int, member: Member) -> None:
        """Take a member out of the chain of a key."""
        with self.queue.lock:
            self.chains[key] = tuple(known for known in self.chains[key] if known is not member)

    # -- a run

    def run(self) -> None:
        """Handle events until there are none, or the budget is spent. Its worker."""
        self.queue.begin_run()
        self.spent = 0
        self.deadline = time.monotonic_ns() + RUN_NS if self.workqueue.base_threads else None
        was_empty, is_done = True, False
        try:
            goes_on = self.end_look()  # batches that a freeze kept
            while goes_on:
                limit = self.queue.look()
                record = self.take(limit)
                if record is None:
                    is_done = not self.is_halted
                    break
                was_empty = False
                while record is not None:
                    self.handle(record)
                    record = None if self.is_spent or self.full else self.take(limit)
                goes_on = self.end_look() and not (self.is_spent or self.full)
        finally:
            self.queue.end_run(was_empty)
            if not is_done and not self.workqueue.stopped:
                self.run_again()

    def run_again(self) -> None:
        """Owe what is left one more run: now, or when a full channel has room or its time is over."""
        full, self.full = self.full, []
        if not full:
            self.queue.kick()
            return
        due = min(listener.deadline for listener in full)
        # Instead of any run that is owed: kicks by writers are no reason to look at a full channel again.
        self.workqueue.modify_delayed(self.queue.work, max(0.0, due - time.monotonic()))
        for listener in full:
            listener.want_room(self.workqueue, self.queue.work)

    @property
    def is_halted(self) -> bool:
        """Whether no event may be begun."""
        return self.workqueue.frozen or self.workqueue.stopped

    @property
    def is_spent(self) -> bool:
        """Whether the others should have their turn. Without threads only events count: no clock decides."""
        if self.spent >= RUN_EVENTS:
            return True
        return self.deadline is not None and time.monotonic_ns() >= self.deadline

    def take(self, limit: int) -> Record | None:
        """Take the next event of this look in hand, unless halted."""
        return None if self.is_halted else self.queue.take(limit)

    # -- one event

    def handle(self, record: Record) -> None:
        """Call the subscribers of one event, and settle it unless batches hold some in hand."""
        fate = Fate()
        if not self.offer_to_channels(record, fate):
            self.queue.put_back(record)
            return
        self.fates.append(fate)
        self.spent += 1
        try:
            self.dispatch(record, fate)
        finally:
            if not self.filled:
                self.settle(frozenset())

    def chains_of(self, record: Record) -> tuple[int, list[Chain]]:
        """Return the source of an event, and the chains of ALL and of that source."""
        rule = self.queue.rules[record.event]
        source = 0 if rule is None else rule.source(record.payload)
        key = record.event << 16
        chains = [self.chains.get(key | ALL_SOURCES, ())]
        if source < ALL_SOURCES:  # above that, only ALL hears of it
            chains.append(self.chains.get(key | source, ()))
        return source, chains

    def dispatch(self, record: Record, fate: Fate) -> None:
        """Call the chain of ALL, then that of the event's source."""
        self.lost_total += record.lost
        source, chains = self.chains_of(record)
        for chain in chains:
            self.call_chain(chain, record, source, fate)

    def call_chain(self, chain: Chain, record: Record, source: int, fate: Fate) -> None:
        """Call the members in order until one stops the chain."""
        event_type = self.queue.types[record.event]
        for member in chain:
            if member.callback is None or member.listener is not None:
                continue  # cancelled while we walk; or a channel, which has the event
            lost = member.count_lost(self.lost_total)
            if member.is_batch:
                batch = self.batch_for(member, record.event)
                batch._add(record.payload, record.timestamp, source, lost)
                fate.batches.append(batch)
                continue
            event = event_of(event_type, record.payload, record.timestamp, source, lost)
            result = self.call(member, event)
            if result is NOT_CALLED:
                fate.left |= self.workqueue.stopped
                continue
            fate.called = True
            if result is STOP or result is BAD:
                return

    def batch_for(self, member: Member, event: int) -> Batch[Any]:
        """Return the batch of this look for a member and an event."""
        batches = self.filled.setdefault(member, {})
        if event not in batches:
            batches[event] = batch_of(self.queue.types[event])
        return batches[event]

    # -- channels

    def offer_to_channels(self, record: Record, fate: Fate) -> bool:
        """Offer an event to the channels of its chains before anybody is called. False: it must wait."""
        source, chains = self.chains_of(record)
        for member in (member for chain in chains for member in chain):
            listener = member.listener
            if listener is None or member.callback is None or listener in self.full:
                continue
            fate.called = True
            if listener.offered_at == record.end:
                continue  # by the other chain, or before the event had to wait
            lost = max(0, self.lost_total + record.lost - member.lost_seen)
            event_type, may_wait = self.queue.types[record.event], self.workqueue.base_threads > 0
            if listener.offer(record, event_type, source, lost, may_wait):
                member.lost_seen += lost
            else:
                self.full.append(listener)
        return not self.full

    # -- the end of a look

    def end_look(self) -> bool:
        """Call the batches of the look, and settle its events. False: frozen, not now."""
        if not self.filled:
            return True
        if self.workqueue.frozen and not self.workqueue.stopped:
            delivered = sum(fate.called for fate in self.fates)
            self.queue.keep(delivered, sum(not fate.called and not fate.batches for fate in self.fates))
            return False
        filled, self.filled = self.filled, {}
        called: set[Batch[Any]] = set()
        try:
            for member, batches in filled.items():
                for batch in batches.values():
                    if self.call(member, batch) is not NOT_CALLED:
                        called.add(batch)
        finally:
            self.settle(called)
        return True

    def settle(self, called: "frozenset[Batch[Any]] | set[Batch[Any]]") -> None:
        """Classify the events in hand: once, by whether a call of their own was started."""
        missed = [fate for fate in self.fates if not fate.called and called.isdisjoint(fate.batches)]
        abandoned = sum(fate.left or bool(fate.batches) for fate in missed) if self.workqueue.stopped else 0
        self.queue.settle(len(self.fates) - len(missed), len(missed) - abandoned, abandoned)
        self.fates.clear()

    # -- calls

    def call(self, member: Member, argument: Any) -> Any:
        """Call a member with an event or a batch, unless it was cancelled or we were stopped: NOT_CALLED."""
        callback = self.begin_call(member)
        if callback is None:
            return NOT_CALLED
        began = time.monotonic_ns()
        try:
            return callback(argument)
        except BaseException as error:
            failure = trimmed(error)
        finally:
            member.end_call(time.monotonic_ns() - began)
        self.report(member, failure, argument)
        return None

    def begin_call(self, member: Member) -> Any:
        """Return the callable, which is running from now on, after a thaw if need be; None: not called."""
        while True:
            with self.queue.lock:
                if not self.workqueue.is_halted:
                    return member.begin_call()
            if not self.workqueue.may_go_on():
                return None

    def pass_calls(self) -> None:
        """See every call either running or never begun, after a halt. Any thread."""
        with self.queue.lock:
            pass  # whoever begins a call after this sees the halt

    def report(self, member: Member, error: BaseException, argument: Any) -> None:
        """Count an exception of a callable and tell on_error of it."""
        with self.queue.lock:
            self.queue.callback_errors += 1
        member.subscription._count_error(error)
        tell(self.on_error, error, member.subscription, argument)
