"""What `import queue` gives, without a lock: `from tocsin.compat import queue`.

Queue, LifoQueue and PriorityQueue have everything that the standard library's have, shutdown() also before
Python 3.13, and are subclasses of them. Any thread, any destructor, any signal handler may use them. Exact
instances are compiled (`q.is_compiled`) until somebody touches `mutex`, `queue` or a condition; then, as always in
subclasses, every method is the standard library's. SimpleQueue is the standard library's own, which is compiled
already; so are Empty, Full and ShutDown.

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
