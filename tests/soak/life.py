"""One life of a pipeline: it opens, many threads do all that the interface allows, it closes, and its books
are compared with what everybody noted for himself.

A life has four protocols. Each of the first three has a writer in Python of its own, who numbers what was
accepted and counts what was not; the fourth has native writers. A witness with the highest priority hears
everything there is of each: so to the event

    accepted by the writers == accepted in the books == delivered + abandoned == heard + abandoned
    refused by the writers  == refused in the books  == told as lost in the headers
    numbers heard of a writer: from 0 on, one after the other

and whoever comes and goes meanwhile must not change that: subscribers that raise, stop and are slow; channels
of each overflow, whose own books balance; sources switched on and off, in turns, and all off at the end;
freezes, flushes; one protocol unregistered and registered again and again. Some lives end in the middle of
everything.
"""

import ctypes
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import tocsin
from probe import BENCH, Bench, Probe, Witness

PROTOCOLS = [Bench(0x71, "one"), Bench(0x72, "two"), Bench(0x73, "goes")]
GOES = PROTOCOLS[2]
OVERFLOWS = ["drop_newest", "drop_oldest", "latest", "block"]
PATIENCE = 60.0
SHORT = 0.002  # seconds: of a freeze, a slow call, a wait for room

Forget = Callable[[], bool]


class Writer:
    """Notify one protocol, one number after the other, and count what came of it."""

    def __init__(self, pipeline: Any, protocol: Any, dice: random.Random, forgets: Forget) -> None:
        self.pipeline, self.event, self.dice, self.forgets = pipeline, protocol.pair, dice, forgets
        self.accepted = self.refused = self.unknown = 0

    def once(self) -> None:
        n = self.dice.choice([1, 1, 1, 64, 1000])
        payloads = [self.payload(self.accepted + i) for i in range(n)]
        timeout = self.dice.choice([0, 0, 0, SHORT])
        try:
            if n == 1:
                taken = int(self.forgets() or self.pipeline.notify(self.event, payloads[0], timeout=timeout))
            else:
                taken = self.pipeline.notify_many(self.event, b"".join(payloads), timeout=timeout)
        except tocsin.UnknownEventError:  # between two registrations
            self.unknown += n
            return
        self.accepted += taken
        self.refused += n - taken

    def payload(self, number: int) -> bytes:
        return self.dice.choice((0, 1, 2, 0xFFFE)).to_bytes(4, "little") + (number & 0xFFFF_FFFF).to_bytes(
            4, "little"
        )


class Ear:
    """Hear every event of a protocol: how many, how many lost, and whether the numbers follow each other."""

    def __init__(self) -> None:
        self.heard = self.lost = self.misplaced = 0

    def __call__(self, event: Any) -> None:
        self.misplaced += event.report.number != self.heard & 0xFFFF_FFFF
        self.heard += 1
        self.lost += event.lost


class Life:
    """A pipeline and everybody around it."""

    def __init__(self, seed: int, probe: Probe, planted: bool = False) -> None:
        self.dice = random.Random(seed)
        self.probe, self.planted = probe, planted
        self.wrong: list[str] = []
        self.failures = 0
        self.is_over = False
        self.switched: dict[tuple[int, int], bool] = {}
        self.native_written = 0
        self.native_heard = Witness()
        workers = self.dice.choice([None, None, 1, 4])
        self.pipeline: Any = tocsin.Pipeline(workers=workers, on_error=self.note_failure, name=f"soak-{seed}")
        self.sizes = {
            protocol.id: self.dice.choice([4096, 1 << 16, 1 << 20]) for protocol in [*PROTOCOLS, BENCH]
        }
        for protocol in [*PROTOCOLS, BENCH]:
            self.register(protocol)
        self.ears = {protocol.id: Ear() for protocol in PROTOCOLS}
        for protocol in PROTOCOLS:
            self.pipeline.subscribe(protocol.pair, self.ears[protocol.id], priority=100)
        self.pipeline.subscribe_native(
            BENCH.pair, probe.witness, ctypes.addressof(self.native_heard), priority=100
        )
        self.writers = [
            Writer(self.pipeline, protocol, self.fresh_dice(), self.forgets) for protocol in PROTOCOLS
        ]

    def fresh_dice(self) -> random.Random:
        return random.Random(self.dice.getrandbits(32))

    def register(self, protocol: Any) -> None:
        self.pipeline.register(protocol, queue_size=self.sizes[protocol.id], set_enabled=self.switch)

    def forgets(self) -> bool:
        """Return True for an event that is said to be accepted and is not: the planted loss."""
        return self.planted and self.dice.random() < 0.01

    def note_failure(self, failure: Any) -> None:
        self.failures += 1

    def switch(self, event: Any, source: int, on: bool) -> None:
        key = event.protocol.id, int(event.key(source))
        if self.switched.get(key, False) == on:
            self.wrong.append(f"{event!r}, source {source}: switched {on} twice")
        self.switched[key] = on

    # -- what goes on ------------------------------------------------------------------------------

    def live(self, seconds: float, interrupted: threading.Event) -> None:
        """Have everybody at work for a time, or until somebody interrupts; then close and reckon."""
        deeds = [writer.once for writer in self.writers]
        deeds += [self.native, *[self.come_and_go] * 2, self.channel, self.freeze, self.flush, self.goes]
        threads = [
            threading.Thread(target=self.repeat, args=(deed, self.fresh_dice()), daemon=True)
            for deed in deeds
        ]
        is_abrupt = self.dice.random() < 0.25
        for thread in threads:
            thread.start()
        interrupted.wait(seconds)
        self.is_over = True
        if is_abrupt:
            self.pipeline.close(timeout=0)
        for thread in threads:
            thread.join(PATIENCE)
            if thread.is_alive():
                self.wrong.append(f"{thread.name} hangs")
        self.pipeline.thaw()
        if not is_abrupt:
            self.tell_the_rest()
        self.pipeline.close(timeout=PATIENCE)
        self.await_the_last_call()
        self.reckon(is_abrupt)

    def repeat(self, deed: Callable[..., None], dice: random.Random) -> None:
        takes_dice = deed not in [writer.once for writer in self.writers]
        try:
            while not self.is_over:
                deed(dice) if takes_dice else deed()
        except tocsin.ClosedError:
            if not self.is_over:
                self.wrong.append("closed before the end")
        except BaseException as error:
            self.wrong.append(f"{deed.__name__}: {error!r}")

    def native(self, dice: random.Random) -> None:
        """Let native threads write; those of an exclusive producer have the protocol for themselves."""
        is_exclusive = dice.random() < 0.3
        writers, count = 1 if is_exclusive else 3, 2000
        with self.pipeline.producer(BENCH, exclusive=is_exclusive) as producer:
            if self.probe.write(producer.address, writers, count) == 0:
                self.native_written += writers * count
            elif not self.is_over:
                self.wrong.append("a native writer was refused")

    def come_and_go(self, dice: random.Random) -> None:
        """Subscribe, hear a while, cancel."""
        subscriptions = []
        for _ in range(dice.randint(1, 5)):
            event = dice.choice([*PROTOCOLS, BENCH]).pair
            is_batch = dice.random() < 0.3
            callback = partial(dice.choice(DEEDS))  # an object of its own: none is subscribed twice
            source = dice.choice([tocsin.ALL, tocsin.ALL, 0, 2])
            subscriptions.append(
                self.pipeline.subscribe(
                    event, callback, source=source, priority=dice.randint(-9, 9), batch=is_batch
                )
            )
        time.sleep(dice.random() * 0.01)
        for subscription in subscriptions:
            subscription.cancel(wait=dice.random() < 0.8, timeout=PATIENCE)
            if subscription.state != "cancelled":
                self.wrong.append(f"cancelled, and {subscription.state}")

    def channel(self, dice: random.Random) -> None:
        """Read from a channel for a while; its books."""
        overflow = dice.choice(OVERFLOWS)
        keys = [protocol.pair for protocol in dice.sample([*PROTOCOLS, BENCH], dice.randint(1, 3))]
        options = {"timeout": SHORT} if overflow == "block" else {}
        taken = 0
        channel = self.pipeline.channel(
            keys, capacity=dice.choice([1, 100, 5000]), overflow=overflow, **options
        )
        for _ in range(dice.randint(1, 20)):
            try:
                taken += len(channel.get_batch(dice.choice([1, 50, 4096]), timeout=SHORT))
            except TimeoutError:
                continue
        channel.close()
        books = channel.stats()
        if books.offered != books.delivered + books.dropped + books.conflated + books.pending:
            self.wrong.append(f"a channel that {overflow}: {books}")
        if books.delivered != taken:
            self.wrong.append(f"a channel that {overflow}: {taken} taken, {books}")

    def freeze(self, dice: random.Random) -> None:
        time.sleep(dice.random() * 0.05)
        self.pipeline.freeze()
        time.sleep(dice.random() * SHORT)
        self.pipeline.thaw()

    def flush(self, dice: random.Random) -> None:
        self.pipeline.flush(dice.choice([0, SHORT, 0.05]))
        time.sleep(dice.random() * 0.01)

    def goes(self, dice: random.Random) -> None:
        """Unregister a protocol; all that it accepted was heard by then. And register it again."""
        time.sleep(dice.random() * 0.2)
        while not self.pipeline.unregister(GOES, timeout=SHORT):
            pass
        self.register(GOES)

    # -- the end -----------------------------------------------------------------------------------

    def tell_the_rest(self) -> None:
        """Notify once more, with time to wait: the header tells of all that was refused before."""
        for writer in self.writers:
            taken = self.pipeline.notify(writer.event, writer.payload(writer.accepted), timeout=PATIENCE)
            writer.accepted += taken
            writer.refused += not taken

    def await_the_last_call(self) -> None:
        """Wait until the workers are gone: where time ran out, an event is pending while its call runs."""
        over = time.monotonic() + PATIENCE
        while self.pipeline.stats().workers:
            if time.monotonic() > over:
                self.wrong.append("a worker hangs")
                return
            time.sleep(SHORT)

    def reckon(self, is_abrupt: bool) -> None:
        """Compare what everybody noted with the books."""
        stats = self.pipeline.stats()
        for writer, protocol in zip(self.writers, PROTOCOLS, strict=True):
            ear = self.ears[protocol.id]
            if ear.misplaced:
                self.wrong.append(f"{protocol.name}: {ear.misplaced} events out of order")
            if protocol is GOES and protocol.id not in stats.protocols:  # closed before it came again
                if ear.heard != writer.accepted:
                    self.wrong.append(f"{protocol.name}: gone, heard {ear.heard} of {writer.accepted}")
                continue
            books = stats.protocols[protocol.id]
            # The end may come in the middle of a chain, when a channel alone has the event: these come first.
            heard = ear.heard + (is_abrupt and books.delivered == ear.heard + 1)
            accounts = {"heard": (heard + books.abandoned + books.unclaimed, writer.accepted)}
            if books.unclaimed:
                self.wrong.append(f"{protocol.name}: unclaimed, and there is always somebody: {books}")
            if protocol is not GOES:  # whose books began anew with each registration
                accounts["accepted"] = (books.accepted, writer.accepted)
                accounts["refused"] = (books.refused, writer.refused)
                accounts["delivered"] = (books.delivered, heard)
                if not is_abrupt:
                    accounts["lost"] = (ear.lost, writer.refused)
            self.balance(protocol.name, books, accounts)
        books = stats.protocols[BENCH.id]
        heard, accounts = self.native_heard.native_calls, {}
        if not is_abrupt:
            accounts = {
                "delivered": (books.delivered, heard),
                "accepted": (books.accepted, self.native_written),
            }
        elif not books.delivered - 1 <= heard <= books.accepted:  # Python's stage had not passed all of them
            self.wrong.append(f"{BENCH.name}: {heard} heard: {books}")
        self.balance(BENCH.name, books, accounts)
        if on := [key for key, is_on in self.switched.items() if is_on]:
            self.wrong.append(f"still switched on: {on}")

    def balance(self, name: str, books: Any, accounts: dict[str, tuple[int, int]]) -> None:
        known = books.delivered + books.unclaimed + books.abandoned + books.pending
        for word, (one, other) in {**accounts, "known": (known, books.accepted)}.items():
            if one != other:
                self.wrong.append(f"{name}: {word} {one}, not {other}: {books}")

    @property
    def accepted(self) -> int:
        return sum(writer.accepted for writer in self.writers) + self.native_written

    @property
    def refused(self) -> int:
        return sum(writer.refused for writer in self.writers)


def nothing(argument: Any) -> None:
    pass


def fail(argument: Any) -> None:
    raise ValueError("on purpose")


def stop(argument: Any) -> Any:
    return tocsin.STOP


def dawdle(argument: Any) -> None:
    if random.random() < 0.001:
        time.sleep(SHORT)


DEEDS: list[Callable[[Any], Any]] = [nothing, nothing, dawdle, fail, stop]
