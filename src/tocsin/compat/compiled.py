"""The compiled queues: Python classes over QueueCore, and real subclasses of the standard library's.

`isinstance(q, queue.Queue)` holds, and what QueueCore lacks (the hooks, `Queue[int]`) is inherited. A
subclass is compiled too unless it has hooks of its own, which is looked at once, when the class is made.
"""

from typing import Any

from tocsin.compat import standard
from tocsin.compat.queuecore import ORDERS, PARTS, QueueCore

__all__ = ["LifoQueue", "PriorityQueue", "Queue"]

FIFO, LIFO, LEAST_FIRST = ORDERS
HOOKS = ("_init", "_qsize", "_put", "_get")


class Queue(QueueCore, standard.Queue[Any]):
    """Be first in, first out."""

    mutex, not_empty, not_full, all_tasks_done, queue = PARTS
    _order: int | None = FIFO

    def __init__(self, maxsize: int = 0) -> None:
        """Hold at most `maxsize` items; 0 or less: any number."""
        if self._order is None:
            standard.Queue.__init__(self, maxsize)
        else:
            self.begin(self._order, maxsize)

    def __init_subclass__(cls, **named: Any) -> None:
        """See whether the subclass has hooks."""
        super().__init_subclass__(**named)
        base = next(base for base in cls.__mro__[1:] if base.__module__ == __name__)
        if "_order" not in vars(cls) and any(getattr(cls, hook) is not getattr(base, hook) for hook in HOOKS):
            cls._order = None


class LifoQueue(Queue, standard.LifoQueue[Any]):
    """Be last in, first out."""

    _order = LIFO


class PriorityQueue(Queue, standard.PriorityQueue[Any]):
    """Give the least item first."""

    _order = LEAST_FIRST
