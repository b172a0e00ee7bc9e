"""What `import queue` gives, without a lock: `from tocsin.compat import queue`.

Queue, LifoQueue and PriorityQueue have everything that the standard library's have, shutdown() also before
Python 3.13, and are subclasses of them. Any thread, any destructor, any signal handler may use them. A queue
is compiled (`q.is_compiled`) until somebody touches `mutex`, `queue` or a condition; then, as always where a
subclass has hooks (_init, _put, _get, _qsize), every method is the standard library's. SimpleQueue, Empty and
Full are the standard library's own, and ShutDown where it has one.

On the backend in plain Python all of them are the standard library's.
"""

from queue import SimpleQueue
from typing import TYPE_CHECKING

from tocsin import backend
from tocsin.compat.standard import Empty, Full, ShutDown

if TYPE_CHECKING or backend.name == "python":
    from tocsin.compat.standard import LifoQueue, PriorityQueue, Queue
else:
    from tocsin.compat.compiled import LifoQueue, PriorityQueue, Queue

__all__ = ["Empty", "Full", "LifoQueue", "PriorityQueue", "Queue", "ShutDown", "SimpleQueue"]
