"""User code may call anything from anywhere: a result or a clear error, never a wait for itself."""

import pytest
from tests.endings.quick import quick

from helpers import assert_ends_well

PRELUDE = """
import ctypes, faulthandler, gc, inspect, sys, threading, time
from helpers import MOTOR, PUMP
import tocsin, tocsin.backend
faulthandler.dump_traceback_later(50, exit=True)        # whoever waits for ever says where

CLEAR = (tocsin.TocsinError, RuntimeError, ValueError, TimeoutError, NotImplementedError)
QUEUE = tocsin.WorkQueue("asked")
WORK = tocsin.Work(lambda: None)
kept = []                                                    # an event and a batch
with tocsin.Pipeline(workers=0) as pipeline:
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.tick, lambda event: kept.append(event))
    pipeline.subscribe(MOTOR.tick, lambda batch: kept.append(batch), batch=True)
    pipeline.notify(MOTOR.tick, (1,))

def attributes(of):
    return {name: lambda name=name: getattr(of, name) for name in dir(of) if not name.startswith("_")}

def or_says_why(read):
    \"\"\"What only events with a repeated part have, and what takes a package that may be missing.\"\"\"
    try:
        return read()
    except (TypeError, ImportError) as error:
        assert "repeated" in str(error) or "numpy" in str(error), error

def methods(pipeline, subscription, channel, producer):
    \"\"\"Every public method, in a form that may be called at any time.\"\"\"
    yield from {
        "Pipeline": {
            "notify": lambda: pipeline.notify(PUMP.tick, (1,)),
            "notify_many": lambda: pipeline.notify_many(PUMP.tick, bytes(16)),
            "subscribe": lambda: pipeline.subscribe(PUMP.tick, lambda event: None),
            "subscribe_native": lambda: pipeline.subscribe_native(PUMP.tick, FUNCTION),
            "channel": lambda: pipeline.channel(PUMP.tick),
            "producer": lambda: pipeline.producer(PUMP),
            "register": lambda: pipeline.register(MORE),
            "unregister": lambda: pipeline.unregister(PUMP, timeout=0.05),
            "flush": lambda: pipeline.flush(0.05),
            "freeze": pipeline.freeze,
            "thaw": pipeline.thaw,
            "now": pipeline.now,
            "stats": pipeline.stats,
            "kick": lambda: pipeline.kick,
            "protocols": lambda: pipeline.protocols,
            "subscriptions": lambda: pipeline.subscriptions,
            "lingering": lambda: pipeline.lingering,
            "close": lambda: pipeline.close(0.05),
        },
        "Subscription": {
            "stats": subscription.stats,
            "state": lambda: subscription.state,
            "event": lambda: subscription.event,
            "source": lambda: subscription.source,
            "failed_sources": lambda: subscription.failed_sources,
            "callback": lambda: subscription.callback,
            "cancel": lambda: subscription.cancel(timeout=0.05),
        },
        "Channel": {
            "get": lambda: channel.get(0.01),
            "get_batch": lambda: channel.get_batch(timeout=0.01),
            "batches": lambda: next(iter([channel.batches()])),
            "stats": channel.stats,
            "closed": lambda: channel.closed,
            "close": channel.close,
        },
        "Producer": {
            "notify": lambda: producer.notify(1, (1,)),
            "exclusive": lambda: producer.exclusive,
            "closed": lambda: producer.closed,
            "address": lambda: producer.address,
            "function": lambda: producer.function,
            "capsule": lambda: producer.capsule,
            "close": lambda: producer.close(0.05),
        },
        "Event": attributes(kept[0]),
        "Batch": {
            **{name: lambda read=read: or_says_why(read) for name, read in attributes(kept[1]).items()},
            "payload": lambda: kept[1].payload(0),
        },
        "Work": {
            **attributes(WORK),
            "cancel": WORK.cancel,
            "flush": lambda: WORK.flush(0.05),
            "cancel_sync": lambda: WORK.cancel_sync(0.05),
        },
        "WorkQueue": {
            "queue": lambda: QUEUE.queue(WORK),
            "queue_delayed": lambda: QUEUE.queue_delayed(WORK, 0.01),
            "modify_delayed": lambda: QUEUE.modify_delayed(WORK, 0.01),
            "freeze": QUEUE.freeze,
            "frozen": lambda: QUEUE.frozen,
            "thaw": QUEUE.thaw,
            "flush": lambda: QUEUE.flush(0.5),
            "drain": lambda: QUEUE.drain(0.5),
            "close": lambda: QUEUE.close(0.5),
        },
    }.items()

MORE = tocsin.Protocol(0x99, "more", {"tick": tocsin.EventType(0)})
FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(lambda context, event: 0)
answers = {}

def try_all(pipeline, subscription, channel, producer, only=None):
    for kind, its in methods(pipeline, subscription, channel, producer):
        its_class = getattr(tocsin, kind)
        public = {name for name in dir(its_class) if not name.startswith("_")}
        public = {name for name in public if not inspect.iscoroutinefunction(getattr(its_class, name))}
        assert public <= set(its), (kind, public - set(its))       # a new method is asked too
        for name, method in its.items():
            try:
                method()
                answers[f"{kind}.{name}"] = "ok"
            except CLEAR as error:
                assert str(error)
                answers[f"{kind}.{name}"] = type(error).__name__

once = threading.Lock()
done = threading.Event()
failures = []

def hook(*ignored):
    \"\"\"The user code: calls everything, the first time that it is called once all is there.\"\"\"
    if "targets" in globals() and once.acquire(blocking=False):
        try:
            try_all(*targets)
        except BaseException as failure:
            failures.append(failure)
        done.set()

def opened(**options):
    pipeline = tocsin.Pipeline(on_error=options.pop("on_error", None), exit_timeout=0.2)
    pipeline.register(MOTOR, **options)
    pipeline.register(PUMP)
    others = pipeline.subscribe(PUMP.tick, print), pipeline.channel(PUMP.limit), pipeline.producer(PUMP)
    others[0].cancel()
    return pipeline, pipeline.subscribe(PUMP.limit, lambda event: None), *others[1:]

def refused(*names):
    until = time.monotonic() + 30
    while not done.is_set() and time.monotonic() < until:
        time.sleep(0.001)                                   # the main thread may be asked itself
    assert done.is_set() and not failures, failures
    for name in names:
        assert answers[name] == "RuntimeError", (name, answers)
    QUEUE.close(20)
    targets[0].thaw() if answers["Pipeline.close"] != "ok" else None
    targets[0].close(5)
    books = targets[0].stats().protocols
    for book in books.values():
        assert book.accepted == book.delivered + book.unclaimed + book.abandoned + book.pending, book
    print("done", end="")

WAITS = ["Pipeline.flush", "Pipeline.close", "Pipeline.unregister"]
WAITS_FOR_WORKS = ["WorkQueue.flush", "WorkQueue.drain", "WorkQueue.close"]
"""

HOOKS = {
    "callback": """
targets = opened()
targets[0].subscribe(MOTOR.tick, hook)
targets[0].notify(MOTOR.tick, (1,))
refused(*WAITS)
""",
    "batch": """
targets = opened()
targets[0].subscribe(MOTOR.tick, hook, batch=True)
targets[0].notify(MOTOR.tick, (1,))
refused(*WAITS)
""",
    "native": """
targets = opened()
native = type(FUNCTION)(lambda context, event: hook() or 0)
targets[0].subscribe_native(MOTOR.tick, native)
targets[0].notify(MOTOR.tick, (1,))
refused(*WAITS)
""",
    "main-thread": """
targets = opened()
targets[0].subscribe(MOTOR.tick, hook, main_thread=True)
targets[0].notify(MOTOR.tick, (1,))
refused(*WAITS)
""",
    "on_error": """
targets = opened(on_error=hook)
targets[0].subscribe(MOTOR.tick, lambda event: 1 / 0)
targets[0].notify(MOTOR.tick, (1,))
refused(*WAITS)
""",
    "set_enabled": """
targets = opened(set_enabled=hook)
targets[0].subscribe(MOTOR.tick, lambda event: None)
refused(*WAITS)
""",
    "is_supported": """
targets = opened()
try:
    targets[0].register(tocsin.Protocol(0x97, "asked", {"tick": tocsin.EventType(0)}), is_supported=hook)
except tocsin.ClosedError:
    pass                             # the hook has closed it
refused()
""",
    "report": """
targets = opened()
asked = tocsin.Protocol(0x97, "asked", {"tick": tocsin.EventType(0, {"n": "u4"}, report=hook)})
targets[0].register(asked)
targets[0].subscribe(asked.tick, lambda event: event.report)
targets[0].notify(asked.tick, bytes(4))
refused(*WAITS)
""",
    "del": """
class Goes:
    __del__ = hook
targets = opened()
def callback(event):
    Goes()                           # made here, so it goes here, with a GIL or without
targets[0].subscribe(MOTOR.tick, callback)
targets[0].notify(MOTOR.tick, (1,))
refused(*WAITS)
""",
    "gc": """
targets = opened()
gc.callbacks.append(hook)
gc.collect()
gc.callbacks.clear()
refused()
""",
    "work": """
targets = opened()
QUEUE.queue(tocsin.Work(hook))
refused(*WAITS_FOR_WORKS)
""",
    "atexit": """
import atexit
targets = opened()
atexit.register(lambda: refused())
atexit.register(hook)
""",
}


@pytest.mark.native_only("the table has what only the compiled core can do")
@pytest.mark.parametrize("name", quick(HOOKS, "callback", "work", "atexit"))
def test_everything_may_be_called_from_a_hook(name: str) -> None:
    assert assert_ends_well(PRELUDE + HOOKS[name]) == "done"


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("error", quick(["SystemExit", "KeyboardInterrupt", "GeneratorExit"], "SystemExit"))
def test_what_ends_a_program_elsewhere_is_counted_in_a_callback_and_the_worker_lives(
    error: str, batch: bool
) -> None:
    code = f"""{PRELUDE}
heard = []
pipeline = tocsin.Pipeline(on_error=lambda failure: heard.append(type(failure.exception).__name__))
pipeline.register(MOTOR)
def leave(event):
    raise {error}
got = []
subscription = pipeline.subscribe(MOTOR.tick, leave, batch={batch}, priority=1)
pipeline.subscribe(MOTOR.tick, got.append, batch={batch})
for n in range(3):
    pipeline.notify(MOTOR.tick, (n,))
    assert pipeline.flush(20)
assert heard == ["{error}"] * 3 and subscription.stats().errors == 3 and len(got) == 3
assert pipeline.stats().protocols[MOTOR.id].callback_errors == 3
assert pipeline.close(20)
print("done", end="")
"""
    assert assert_ends_well(code) == "done"


@pytest.mark.slow
def test_two_callbacks_that_cancel_each_other_both_end() -> None:
    code = f"""{PRELUDE}
for _ in range(3):
    with tocsin.Pipeline(workers=4) as pipeline:
        pipeline.register(MOTOR, PUMP)
        meet = threading.Barrier(2)
        def one(event):
            try: meet.wait(0.2)
            except threading.BrokenBarrierError: pass
            subscriptions[1].cancel()
        def other(event):
            try: meet.wait(0.2)
            except threading.BrokenBarrierError: pass
            subscriptions[0].cancel()
        subscriptions = [pipeline.subscribe(MOTOR.tick, one), pipeline.subscribe(PUMP.tick, other)]
        for protocol in (MOTOR, PUMP, MOTOR, PUMP):
            pipeline.notify(protocol.tick, (1,))
        assert pipeline.flush(20)
        assert "cancelled" in [s.state for s in subscriptions]
print("done", end="")
"""
    assert assert_ends_well(code) == "done"


def test_cancelling_with_a_lock_that_the_callback_wants_ends_by_its_timeout() -> None:
    code = f"""{PRELUDE}
lock, entered = threading.Lock(), threading.Event()
def callback(event):
    entered.set()
    with lock:
        pass
pipeline = tocsin.Pipeline()
pipeline.register(MOTOR)
with lock:
    subscription = pipeline.subscribe(MOTOR.tick, callback)
    pipeline.notify(MOTOR.tick, (1,))
    assert entered.wait(20)
    assert subscription.cancel(timeout=0.05) is False
assert subscription.cancel(timeout=20) is True
assert pipeline.close(20) and subscription.stats().calls == 1
print("done", end="")
"""
    assert assert_ends_well(code) == "done"
