"""What happens to an exception of a callback or a source: it becomes a Failure, and on_error gets it.

Called on the thread where it was raised, right after that; whatever on_error raises goes to
sys.unraisablehook. The default writes to the logger "tocsin", at most once a second per subscription, and
says how many were left out.
"""

from __future__ import annotations

import threading
import time
import weakref

from tocsin.backend import guard
from tocsin.namedtuples import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tocsin.event import Batch, Event
    from tocsin.subscription import Subscription

__all__ = ["ErrorReporter", "Failure", "log_failure"]

LOG_INTERVAL = 1.0  # seconds between two log records of one subscription


class Failure(NamedTuple):
    """Tell of a callback that raised, or of a source that could not be switched for a subscription.

    event is what the callback was called with, an Event or a Batch. None if there was no memory for
    one, and if no callback raised: then exception is what set_enabled raised when a source was switched
    off, or the SourceError or UnknownEventError of a subscription whose protocol was registered later.
    """

    exception: BaseException
    subscription: Subscription
    event: Event[Any] | Batch[Any] | None


def log_failure(failure: Failure, left_out: int = 0) -> None:
    """Write a failure to the logger "tocsin" with its traceback."""
    import logging  # slow to import, and mostly not needed

    more = f" ({left_out} more since the last report)" if left_out else ""
    what = "failed" if failure.event is None else f"raised on {failure.event!r}"
    logging.getLogger("tocsin").error("%r %s%s", failure.subscription, what, more, exc_info=failure.exception)


class ErrorReporter:
    """Give failures to on_error, or to the log, not too often. One per pipeline; any thread."""

    def __init__(self, on_error: Callable[[Failure], object] | None) -> None:
        if on_error is not None and not callable(on_error):
            raise TypeError(f"on_error must be a function of a Failure, not {on_error!r}")
        self._on_error = on_error
        self._lock = guard(threading.RLock())
        self._logged: weakref.WeakKeyDictionary[Any, tuple[float, int]] = weakref.WeakKeyDictionary()

    def begin_anew(self) -> None:
        """Be of use in a forked child, whose parent may have been reporting."""
        self._lock = guard(threading.RLock())

    def __call__(self, error: BaseException, subscription: Any, event: Any) -> None:
        """Report one failure. The thread where it was raised."""
        failure = Failure(error, subscription, event)
        if self._on_error is not None:
            self._on_error(failure)
            return
        now = time.monotonic()
        with self._lock:  # callbacks of one subscription may raise in several protocols at once
            last, left_out = self._logged.get(subscription, (now - LOG_INTERVAL, 0))
            is_due = now - last >= LOG_INTERVAL
            self._logged[subscription] = (now, 0) if is_due else (last, left_out + 1)
        if is_due:
            log_failure(failure, left_out)
