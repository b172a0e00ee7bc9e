"""Where SCMI messages come from: the kernel's trace of them, and its raw mode.

    from tocsin.sources import trace

    with trace.read("/sys/kernel/tracing/trace_pipe") as messages:
        for message in messages:
            scmi.notify_message(pipeline, message.data, message.timestamp)

A source knows how bytes are carried, not what they mean: scmi/ does that, and neither needs the other.
"""

from tocsin.sources import raw, trace
from tocsin.sources.message import Message, Source

__all__ = ["Message", "Source", "raw", "trace"]
