"""Every exception of the package, and nothing else.

The compiled core raises these too and imports them from here, so this module imports nothing of
tocsin. Each error is a TocsinError and also the built-in error that a caller who never heard of
tocsin would expect.
"""

__all__ = [
    "ClosedError",
    "ExclusiveError",
    "PayloadError",
    "SourceError",
    "TocsinError",
    "UnknownEventError",
]


class TocsinError(Exception):
    """The base of every error that tocsin raises on its own account."""


class UnknownEventError(TocsinError, LookupError):
    """No registered protocol has this event."""


class PayloadError(TocsinError, ValueError):
    """A payload has a size, a count, a source or a value that its event cannot have."""


class ClosedError(TocsinError, RuntimeError):
    """The pipeline, channel or producer is closed."""


class ExclusiveError(TocsinError, RuntimeError):
    """The protocol belongs to an exclusive producer."""


class SourceError(TocsinError, RuntimeError):
    """No source of the event could be enabled."""
