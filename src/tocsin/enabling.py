"""Switching sources on and off: who wants which, and one command at the first and at the last of them.

A registered protocol has one `Sources`: for each source of each event how many keys of subscriptions want
it. At the first one set_enabled(event, source, True) is called, at the last one set_enabled(event, source,
False). ALL stands for every source 0..num_sources-1, each counted by itself, so what could not be enabled
is never disabled; where the number of sources is not known ALL is a source of its own, and one command.

set_enabled is user code: it may take long, raise, and call the pipeline. So it is called without any lock,
but in *turns*: a thread takes the turn of the protocol, and nobody else commands this protocol meanwhile.
Who has something to give back (a subscription was cancelled) never waits for the turn: if another thread
has it, or the same one further up its stack, it leaves the work for the end of that turn. Who needs an
answer waits. So a thread may wait while it has the turns of other protocols, and before it does it looks
whether the one that it waits for waits for it: then it raises. All turns of a pipeline share one lock, held
for a few statements.

What fails in between (no memory, an interrupt, a callable that raises) leaves no turn taken, and no source on
that nobody wants. So a grant is among what the turn gives back from its beginning, until somebody keeps it;
it is emptied as its sources go off, and to give it back once more is harmless.

Nothing in here refers to the pipeline, which keeps it, but a closing that is left to a turn.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from tocsin.backend import guard
from tocsin.errors import SourceError
from tocsin.key import ALL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tocsin.protocol import EventType, Protocol
    from tocsin.subscription import Subscription

__all__ = ["Grant", "IsSupported", "SetEnabled", "Sources", "Turns", "ask_support"]

SetEnabled = Callable[["EventType[Any]", int, bool], object]
IsSupported = Callable[["EventType[Any]", int], object]
Tell = Callable[[BaseException, "Subscription"], object]
Collect = Callable[[], Iterable[tuple["Grant", "Subscription"]]]


class Grant:
    """Sources of an event that were switched on for a subscription. In the turn, and who keeps it."""

    def __init__(self, event: EventType[Any]) -> None:
        self.event = event
        self.sources: deque[int] = deque()
        self.is_kept = False  # else it is given back at the end of the turn


class Turns:
    """Know who commands which protocol and who waits for whom. One per pipeline; any thread."""

    def __init__(self) -> None:
        self.waiting: dict[int, Sources] = {}  # by thread
        self.begin_anew()

    def begin_anew(self) -> None:
        """Know of nobody, as in a forked child."""
        lock = threading.RLock()
        self.lock = guard(lock)
        self.changed = threading.Condition(lock)
        self.waiting.clear()

    def would_close_a_ring(self, sources: Sources | None) -> bool:
        """Return whether waiting for the turn of `sources` is to wait for oneself. Under the lock."""
        me = threading.get_ident()
        while sources is not None and sources.owner is not None:
            if sources.owner == me:
                return True
            sources = self.waiting.get(sources.owner)
        return False


class Sources:
    """Count who wants which source of one protocol, and command them on and off."""

    def __init__(
        self,
        turns: Turns,
        num_sources: int | None,
        set_enabled: SetEnabled | None,
        unsupported: frozenset[tuple[int, int]],
    ) -> None:
        self.owner: int | None = None  # the thread whose turn it is; under the lock, as `left`
        self._turns = turns
        self._left: deque[tuple[Grant, Subscription, Tell]] = deque()
        self._left_to_close: tuple[Collect, Tell] | None = None  # under the lock; taken off in the turn
        self._num_sources = num_sources
        self._set_enabled = set_enabled
        self._unsupported = unsupported  # event and source; with ALL: no source of it
        # In the turn.
        self._wanted: dict[tuple[int, int], int] = {}
        self._is_closed = False

    # -- commands

    def enable(
        self,
        event: EventType[Any],
        source: int,
        keep: Callable[[Grant, dict[int, Exception]], bool],
        subscription: Subscription,
        tell: Tell,
    ) -> None:
        """Switch a source on, or ALL, for a subscription; what came of it goes to keep().

        keep(grant, failed) is called in the turn; if it returns False nobody wants the grant any more,
        and it is given back. RuntimeError if the caller would wait for itself. Calls nothing once closed.
        """
        grant = Grant(event)
        back = (grant, subscription, tell)
        self._take_turn(None)
        try:
            with self._turns.lock:
                self._left.append(back)
            if not self._is_closed:
                failed: dict[int, Exception] = {}
                for one in self._covered(source):
                    error = self._want(grant, one)
                    if error is not None:
                        failed[one] = error
                grant.is_kept = keep(grant, failed)
        finally:
            self._end_turn()

    def give_back(self, grants: Iterable[Grant], subscription: Subscription, tell: Tell) -> None:
        """Count a subscription out and switch off what nobody wants any more; never waits for a turn.

        Errors are told. Harmless to repeat.
        """
        me = threading.get_ident()
        with self._turns.lock:
            for grant in grants:
                grant.is_kept = False
                self._left.append((grant, subscription, tell))
            if self.owner is not None or not self._left:
                return
            self.owner = me
        self._end_turn()

    def close(self, collect: Collect, tell: Tell, timeout: float | None, or_leave: bool = False) -> bool:
        """Enable nothing any more, and give back what collect() returns, called in the turn.

        False: the timeout (seconds) ran out before it was our turn. With `or_leave` that is left for the
        end of the turn that is under way. RuntimeError as in enable().
        """
        if not self._take_turn(timeout):
            if not or_leave:
                return False
            with self._turns.lock:
                if self.owner is not None:
                    self._left_to_close = (collect, tell)
                    return False
                self.owner = threading.get_ident()
        try:
            self._close(collect, tell)
        finally:
            self._end_turn()
        return True

    def begin_anew(self) -> None:
        """Count from nothing in a forked child."""
        if not self.is_mine():  # forked inside set_enabled: that goes on
            self.owner = None
        self._left.clear()
        self._left_to_close = None
        self._wanted.clear()

    # -- in the turn

    def _close(self, collect: Collect, tell: Tell) -> None:
        self._is_closed = True
        back = tuple(collect())
        with self._turns.lock:
            for grant, subscription in back:
                grant.is_kept = False
                self._left.append((grant, subscription, tell))

    def _covered(self, source: int) -> Iterable[int]:
        return range(self._num_sources) if source is ALL and self._num_sources is not None else (source,)

    def _want(self, grant: Grant, source: int) -> Exception | None:
        """Count one more who wants a source; at the first switch it on. Return what is against it."""
        event = grant.event
        place = (event.id, source)
        wanted = self._wanted.get(place, 0)
        if wanted == 0:
            if self._num_sources is not None and source >= self._num_sources:
                return SourceError(f"{event!r} has the sources 0..{self._num_sources - 1}, not {source}")
            if not self._unsupported.isdisjoint((place, (event.id, ALL))):
                return SourceError(f"{event!r} is not supported from source {source!r}")
        self._wanted[place] = wanted  # so that, once it is on, there is room to say so
        grant.sources.append(source)
        try:
            if wanted == 0 and self._set_enabled is not None:
                self._set_enabled(event, source, True)
            self._wanted[place] = wanted + 1
        except BaseException as error:
            grant.sources.pop()
            if wanted == 0:
                self._wanted.pop(place, None)
            if isinstance(error, Exception):
                return error
            raise
        return None

    def _leave(self, grant: Grant, subscription: Subscription, tell: Tell) -> None:
        while grant.sources:  # what interrupts leaves the rest in there
            place = (grant.event.id, grant.sources[0])
            self._wanted[place] -= 1
            grant.sources.popleft()
            if self._wanted[place] == 0:
                del self._wanted[place]
                try:
                    if self._set_enabled is not None:
                        self._set_enabled(grant.event, place[1], False)
                except Exception as error:
                    tell(error, subscription)

    # -- turns

    def is_mine(self) -> bool:
        """Return whether the caller is inside set_enabled of this protocol."""
        return self.owner == threading.get_ident()

    def _take_turn(self, timeout: float | None) -> bool:
        me = threading.get_ident()
        until = None if timeout is None else time.monotonic() + timeout
        with self._turns.lock:
            while self.owner is not None:
                if self._turns.would_close_a_ring(self):
                    raise RuntimeError("inside set_enabled of the same protocol this would wait for itself")
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._turns.waiting[me] = self
                try:
                    self._turns.changed.wait(left)
                finally:
                    del self._turns.waiting[me]
            self.owner = me
        return True

    def _end_turn(self) -> None:
        """Give back what is left to us, and let the next one in."""
        try:
            while (left := self._next()) is not None:
                self._leave(*left)
        except BaseException:  # the next turn goes on with it
            self._let_in()
            raise

    def _next(self) -> tuple[Grant, Subscription, Tell] | None:
        """Return what to give back next; with nothing left, let the next one in."""
        while True:
            with self._turns.lock:
                while self._left and (self._left[0][0].is_kept or not self._left[0][0].sources):
                    self._left.popleft()
                if self._left:
                    return self._left[0]
                if self._left_to_close is None:
                    self._let_in()
                    return None
            self._close(*self._left_to_close)
            self._left_to_close = None

    def _let_in(self) -> None:
        with self._turns.lock:
            self.owner = None
            self._turns.changed.notify_all()


def ask_support(
    protocol: Protocol, num_sources: int | None, is_supported: IsSupported | None
) -> frozenset[tuple[int, int]]:
    """Return event and source of all that a protocol does not support; source ALL: no source of the event."""
    if is_supported is None:
        return frozenset()
    sources = (ALL,) if num_sources is None else range(num_sources)
    return frozenset(
        (event.id, source)
        for event in protocol.events
        for source in sources
        if not is_supported(event, source)
    )
