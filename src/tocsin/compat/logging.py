"""What logging.handlers has for a queue: `from tocsin.compat.logging import QueueHandler, QueueListener`.

Both are real subclasses of the standard library's, so that dictConfig takes them. A handler (loghandler.py)
makes a record fit to travel and puts it into its queue, on the thread that logs; a listener
(loglistener.py) takes records out on a thread of its own and gives them to its handlers. What the two have
to know of each other, at a fork and at the end of the interpreter, stands in logends.py.

The queue is bounded, unless somebody asks for one that is not; what doesn't fit is dropped as `overflow`
says, counted, and told of in the log itself, at most once a second. `offered`, of the handlers of a queue
together, is what they `dropped`, what its listener `delivered`, and what is `pending`.
"""

from tocsin.compat.loghandler import QueueHandler
from tocsin.compat.loglistener import QueueListener
from tocsin.compat.logstats import HandlerStats, ListenerStats

__all__ = ["HandlerStats", "ListenerStats", "QueueHandler", "QueueListener"]
