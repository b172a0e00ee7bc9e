"""Placeholder: the one name that protocol.py needs of the core, until the core is built."""


class EventCode:
    """Hold the event's code, protocol << 24 | event << 16, or -1 while it is unbound."""

    code: int = -1
