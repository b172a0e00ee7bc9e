"""Notifier chains, called in the caller's own thread.

A chain is a tuple, never changed and swapped whole; the interpreter keeps it alive as long as somebody
walks it. So callbacks may register and unregister, themselves too, while the chain is being called, from
any thread; the call goes on through the chain as it was when it began. Whoever changes a chain makes a new
one and swaps it in if the old one is still in place, else begins again: comparing callbacks may run code,
which may change the chain, too. So the lock is held for the swap alone; calls take none and may overlap.
"""

from bisect import insort
from collections.abc import Callable
from enum import IntEnum
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from typing import Self

__all__ = ["BAD", "DONE", "OK", "STOP", "NotifierChain", "NotifyResult"]


class NotifyResult(IntEnum):
    """What a callback may return; any value with bit 0x8000 ends the chain."""

    DONE = 0x0000
    OK = 0x0001
    STOP = 0x8001
    BAD = 0x8002


DONE: Final = NotifyResult.DONE
OK: Final = NotifyResult.OK
STOP: Final = NotifyResult.STOP
BAD: Final = NotifyResult.BAD

ENDS = 0x8000


class NotifierChain:
    """Call callbacks in order of priority, higher first, then in order of registration.

    A callback gets (value, data) and returns None or an int: a value with bit 0x8000 in it (STOP,
    BAD) ends the chain. It may register and unregister, itself too: that takes effect with the next
    call. Any thread. After the kernel's notifier chains.
    """

    _chain: tuple[tuple[Callable[[Any, Any], int | None], int], ...]
    _swapping: Any  # a threading.RLock

    def __new__(cls, *args: Any, **kwargs: Any) -> "Self":
        """Begin empty; a subclass may have an __init__ that doesn't call ours."""
        self = super().__new__(cls)
        self._chain = ()
        self._swapping = RLock()
        return self

    def _swap(self, known: tuple[Any, ...], chain: tuple[Any, ...]) -> bool:
        """Put another chain in the place of a known one; False: it is not in place any more."""
        with self._swapping:
            if self._chain is not known:
                return False
            self._chain = chain  # frees nothing in here: the caller has the old one
        return True

    def register(self, callback: Callable[[Any, Any], int | None], priority: int = 0) -> None:
        """Add a callback; ValueError if it is registered already, TypeError if it can't be called."""
        if not callable(callback):
            raise TypeError(f"a callback must be callable, not {callback!r}")
        entry = (callback, int(priority))
        swapped = False
        while not swapped:
            known = self._chain
            if any(other == callback for other, _ in known):
                raise ValueError(f"{callback!r} is registered already")
            chain = list(known)
            insort(chain, entry, key=lambda entry: -entry[1])
            swapped = self._swap(known, tuple(chain))

    def unregister(self, callback: Callable[[Any, Any], int | None]) -> None:
        """Remove a callback; ValueError if it is not registered."""
        swapped = False
        while not swapped:
            known = self._chain
            chain = tuple(entry for entry in known if entry[0] != callback)
            if len(chain) == len(known):
                raise ValueError(f"{callback!r} is not registered")
            swapped = self._swap(known, chain)

    def call(self, value: object, data: object = None) -> int:
        """Call the callbacks with (value, data) until one ends the chain.

        Returns what the last one called returned, None as DONE; DONE for an empty chain. An exception
        passes through and ends the chain.
        """
        result: int = DONE
        for callback, _ in self._chain:
            returned = callback(value, data)
            result = DONE if returned is None else returned
            if result & ENDS:
                break
        return result

    def __len__(self) -> int:
        return len(self._chain)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} callbacks>"
