"""queue.SimpleQueue and a consumer thread, against notify() and a subscriber, in one interleaved run.

The job: an event gets a time, a key and a payload; on the other side its key is looked up and its handler
called. The whole job by hand puts tuples (protocol, event, payload, time) in the queue. The bare queue gets
the same tuples, but its consumer neither takes them apart nor looks anything up: less than the job.
All three end at the last call of the same handler, which only counts.
"""

import threading
from itertools import repeat
from queue import SimpleQueue
from time import perf_counter_ns

from benchmarks.end_to_end import PYTHON_TO_PYTHON, N, many_to_batch, many_to_python, python_to_python
from benchmarks.harness import Round, Topic
from benchmarks.worlds import BENCH, PATIENCE, PAYLOAD, arrivals

topic = Topic("compare", "against SimpleQueue, ns per event")

JOB = "SimpleQueue, the whole job"
BARE = "SimpleQueue, bare"
MANY_TO_PYTHON = "notify_many(1000) -> callable"
MANY_TO_BATCH = "notify_many(1000) -> batch"


def do_job(queue, handler):
    """Look up the handler of each item's key and call it, until None comes."""
    handlers = {(BENCH.id, 0): handler}
    get = queue.get
    while (item := get()) is not None:
        protocol, event, _payload, _time = item
        handlers[protocol, event](item)


def do_nothing_more(queue, handler):
    get = queue.get
    while (item := get()) is not None:
        handler(item)


def simple_queue(consume):
    def world(n):
        queue = SimpleQueue()
        handler, wait = arrivals(n)
        consumer = threading.Thread(target=consume, args=(queue, handler))
        consumer.start()

        def run():
            put, clock, protocol, event, payload = queue.put, perf_counter_ns, BENCH.id, 0, PAYLOAD
            began = perf_counter_ns()
            for _ in repeat(None, n):
                put((protocol, event, payload, clock()))
            return wait(began)

        try:
            yield Round(run)
        finally:
            queue.put(None)
            consumer.join(PATIENCE)

    return world


topic.add(PYTHON_TO_PYTHON, N, python_to_python)
topic.case(JOB, N, peer=True)(simple_queue(do_job))
topic.case(BARE, N, peer=True)(simple_queue(do_nothing_more))
topic.add(MANY_TO_PYTHON, N, many_to_python)
topic.add(MANY_TO_BATCH, N, many_to_batch)

topic.ratio(JOB, PYTHON_TO_PYTHON)
topic.ratio(BARE, PYTHON_TO_PYTHON)
topic.ratio(JOB, MANY_TO_PYTHON)
topic.ratio(JOB, MANY_TO_BATCH)


if __name__ == "__main__":
    topic.main()
