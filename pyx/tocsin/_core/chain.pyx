# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""Notifier chains for Python, called in the caller's own thread.

As in chain.pxd a chain is immutable and swapped whole: here it is a tuple, which the interpreter keeps alive as
long as somebody walks it. So callbacks may register and unregister, themselves too, while the chain is being
called, from any thread; the call goes on through the chain as it was when it began. Nobody takes a lock: whoever
changes a chain makes a new one and swaps it in if the old one is still in place, else begins again. Comparing
callbacks may run Python, which may change the chain, too. Getting hold of the tuple and swapping it are critical
sections, or, on builds without the GIL, it could be freed between the look at it and the reference to it.
"""

cimport cython

from bisect import insort
from enum import IntEnum


class NotifyResult(IntEnum):
    """What a callback may return; any value with bit 0x8000 ends the chain."""

    DONE = 0x0000
    OK = 0x0001
    STOP = 0x8001
    BAD = 0x8002


DONE = NotifyResult.DONE
OK = NotifyResult.OK
STOP = NotifyResult.STOP
BAD = NotifyResult.BAD


cdef class NotifierChain:
    """Call callbacks in order of priority, higher first, then in order of registration.

    A callback gets (value, data) and returns None or an int: a value with bit 0x8000 in it (STOP,
    BAD) ends the chain. It may register and unregister, itself too: that takes effect with the next
    call. Any thread. After the kernel's notifier chains.
    """

    cdef tuple chain          # of (callback, priority)

    def __cinit__(self):
        self.chain = ()

    cdef tuple look(self):
        with cython.critical_section(self):
            return self.chain

    cdef bint swap(self, tuple known, tuple chain):
        """Put another chain in the place of a known one; False: it is not in place any more."""
        with cython.critical_section(self):
            if self.chain is not known:
                return False
            self.chain = chain       # frees nothing in here: the caller has the old one
        return True

    def register(self, callback: object, priority: int = 0) -> None:
        """Add a callback; ValueError if it is registered already, TypeError if it can't be called."""
        if not callable(callback):
            raise TypeError(f"a callback must be callable, not {callback!r}")
        entry = (callback, int(priority))
        swapped = False
        while not swapped:
            known = self.look()
            if any(other == callback for other, _ in known):
                raise ValueError(f"{callback!r} is registered already")
            chain = list(known)
            insort(chain, entry, key=_order)
            swapped = self.swap(known, tuple(chain))

    def unregister(self, callback: object) -> None:
        """Remove a callback; ValueError if it is not registered."""
        swapped = False
        while not swapped:
            known = self.look()
            chain = tuple([entry for entry in known if entry[0] != callback])
            if len(chain) == len(known):
                raise ValueError(f"{callback!r} is not registered")
            swapped = self.swap(known, chain)

    def call(self, value: object, data: object = None) -> int:
        """Call the callbacks with (value, data) until one ends the chain.

        Returns what the last one called returned, None as DONE; DONE for an empty chain. An exception
        passes through and ends the chain.
        """
        result = DONE
        for callback, _ in self.look():
            result = callback(value, data)
            if result is None:
                result = DONE
            elif result & 0x8000:
                break
        return result

    def __len__(self) -> int:
        return len(self.look())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.look())} callbacks>"


def _order(entry):
    return -entry[1]
