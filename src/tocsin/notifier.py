"""The notifier chain, usable alone: callbacks called in order, in the caller's thread."""

from tocsin import backend
from tocsin.backend import BAD, DONE, OK, STOP, NotifyResult

__all__ = ["BAD", "DONE", "OK", "STOP", "NotifierChain", "NotifyResult"]


class NotifierChain(backend.NotifierChain):
    """Call callbacks in order of priority, higher first, then in order of registration.

    A callback gets (value, data) and returns None or an int; a value with bit 0x8000 in it (STOP, BAD)
    ends the chain. It may register and unregister, itself too: that takes effect with the next call.
    Any thread.
    """
