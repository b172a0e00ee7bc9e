"""What callables get: Event, or Batch with ``batch=True``. Both are the backend's own classes."""

from tocsin.backend import Batch, Event

__all__ = ["Batch", "Event"]
