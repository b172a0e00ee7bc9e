"""The compiled queues: Python classes over QueueCore, and real subclasses of the standard library's.

`isinstance(q, queue.Queue)` holds, and what QueueCore lacks (the hooks, `Queue[int]`) is inherited. Exact classes
take the compiled path; a subclass may have hooks, so its instances take the standard library's.
"""

from tocsin.compat import standard
from tocsin.compat.queuecore import ORDERS, PARTS, QueueCore

__all__ = ["LifoQueue", "PriorityQueue", "Queue"]


class Queue(QueueCore, standard.Queue):
    """Be first in, first out."""

    mutex, not_empty, not_full, all_tasks_done, queue = PARTS

    def __init__(self, maxsize=0):
        """Hold at most `maxsize` items; 0 or less: any number."""
        order = EXACT.get(type(self))
        if order is None:
            standard.Queue.__init__(self, maxsize)
        else:
            self.begin(order, maxsize)


class LifoQueue(Queue, standard.LifoQueue):
    """Be last in, first out."""


class PriorityQueue(Queue, standard.PriorityQueue):
    """Give the least item first."""


EXACT = dict(zip((Queue, LifoQueue, PriorityQueue), ORDERS, strict=True))
